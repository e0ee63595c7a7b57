import { looked } from "./look";
import { editor, expect, openSearch, rows, test } from "./page";

test("new rows appear at the top, pausing holds them back, resuming shows them", async ({ page }) => {
  await openSearch(page, "?q=declined");
  await page.getByRole("button", { name: "Live tail" }).click();
  await expect(page).toHaveURL(/show=tail/);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await expect(rows(page).first()).toContainText("declined");
  const first = await rows(page).first().getAttribute("id");
  await expect(rows(page).first()).not.toHaveAttribute("id", first ?? "");
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByText("Paused")).toBeVisible();
  const held = await rows(page).first().getAttribute("id");
  await expect(page.getByRole("button", { name: /Resume, \d+ new rows/ })).toBeVisible();
  await expect(rows(page).first()).toHaveAttribute("id", held ?? "");
  await page.getByRole("button", { name: /Resume/ }).click();
  await expect(rows(page).first()).not.toHaveAttribute("id", held ?? "");
});

test("what is too much is labelled, and only so many rows are kept", async ({ page }) => {
  await page.goto("/search?q=flood&show=tail");
  await expect(page.getByText("Showing 1 in 8")).toBeVisible();
  await expect(page.getByText(/[\d,]+ rows left out because they come too fast/)).toBeVisible();
  await expect(page.getByText(/The newest 1,000 rows of [\d,]+, newest first/)).toBeVisible();
});

test("when all rows fit again, the label of the sampling goes; how many were left out stays", async ({ page }) => {
  const events = [
    "retry: 60000",
    `event: rows\ndata: ${JSON.stringify({ rows: [{ _id: "1", _time: "2026-11-23T00:00:00Z", body: "one" }] })}`,
    `event: dropped\ndata: ${JSON.stringify({ dropped: 120, sampled: 8 })}`,
  ];
  await page.route("**/tail?**", (route) =>
    route.fulfill({ contentType: "text/event-stream", body: `${events.join("\n\n")}\n\n` }),
  );
  await page.goto("/search?show=tail");
  await expect(page.getByText("Showing 1 in 8")).toBeVisible();
  await expect(page.getByText("Showing 1 in 8")).toHaveCount(0);
  await expect(page.getByText("120 rows left out because they come too fast")).toBeVisible();
});

test("a selected text stays selected while a thousand rows arrive", async ({ page }) => {
  await page.goto("/search?q=flood&show=tail");
  const line = rows(page).nth(3).locator(".line");
  await expect(line).toBeVisible();
  await line.dblclick();
  const selected = await page.evaluate(() => getSelection()?.toString());
  expect(selected).not.toBe("");
  await expect(page.getByRole("button", { name: /Resume, [1-9],\d{3} new rows/ })).toBeVisible();
  expect(await page.evaluate(() => getSelection()?.toString())).toBe(selected);
});

test("scrolling and walking through the rows pause", async ({ page }) => {
  await page.goto("/search?q=flood&show=tail");
  await expect(rows(page).first()).toBeVisible();
  await page.keyboard.press("j");
  await expect(page.getByText("Paused")).toBeVisible();
  await page.getByRole("button", { name: /Resume/ }).click();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  const grid = page.getByLabel("Results").and(page.locator(".rows"));
  await grid.hover();
  await page.mouse.wheel(0, 400);
  await expect(page.getByText("Paused")).toBeVisible();
  await page.getByRole("button", { name: /Resume/ }).click();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  expect(await grid.evaluate((element) => element.scrollTop)).toBe(0);
});

test("another query ends the tail, and so does another page", async ({ page }) => {
  const open = new Set<string>();
  page.on("request", (request) => request.url().includes("/tail?") && open.add(request.url()));
  page.on("requestfailed", (request) => open.delete(request.url()));
  await page.goto("/search?q=declined&show=tail");
  await expect(rows(page).first()).toBeVisible();
  expect(open.size).toBe(1);
  await editor(page).click();
  await page.keyboard.press("End");
  await page.keyboard.type(" payment");
  await page.keyboard.press("Enter");
  await expect(page).not.toHaveURL(/show=tail/);
  await expect(page.getByRole("button", { name: "Rows", exact: true })).toHaveAttribute("aria-pressed", "true");
  await expect.poll(() => open.size).toBe(0);
  await page.getByRole("button", { name: "Live tail" }).click();
  await expect.poll(() => open.size).toBe(1);
  await page.getByRole("link", { name: "Alerts" }).click();
  await expect.poll(() => open.size).toBe(0);
});

test("errors say what is wrong: the stream's, a refusal, a lost connection", async ({ page }) => {
  await page.goto("/search?q=tailfails&show=tail");
  await expect(page.getByRole("alert")).toContainText("a tail takes filters only");
  await expect(page.getByRole("alert")).toContainText("remove the pipe after the filter");
  await page.goto(`/search?q=${encodeURIComponent("declined ^")}&show=tail`);
  await expect(page.getByText("Ended")).toBeVisible();
  await expect(page.getByRole("alert").last()).toContainText('unexpected "^"');
  await page.route("**/tail?**", (route) => route.abort());
  await page.goto("/search?q=declined&show=tail");
  await expect(page.getByText("Connection lost, trying again")).toBeVisible();
  await page.unroute("**/tail?**");
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
});

for (const colorScheme of ["light", "dark"] as const)
  for (const locale of ["en-US", "zh-CN"])
    test.describe(`${colorScheme} ${locale}`, () => {
      test.use({ colorScheme, locale });

      test("a tail is readable", async ({ page }) => {
        await page.goto("/search?q=flood&show=tail");
        await expect(page.locator(".partial").last()).toBeVisible();
        await page.locator(".tail-bar button").click();
        await expect(page.locator(".tail-bar .primary")).toContainText(/\d/);
        await looked(page, `tail-${colorScheme}-${locale}`);
      });
    });
