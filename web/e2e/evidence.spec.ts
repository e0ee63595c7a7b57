import { expect, test } from "./page";

test.describe("Chinese", () => {
  test.use({ locale: "zh-CN" });

  test("what the evidence says is told in Chinese, and what is not known as it came", async ({ page }) => {
    await page.goto("/changes/shop-deployer/chg-1");
    const card = page.locator(".watch-card");
    await expect(card.locator(".watch-detail")).toHaveText(
      "2.0.0 的 398 个请求中 48.24% 失败，1.9.4 的 4,012 个请求中 0.42% 失败",
    );
    await expect(card).toContainText("checkout 的开关（off → on），执行者 mei");
    await expect(card).toContainText("在此变更开始前，它自己的监视已判定其正常");
    await expect(card).toContainText("若没有“错误”，证据就不足：它有 e^212.4，需要 e^9.2");
    await card.getByText("判定的形成过程").click();
    await expect(card).toContainText("目前收到 2.0.0 的 12 个请求");
    await expect(card).toContainText("as an older release stored it");
    await expect(card).not.toContainText("requests of 2.0.0");
  });

  test("and so is why a change is suspected", async ({ page }) => {
    await page.goto("/incidents/inc-7");
    const actions = page.getByRole("region", { name: "动作" });
    await actions.getByText("决策依据").click();
    await expect(actions).toContainText("同一服务，在告警前 41 秒");
    await expect(actions).toContainText("它在告警前 1 小时 11 分钟 已结束，超过 30 分钟");
  });
});
