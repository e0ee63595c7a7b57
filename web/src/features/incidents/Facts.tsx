import { type MessageKey, useI18n } from "../../i18n";

/** Names and values; what is not known is left out. */
export function Facts({ facts }: { facts: [MessageKey, string | null | undefined][] }) {
  const { t } = useI18n();
  return (
    <dl className="facts">
      {facts.map(([label, value]) =>
        value ? (
          <div key={label}>
            <dt>{t(label)}</dt>
            <dd>{value}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}
