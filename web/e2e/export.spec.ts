import { readFile } from "node:fs/promises";
import { looked } from "./look";
import { expect, openSearch, test } from "./page";

test("the rows of this query and range are downloaded in four formats, by the keyboard too", async ({ page }) => {
  await openSearch(page, "?q=declined&from=-6h&to=now");
  const shown = /All (\d+) rows/.exec((await page.getByText(/^All \d+ rows$/).textContent()) ?? "")?.[1];
  for (const [name, file] of [
    ["NDJSON", "logs.ndjson"],
    ["CSV", "logs.csv"],
    ["Arrow", "logs.arrow"],
    ["Parquet", "logs.parquet"],
  ] as const) {
    await page.getByRole("button", { name: "Export" }).click();
    await page.getByRole("link", { name }).focus();
    const waiting = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    const download = await waiting;
    expect(download.suggestedFilename()).toBe(file);
    const params = new URL(download.url()).searchParams;
    expect([params.get("query"), params.get("language"), params.get("format")]).toEqual([
      "declined",
      "native",
      file.slice(5),
    ]);
    if (name !== "NDJSON") continue;
    const lines = (await readFile(await download.path(), "utf8")).trim().split("\n");
    expect(String(lines.length)).toBe(shown);
    expect(lines.every((line) => JSON.parse(line).body.includes("declined"))).toBe(true);
  }
});

test("the export follows what was run, not what is being typed", async ({ page }) => {
  await openSearch(page, "?q=declined&lang=lucene");
  await page.keyboard.press("/");
  await page.keyboard.type(" unfinished (");
  await page.getByRole("button", { name: "Export" }).click();
  await expect(page.getByRole("link", { name: "CSV" })).toHaveAttribute(
    "href",
    /\/export\?query=declined&language=lucene&start=2.*&end=2.*&format=csv$/,
  );
  await page.keyboard.press("Escape");
  await expect(page.getByRole("link", { name: "CSV" })).toHaveCount(0);
});

for (const colorScheme of ["light", "dark"] as const)
  for (const locale of ["en-US", "zh-CN"])
    test.describe(`${colorScheme} ${locale}`, () => {
      test.use({ colorScheme, locale });

      test("the export menu is readable", async ({ page }) => {
        await openSearch(page, "?q=declined");
        await page.locator(".toolbar > .popover > .icon-btn").last().click();
        await expect(page.locator(".export a")).toHaveCount(4);
        await looked(page, `export-${colorScheme}-${locale}`);
      });
    });
