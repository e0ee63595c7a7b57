import { EMPTY, expect, test } from "./page";

/** The pages of the loop, as a reader sees them. What changes the mock's data is in acts.spec.ts. */
test("changes: verdict badges, filters in the URL, DORA", async ({ page }) => {
  await page.goto("/changes");
  const lines = page.locator(".change-table tbody tr");
  await expect(lines).toHaveCount(5);
  await expect(lines.filter({ hasText: "1.9.4 → 2.0.0" })).toContainText("Bad");
  await expect(lines.filter({ hasText: "new-basket" }).or(lines.filter({ hasText: "off → on" }))).toContainText(
    "Unknown (two changes at once)",
  );
  await expect(lines.filter({ hasText: "cart" })).toContainText("Watching");
  await expect(page.getByRole("region", { name: "DORA, last 30 days" })).toContainText("3.6 %");
  await expect(page.getByRole("region", { name: "DORA, last 30 days" })).toContainText("not known");
  await page.getByLabel("Verdict").selectOption("bad");
  await expect(page).toHaveURL(/verdict=bad/);
  await expect(lines).toHaveCount(1);
  await page.reload();
  await expect(lines).toHaveCount(1);
  await page.getByLabel("Verdict").selectOption("");
  await page.getByLabel("Service").fill("catalog");
  await expect(page).toHaveURL(/service=catalog/);
  await expect(lines).toHaveCount(1);
  await page.getByLabel("Kind").selectOption("flag");
  await expect(page.getByText("No change matches")).toBeVisible();
  await page.getByRole("link", { name: "Clear the filter" }).click();
  await expect(lines).toHaveCount(5);
});

test("a change: watch card, stages, diff; ids may hold slashes", async ({ page }) => {
  await page.goto("/changes");
  await page.locator(".change-table tr", { hasText: "2.0.0" }).first().getByRole("link").click();
  await page.goto("/changes/shop-deployer/chg-1");
  const card = page.getByRole("region", { name: "Evidence of the watch over the change" });
  await expect(card).toContainText("0.42 %");
  await expect(card).toContainText("48.24 %");
  await expect(card).toContainText("+47.8 points");
  await expect(card).toContainText("212.4 of 9.21 needed");
  await expect(card).toContainText("at least 500 needed");
  await expect(card).toContainText("its own watch called it good before this change began");
  await expect(card.getByRole("link", { name: "Open in search" })).toHaveCount(1);
  await expect(page.locator(".diff .add")).toHaveCount(2);
  await expect(page.locator(".stages li")).toHaveCount(3);
  await page.goto(`/changes/ci/${encodeURIComponent("deploys/2026/11")}`);
  await expect(page.getByRole("heading", { name: /catalog 3\.1/ })).toBeVisible();
  await expect(page.getByText("What was before and after is not recorded for this change.")).toBeVisible();
});

test("a watch that goes on says what would settle it", async ({ page }) => {
  await page.goto("/changes/argocd/chg-3");
  const card = page.getByRole("region", { name: "Evidence of the watch over the change" });
  await expect(card).toContainText("Watching");
  await expect(card).toContainText("89 more requests to the new version");
});

test("an incident shows the evidence, the guards, the dry run and the report", async ({ page }) => {
  await page.goto("/incidents/inc-7");
  await expect(page.locator(".watch-card")).toContainText("errors");
  const actions = page.getByRole("region", { name: "Actions" });
  await expect(actions).toContainText("dry run: 3 replicas would go to 1.9.4");
  await actions.getByText("What the decision rests on").click();
  await actions.getByText("3 guards passed").click();
  await expect(actions).toContainText("0 of 3 actions in 3600s");
  await expect(actions).toContainText("more than 30 min");
  await expect(page.getByRole("region", { name: "Verification" })).toContainText("Errors are back below 1 %");
  const href = await page.getByRole("link", { name: "Export as Markdown" }).getAttribute("href");
  expect(href).toBe("/backstop/api/v1/incidents/inc-7/export?format=markdown");
});

test("playbooks: record, offer, and a flow chart that can do nothing but be looked at", async ({ page }) => {
  await page.goto("/playbooks");
  await expect(page.getByRole("region", { name: "restart-catalog" })).toContainText(
    "Its record allows the mode approve",
  );
  await page.getByRole("region", { name: "rollback-checkout" }).getByRole("button", { name: "Flow chart" }).click();
  await expect(page).toHaveURL(/show=rollback-checkout/);
  const drawing = page.getByRole("img", { name: "Flow chart of rollback-checkout" });
  await expect(drawing.locator("rect")).toHaveCount(4);
  await expect(drawing.locator("script, a, [fill], [onload]")).toHaveCount(0);
  await expect(page).toHaveTitle(/Playbooks/);
});

test("services: owners, what depends on what, and who says so", async ({ page }) => {
  await page.goto("/services");
  await expect(page.getByRole("row", { name: /^checkout/ })).toContainText("payment");
  await expect(page.getByRole("row", { name: /^cart/ })).toContainText("seen in traces");
  await expect(page.getByRole("row", { name: /^catalog/ })).toContainText("cart");
  await page
    .getByRole("row", { name: /^checkout/ })
    .getByRole("link", { name: "Changes" })
    .click();
  await expect(page).toHaveURL(/service=checkout/);
});

test("a server without these parts shows pages that say so, and no broken panels", async ({ page }) => {
  await page.goto(`${EMPTY}/changes`);
  await expect(page.getByText("No change matches")).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
  await expect(page.getByRole("button", { name: /Actions allowed/ })).toHaveCount(0);
  await page.goto(`${EMPTY}/playbooks`);
  await expect(page.getByText("No playbooks are loaded")).toBeVisible();
  await page.goto(`${EMPTY}/services`);
  await expect(page.getByText("No services are known")).toBeVisible();
});

test("g c, g p and g v go places", async ({ page }) => {
  await page.goto("/incidents");
  await expect(page.getByRole("heading", { name: "Incidents" })).toBeVisible();
  for (const [key, path] of [
    ["c", /\/changes$/],
    ["p", /\/playbooks$/],
    ["v", /\/services$/],
  ] as const) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await expect(page).toHaveURL(path);
  }
});
