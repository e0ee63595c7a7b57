import type { Watch } from "../../api/loopTypes";
import { badgeOf, readVerdict } from "../../api/verdict";
import { useI18n } from "../../i18n";
import { Reasons, VerdictHistory, WouldChange } from "./Lists";
import { SignalTable } from "./SignalTable";
import { useTold } from "./useTold";
import { VerdictMark } from "./VerdictMark";
import "./evidence.css";

/** The evidence card of a watch: the verdict, what was measured, what was cleared, and what would change the verdict. */
export function WatchCard({ watch, title }: { watch: Watch; title: string }) {
  const { t, time, span } = useI18n();
  const told = useTold();
  const { reason } = readVerdict(watch.verdict);
  const signals = watch.signals ?? [];
  const started = Date.parse(watch.started_at);
  const decided = watch.decided_at ? span(Date.parse(watch.decided_at) - started) : null;
  return (
    <section className="watch-card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <VerdictMark badge={badgeOf(watch)} reason={reason} />
        {decided && <span className="dim">{t("evidence.decidedAfter", { span: decided })}</span>}
        {watch.state === "watching" && watch.ends_at && (
          <span className="dim">{t("evidence.watching", { time: time(watch.ends_at) })}</span>
        )}
        {watch.state === "ended" && watch.ends_at && (
          <span className="dim">{t("evidence.watched", { span: span(Date.parse(watch.ends_at) - started) })}</span>
        )}
        {watch.evaluated_at && (
          <span className="dim">{t("evidence.evaluated", { time: time(watch.evaluated_at).slice(11) })}</span>
        )}
      </header>
      {watch.detail && <p className="watch-detail">{told(watch.message, watch.detail)}</p>}
      {signals.length > 0 ? (
        <SignalTable signals={signals} from={watch.started_at} to={watch.ends_at ?? null} />
      ) : (
        <p className="dim">{t("evidence.noSignals")}</p>
      )}
      <div className="evidence-parts">
        <Reasons title={t("evidence.exonerated")} items={watch.exonerated ?? []} />
        <WouldChange items={watch.would_change ?? []} messages={watch.would_change_messages} />
        <VerdictHistory history={watch.history ?? []} />
      </div>
    </section>
  );
}
