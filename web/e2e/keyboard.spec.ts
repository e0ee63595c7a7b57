import { editor, expect, openSearch, rows, test } from "./page";

test("j, k and Enter walk and open rows", async ({ page }) => {
  await openSearch(page);
  for (const key of ["j", "j", "j", "k"]) await page.keyboard.press(key);
  await expect(rows(page).nth(1)).toHaveAttribute("aria-selected", "true");
  const id = await rows(page).nth(1).getAttribute("id");
  await expect(page.getByLabel("Results").and(page.locator(".rows"))).toHaveAttribute(
    "aria-activedescendant",
    id ?? "",
  );
  await page.keyboard.press("Enter");
  await expect(page.locator(".detail")).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page.locator(".detail")).toBeHidden();
});

test("walking far keeps the active row in view", async ({ page }) => {
  await openSearch(page);
  for (let step = 0; step < 80; step += 1) await page.keyboard.press("j");
  const active = page.locator('.row[aria-selected="true"]');
  await expect(active).toHaveAttribute("aria-rowindex", "81");
  await expect(active).toBeInViewport();
});

test("slash focuses the query, Escape leaves it, letters then are shortcuts again", async ({ page }) => {
  await openSearch(page);
  await page.keyboard.press("/");
  await page.keyboard.type("j?");
  await expect(editor(page)).toHaveText("j?");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
});

test("g a and g i go places; brackets move the range", async ({ page }) => {
  await openSearch(page);
  await page.keyboard.press("[");
  await expect(page).toHaveURL(/from=2\d{3}-/);
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await expect(page).toHaveURL(/\/alerts$/);
  await page.keyboard.press("g");
  await page.keyboard.press("i");
  await expect(page).toHaveURL(/\/incidents$/);
});

test("single-key shortcuts can be switched off", async ({ page }) => {
  await openSearch(page);
  await page.keyboard.press("?");
  await page.getByLabel("Single-key shortcuts are on").uncheck();
  await page.getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("j");
  await expect(page.locator('.row[aria-selected="true"]')).toHaveCount(0);
});

test("everything on the search page is reached by Tab", async ({ page }) => {
  await openSearch(page);
  const seen = new Set<string>();
  for (let step = 0; step < 70; step += 1) {
    await page.keyboard.press("Tab");
    seen.add(
      await page.evaluate(
        () => document.activeElement?.getAttribute("role") ?? document.activeElement?.className ?? "",
      ),
    );
  }
  for (const wanted of ["slider", "treegrid", "code-host"]) expect([...seen]).toContain(wanted);
});
