import { changePath } from "../../api/loopQueries";
import { readVerdict } from "../../api/verdict";
import { Link } from "../../app/router";
import { useI18n } from "../../i18n";
import { VerdictMark } from "../../ui/Evidence/VerdictMark";
import { KINDS, type Line } from "./filter";

export function ChangeTable({ lines }: { lines: Line[] }) {
  const { t } = useI18n();
  return (
    <table className="data-table change-table">
      <thead>
        <tr>
          <th>{t("changes.verdict")}</th>
          <th>{t("changes.service")}</th>
          <th>{t("changes.kind")}</th>
          <th>{t("changes.version")}</th>
          <th>{t("changes.actor")}</th>
          <th>{t("changes.source")}</th>
          <th>{t("changes.when")}</th>
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => (
          <ChangeLine key={`${line.change.source}/${line.change.id}`} line={line} />
        ))}
      </tbody>
    </table>
  );
}

function ChangeLine({ line: { change, watch, badge } }: { line: Line }) {
  const { t, time, span } = useI18n();
  const { source, id, target, started_at, finished_at } = change;
  const kind = KINDS.find((one) => one === change.kind);
  const versions = [change.from_version, change.to_version].filter(Boolean).join(" \u2192 ");
  return (
    <tr>
      <td>
        <VerdictMark badge={badge} reason={watch ? readVerdict(watch.verdict).reason : null} />
      </td>
      <td>
        <Link href={changePath(source, id)}>
          <b>{target.service || id}</b>
        </Link>
        {target.environment && <p className="dim">{target.environment}</p>}
      </td>
      <td>{kind ? t(`changes.kind.${kind}`) : change.kind}</td>
      <td className="mono">{versions}</td>
      <td>{change.actor}</td>
      <td className="dim">{source}</td>
      <td className="nowrap">
        <time dateTime={started_at}>{time(started_at)}</time>
        <p className="dim">
          {finished_at ? span(Date.parse(finished_at) - Date.parse(started_at)) : t("changes.running")}
        </p>
      </td>
    </tr>
  );
}
