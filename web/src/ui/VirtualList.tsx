import { useVirtualizer } from "@tanstack/react-virtual";
import { type HTMLAttributes, type ReactNode, type Ref, useImperativeHandle, useRef } from "react";
import "./grid.css";

/** The only TanStack Virtual import: draws the items near the viewport, with heights measured as they appear. */
export interface VirtualListHandle {
  scrollTo: (index: number) => void;
}

interface Props extends Omit<HTMLAttributes<HTMLDivElement>, "children"> {
  count: number;
  itemKey: (index: number) => string | number;
  estimatedPx: number;
  header: ReactNode;
  footer: ReactNode;
  children: (index: number) => ReactNode;
  ref?: Ref<VirtualListHandle>;
}

const OVERSCAN = 12;
/** The header is sticky: rows start below it and must not be scrolled under it. grid.css gives it this height. */
const HEADER_PX = 24;

export function VirtualList({ count, itemKey, estimatedPx, header, footer, children, ref, ...rest }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => estimatedPx,
    getItemKey: itemKey,
    overscan: OVERSCAN,
    scrollMargin: HEADER_PX,
    scrollPaddingStart: HEADER_PX,
  });
  useImperativeHandle(ref, () => ({ scrollTo: (index) => virtualizer.scrollToIndex(index, { align: "auto" }) }), [
    virtualizer,
  ]);
  return (
    <div ref={scroller} {...rest}>
      {header}
      <div role="presentation" style={{ height: virtualizer.getTotalSize(), position: "relative" }}>
        {virtualizer.getVirtualItems().map((item) => (
          <div
            key={item.key}
            role="presentation"
            data-index={item.index}
            ref={virtualizer.measureElement}
            className="virtual-item"
            style={{ transform: `translateY(${item.start - HEADER_PX}px)` }}
          >
            {children(item.index)}
          </div>
        ))}
      </div>
      {footer}
    </div>
  );
}
