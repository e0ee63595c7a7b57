import { changePath } from "../../api/loopQueries";
import type { Change } from "../../api/types";
import { Link } from "../../app/router";
import { type MessageKey, useI18n } from "../../i18n";
import { Facts } from "./Facts";

/** The change under suspicion, beside the timeline. */
export function ChangeCard({ change }: { change: Change | null }) {
  const { t, time } = useI18n();
  const facts: [MessageKey, string | null | undefined][] = change
    ? [
        ["incident.target", Object.values(change.target).join(" / ")],
        ["incident.version", [change.from_version, change.to_version].filter(Boolean).join(" → ")],
        ["incident.actor", change.actor],
        ["incident.source", change.source],
        ["incident.started", time(change.started_at)],
        ["incident.finished", change.finished_at ? time(change.finished_at) : null],
        ["incident.reversible", change.reversible == null ? null : String(change.reversible)],
      ]
    : [];
  return (
    <section className="card" aria-labelledby="change-title">
      <h2 id="change-title">{t("incident.change")}</h2>
      {change ? <Facts facts={facts} /> : <p className="dim">{t("incident.noChange")}</p>}
      {change && (
        <p className="card-links">
          <Link href={changePath(change.source, change.id)}>{t("evidence.openChange")}</Link>
          {change.link && isWebLink(change.link) && (
            <a href={change.link} target="_blank" rel="noreferrer noopener">
              {t("incident.link")}
            </a>
          )}
        </p>
      )}
    </section>
  );
}

/** A link comes from whoever recorded the change; only web addresses are followed. */
function isWebLink(link: string): boolean {
  try {
    return ["http:", "https:"].includes(new URL(link).protocol);
  } catch {
    return false;
  }
}
