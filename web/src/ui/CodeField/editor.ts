import {
  acceptCompletion,
  autocompletion,
  type CompletionContext,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { type Diagnostic as LintDiagnostic, setDiagnostics } from "@codemirror/lint";
import { EditorState, Prec, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, keymap, placeholder } from "@codemirror/view";
import type { Completion, Diagnosis } from "../../api/types";
import { editorTheme } from "./editorTheme";
import { utf8Offset, utf16Offsets } from "./offsets";

/**
 * The only CodeMirror import, loaded as its own chunk. The editor lives in a shadow root: there it installs its styles as
 * constructed sheets, so the page needs no `style-src 'unsafe-inline'`. Colours of the text come from the server's own lexer.
 */
export interface EditorOptions {
  parent: HTMLElement;
  text: string;
  label: string;
  completionsLabel: string;
  placeholder: string;
  onChange: (text: string) => void;
  onSubmit: () => void;
  complete: (text: string, cursorBytes: number) => Promise<Completion[]>;
}

export interface EditorHandle {
  setText: (text: string) => void;
  setDiagnosis: (text: string, diagnosis: Diagnosis) => void;
  focus: () => void;
  destroy: () => void;
}

const WORD_BEFORE_CURSOR = /[\p{L}\p{N}_.-]*$/u;
const COMPLETIONS_MAX = 60;

const setTokens = StateEffect.define<DecorationSet>();
const tokenField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(tokens, transaction) {
    const moved = tokens.map(transaction.changes);
    return transaction.effects.reduce((last, effect) => (effect.is(setTokens) ? effect.value : last), moved);
  },
  provide: (field) => EditorView.decorations.from(field),
});

export function createEditor(options: EditorOptions): EditorHandle {
  const root = options.parent.shadowRoot ?? options.parent.attachShadow({ mode: "open", delegatesFocus: true });
  const view = new EditorView({ root, parent: root as unknown as Element, state: makeState(options) });
  return {
    setText(text) {
      if (text === view.state.doc.toString()) return;
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    setDiagnosis(text, diagnosis) {
      if (text !== view.state.doc.toString()) return; // typed on meanwhile; the next diagnosis is on its way
      view.dispatch({ effects: setTokens.of(tokenMarks(text, diagnosis)) });
      view.dispatch(setDiagnostics(view.state, lintMarks(text, diagnosis)));
    },
    focus() {
      view.focus();
      view.dispatch({ selection: { anchor: view.state.doc.length } });
    },
    destroy: () => view.destroy(),
  };
}

function makeState(options: EditorOptions): EditorState {
  const submit = () => {
    options.onSubmit();
    return true;
  };
  const leave = (view: EditorView) => {
    view.contentDOM.blur();
    return true;
  };
  return EditorState.create({
    doc: options.text,
    extensions: [
      // Enter takes a completion when the list is open, and runs the query otherwise.
      Prec.highest(keymap.of([{ key: "Enter", run: (view) => acceptCompletion(view) || submit() }])),
      keymap.of([
        { key: "Tab", run: acceptCompletion },
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...historyKeymap,
        { key: "Escape", run: leave },
        ...defaultKeymap.filter(({ key }) => key !== "Mod-Enter"),
      ]),
      history(),
      closeBrackets(),
      autocompletion({
        override: [completionSource(options)],
        icons: false,
        maxRenderedOptions: COMPLETIONS_MAX,
        // After `field:` the next thing wanted is one of its values.
        activateOnCompletion: ({ apply }) => typeof apply === "string" && apply.endsWith(":"),
      }),
      tokenField,
      placeholder(options.placeholder),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": options.label, spellcheck: "false", autocapitalize: "off" }),
      EditorState.phrases.of({ Completions: options.completionsLabel }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) options.onChange(update.state.doc.toString());
      }),
      editorTheme,
    ],
  });
}

function completionSource(options: EditorOptions) {
  return async (context: CompletionContext) => {
    const word = context.matchBefore(WORD_BEFORE_CURSOR);
    const afterColon = context.state.sliceDoc(Math.max(0, context.pos - 1), context.pos) === ":";
    if (!context.explicit && !afterColon && (!word || word.from === word.to)) return null;
    const text = context.state.doc.toString();
    const completions = await options.complete(text, utf8Offset(text, context.pos)).catch(() => []);
    if (context.aborted || completions.length === 0) return null;
    return {
      from: word?.from ?? context.pos,
      options: completions.map(({ label, kind, insert }) => ({ label, detail: kind, apply: insert })),
      validFor: WORD_BEFORE_CURSOR,
    };
  };
}

function tokenMarks(text: string, { tokens = [] }: Diagnosis): DecorationSet {
  const offsets = utf16Offsets(
    text,
    tokens.flatMap((token) => token.span),
  );
  const marks = tokens.flatMap(({ kind }, index) => {
    const [from, to] = [offsets[index * 2] as number, offsets[index * 2 + 1] as number];
    return to > from ? [Decoration.mark({ class: `tok-${kind}` }).range(from, to)] : [];
  });
  return Decoration.set(marks, true);
}

function lintMarks(text: string, { diagnostics }: Diagnosis): LintDiagnostic[] {
  const offsets = utf16Offsets(
    text,
    diagnostics.flatMap((diagnostic) => diagnostic.span),
  );
  return diagnostics.map(({ severity, message, hint }, index) => {
    const end = offsets[index * 2 + 1] as number;
    // An empty span (something is missing at the end) still needs a character to be drawn under.
    const from = Math.min(offsets[index * 2] as number, Math.max(0, end - 1));
    return { from, to: end, severity, message: hint ? `${message}\n${hint}` : message };
  });
}
