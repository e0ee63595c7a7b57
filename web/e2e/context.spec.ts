import { looked } from "./look";
import { expect, openSearch, rows, test } from "./page";

test("a row shows its surroundings in place, the row itself marked, and more on request", async ({ page }) => {
  const asked: URLSearchParams[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/context?")) asked.push(new URL(request.url()).searchParams);
  });
  await openSearch(page, "?q=declined");
  await rows(page).nth(1).click();
  const id = (await rows(page).nth(1).getAttribute("id"))?.replace("row-", "") ?? "";
  const show = page.getByRole("button", { name: "Show surroundings" });
  await show.focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`around=${id}`));
  const region = page.getByRole("region", { name: /^Rows before and after this one/ });
  const line = region.getByRole("listitem");
  await expect(line).toHaveCount(21);
  await expect(line.nth(10)).toHaveAttribute("aria-current", "true");
  await expect(line.nth(10)).toContainText("this row");
  await expect(line.nth(10)).toContainText("declined");
  expect(asked[0]?.get("id")).toBe(id);
  expect(asked[0]?.get("stream")).toContain('service.name="checkout"');
  // Oldest first, and not only rows that match the query.
  const times = await region.locator("time").evaluateAll((all) => all.map((one) => one.getAttribute("datetime") ?? ""));
  expect(times).toEqual([...times].sort());
  await expect(line.filter({ hasNotText: "declined" }).first()).toBeVisible();
  await region.getByRole("button", { name: "10 more before" }).click();
  await expect(line).toHaveCount(31);
  await region.getByRole("button", { name: "10 more after" }).click();
  await expect(line).toHaveCount(41);
  await page.reload();
  await expect(line).toHaveCount(21);
  await show.click();
  await expect(region).toHaveCount(0);
  await expect(page).not.toHaveURL(/around=/);
});

test("the end of the stream and a failure are said", async ({ page }) => {
  await page.route("**/context?**", (route) => {
    const row = (index: number, _context: string) => ({
      _id: String(index),
      _time: `2026-11-23T00:00:0${index}Z`,
      severity: "INFO",
      body: `line ${index}`,
      _context,
    });
    return route.fulfill({ json: { rows: [row(1, "before"), row(2, "match")] } });
  });
  await openSearch(page, "?q=declined");
  await rows(page).first().click();
  const show = page.getByRole("button", { name: "Show surroundings" });
  await show.click();
  await expect(page.getByText("The stream starts here.")).toBeVisible();
  await expect(page.getByText("Nothing newer in this stream.")).toBeVisible();
  await page.route("**/context?**", (route) =>
    route.fulfill({ status: 404, json: { error: { code: "not_found", message: "there is no such row" } } }),
  );
  await rows(page).first().click();
  await rows(page).nth(1).click();
  await show.click();
  await expect(page.getByRole("alert")).toContainText("there is no such row");
});

for (const colorScheme of ["light", "dark"] as const)
  for (const locale of ["en-US", "zh-CN"])
    test.describe(`${colorScheme} ${locale}`, () => {
      test.use({ colorScheme, locale });

      test("surroundings are readable", async ({ page }) => {
        await openSearch(page, "?q=declined");
        await rows(page).nth(3).click();
        await page.locator(".detail .bar [aria-pressed]").nth(2).click();
        await expect(page.locator(".surroundings .match")).toBeVisible();
        await looked(page, `context-${colorScheme}-${locale}`);
      });
    });
