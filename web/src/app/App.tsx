import { lazy, Suspense, useEffect } from "react";
import { SearchPage } from "../features/search/SearchPage";
import { useI18n } from "../i18n";
import { Loading } from "../ui/States";
import { Link, navigate, usePath } from "./router";
import { Shell } from "./Shell";
import { useShortcuts } from "./shortcuts";

const AlertsPage = lazy(async () => ({ default: (await import("../features/alerts/AlertsPage")).AlertsPage }));
const IncidentsPage = lazy(async () => ({
  default: (await import("../features/incidents/IncidentsPage")).IncidentsPage,
}));
const IncidentPage = lazy(async () => ({ default: (await import("../features/incidents/IncidentPage")).IncidentPage }));

export function App() {
  const path = usePath();
  const { t } = useI18n();
  const section = path.split("/")[1] ?? "";
  useShortcuts({
    search: () => navigate("/search"),
    alerts: () => navigate("/alerts"),
    incidents: () => navigate("/incidents"),
  });
  useEffect(() => {
    const name = { alerts: t("nav.alerts"), incidents: t("nav.incidents") }[section] ?? t("nav.search");
    document.title = `${name} - ${t("app.name")}`;
  }, [section, t]);
  return (
    <Shell section={section}>
      <Suspense fallback={<Loading />}>
        <Page path={path} />
      </Suspense>
    </Shell>
  );
}

function Page({ path }: { path: string }) {
  const { t } = useI18n();
  const [, section = "", id, ...rest] = path.replace(/\/$/, "").split("/");
  if (rest.length === 0) {
    if ((section === "" || section === "search") && id === undefined) return <SearchPage />;
    if (section === "alerts" && id === undefined) return <AlertsPage />;
    if (section === "incidents" && id === undefined) return <IncidentsPage />;
    if (section === "incidents" && id !== undefined) return <IncidentPage id={decodeURIComponent(id)} />;
  }
  return (
    <div className="state-empty">
      <h1>{t("page.notFound")}</h1>
      <Link href="/search">{t("page.toSearch")}</Link>
    </div>
  );
}
