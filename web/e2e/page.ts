import { test as base, expect, type Page } from "@playwright/test";

/** Every test also fails on what a page may never do: break the CSP, throw, or log an error. */
export const test = base.extend<{ clean: string[] }>({
  clean: [
    async ({ page }, use) => {
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(`threw: ${error.message}`));
      page.on("console", (message) => {
        // A refused request (a bad query) is logged by the browser itself.
        if (message.type() === "error" && !/Failed to load resource/.test(message.text()))
          problems.push(message.text());
      });
      await use(problems);
      expect(problems).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

export const EMPTY = "http://127.0.0.1:7072";

export const rows = (page: Page) => page.locator(".rows .row:not(.head)");
export const editor = (page: Page) => page.locator(".code-field[data-ready=true] .cm-content");

export async function openSearch(page: Page, search = "") {
  await page.goto(`/search${search}`);
  await expect(editor(page)).toBeVisible();
  await expect(rows(page).first()).toBeVisible();
}
