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
const ChangesPage = lazy(async () => ({ default: (await import("../features/changes/ChangesPage")).ChangesPage }));
const ChangePage = lazy(async () => ({ default: (await import("../features/changes/ChangePage")).ChangePage }));
const PlaybooksPage = lazy(async () => ({
  default: (await import("../features/playbooks/PlaybooksPage")).PlaybooksPage,
}));
const ServicesPage = lazy(async () => ({ default: (await import("../features/services/ServicesPage")).ServicesPage }));

const SECTIONS = ["alerts", "incidents", "changes", "playbooks", "services"] as const;

export function App() {
  const path = usePath();
  const { t } = useI18n();
  const section = path.split("/")[1] ?? "";
  useShortcuts({
    search: () => navigate("/search"),
    alerts: () => navigate("/alerts"),
    incidents: () => navigate("/incidents"),
    changes: () => navigate("/changes"),
    playbooks: () => navigate("/playbooks"),
    services: () => navigate("/services"),
  });
  useEffect(() => {
    const known = SECTIONS.find((one) => one === section) ?? "search";
    const name = t(`nav.${known}`);
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
  const [second] = rest;
  if (section === "changes" && id !== undefined && second !== undefined && rest.length === 1)
    return <ChangePage source={decodeURIComponent(id)} id={decodeURIComponent(second)} />;
  if (rest.length === 0) {
    if ((section === "" || section === "search") && id === undefined) return <SearchPage />;
    if (section === "alerts" && id === undefined) return <AlertsPage />;
    if (section === "incidents" && id === undefined) return <IncidentsPage />;
    if (section === "changes" && id === undefined) return <ChangesPage />;
    if (section === "playbooks" && id === undefined) return <PlaybooksPage />;
    if (section === "services" && id === undefined) return <ServicesPage />;
    if (section === "incidents" && id !== undefined) return <IncidentPage id={decodeURIComponent(id)} />;
  }
  return (
    <div className="state-empty">
      <h1>{t("page.notFound")}</h1>
      <Link href="/search">{t("page.toSearch")}</Link>
    </div>
  );
}
