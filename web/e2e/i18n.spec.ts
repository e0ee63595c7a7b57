import { expect, rows, test } from "./page";

test.describe("Chinese browser", () => {
  test.use({ locale: "zh-CN", colorScheme: "dark" });

  test("speaks Chinese, and remembers another choice", async ({ page }) => {
    await page.goto("/search");
    await expect(page.getByRole("link", { name: "搜索" })).toBeVisible();
    await expect(page.getByText(/显示 500 行，共 5,\d{3} 行/)).toBeVisible();
    await expect(page.locator("html")).toHaveAttribute("lang", "zh-CN");
    await page.getByLabel("语言", { exact: true }).selectOption("en");
    await expect(page.getByText(/Showing 500 of/)).toBeVisible();
    await page.reload();
    await expect(page.getByRole("link", { name: "Search" })).toBeVisible();
  });

  test("no page shows a message key or an unfilled placeholder", async ({ page }) => {
    for (const path of [
      "/search",
      "/search?q=nothinghere",
      "/search?show=patterns",
      "/search?show=tail",
      "/alerts",
      "/incidents",
      "/incidents/inc-7",
      "/incidents/inc-8",
      "/changes",
      "/changes/shop-deployer/chg-1",
      "/playbooks?show=rollback-checkout",
      "/services",
    ]) {
      await page.goto(path);
      await page.waitForLoadState("networkidle");
      const chrome = await page.locator("body").innerText();
      expect(chrome).not.toMatch(/\{(n|span|time|field|total)\b/);
      expect(chrome).not.toMatch(
        /\b(rows|fields|time|alerts|incident|changes?|evidence|playbooks|services|approvals|kill|dora|verdict|tail|patterns|views|around|export)\.[a-z]+[A-Z.]\w+/,
      );
    }
  });

  test("Chinese log lines are found and marked", async ({ page }) => {
    await page.goto(`/search?q=${encodeURIComponent("支付超时")}`);
    await expect(rows(page).first().locator("mark")).toHaveText("支付超时");
  });
});

test("the theme button goes round and is remembered", async ({ page }) => {
  await page.goto("/search");
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "light" });
  const light = await background();
  await page.getByRole("button", { name: "Theme: System theme" }).click();
  await page.getByRole("button", { name: "Theme: Light theme" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  expect(await background()).not.toBe(light);
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});
