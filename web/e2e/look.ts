import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/** Looks at a state of a page: axe finds nothing, and with BACKSTOP_SHOTS=folder a picture is kept for people to look at. */
export async function looked(page: Page, name: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"])
    .analyze();
  expect(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" ;; ")}`),
  ).toEqual([]);
  const folder = process.env.BACKSTOP_SHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
}
