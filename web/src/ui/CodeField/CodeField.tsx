import { type KeyboardEvent, type Ref, useEffect, useImperativeHandle, useRef, useState } from "react";
import type { Completion, Diagnosis } from "../../api/types";
import type { EditorHandle } from "./editor";
import "./codefield.css";

export interface CodeFieldHandle {
  focus: () => void;
}

interface Props {
  text: string;
  label: string;
  completionsLabel: string;
  placeholder: string;
  diagnosis: { text: string; diagnosis: Diagnosis } | null;
  onChange: (text: string) => void;
  onSubmit: () => void;
  complete: (text: string, cursorBytes: number) => Promise<Completion[]>;
  ref?: Ref<CodeFieldHandle>;
}

/**
 * A text field for queries. It is a plain textarea from the first paint; when the editor's chunk has arrived, the editor takes
 * over text and focus. If the chunk never arrives, the textarea goes on working.
 */
export function CodeField(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const editor = useRef<EditorHandle>(null);
  const latest = useRef(props);
  latest.current = props;
  const [ready, setReady] = useState(false);
  const { label, completionsLabel, placeholder } = props;

  useEffect(() => {
    let gone = false;
    const mount = async () => {
      const { createEditor } = await import("./editor");
      if (gone || !host.current) return;
      const focused = document.activeElement === area.current;
      editor.current = createEditor({
        parent: host.current,
        text: latest.current.text,
        label,
        completionsLabel,
        placeholder,
        onChange: (text) => latest.current.onChange(text),
        onSubmit: () => latest.current.onSubmit(),
        complete: (text, cursor) => latest.current.complete(text, cursor),
      });
      // The diagnosis may have come while the editor was on its way.
      const known = latest.current.diagnosis;
      if (known) editor.current.setDiagnosis(known.text, known.diagnosis);
      setReady(true);
      if (focused) editor.current.focus();
    };
    mount().catch(() => undefined); // the textarea stays
    return () => {
      gone = true;
      editor.current?.destroy();
      editor.current = null;
    };
  }, [label, completionsLabel, placeholder]);

  useEffect(() => editor.current?.setText(props.text), [props.text]);
  useEffect(() => {
    if (ready && props.diagnosis) editor.current?.setDiagnosis(props.diagnosis.text, props.diagnosis.diagnosis);
  }, [props.diagnosis, ready]);
  useImperativeHandle(props.ref, () => ({ focus: () => (editor.current ?? area.current)?.focus() }), []);

  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") area.current?.blur();
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    props.onSubmit();
  };
  return (
    <div className="code-field" data-ready={ready}>
      <div ref={host} hidden={!ready} className="code-host" />
      {!ready && (
        <textarea
          ref={area}
          rows={1}
          aria-label={label}
          placeholder={placeholder}
          spellCheck={false}
          value={props.text}
          onChange={(event) => props.onChange(event.target.value)}
          onKeyDown={onKey}
        />
      )}
    </div>
  );
}
