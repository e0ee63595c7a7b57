import { EMPTY, editor, expect, openSearch, rows, test } from "./page";

test("a search shows rows, counts and what is missing", async ({ page }) => {
  await openSearch(page);
  await expect(page.getByText(/Showing 500 of 5,\d{3} rows/)).toBeVisible();
  await expect(page.getByText("newest first")).toBeVisible();
  await expect(page.getByRole("slider", { name: "Rows over time by severity" })).toHaveAttribute(
    "aria-valuetext",
    /rows in 60 bars/,
  );
  await expect(page.locator(".change-mark")).toHaveCount(3);
});

test("typing and Enter run the query; Back returns to the one before", async ({ page }) => {
  await openSearch(page);
  await page.keyboard.press("/");
  await page.keyboard.type("declined");
  // No Escape: there is no completion of this word, and where no list is open, Escape leaves the editor.
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/q=declined/);
  await expect(page.getByText(/^All \d+ rows$/)).toBeVisible();
  await expect(rows(page).first().locator("mark")).toHaveText("declined");
  await page.goBack();
  await expect(editor(page)).toHaveText(/Search all logs/);
  await expect(page.getByText(/Showing 500 of/)).toBeVisible();
});

test("problems are shown under the words while the rows stay", async ({ page }) => {
  await openSearch(page, "?q=error");
  const before = await rows(page).first().textContent();
  await editor(page).click();
  await page.keyboard.press("End");
  await page.keyboard.type(" level:eror ^");
  await expect(page.locator(".cm-lintRange-error")).toBeVisible();
  await expect(page.locator(".cm-lintRange-warning")).toHaveText("level");
  await expect(page.getByRole("list", { name: "Problems in the query" })).toContainText("the severity is in severity");
  expect(await rows(page).first().textContent()).toBe(before);
  await page.getByRole("button", { name: "Run" }).click();
  await expect(page.getByRole("alert")).toContainText('unexpected "^"');
  await expect(page.getByRole("alert")).toContainText("quote it to search for it");
  await expect(page.getByText("The last good result is still shown below.")).toBeVisible();
  expect(await rows(page).first().textContent()).toBe(before);
});

test("completions come from the server and are taken with Enter", async ({ page }) => {
  await openSearch(page);
  await editor(page).click();
  await page.keyboard.type("service.na");
  await expect(page.getByRole("option", { name: /service\.name/ })).toBeVisible();
  await page.waitForTimeout(100); // the editor ignores Enter for 75 ms after the list appears
  await page.keyboard.press("Enter");
  await expect(editor(page)).toHaveText("service.name:");
  await expect(page.getByRole("option", { name: /checkout/ })).toBeVisible();
});

test("a row opens in place, filters, and is in the URL", async ({ page }) => {
  await openSearch(page, "?q=declined");
  await rows(page).nth(1).click();
  await expect(page).toHaveURL(/open=/);
  await page.getByRole("button", { name: "Show only http.response.status_code = 502" }).click();
  await expect(page).toHaveURL(/status_code%3A%3D502/);
  await expect(editor(page)).toHaveText("declined http.response.status_code:=502");
  await rows(page).nth(1).click();
  const detail = page.locator(".rows .detail");
  await expect(detail).toContainText("_time");
  const text = await detail.innerText();
  await page.reload();
  await expect(detail).toBeVisible();
  expect(await detail.innerText()).toBe(text);
});

test("the field list adds and takes back a filter", async ({ page }) => {
  await openSearch(page);
  await page.getByRole("button", { name: /^severity/ }).click();
  const only = page.getByRole("button", { name: "Show only severity = ERROR" });
  await only.click();
  await expect(editor(page)).toHaveText('severity:="ERROR"');
  await expect(only).toHaveAttribute("aria-pressed", "true");
  await expect(rows(page).first()).toContainText("ERROR");
  await page.getByRole("button", { name: "Hide severity = ERROR" }).click();
  await expect(editor(page)).toHaveText('-severity:="ERROR"');
  await page.getByRole("button", { name: "Show host.name as a column" }).click();
  await expect(page.getByRole("columnheader", { name: "host.name" })).toBeVisible();
  await expect(page).toHaveURL(/col=host.name/);
});

test("the values of a field are counted among the rows of the query", async ({ page }) => {
  await openSearch(page, "?q=declined&from=-6h&to=now");
  const all = /All (\d+) rows/.exec((await page.getByText(/^All \d+ rows$/).textContent()) ?? "")?.[1];
  await page.getByRole("button", { name: /^host\.name/ }).click();
  const counts = page.getByRole("list", { name: "Values of host.name" }).locator(".count");
  await expect(counts).toHaveCount(3);
  const sum = (await counts.allTextContents()).reduce((total, text) => total + Number(text), 0);
  expect(String(sum)).toBe(all);
});

test("stats make a table with numbers to the right", async ({ page }) => {
  await openSearch(page, `?q=${encodeURIComponent("* | stats by (service.name) count() as n | sort by (n desc)")}`);
  await expect(page.getByRole("columnheader")).toHaveText(["service.name", "n"]);
  await expect(rows(page)).toHaveCount(5);
});

test("dragging and the keyboard zoom to the same place", async ({ page }) => {
  await openSearch(page);
  const chart = page.getByRole("slider");
  const box = await chart.boundingBox();
  if (!box) throw new Error("no chart");
  await page.mouse.move(box.x + box.width * 0.25, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40, { steps: 4 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=2\d{3}-/);
  await page.getByRole("button", { name: "Zoom out" }).click();
  const wide = page.url();
  await chart.focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  await expect(chart).toHaveAttribute("aria-valuetext", /^Selected .* Enter zooms in\.$/);
  await page.keyboard.press("Enter");
  await expect(page).not.toHaveURL(wide);
  await expect(page).toHaveURL(/from=2\d{3}-/);
});

test("the time range takes absolute times and refuses nonsense", async ({ page }) => {
  await openSearch(page);
  await page.keyboard.press("t");
  await page.getByLabel("From").fill("yesterday");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page.getByRole("alert")).toContainText("Not a time: yesterday");
  await page.getByLabel("From").fill("2026-01-02 03:04:05");
  await page.getByLabel("To").fill("now");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page).toHaveURL(/from=2026-01-01T19%3A04%3A05.000Z&to=now/);
});

test("nothing in range leads to the nearest match", async ({ page }) => {
  await page.goto("/search?q=declined&from=-1s&to=now");
  await expect(page.getByText("Nothing matches in this range")).toBeVisible();
  await page.getByRole("button", { name: "Go there" }).click();
  await expect(rows(page).first()).toContainText("declined");
});

test("a new install teaches how to send the first line, and notices it", async ({ page, request }) => {
  await page.goto(`${EMPTY}/search`);
  await expect(page.getByText("Waiting for the first record")).toBeVisible();
  await expect(page.getByText('logger -n 127.0.0.1 -P 5514 --tcp "first line"')).toBeVisible();
  await request.post(`${EMPTY}/v1/logs`, { data: {} });
  await expect(page.getByLabel("Results").and(page.locator(".rows"))).toContainText("first line", { timeout: 10_000 });
});

test("log lines are text, never markup", async ({ page }) => {
  await openSearch(page, "?q=hostile");
  await rows(page).first().click();
  await expect(page.locator(".detail .value").first()).toBeVisible();
  await expect(rows(page).first()).toContainText("<script>alert(1)</script>");
  await expect(page.locator(".rows img, .rows script")).toHaveCount(0);
  await expect(page).toHaveTitle("Search - Backstop");
});

test("a long integer keeps its digits", async ({ page }) => {
  await openSearch(page, "?q=user.id:*");
  await rows(page).first().click();
  await expect(page.locator(".detail")).toContainText("1234567890123456789");
});

test("panels fail alone", async ({ page }) => {
  await page.route("**/histogram", (route) =>
    route.fulfill({
      status: 504,
      json: {
        error: { code: "timeout", message: "the histogram took longer than 10 s", hint: "narrow the time range" },
      },
    }),
  );
  await page.route("**/fields", (route) => route.abort());
  await openSearch(page);
  await expect(page.getByText("the histogram took longer than 10 s")).toBeVisible();
  await expect(page.getByText("narrow the time range")).toBeVisible();
  await expect(page.getByText("The server did not answer.")).toBeVisible({ timeout: 10_000 });
  await expect(rows(page).first()).toBeVisible();
});

test("a stream that breaks off is not shown as whole", async ({ page }) => {
  await page.route("**/api/v1/query", (route) =>
    route.fulfill({
      contentType: "application/x-ndjson",
      body: '{"_time":"2026-11-23T00:00:00Z","_id":"01","body":"half"}\n',
    }),
  );
  await openSearch(page);
  await expect(page.getByText("Showing 1 row", { exact: true })).toBeVisible();
  await expect(page.getByRole("alert")).toContainText("The server did not answer");
});

test("an incomplete result and its warnings say so", async ({ page }) => {
  const end = {
    stats: { rows_matched: null },
    complete: false,
    limit_reached: true,
    rows_matched: null,
    warnings: ["3 segments skipped: time limit"],
    query_id: "q",
  };
  await page.route("**/api/v1/query", (route) =>
    route.fulfill({
      contentType: "application/x-ndjson",
      body: `{"_time":"2026-11-23T00:00:00Z","_id":"01","body":"x"}\n${JSON.stringify({ _end: end })}\n`,
    }),
  );
  await openSearch(page);
  // The histogram's count says how many more; without it, only that there are more.
  await expect(page.getByText(/^Showing 1 of 5,\d{3} rows$/)).toBeVisible();
  await page.route("**/histogram", (route) => route.abort());
  await page.getByRole("button", { name: "Run" }).click();
  await expect(page.getByText("Showing the first 1 row, more match")).toBeVisible();
  await expect(page.getByText("Incomplete: part of the data was not read")).toBeVisible();
  await expect(page.getByText("3 segments skipped: time limit")).toBeVisible();
});

test("a slow query can be cancelled", async ({ page }) => {
  let cancelled = false;
  await page.route("**/cancel", (route) => {
    cancelled = true;
    return route.fulfill({ json: {} });
  });
  await openSearch(page);
  await page.route("**/api/v1/query", () => undefined); // never answered
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("search").getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByText("Cancelled: the previous result is still shown")).toBeVisible();
  expect(cancelled).toBe(true);
});

test("without the editor's chunk the plain field still searches", async ({ page, clean }) => {
  await page.route("**/editor-*.js", (route) => route.abort());
  await page.goto("/search");
  await page.getByRole("textbox", { name: "Query" }).fill("declined");
  await page.keyboard.press("Enter");
  await expect(rows(page).first()).toContainText("declined");
  clean.length = 0;
});

test("more rows load on request, up to all", async ({ page }) => {
  await openSearch(page, "?from=-15m&to=now");
  const grid = page.getByLabel("Results").and(page.locator(".rows"));
  await grid.focus();
  await grid.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await page.getByRole("button", { name: "Load 500 more" }).click();
  await expect(page.getByText(/Showing 1,000 of/)).toBeVisible();
  await expect(page).toHaveURL(/limit=1000/);
});
