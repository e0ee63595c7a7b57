import { expect, test } from "vitest";
import { cellText, columnsOf, lineText, markWords } from "./columns";

const log = { _time: "2026-11-23T12:00:00Z", _id: "01", body: "x", "service.name": "cart" };

test("a log result shows the service unless columns were chosen", () => {
  expect(columnsOf([log], [])).toMatchObject({ isLog: true, names: ["service.name"] });
  expect(columnsOf([log], ["a", "b"]).names).toEqual(["a", "b"]);
  expect(columnsOf([{ _time: "t", _id: "1", body: "x" }], []).names).toEqual([]);
});

test("a stats result shows what it has, numbers to the right", () => {
  const columns = columnsOf(
    [
      { host: "a", n: 3 },
      { host: null, n: 4, extra: "z" },
    ],
    ["ignored"],
  );
  expect(columns).toEqual({ isLog: false, names: ["host", "n", "extra"], numeric: new Set(["n"]) });
});

test("a line without a body shows its fields", () => {
  expect(lineText({ _time: "t", _id: "1", severity: "INFO", a: 1, b: { c: [true, null] } })).toBe(
    'a=1 b={"c":[true,null]}',
  );
});

test.each([
  ["an Error here", ["error"], ["an ", "*Error", " here"]],
  ["a.b axb", ["a.b"], ["*a.b", " axb"]],
  ["连接超时了", ["超时"], ["连接", "*超时", "了"]],
  ["aaa", ["aa", "a"], ["*aa", "*a"]],
  ["plain", [], ["plain"]],
])("marks in %s", (text, words, expected) => {
  expect(markWords(text, words).map((piece) => (piece.marked ? "*" : "") + piece.text)).toEqual(expected);
});

test("cells", () => {
  expect([null, undefined, "", 0, false, "x", [1]].map((value) => cellText(value))).toEqual([
    "",
    "",
    "",
    "0",
    "false",
    "x",
    "[1]",
  ]);
});
