import { isPromQl } from "../../api/verdict";
import { Link } from "../../app/router";
import { searchHref } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import { CopyButton } from "../States";

/** A query as it ran: to copy, and to open in the search page when that reads its language. */
export function QueryText({ query, from, to }: { query: string; from?: string | null; to?: string | null }) {
  const { t } = useI18n();
  if (!query) return null;
  return (
    <div className="query-text">
      <code>{query}</code>
      <CopyButton text={query} label={t("evidence.copyQuery")} />
      {!isPromQl(query) && (
        <Link href={searchHref({ query, ...(from ? { from, to: to ?? "now" } : {}) })}>{t("incident.openSearch")}</Link>
      )}
    </div>
  );
}
