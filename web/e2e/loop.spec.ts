import { expect, test } from "./page";

test("alerts: filter in the URL, reasons, links to incident and logs", async ({ page }) => {
  await page.goto("/alerts");
  await expect(page.getByRole("row", { name: /CatalogSlow/ }).first()).toContainText("p99 of catalog is 1.8 s");
  await page.getByRole("button", { name: /^Firing/ }).click();
  await expect(page).toHaveURL(/state=firing/);
  await expect(page.locator("table.alerts tbody tr")).toHaveCount(1);
  await expect(page.getByText("1:24: expected '(' after by")).toBeVisible();
  await page.getByRole("link", { name: "Show logs" }).click();
  await expect(page).toHaveURL(/service.name%3A%3D%22catalog%22/);
});

test("an incident tells change, alert, decision, action, verification, notification", async ({ page }) => {
  await page.goto("/incidents");
  await page.getByRole("link", { name: "checkout: errors after deploy of 2.0.0" }).click();
  await expect(page.locator(".timeline .kind")).toHaveText([
    "Change",
    "Alert",
    "Decision",
    "Action",
    "Verification",
    "Notification",
  ]);
  await expect(page.getByRole("region", { name: "From the change to recovery" })).toContainText("noticed after 41 s");
  const decision = page.locator(".entry.decision");
  await expect(decision).toContainText("succeeded");
  await decision.getByText("Evidence").click();
  await expect(decision).toContainText("error_ratio");
  await expect(page.getByRole("region", { name: "Actions" })).toContainText("inc-7/rollback-checkout/0");
  await page.locator(".entry.alert").getByRole("link", { name: "Show logs" }).click();
  await expect(page).toHaveURL(/\/search\?q=service.name/);
});

test("an incident without a change says so", async ({ page }) => {
  await page.goto("/incidents/inc-8");
  await expect(page.getByText("No change to this service was recorded near the start.")).toBeVisible();
  await expect(page.locator(".entry.decision")).toContainText("refused");
});

test("an unknown incident and an unknown page explain themselves", async ({ page }) => {
  await page.goto("/incidents/nope");
  await expect(page.getByRole("alert")).toContainText("there is no incident nope");
  await page.goto("/what/is/this");
  await expect(page.getByRole("link", { name: "Go to search" })).toBeVisible();
});
