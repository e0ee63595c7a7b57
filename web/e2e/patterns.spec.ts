import { looked } from "./look";
import { editor, expect, rows, test } from "./page";

const table = "table[aria-label='Patterns of the rows']";

test("rows fold into patterns, with how often and since when", async ({ page }) => {
  await page.goto("/search?q=declined");
  await page.getByRole("button", { name: "Patterns" }).click();
  await expect(page).toHaveURL(/show=patterns/);
  const row = page.locator(`${table} tbody tr`);
  await expect(row).toHaveCount(1);
  await expect(page.getByText(/^All 1 pattern of \d+ rows$/)).toBeVisible();
  await expect(row.getByRole("rowheader")).toContainText("upstream payment-gw returned <num> after <num> ms");
  await expect(row.locator(".hole.num").first()).toHaveText("<num>");
  await expect(row.getByRole("rowheader")).toContainText(/For example error: payment declined.* 502 after \d+ ms/);
  await expect(row.locator("td").nth(1)).toHaveText("100%");
  await expect(row.getByRole("img", { name: /At most \d+ rows in .+, at \d\d:\d\d:\d\d/ })).toBeVisible();
  await expect(row.locator("time")).toHaveCount(2);
  // Payments were declined in the hour before too; the timeout of the payment was seen once, just now.
  await expect(row.getByText("New", { exact: true })).toHaveCount(0);
  await page.goto(`/search?q=${encodeURIComponent("支付超时")}&show=patterns`);
  await expect(row.getByText("New", { exact: true })).toBeVisible();
  await expect(page.getByText("1 new", { exact: true })).toBeVisible();
});

test("a pattern becomes a filter and goes again; a click on it shows its rows", async ({ page }) => {
  await page.goto("/search?show=patterns");
  const all = page.locator(`${table} tbody tr`);
  await expect(all.first()).toBeVisible();
  const before = await all.count();
  const exclude = page.getByRole("button", { name: /^Hide this pattern: GET/ }).first();
  await exclude.focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/q=-_pattern%3A%3D%22[0-9a-f]{16}%22/);
  await expect(page).toHaveURL(/show=patterns/);
  await expect(all).toHaveCount(before - 1);
  await page.goBack();
  await expect(all).toHaveCount(before);
  const slow = page.getByRole("button", { name: /^slow query/ });
  await slow.focus();
  await page.keyboard.press("Enter");
  await expect(editor(page)).toHaveText(/^_pattern:="[0-9a-f]{16}"$/);
  await expect(page).not.toHaveURL(/show=/);
  await expect(rows(page).first()).toContainText("slow query");
  await page.getByRole("button", { name: "Patterns" }).click();
  const include = page.getByRole("button", { name: /^Show only this pattern: slow query/ });
  await expect(include).toHaveAttribute("aria-pressed", "true");
  await include.click();
  await expect(all).toHaveCount(before);
});

test("more patterns load, and none is said", async ({ page }) => {
  const pattern = (index: number) => ({
    id: index.toString(16).padStart(16, "0"),
    template: `<script>${index}</script> <*>`,
    count: 1000 - index,
    share: 0.004,
    first_seen: "2026-11-23T00:00:00Z",
    last_seen: "2026-11-23T00:01:00Z",
    example: `line ${index}`,
    trend: [0, 1, 2],
    new: index === 0,
  });
  await page.route("**/patterns", (route) => {
    const { limit } = route.request().postDataJSON() as { limit: number };
    const patterns = Array.from({ length: Math.min(limit, 70) }, (_, index) => pattern(index));
    const window = { start: "2026-11-23T00:00:00Z", end: "2026-11-23T01:00:00Z", step_ms: 1000 };
    return route.fulfill({ json: { patterns, ...window, total: 9_000 } });
  });
  await page.goto("/search?show=patterns");
  await expect(page.getByText("The 50 most frequent patterns of 9,000 rows")).toBeVisible();
  await expect(page.getByText("<1%").first()).toBeVisible();
  await page.getByRole("button", { name: "Load more" }).click();
  await expect(page.getByText("All 70 patterns of 9,000 rows")).toBeVisible();
  await page.unroute("**/patterns");
  await page.goto("/search?q=nothinghere&show=patterns");
  await expect(page.getByText("No rows, no patterns")).toBeVisible();
});

test("a failure of the patterns is theirs alone", async ({ page }) => {
  await page.route("**/patterns", (route) =>
    route.fulfill({ status: 504, json: { error: { code: "timeout", message: "patterns took longer than 10 s" } } }),
  );
  await page.goto("/search?show=patterns");
  await expect(page.getByRole("alert")).toContainText("patterns took longer than 10 s");
  await page.getByRole("button", { name: "Rows", exact: true }).click();
  await expect(rows(page).first()).toBeVisible();
});

for (const colorScheme of ["light", "dark"] as const)
  for (const locale of ["en-US", "zh-CN"])
    test.describe(`${colorScheme} ${locale}`, () => {
      test.use({ colorScheme, locale });

      test("patterns are readable", async ({ page }) => {
        await page.goto("/search?show=patterns");
        await expect(page.locator(".patterns tbody tr").first()).toBeVisible();
        await page.locator(".patterns tbody .template-btn").nth(1).hover();
        await looked(page, `patterns-${colorScheme}-${locale}`);
      });
    });
