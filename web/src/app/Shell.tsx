import { type ReactNode, useState } from "react";
import { useApprovals } from "../api/loopQueries";
import { useAlerts, useIncidents, useStatus } from "../api/queries";
import { storedRecords } from "../api/stored";
import { LANGUAGES, type MessageKey, useI18n } from "../i18n";
import { type Prefs, setPrefs } from "../i18n/prefs";
import { Icon, type IconName } from "../ui/Icon";
import { KillBanner } from "./KillSwitch";
import { Link } from "./router";
import { ShortcutSheet } from "./ShortcutSheet";
import { useShortcuts } from "./shortcuts";
import "./shell.css";

/** The bar at the top: where one is, what is burning, and how it should look. */
export function Shell({ section, children }: { section: string; children: ReactNode }) {
  const { t } = useI18n();
  const [sheet, setSheet] = useState(false);
  useShortcuts({ help: () => setSheet(true) });
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t("app.skip")}
      </a>
      <header>
        <Link href="/search" className="brand">
          <img src="/favicon.svg" alt="" width={20} height={20} />
          {t("app.name")}
        </Link>
        <Navigation section={section} />
        <span className="space" />
        <ServerStatus />
        <button
          type="button"
          className="icon-btn"
          title={t("keys.open")}
          aria-label={t("keys.open")}
          onClick={() => setSheet(true)}
        >
          <Icon name="keyboard" />
        </button>
        <ThemeButton />
        <LanguageSelect />
      </header>
      <KillBanner />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <ShortcutSheet open={sheet} onClose={() => setSheet(false)} />
    </div>
  );
}

function Navigation({ section }: { section: string }) {
  const { t } = useI18n();
  const alerts = useAlerts();
  const incidents = useIncidents("open");
  const firing = alerts.data?.filter(({ state }) => state === "firing").length ?? 0;
  const open = incidents.data?.length ?? 0;
  const asked = useApprovals().data?.filter(({ state }) => state === "pending").length ?? 0;
  return (
    <nav aria-label={t("nav.main")}>
      <NavLink href="/search" label={t("nav.search")} current={section === "search" || section === ""} />
      <NavLink
        href="/alerts"
        label={t("nav.alerts")}
        current={section === "alerts"}
        count={firing}
        countText={t("nav.firing", { n: firing })}
      />
      <NavLink
        href="/incidents"
        label={t("nav.incidents")}
        current={section === "incidents"}
        count={open}
        countText={t("nav.open", { n: open })}
      />
      <NavLink href="/changes" label={t("nav.changes")} current={section === "changes"} />
      <NavLink
        href="/playbooks"
        label={t("nav.playbooks")}
        current={section === "playbooks"}
        count={asked}
        countText={t("nav.approvals", { n: asked })}
      />
      <NavLink href="/services" label={t("nav.services")} current={section === "services"} />
    </nav>
  );
}

function NavLink(props: { href: string; label: string; current: boolean; count?: number; countText?: string }) {
  const { number } = useI18n();
  return (
    <Link href={props.href} aria-current={props.current ? "page" : undefined}>
      {props.label}
      {props.count ? (
        <span className="badge" title={props.countText}>
          <span aria-hidden="true">{number(props.count)}</span>
          <span className="sr-only">{props.countText}</span>
        </span>
      ) : null}
    </Link>
  );
}

function ServerStatus() {
  const { t } = useI18n();
  const { data, error } = useStatus();
  if (!data && !error) return null;
  const state = error ? "down" : data?.ready ? "ready" : "replaying";
  const detail = data
    ? t("status.detail", { version: data.version, rows: storedRecords(data) })
    : t("state.networkHint");
  return (
    <span className={`server ${state}`} title={detail} role="status">
      <span className="dot" aria-hidden="true" />
      {t(`status.${state}`)}
    </span>
  );
}

const THEMES: Prefs["theme"][] = ["system", "light", "dark"];
const THEME_ICONS: Record<Prefs["theme"], IconName> = { system: "auto", light: "sun", dark: "moon" };

function ThemeButton() {
  const { t, prefs } = useI18n();
  const next = THEMES[(THEMES.indexOf(prefs.theme) + 1) % THEMES.length] as Prefs["theme"];
  const name = `${t("theme.label")}: ${t(`theme.${prefs.theme}`)}`;
  return (
    <button type="button" className="icon-btn" title={name} aria-label={name} onClick={() => setPrefs({ theme: next })}>
      <Icon name={THEME_ICONS[prefs.theme]} />
    </button>
  );
}

function LanguageSelect() {
  const { t, prefs } = useI18n();
  return (
    <select
      aria-label={t("lang.label")}
      value={prefs.lang}
      onChange={(event) => setPrefs({ lang: event.target.value as Prefs["lang"] })}
    >
      {LANGUAGES.map((lang) => (
        <option key={lang} value={lang} lang={lang}>
          {t(`lang.${lang}` as MessageKey)}
        </option>
      ))}
    </select>
  );
}
