import { type KeyboardEvent, type PointerEvent, useState } from "react";

/** Selecting part of the chart: by dragging, or with the arrow keys (WCAG 2.5.7: no drag without an equivalent). */
export interface Selection {
  /** Bar under the pointer or the keyboard's cursor. */
  cursor: number | null;
  /** First and last selected bar, in order. */
  selected: [number, number] | null;
  pointer: {
    onPointerDown: (event: PointerEvent<Element>) => void;
    onPointerMove: (event: PointerEvent<Element>) => void;
    onPointerUp: (event: PointerEvent<Element>) => void;
    onPointerLeave: () => void;
  };
  onKeyDown: (event: KeyboardEvent) => void;
  clear: () => void;
}

interface Options {
  bars: number;
  barAt: (event: PointerEvent<Element>) => number;
  onZoom: ((first: number, last: number) => void) | undefined;
  onZoomOut: (() => void) | undefined;
}

export function useSelection({ bars, barAt, onZoom, onZoomOut }: Options): Selection {
  const [cursor, setCursor] = useState<number | null>(null);
  const [anchor, setAnchor] = useState<number | null>(null);
  const [dragging, setDragging] = useState(false);
  const clear = () => {
    setAnchor(null);
    setCursor(null);
    setDragging(false);
  };
  const inOrder = (a: number, b: number): [number, number] => [Math.min(a, b), Math.max(a, b)];
  const zoom = (a: number, b: number) => {
    clear();
    onZoom?.(...inOrder(a, b));
  };
  const pointer = {
    onPointerDown: (event: PointerEvent<Element>) => {
      if (!onZoom || event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      setAnchor(barAt(event));
      setDragging(true);
    },
    onPointerMove: (event: PointerEvent<Element>) => setCursor(barAt(event)),
    onPointerUp: (event: PointerEvent<Element>) => {
      const last = barAt(event);
      // A click selects nothing: it is more often a slip than a wish to see one bar.
      if (dragging && anchor !== null && last !== anchor) zoom(anchor, last);
      else if (dragging) clear();
    },
    onPointerLeave: () => {
      if (!dragging) setCursor(null);
    },
  };
  const move = (to: number, extend: boolean) => {
    setAnchor(extend ? (anchor ?? cursor ?? to) : null);
    setCursor(Math.min(bars - 1, Math.max(0, to)));
  };
  const keys = new Map<string, (event: KeyboardEvent) => void>([
    ["ArrowLeft", (event) => move((cursor ?? bars) - 1, event.shiftKey)],
    ["ArrowRight", (event) => move((cursor ?? -1) + 1, event.shiftKey)],
    ["Home", (event) => move(0, event.shiftKey)],
    ["End", (event) => move(bars - 1, event.shiftKey)],
    ["Enter", () => cursor !== null && zoom(anchor ?? cursor, cursor)],
    ["Escape", clear],
    ["-", () => onZoomOut?.()],
  ]);
  const onKeyDown = (event: KeyboardEvent) => {
    const action = keys.get(event.key);
    if (!action || bars === 0) return;
    event.preventDefault();
    action(event);
  };
  const selected = anchor !== null && cursor !== null ? inOrder(anchor, cursor) : null;
  return { cursor, selected, pointer, onKeyDown, clear };
}
