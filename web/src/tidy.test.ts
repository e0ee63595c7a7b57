import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";

/** The rules of this folder that a compiler does not know. They may get stricter, never looser. */
const LINES_MAX = 300;
const CATALOGUES = /^i18n\/(en|zh-CN)(-loop|-card|-services|-search)?\.ts$/;
const root = new URL("./", import.meta.url).pathname;

function files(folder: string, pattern: RegExp): { path: string; text: string }[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return files(path, pattern);
    return pattern.test(entry.name) ? [{ path: relative(root, path), text: readFileSync(path, "utf8") }] : [];
  });
}

const sources = files(root, /\.(tsx?|css)$/);
const code = sources.filter(({ path }) => /\.tsx?$/.test(path) && !path.endsWith(".test.ts"));
const imports = (text: string) =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] as string);

test("there is something to check", () => {
  expect(code.length).toBeGreaterThan(30);
});

test(`no file is longer than ${LINES_MAX} lines, the catalogues apart`, () => {
  const long = sources.filter(({ path, text }) => !CATALOGUES.test(path) && text.split("\n").length > LINES_MAX);
  expect(long.map(({ path }) => path)).toEqual([]);
});

test("features never import each other, and ui, api and i18n never import features", () => {
  const wrong: string[] = [];
  for (const { path, text } of code) {
    const own = /^features\/\w+/.exec(path)?.[0];
    for (const target of imports(text).filter((name) => name.startsWith("."))) {
      const full = relative(root, join(root, path, "..", target));
      const feature = /^features\/\w+/.exec(full)?.[0];
      if (feature && feature !== own && path !== "app/App.tsx") wrong.push(`${path} imports ${full}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("each third-party widget has one wrapper", () => {
  const owners: [RegExp, RegExp][] = [
    [/^@codemirror\//, /^ui\/CodeField\//],
    [/^@tanstack\/react-virtual$/, /^ui\/VirtualList\.tsx$/],
    [/^react-dom/, /^main\.tsx$/],
  ];
  const wrong = code.flatMap(({ path, text }) =>
    imports(text).flatMap((name) =>
      owners.some(([library, owner]) => library.test(name) && !owner.test(path)) ? [`${path} imports ${name}`] : [],
    ),
  );
  expect(wrong).toEqual([]);
});

test("colours come from theme/tokens.css only", () => {
  const colour = /#[0-9a-f]{3,8}\b|\b(?:rgba?|hsla?|oklch)\(/gi;
  const wrong = sources
    .filter(({ path }) => path !== "theme/tokens.css" && !path.endsWith(".test.ts"))
    .flatMap(({ path, text }) => (text.match(colour) ?? []).map((found) => `${path}: ${found}`));
  expect(wrong).toEqual([]);
});

test("every custom property that is used exists", () => {
  const defined = new Set(sources.flatMap(({ text }) => [...text.matchAll(/(--[\w-]+):/g)].map((match) => match[1])));
  const used = sources.flatMap(({ path, text }) =>
    path.endsWith(".test.ts") ? [] : [...text.matchAll(/var\((--[\w-]+)/g)].map((match) => match[1]),
  );
  expect([...new Set(used)].filter((name) => !defined.has(name))).toEqual([]);
});

describe("security", () => {
  test("nothing writes markup or code from text", () => {
    const banned = /dangerouslySetInnerHTML|\.innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function\(/;
    expect(code.filter(({ text }) => banned.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

const SPOKEN = new Set(["title", "aria-label", "placeholder", "alt", "label", "name", "aria-description", "note"]);
const LETTERS = /\p{L}{2}/u;

/** Text that a person would read or hear, written in a component instead of in the catalogues. */
function looseText(path: string, text: string): string[] {
  const found: string[] = [];
  const report = (value: string) => {
    if (LETTERS.test(value)) found.push(`${path}: ${value.trim()}`);
  };
  const visit = (node: ts.Node) => {
    if (ts.isJsxText(node)) report(node.text);
    if (
      ts.isJsxExpression(node) &&
      node.expression &&
      ts.isStringLiteralLike(node.expression) &&
      !ts.isJsxAttribute(node.parent)
    )
      report(node.expression.text);
    if (
      ts.isJsxAttribute(node) &&
      node.initializer &&
      ts.isStringLiteral(node.initializer) &&
      SPOKEN.has(node.name.getText())
    )
      if (!(node.name.getText() === "name" && /<Icon/.test(node.parent.parent.getText())))
        report(node.initializer.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX));
  return found;
}

test("no text outside the catalogues", () => {
  const found = code.filter(({ path }) => path.endsWith(".tsx")).flatMap(({ path, text }) => looseText(path, text));
  expect(found).toEqual([]);
});

test("the check for loose text finds some", () => {
  const text = '<p title="Bad one">Two words {"three words"} {ok} <Icon name="left" /></p>';
  expect(looseText("x.tsx", text)).toEqual(["x.tsx: Bad one", "x.tsx: Two words", "x.tsx: three words"]);
});
