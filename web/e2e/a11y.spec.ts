import AxeBuilder from "@axe-core/playwright";
import { EMPTY, editor, expect, rows, test } from "./page";

/** axe over every page and the states of the search page, in both themes and both languages. */
const PAGES: [string, string][] = [
  ["search", "/search"],
  ["stats", `/search?q=${encodeURIComponent("* | stats by (service.name) count() as n")}`],
  ["nothing", "/search?q=nothinghere"],
  ["first line", `${EMPTY}/search`],
  ["alerts", "/alerts"],
  ["incidents", "/incidents"],
  ["incident", "/incidents/inc-7"],
  ["incident with approvals", "/incidents/inc-8"],
  ["changes", "/changes"],
  ["change", "/changes/shop-deployer/chg-1"],
  ["playbooks", "/playbooks?show=rollback-checkout"],
  ["services", "/services"],
  ["no loop", `${EMPTY}/changes`],
];

const check = async (page: import("@playwright/test").Page) => {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"])
    .analyze();
  expect(
    violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join(" ;; ")}`,
    ),
  ).toEqual([]);
};

for (const colorScheme of ["light", "dark"] as const)
  for (const locale of ["en-US", "zh-CN"])
    test.describe(`${colorScheme} ${locale}`, () => {
      test.use({ colorScheme, locale });
      for (const [name, path] of PAGES)
        test(name, async ({ page }) => {
          await page.goto(path);
          await page.waitForLoadState("networkidle");
          await check(page);
        });

      test("search with everything open", async ({ page }) => {
        await page.goto("/search?q=error&wrap=1");
        await expect(editor(page)).toBeVisible();
        await rows(page).nth(1).click();
        await page.locator(".field .name").first().click();
        await expect(page.locator(".field .values .value").first()).toBeVisible();
        await page.keyboard.press("t");
        await check(page);
        await page.keyboard.press("Escape");
        await page.keyboard.press("?");
        await check(page);
      });
    });

for (const path of [
  "/search",
  "/search?show=patterns",
  "/incidents/inc-8",
  "/changes/shop-deployer/chg-1",
  "/playbooks",
])
  test(`targets are at least 24 pixels: ${path}`, async ({ page }) => {
    await page.goto(path);
    await page.waitForLoadState("networkidle");
    const small = await page.evaluate(() =>
      [...document.querySelectorAll("button, select, input, header a")]
        .map((element) => ({ element, box: element.getBoundingClientRect() }))
        .filter(
          ({ element, box }) => box.width > 0 && (box.width < 24 || box.height < 24) && !element.matches(".link-btn"),
        )
        .map(({ element }) => element.outerHTML.slice(0, 120)),
    );
    expect(small).toEqual([]);
  });
