/** A template is a line with `<num>`, `<ip>` and the like where its lines differ. */
export interface TemplatePiece {
  text: string;
  /** What stands there, for colours; null for text that every line has. */
  kind: string | null;
}

const PLACEHOLDER = /(<(?:num|ip|id|path|time|\*)>)/;

export function templatePieces(template: string): TemplatePiece[] {
  return template
    .split(PLACEHOLDER)
    .map((text, index) => ({ text, kind: index % 2 === 0 ? null : text === "<*>" ? "any" : text.slice(1, -1) }))
    .filter(({ text }) => text !== "");
}

/** Heights of the bars, from 0 to 1; a count that is not zero is always to be seen. */
export function barHeights(trend: number[], least: number): number[] {
  const top = Math.max(1, ...trend);
  return trend.map((count) => (count === 0 ? 0 : Math.max(least, count / top)));
}

/** Which step holds the most rows, the first of several; null without rows. */
export function peakOf(trend: number[]): { index: number; count: number } | null {
  const count = Math.max(0, ...trend);
  return count === 0 ? null : { index: trend.indexOf(count), count };
}

/** Where the first step of a trend starts: steps are counted from 1970, so it may be before the range does. */
export const stepsFrom = (start: number, step: number): number => Math.floor(start / step) * step;
