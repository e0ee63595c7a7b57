import { expect, test } from "./page";

/**
 * What people do. These change what the server has, so they run against a mock of their own, one after the other.
 */
const ACTS = "http://127.0.0.1:7073";
test.use({ baseURL: ACTS });
test.describe.configure({ mode: "serial" });

test("an approval asks for a token, counts who gave it, and needs two", async ({ page }) => {
  await page.goto("/incidents/inc-8");
  const panel = page.getByRole("region", { name: "Approvals" });
  await expect(panel).toContainText("1 of 2 given");
  await expect(panel).toContainText("mei: approved");
  await expect(panel).toContainText(/expires in \d+ min/);
  await expect(panel.getByRole("button", { name: "Approve" })).toBeDisabled();
  await panel.getByLabel("Token").fill("wrong");
  await panel.getByRole("button", { name: "Approve" }).click();
  await expect(panel.getByRole("alert")).toContainText("the token is not known");
  await panel.getByLabel("Token").fill("good-token");
  await panel.getByLabel("Comment (optional)").fill("go");
  await page.reload();
  await expect(panel.getByLabel("Token")).toHaveValue("good-token");
  await panel.getByRole("button", { name: "Approve" }).click();
  await expect(panel).toContainText("2 of 2 given");
  await expect(panel.getByRole("button", { name: "Approve" })).toHaveCount(0);
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain("good-token");
});

test("a note is signed and stays; acknowledging and resolving show", async ({ page }) => {
  await page.goto("/incidents/inc-8");
  const form = page.getByRole("form", { name: "Add a note" });
  await form.getByLabel("What did you see or do?").fill("<b>heap</b> is full\nrestarted node-2");
  await form.getByLabel("Your name").fill("ada");
  await form.getByRole("button", { name: "Add" }).click();
  await expect(page.locator(".entry.note").last()).toContainText("ada");
  await expect(page.locator(".entry.note").last()).toContainText("<b>heap</b> is full");
  await expect(form.getByLabel("What did you see or do?")).toHaveValue("");
  await page.getByRole("button", { name: "Acknowledge" }).click();
  await page.locator(".incident-bar form").getByRole("button", { name: "Acknowledge" }).click();
  await expect(page.locator(".incident-head")).toContainText("ada looks after it");
  await page.getByRole("button", { name: "Resolve" }).click();
  await page.locator(".incident-bar form").getByRole("button", { name: "Resolve" }).click();
  await expect(page.locator(".incident-head")).toContainText("resolved by ada");
  await page.getByRole("button", { name: "Reopen" }).click();
  await page.locator(".incident-bar form").getByRole("button", { name: "Reopen" }).click();
  await expect(page.locator(".incident-head")).toContainText("reopened once");
});

test("an incident is opened by hand and merged into another one", async ({ page }) => {
  await page.goto("/incidents");
  await page.getByRole("button", { name: "Open an incident" }).click();
  await page.getByLabel("Title").fill("Phones ring");
  await page.getByLabel("Service").fill("catalog");
  await page.getByRole("button", { name: "Open", exact: true }).last().click();
  await expect(page.getByRole("heading", { name: "Phones ring" })).toBeVisible();
  const own = page.url();
  await page.getByRole("button", { name: "Merge" }).click();
  await page.getByLabel("Merge into").selectOption({ label: "catalog: p99 above 1 s (Open)" });
  await page.locator(".incident-bar form").getByRole("button", { name: "Merge" }).click();
  await expect(page).toHaveURL(/inc-8/);
  await page.goto(own);
  await expect(page.getByText("This incident was merged into another one")).toBeVisible();
  await expect(page.getByRole("button", { name: "Acknowledge" })).toHaveCount(0);
});

test("the kill switch shows on every page while it is engaged", async ({ page }) => {
  await page.goto("/playbooks");
  await page.getByRole("button", { name: "Actions allowed" }).click();
  await page.getByLabel("Reason").fill("migration tonight");
  await page.getByLabel("Token").fill("good-token");
  await page.getByRole("button", { name: "Stop all actions" }).click();
  await expect(page.locator(".kill-banner")).toContainText("migration tonight");
  await page.goto("/search");
  await expect(page.locator(".kill-banner")).toContainText("All actions are stopped");
  await page.goto("/changes");
  await page.getByRole("button", { name: "Actions stopped" }).click();
  await page.getByRole("button", { name: "Allow actions again" }).click();
  await expect(page.locator(".kill-banner")).toHaveCount(0);
});

test("the mode that a record has earned is taken up", async ({ page }) => {
  await page.goto("/playbooks");
  const card = page.getByRole("region", { name: "restart-catalog" });
  await card.getByRole("button", { name: "Switch to approve" }).click();
  await card.getByLabel("Token").fill("good-token");
  await card.getByRole("button", { name: "Change the mode" }).click();
  await expect(card.locator(".mode")).toHaveText("approve");
});
