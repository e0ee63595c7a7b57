import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "./page";

const API = "**/backstop/api/v1";
const boxes = "a.service";

test("the graph shows who needs whom, who says so, and how each does", async ({ page }) => {
  await page.goto("/services");
  const graph = page.getByRole("group", { name: "Who needs whom" });
  await expect(graph.locator("a.service")).toHaveCount(6);
  await expect(graph.getByRole("link", { name: "catalog: 1 alert firing, last change good" })).toHaveClass(/bad/);
  await expect(graph.getByRole("link", { name: "cart: change watched" })).toHaveClass(/warn/);
  await expect(graph.getByRole("link", { name: "payment", exact: true })).toHaveClass(/plain/);
  await expect(graph.locator(".need.written title")).toHaveText([
    "checkout needs cart, as a file says",
    "checkout needs payment, as a file says",
    "payment needs bank, as a file says",
  ]);
  await expect(graph.locator(".need.learned title")).toHaveText([
    "bank needs ledger, as seen in traces only",
    "cart needs catalog, as seen in traces only",
    "checkout needs catalog, as seen in traces only",
    "ledger needs payment, as seen in traces only",
  ]);
  await expect(page.getByText("1 service is only in the list")).toBeVisible();
  // Whoever needs stands left of what it needs.
  const left = async (name: string) =>
    (await graph.locator(boxes, { hasText: name }).locator("rect.box").boundingBox())?.x ?? 0;
  expect(await left("checkout")).toBeLessThan(await left("cart"));
  expect(await left("payment")).toBeLessThan(await left("bank"));
});

test("a service is reached and chosen with the keyboard alone", async ({ page }) => {
  await page.goto("/services");
  const payment = page.locator(boxes, { hasText: "payment" });
  await page.getByRole("combobox", { name: "Service" }).focus();
  for (let presses = 0; presses < 10; presses++) {
    await page.keyboard.press("Tab");
    if (await payment.evaluate((element) => element === document.activeElement)) break;
  }
  await expect(payment).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/services\?service=payment$/);
  await expect(payment).toHaveAttribute("aria-current", "true");
  await expect(page.locator(".need.near")).toHaveCount(3);
  await expect(page.locator("tbody tr").first()).toContainText("payment");
  await page.goBack();
  await expect(page.locator(".need.near")).toHaveCount(0);
  await page.getByRole("combobox", { name: "Service" }).selectOption("bank");
  await expect(page.locator(boxes, { hasText: "bank" })).toHaveAttribute("aria-current", "true");
});

test("of a graph that is too large the surroundings of a service are drawn, and it says so", async ({ page }) => {
  const service = (at: number) => `svc-${String(at).padStart(3, "0")}`;
  const nodes = Array.from({ length: 300 }, (_, at) => ({ service: service(at) }));
  const edges = nodes.flatMap(({ service: caller }, at) =>
    [at * 2 + 1, at * 2 + 2, 0]
      .filter((to) => to < nodes.length && to !== at)
      .map((to) => ({ caller, callee: service(to), kind: "calls", provenance: at % 3 ? ["file"] : ["traces"] })),
  );
  await page.route(`${API}/services`, (route) => route.fulfill({ json: { services: [] } }));
  await page.route(`${API}/services/graph`, (route) => route.fulfill({ json: { nodes, edges } }));
  await page.goto("/services?service=svc-050");
  await expect(page.getByRole("status").filter({ hasText: "svc-050" })).toContainText(
    "Only the surroundings of svc-050 are drawn: 60 of 300 services.",
  );
  await expect(page.locator(boxes)).toHaveCount(60);
  await expect(page.locator(boxes, { hasText: "svc-050" })).toBeInViewport();
  await page.locator(boxes, { hasText: "svc-101" }).click();
  await expect(page.getByRole("status").filter({ hasText: "svc-101" })).toBeVisible();
  await expect(page.locator("tbody tr")).toHaveCount(300);
});

test("a graph that could not be loaded is no graph of nothing", async ({ page }) => {
  await page.route(`${API}/services/graph`, (route) =>
    route.fulfill({ status: 500, json: { error: { code: "internal", message: "the catalogue is closed" } } }),
  );
  await page.goto("/services");
  await expect(page.getByRole("alert").filter({ hasText: "the catalogue is closed" })).toBeVisible();
  // What the list itself says is still drawn.
  await expect(page.locator(boxes)).toHaveCount(4);
});

for (const colorScheme of ["light", "dark"] as const)
  for (const locale of ["en-US", "zh-CN"])
    test.describe(`${colorScheme} ${locale}`, () => {
      test.use({ colorScheme, locale });

      test("the graph is readable, a service chosen", async ({ page }) => {
        await page.goto("/services?service=checkout");
        await expect(page.locator(boxes)).toHaveCount(6);
        const { violations } = await new AxeBuilder({ page })
          .withTags(["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"])
          .analyze();
        expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ;; ")}`)).toEqual([]);
        const folder = process.env.BACKSTOP_SHOTS;
        if (folder) await page.screenshot({ path: `${folder}/services-${colorScheme}-${locale}.png`, fullPage: true });
      });
    });
