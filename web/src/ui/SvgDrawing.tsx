import { createElement, type ReactNode, useMemo } from "react";
import "./drawing.css";

/**
 * An SVG that the server drew, built anew from the elements and attributes that a drawing needs. Nothing else of the text gets
 * into the page: no script, no link, no style. Colours are the theme's, so it follows light and dark.
 */
const ELEMENTS = new Set(
  "svg g path rect circle ellipse line polyline polygon text tspan title desc defs marker".split(" "),
);
const ATTRIBUTES = new Set(
  (
    "viewBox width height x y x1 y1 x2 y2 cx cy r rx ry d points dx dy transform id class text-anchor dominant-baseline " +
    "font-size font-weight stroke-width stroke-dasharray marker-end marker-start refX refY markerWidth markerHeight " +
    "markerUnits orient preserveAspectRatio"
  ).split(" "),
);
const LOCAL_URL = /^url\(#[\w-]+\)$/;
/** They would not run, but the parser reports each to the page's policy. */
const HANDLERS = /\son\w+\s*=\s*("[^"]*"|'[^']*')/gi;
const DEPTH_MAX = 20;

function attributesOf(element: Element): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const { name, value } of element.attributes) {
    if (!ATTRIBUTES.has(name) || (name.startsWith("marker-") && !LOCAL_URL.test(value))) continue;
    const property = name === "class" ? "className" : name.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());
    kept[property] = value;
  }
  return kept;
}

function build(element: Element, key: number, depth: number): ReactNode {
  if (!ELEMENTS.has(element.localName) || depth > DEPTH_MAX) return null;
  const children = [...element.childNodes].map((child, index) => {
    if (child instanceof Element) return build(child, index, depth + 1);
    return child.nodeType === Node.TEXT_NODE && /^(text|tspan|title|desc)$/.test(element.localName)
      ? child.textContent
      : null;
  });
  return createElement(element.localName, { key, ...attributesOf(element) }, ...children);
}

/** The drawing, or nothing when the text is no SVG. */
export function parseDrawing(svg: string): Element | null {
  const root = new DOMParser().parseFromString(svg.replace(HANDLERS, ""), "image/svg+xml").documentElement;
  return root.localName === "svg" && root.querySelector("parsererror") === null ? root : null;
}

export function SvgDrawing({ svg, label }: { svg: string; label: string }) {
  const drawing = useMemo(() => {
    const root = parseDrawing(svg);
    if (!root) return null;
    const children = [...root.children].map((child, index) => build(child, index, 1));
    return createElement("svg", { ...attributesOf(root), role: "img", "aria-label": label }, ...children);
  }, [svg, label]);
  return drawing && <div className="drawing">{drawing}</div>;
}
