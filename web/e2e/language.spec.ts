import { looked } from "./look";
import { editor, expect, openSearch, rows, test } from "./page";

const picker = "Query language";

test("the language is chosen beside the query, kept in the URL and sent with every request", async ({ page }) => {
  const sent: Record<string, unknown>[] = [];
  page.on("request", (request) => {
    const name = /api\/v1\/(query|histogram|fields|values|diagnose)$/.exec(request.url())?.[1];
    if (name) sent.push({ name, ...(request.postDataJSON() as object) });
  });
  const languages = (name: string, query: string) =>
    sent.filter((one) => one.name === name && one.query === query).map(({ language }) => language);
  await openSearch(page);
  expect(sent.every((one) => !("language" in one))).toBe(true);
  await page.getByLabel(picker).selectOption("Lucene");
  await page.keyboard.press("/");
  const query = 'declined AND severity:"ERROR"';
  await editor(page).fill(query);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/lang=lucene/);
  await expect(page.getByText(/^All \d+ rows$/)).toBeVisible();
  await page.getByRole("button", { name: /^severity/ }).click();
  await expect(page.locator(".values .value").first()).toBeVisible();
  for (const name of ["query", "histogram", "fields", "values", "diagnose"])
    await expect.poll(() => languages(name, query), name).toContain("lucene");
  await page.reload();
  await expect(page.getByLabel(picker)).toHaveValue("lucene");
  await page.goBack();
  await expect(page.getByLabel(picker)).toHaveValue("native");
});

test("Lucene's text is checked but not coloured, and filters are written in its syntax", async ({ page }) => {
  await openSearch(page, "?q=declined");
  await expect(page.locator(".tok-string")).toHaveCount(1);
  await page.getByLabel(picker).selectOption("Lucene");
  await expect(page.locator(".tok-string")).toHaveCount(0);
  await editor(page).click();
  await page.keyboard.press("End");
  await page.keyboard.type(" ^");
  await expect(page.locator(".cm-lintRange-error")).toBeVisible();
  await expect(page.locator(".cm-tooltip-autocomplete")).toHaveCount(0);
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/lang=lucene/);
  await page.getByRole("button", { name: /^severity/ }).click();
  await page.getByRole("button", { name: "Show only severity = ERROR" }).click();
  await expect(editor(page)).toHaveText('declined AND severity:"ERROR"');
  await page.getByRole("button", { name: "Show only severity = ERROR" }).click();
  await expect(editor(page)).toHaveText("declined");
  await page.getByLabel(picker).selectOption("Native");
  await expect(page.locator(".tok-string")).toHaveCount(1);
});

test("PromQL's samples are rows; there are no filter buttons, and what cannot be counted says so", async ({ page }) => {
  await openSearch(page, "?lang=promql&q=up");
  await expect(page.getByText("Not available for this query.")).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
  await expect(page.getByRole("columnheader")).toHaveText(["_time", "service", "value"]);
  await expect(rows(page)).toHaveCount(3);
  await expect(page.getByRole("button", { name: /^Show only/ })).toHaveCount(0);
});

test("SQL's groups are rows beside the fields and the counts of the range, and its mistakes are marked", async ({
  page,
}) => {
  const sql = "select service.name, count(*) as n from logs group by service.name";
  await openSearch(page, `?lang=sql&q=${encodeURIComponent(sql)}`);
  await expect(page.getByRole("columnheader")).toHaveText(["service.name", "n"]);
  await expect(rows(page)).toHaveCount(1);
  await expect(page.getByText("Not available for this query.")).toHaveCount(0);
  await expect(page.getByRole("button", { name: /^host\.name/ })).toBeVisible();
  await expect(page.getByRole("button", { name: /^Show only/ })).toHaveCount(0);
  await editor(page).fill(sql.replace("logs", "logz"));
  await expect(page.locator(".cm-lintRange-error")).toBeVisible();
  await expect(page.getByText("did you mean logs?")).toBeVisible();
});

test("an example of the syntax card runs in the native language", async ({ page }) => {
  await page.goto("/search?lang=lucene&q=declined");
  await page.getByRole("button", { name: "Query syntax" }).click();
  await page.getByRole("button", { name: "error", exact: true }).click();
  await expect(page).toHaveURL(/\/search\?q=error$/);
  await expect(page.getByLabel(picker)).toHaveValue("native");
});

for (const colorScheme of ["light", "dark"] as const)
  for (const locale of ["en-US", "zh-CN"])
    test.describe(`${colorScheme} ${locale}`, () => {
      test.use({ colorScheme, locale });

      test("the picker is readable", async ({ page }) => {
        await page.goto("/search?lang=promql");
        await expect(editor(page)).toBeVisible();
        await expect(rows(page).first()).toBeVisible();
        await looked(page, `language-${colorScheme}-${locale}`);
      });
    });
