import { Fragment } from "react";
import type { Signal, SignalSide } from "../../api/loopTypes";
import { isShare, readVerdict, sideText, strengthOf } from "../../api/verdict";
import { useI18n } from "../../i18n";
import { nameText } from "./message";
import { QueryText } from "./QueryText";
import { useTold } from "./useTold";
import { VerdictMark } from "./VerdictMark";

const KINDS = ["errors", "latency", "saturation", "pattern", "probe", "count"] as const;
const COMPARES = ["version_split", "before_after"] as const;
const UNITS = ["points", "ratio", "per_minute"] as const;

/** What was measured, old against new: a line of figures for each signal, and under it the query that they come from. */
export function SignalTable(props: { signals: Signal[]; from?: string | null; to?: string | null }) {
  const { t } = useI18n();
  const told = useTold();
  return (
    <section className="scroll-x" tabIndex={0} aria-label={t("evidence.signal")}>
      <table className="data-table signals">
        <thead>
          <tr>
            <th>{t("evidence.signal")}</th>
            <th className="num">{t("evidence.old")}</th>
            <th className="num">{t("evidence.new")}</th>
            <th className="num">{t("evidence.effect")}</th>
            <th>{t("evidence.strength")}</th>
            <th>{t("evidence.verdict")}</th>
          </tr>
        </thead>
        <tbody>
          {props.signals.map((signal) => (
            <Fragment key={`${signal.kind} ${signal.name}`}>
              <Figures signal={signal} />
              <tr className="query-row">
                <td colSpan={6}>
                  <QueryText query={signal.query} from={props.from ?? null} to={props.to ?? null} />
                  {signal.detail && <p className="dim">{told(signal.message, signal.detail)}</p>}
                </td>
              </tr>
            </Fragment>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Figures({ signal }: { signal: Signal }) {
  const { t } = useI18n();
  const told = useTold();
  const kind = KINDS.find((one) => one === signal.kind);
  const compare = COMPARES.find((one) => one === signal.compare);
  const { word, reason } = readVerdict(signal.verdict);
  return (
    <tr>
      <td>
        <b>{told(signal.title, signal.name)}</b>
        <p className="dim">
          {kind ? t(`signal.${kind}`) : signal.kind}
          {compare && `, ${t(`compare.${compare}`)}`}
        </p>
      </td>
      <Side side={signal.old} share={isShare(signal)} />
      <Side side={signal.new} share={isShare(signal)} />
      <td className="num nowrap">
        <b>
          <Effect signal={signal} />
        </b>
      </td>
      <td>
        <Strength signal={signal} />
      </td>
      <td>
        <VerdictMark badge={word} reason={reason} />
      </td>
    </tr>
  );
}

function Side({ side, share }: { side: SignalSide | null; share: boolean }) {
  const i18n = useI18n();
  const { t, number } = i18n;
  const value = sideText(side, share, number);
  return (
    <td className="num nowrap">
      {value ?? <span className="dim">{t("reason.no_data")}</span>}
      {side && (
        <p className="dim">
          {[nameText(i18n, side.label), side.n !== null && side.n !== undefined ? t("evidence.n", { n: side.n }) : ""]
            .filter(Boolean)
            .join(" \u00b7 ")}
        </p>
      )}
    </td>
  );
}

function Effect({ signal }: { signal: Signal }) {
  const { t, number } = useI18n();
  if (signal.effect === null || signal.effect === undefined) return null;
  const unit = UNITS.find((one) => one === signal.effect_unit);
  const sign = signal.effect > 0 && unit !== "ratio" ? "+" : "";
  const n = `${sign}${number(signal.effect)}`;
  return unit ? t(`unit.${unit}`, { n }) : n;
}

/** The evidence as a bar up to what a verdict needs, with the figures beside it. */
function Strength({ signal }: { signal: Signal }) {
  const { t, number } = useI18n();
  const share = strengthOf(signal);
  const tooFew = signal.min_n && (signal.new?.n ?? 0) < signal.min_n;
  return (
    <>
      {share !== null && (
        <>
          <div className="strength" aria-hidden="true">
            <div className={share >= 1 ? "enough" : ""} style={{ width: `${share * 100}%` }} />
          </div>
          <span className="dim nowrap">
            {t("evidence.ofNeeded", { log: number(signal.log_e ?? 0), needed: number(signal.log_e_needed ?? 0) })}
          </span>
        </>
      )}
      {tooFew ? <p className="dim nowrap">{t("evidence.minN", { n: signal.min_n ?? 0 })}</p> : null}
    </>
  );
}
