import AxeBuilder from "@axe-core/playwright";
import { editor, expect, rows, test } from "../page";

/**
 * Against a real server after `backstop demo`: some logs of the last hour, one incident that was rolled back and closed.
 * Nothing else is assumed. With BACKSTOP_SHOTS=folder it also takes the pictures of the README.
 */
test.skip(!process.env.BACKSTOP_UI_URL, "BACKSTOP_UI_URL names no server");
const shots = process.env.BACKSTOP_SHOTS;

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test("search", async ({ page }) => {
      await page.goto("/search?from=-6h&to=now");
      await expect(rows(page).first()).toBeVisible();
      await expect(page.locator(".time-chart .bar rect").first()).toBeVisible();
      await expect(page.locator(".field").first()).toBeVisible();
      await expect(editor(page)).toBeVisible();
      if (shots) await page.screenshot({ path: `${shots}/search-${colorScheme}.png` });
      const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa"]).analyze();
      expect(violations.map(({ id }) => id)).toEqual([]);
    });

    test("incident", async ({ page }) => {
      await page.goto("/incidents?state=resolved");
      await page.locator("table.data-table tbody a").first().click();
      for (const kind of ["change", "alert", "decision", "action", "verify"])
        await expect(page.locator(`.entry.${kind}`).first()).toBeVisible();
      await expect(page.getByRole("region", { name: "From the change to recovery" })).toBeVisible();
      await expect(page.locator(".time-chart .bar rect").first()).toBeVisible();
      if (shots) await page.screenshot({ path: `${shots}/incident-${colorScheme}.png`, fullPage: true });
    });
  });
}

test("a filter from the field list narrows the rows", async ({ page }) => {
  await page.goto("/search?from=-6h&to=now");
  await page.locator(".field .name").first().click(); // severity comes first
  // The rows of the wider query stay until those of the narrower one are there: wait for its answer before using them.
  const answered = page.waitForResponse(
    (response) =>
      response.url().endsWith("/backstop/api/v1/query") && (response.request().postData() ?? "").includes("severity"),
  );
  await page
    .getByRole("button", { name: /^Show only severity = / })
    .first()
    .click();
  await (await answered).finished();
  await expect(page).toHaveURL(/q=severity/);
  await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
  await expect(rows(page).first()).toBeVisible();
  await rows(page).first().click();
  await expect(page.locator(".detail")).toContainText("_stream");
});

test("a bad query explains itself", async ({ page }) => {
  await page.goto("/search?from=-6h&to=now");
  await expect(editor(page)).toBeVisible();
  await editor(page).click();
  await page.keyboard.type("error | stats nonsense(");
  await expect(page.locator(".cm-lintRange").first()).toBeVisible();
  await page.getByRole("button", { name: "Run" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
});

test("stats count", async ({ page }) => {
  await page.goto(
    `/search?from=-6h&to=now&q=${encodeURIComponent("* | stats by (service.name) count() as n | sort by (n desc)")}`,
  );
  await expect(page.getByRole("columnheader", { name: "n", exact: true })).toBeVisible();
  await expect(rows(page).first()).toBeVisible();
});

test("alerts list the demo's rule, with its health", async ({ page }) => {
  await page.goto("/alerts");
  await expect(page.locator(".rule-group .data-table tbody tr").first()).toBeVisible();
});

test.describe("Chinese", () => {
  test.use({ locale: "zh-CN" });
  test("incident page", async ({ page }) => {
    await page.goto("/incidents");
    await page.locator("table.data-table tbody a").first().click();
    await expect(page.getByRole("heading", { name: "时间线" })).toBeVisible();
    await expect(page.locator(".time-chart .bar rect").first()).toBeVisible();
    if (shots) await page.screenshot({ path: `${shots}/incident-zh-CN.png`, fullPage: true });
  });
});
