import { useMemo } from "react";
import { CHANGES_PAGE_MAX, isAbsent, useChangeList, useWatches } from "../../api/loopQueries";
import { KillControl } from "../../app/KillSwitch";
import { Link, navigate, useSearchText } from "../../app/router";
import { useI18n } from "../../i18n";
import { Empty, ErrorBox, Loading } from "../../ui/States";
import { ChangeTable } from "./ChangeTable";
import { DoraPanel } from "./DoraPanel";
import { FilterBar } from "./FilterBar";
import { filterHref, linesOf, parseFilter } from "./filter";
import "./changes.css";

export function ChangesPage() {
  const { t } = useI18n();
  const search = useSearchText();
  const filter = useMemo(() => parseFilter(search), [search]);
  const { service, kind, from } = filter;
  const changes = useChangeList({ service, kind, start: from, end: "now" }, { start: from, end: "now" });
  const watches = useWatches();
  const lines = linesOf(changes.data ?? [], watches.data ?? [], filter);
  return (
    <div className="page changes">
      <div className="page-head">
        <h1>{t("changes.title")}</h1>
        <KillControl />
      </div>
      <DoraPanel />
      <FilterBar filter={filter} onChange={(next) => navigate(filterHref(next), { replace: true })} />
      {watches.error && !isAbsent(watches.error) ? (
        <ErrorBox error={watches.error} note={t("changes.partial")} onRetry={() => void watches.refetch()} />
      ) : null}
      {changes.error ? (
        <ErrorBox error={changes.error} onRetry={() => void changes.refetch()} />
      ) : !changes.data ? (
        <Loading />
      ) : lines.length > 0 ? (
        <>
          <ChangeTable lines={lines} />
          {changes.data.length >= CHANGES_PAGE_MAX && (
            <p className="dim">{t("changes.capped", { n: CHANGES_PAGE_MAX })}</p>
          )}
        </>
      ) : (
        <Empty title={t("changes.none.title")}>
          <p>{t("changes.none.text")}</p>
          <Link href="/changes">{t("changes.clear")}</Link>
        </Empty>
      )}
    </div>
  );
}
