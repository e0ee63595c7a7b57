import type { Page } from "@playwright/test";
import { looked } from "./look";
import { editor, expect, openSearch, test } from "./page";

/** The mock keeps views for as long as it runs, so every test has names of its own. */
const open = (page: Page) => page.getByRole("button", { name: "Saved views" }).click();
const item = (page: Page, name: string) =>
  page.locator(".view", { has: page.getByRole("link", { name, exact: true }) });

async function save(page: Page, name: string) {
  await page.getByLabel("Save this search as").fill(name);
  await page.keyboard.press("Enter");
  await expect(page.getByText("Saved", { exact: true })).toBeVisible();
}

test("a search is saved with its layout, and opened again", async ({ page }) => {
  await openSearch(page, "?q=declined&lang=lucene&from=-15m&to=now&col=host.name&open=00");
  await open(page);
  await save(page, "Declined payments");
  await expect(item(page, "Declined payments")).toContainText("Lucene");
  await page.goto("/search?q=cache");
  await open(page);
  await page.getByRole("link", { name: "Declined payments" }).click();
  await expect(page).toHaveURL("/search?q=declined&lang=lucene&from=-15m&to=now&col=host.name");
  await expect(editor(page)).toHaveText("declined");
  await expect(page.getByLabel("Query language")).toHaveValue("lucene");
  await expect(page.getByRole("columnheader", { name: "host.name" })).toBeVisible();
  await open(page);
  await expect(page.getByRole("link", { name: "Declined payments" })).toHaveAttribute("aria-current", "true");
});

test("a name that is taken can be taken over", async ({ page }) => {
  await openSearch(page, "?q=declined");
  await open(page);
  await save(page, "Taken");
  await page.goto("/search?q=slow");
  await open(page);
  await page.getByLabel("Save this search as").fill("taken");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("there is a view named taken already");
  await expect(item(page, "Taken")).toContainText("declined");
  await page.locator(".views form").getByRole("button", { name: "Replace taken by this search" }).click();
  await expect(item(page, "taken")).toContainText("slow");
  await expect(item(page, "Taken")).toHaveCount(0);
});

test("a view is renamed, replaced and, when asked twice, deleted; all with the keyboard", async ({ page }) => {
  await openSearch(page, "?q=declined");
  await open(page);
  await save(page, "Old name");
  await page.getByRole("button", { name: "Rename Old name" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("New name of Old name")).toBeFocused();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("Newer name");
  await page.keyboard.press("Enter");
  await expect(item(page, "Newer name")).toContainText("declined");
  await expect(item(page, "Old name")).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Rename Newer name" })).toBeFocused();

  await page.goto("/search?q=slow");
  await open(page);
  await page.getByRole("button", { name: "Replace Newer name by this search" }).click();
  await page.getByRole("button", { name: "Replace", exact: true }).click();
  await expect(item(page, "Newer name")).toContainText("slow");

  const remove = page.getByRole("button", { name: "Delete Newer name" });
  await remove.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Keep it" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(item(page, "Newer name")).toBeVisible();
  await expect(remove).toBeFocused();
  await remove.click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(item(page, "Newer name")).toHaveCount(0);
});

test("the link of a view is copied", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await openSearch(page, "?q=declined&col=host.name");
  await open(page);
  await save(page, "To share");
  await page.getByRole("button", { name: "Copy the link of To share" }).click();
  await expect
    .poll(() => page.evaluate(() => navigator.clipboard.readText()))
    .toMatch(/^http:.*\/search\?q=declined&col=host\.name$/);
});

test("what the server refuses is said, and a token can be given", async ({ page }) => {
  await page.route("**/api/v1/views", async (route) => {
    if (route.request().method() === "GET") return route.fulfill({ json: { views: [] } });
    if (route.request().headers().authorization === "Bearer secret") return route.fulfill({ status: 201, json: {} });
    return route.fulfill({
      status: 401,
      json: { error: { code: "unauthorized", message: "saving a view needs a token", hint: "enter one" } },
    });
  });
  await openSearch(page);
  await open(page);
  await expect(page.getByText("No view is saved yet.")).toBeVisible();
  await page.getByLabel("Save this search as").fill("Mine");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toContainText("saving a view needs a token");
  await page.locator(".views input[type=password]").fill("secret");
  await page.locator(".views-save").getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved", { exact: true })).toBeVisible();
});

for (const colorScheme of ["light", "dark"] as const)
  for (const locale of ["en-US", "zh-CN"])
    test.describe(`${colorScheme} ${locale}`, () => {
      test.use({ colorScheme, locale });

      test("saved views are readable", async ({ page }) => {
        const view = (id: string, name: string, query: string) => ({
          id,
          name,
          query,
          language: "native",
          range: { from: "-1h", to: "now" },
          columns: [],
          owner: "mei",
          created_at: "2026-11-23T00:00:00Z",
          updated_at: "2026-11-23T00:00:00Z",
        });
        const views = [view("1", "Declined payments", "declined"), view("2", `Long ${"name ".repeat(30)}`, "error")];
        await page.route("**/api/v1/views", (route) => route.fulfill({ json: { views } }));
        await openSearch(page, "?q=declined");
        await page.locator(".toolbar > .popover > .icon-btn").nth(-2).click();
        await page.locator(".view-head button").last().click();
        await expect(page.locator(".confirm")).toBeVisible();
        await looked(page, `views-${colorScheme}-${locale}`);
      });
    });
