import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

/** The figures are WCAG 2.2: 4.5 for text, 3 for the edges of controls and for marks in charts. */
const css = readFileSync(new URL("tokens.css", import.meta.url), "utf8");
const tokens = new Map<string, { light: string; dark: string }>();
for (const [, name, light, dark] of css.matchAll(/--([\w-]+): light-dark\((#\w+), (#\w+)\)/g)) {
  tokens.set(name as string, { light: light as string, dark: dark as string });
}

type Rgb = [number, number, number];
const rgb = (hex: string): Rgb => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255) as Rgb;
const linear = (c: number) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const luminance = (color: Rgb) => {
  const [r, g, b] = color.map(linear) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a: string, b: string) => {
  const [x, y] = [luminance(rgb(a)), luminance(rgb(b))];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
};
const color = (name: string, theme: "light" | "dark") => {
  const found = tokens.get(name);
  if (!found) throw new Error(`no token ${name}`);
  return found[theme];
};

const PLAIN = ["bg", "bg-chrome", "bg-raised", "bg-hover", "bg-selected", "bg-code"];
const STATE = ["bg-error", "bg-warn", "bg-good"];
const TEXT_PAIRS: [string[], string[]][] = [
  [
    ["text", "text-dim"],
    [...PLAIN, ...STATE],
  ],
  [
    ["accent", "good", "change"],
    ["bg", "bg-chrome", "bg-raised", "bg-hover"],
  ],
  [["sev-fatal", "sev-error", "sev-warn", "sev-info", "sev-debug"], ["bg"]],
  [
    ["syn-keyword", "syn-field", "syn-string", "syn-number", "syn-regex", "syn-function"],
    ["bg", "bg-raised", "bg-code"],
  ],
  [["accent-fg"], ["accent-bg"]],
  [["mark-fg"], ["mark-bg"]],
];

describe.each(["light", "dark"] as const)("%s theme", (theme) => {
  test("text is readable on every surface it is used on", () => {
    const failures: string[] = [];
    for (const [fronts, backs] of TEXT_PAIRS)
      for (const front of fronts)
        for (const back of backs) {
          const ratio = contrast(color(front, theme), color(back, theme));
          if (ratio < 4.5) failures.push(`${front} on ${back}: ${ratio.toFixed(2)}`);
        }
    expect(failures).toEqual([]);
  });

  test("edges of controls, focus rings and bars reach 3:1", () => {
    const failures: string[] = [];
    for (const front of ["border-control", "focus", "sev-none", "sev-debug", "change", "good"])
      for (const back of ["bg", "bg-raised"]) {
        const ratio = contrast(color(front, theme), color(back, theme));
        if (ratio < 3) failures.push(`${front} on ${back}: ${ratio.toFixed(2)}`);
      }
    expect(failures).toEqual([]);
  });

  test("severities differ for colour-blind eyes", () => {
    const names = ["sev-fatal", "sev-error", "sev-warn", "sev-info", "sev-debug"];
    let smallest = Number.POSITIVE_INFINITY;
    for (const matrix of VISIONS)
      for (const a of names)
        for (const b of names)
          if (a < b) {
            const [x, y] = [simulate(rgb(color(a, theme)), matrix), simulate(rgb(color(b, theme)), matrix)];
            smallest = Math.min(smallest, distance(lab(x), lab(y)));
          }
    expect(smallest).toBeGreaterThan(25);
  });
});

test("every colour of the style sheets is a token", () => {
  expect(tokens.size).toBeGreaterThan(30);
});

/** Machado, Oliveira, Fernandes 2009, severity 1.0: normal, protan, deutan, tritan. */
const VISIONS = [
  [1, 0, 0, 0, 1, 0, 0, 0, 1],
  [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
];

function simulate(c: Rgb, m: number[]): Rgb {
  const l = c.map(linear);
  const row = (at: number) =>
    (m[at] as number) * (l[0] as number) +
    (m[at + 1] as number) * (l[1] as number) +
    (m[at + 2] as number) * (l[2] as number);
  return [row(0), row(3), row(6)].map((v) => Math.min(1, Math.max(0, v))) as Rgb;
}

/** Linear RGB to CIE Lab, D65. */
function lab([r, g, b]: Rgb): Rgb {
  const x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047;
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883;
  const f = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  return [116 * f(y) - 16, 500 * (f(x) - f(y)), 200 * (f(y) - f(z))];
}

const distance = (a: Rgb, b: Rgb) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
