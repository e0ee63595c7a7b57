import { type ReactNode, useEffect, useId, useRef } from "react";
import "./popover.css";

/** A panel that hangs below its button. Escape and a click elsewhere close it; the focus goes back to the button. */
export function Popover(props: {
  label: ReactNode;
  name: string;
  open: boolean;
  onOpen: (open: boolean) => void;
  align?: "left" | "right";
  className?: string;
  children: ReactNode;
}) {
  const { open, onOpen, className = "btn" } = props;
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    const onPointer = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) onOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      onOpen(false);
      button.current?.focus();
    };
    document.addEventListener("pointerdown", onPointer);
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("pointerdown", onPointer);
      document.removeEventListener("keydown", onKey);
    };
  }, [open, onOpen]);
  return (
    <div className="popover" ref={root}>
      <button
        ref={button}
        type="button"
        className={className}
        title={props.name}
        aria-label={className.includes("icon-btn") ? props.name : undefined}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => onOpen(!open)}
      >
        {props.label}
      </button>
      {open && (
        <section className={`panel ${props.align ?? "right"}`} id={id} aria-label={props.name}>
          {props.children}
        </section>
      )}
    </div>
  );
}
