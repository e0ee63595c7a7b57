import { type ReactNode, useEffect, useState } from "react";
import { ApiError } from "../api/client";
import { type I18n, useI18n } from "../i18n";
import "./states.css";

/** What a panel shows when it has no data to show. Each panel has its own, so that one failure leaves the others alone. */
const SLOW_AFTER_S = 2;

export function Loading({ onCancel }: { onCancel?: () => void }) {
  const { t } = useI18n();
  const seconds = useSeconds();
  return (
    <div className="state-loading" role="status">
      <span className="bar" aria-hidden="true" />
      <span>{seconds < SLOW_AFTER_S ? t("state.loading") : t("state.slow", { s: seconds })}</span>
      {onCancel && seconds >= SLOW_AFTER_S && (
        <button type="button" className="btn" onClick={onCancel}>
          {t("query.cancel")}
        </button>
      )}
    </div>
  );
}

function useSeconds(): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds((value) => value + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return seconds;
}

/** The server's words where it had any; ours where it did not answer. */
export function errorText(error: unknown, t: I18n["t"]): { message: string; hint?: string | undefined } {
  if (!(error instanceof ApiError)) return { message: t("state.error") };
  if (error.code === "network") return { message: t("state.network"), hint: t("state.networkHint") };
  if (error.code === "bad_reply") return { message: t("state.badReply") };
  return { message: error.message || t("state.httpStatus", { status: String(error.status) }), hint: error.hint };
}

export function ErrorBox({ error, onRetry, note }: { error: unknown; onRetry?: () => void; note?: string }) {
  const { t } = useI18n();
  const { message, hint } = errorText(error, t);
  return (
    <div className="state-error" role="alert">
      <p className="primary">{message}</p>
      {hint && <p>{hint}</p>}
      {note && <p className="dim">{note}</p>}
      {onRetry && (
        <button type="button" className="btn" onClick={onRetry}>
          {t("state.retry")}
        </button>
      )}
    </div>
  );
}

/** A panel that has nothing to say about this query; why is told to whoever asks. */
export function NotHere({ error }: { error: unknown }) {
  const { t } = useI18n();
  return (
    <p className="dim note" title={errorText(error, t).message}>
      {t("state.unsupported")}
    </p>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state-empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** A command line to copy. */
export function Command({ label, text }: { label?: string; text: string }) {
  return (
    <div className="command">
      {label && <span className="dim">{label}</span>}
      <pre>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} />
    </div>
  );
}

export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { t } = useI18n();
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void copyText(text).then((done) => setCopied(done));
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <button type="button" className="btn small" onClick={copy}>
      <span aria-live="polite">{copied ? t("time.copied") : (label ?? t("row.copy"))}</span>
    </button>
  );
}

/** The clipboard API exists only on HTTPS and loopback; elsewhere the old way still works. */
export async function copyText(text: string): Promise<boolean> {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
