import { expect, test } from "./page";

/** No timing here: what is bounded is the work, by counting what is on the page. */
test("10,000 rows and 5,000 fields keep the page small", async ({ page }) => {
  const line = (index: number) =>
    JSON.stringify({
      _time: new Date(1_795_000_000_000 - index).toISOString(),
      _id: index.toString(16).padStart(16, "0"),
      severity: "INFO",
      body: `line ${index}`,
    });
  const end = JSON.stringify({
    _end: { stats: {}, complete: true, limit_reached: false, rows_matched: 10_000, warnings: [], query_id: "q" },
  });
  const body = `${Array.from({ length: 10_000 }, (_, index) => line(index)).join("\n")}\n${end}\n`;
  await page.route("**/api/v1/query", (route) => route.fulfill({ contentType: "application/x-ndjson", body }));
  const fields = Array.from({ length: 5_000 }, (_, index) => ({
    name: `field.${index}`,
    type: "string",
    rows: 5_000 - index,
  }));
  await page.route("**/fields", (route) => route.fulfill({ json: { fields, rows: 10_000, sampled: false } }));
  await page.goto("/search");
  await expect(page.getByText("All 10,000 rows")).toBeVisible();
  await expect(page.getByText("4,800 more fields; type to find one")).toBeVisible();
  expect(await page.locator(".rows .row").count()).toBeLessThan(100);
  expect(await page.locator("*").count()).toBeLessThan(4_000);
  await page
    .getByLabel("Results")
    .and(page.locator(".rows"))
    .evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await expect(page.getByText("line 9999", { exact: true })).toBeVisible();
  await page.getByRole("searchbox", { name: "Find a field" }).fill("field.4999");
  await expect(page.locator(".field")).toHaveCount(1);
});
