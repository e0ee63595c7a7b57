import { useState } from "react";
import { type MessageKey, useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";
import { Popover } from "../../ui/Popover";

/** Query keywords stay English in every language; the explanations come from the catalogue. */
const EXAMPLES: [string, MessageKey][] = [
  ["error", "query.help.word"],
  ['"connection refused"', "query.help.phrase"],
  ["time*", "query.help.prefix"],
  ['~"blk_-?[0-9]+"', "query.help.regex"],
  ["service.name:checkout", "query.help.field"],
  ['severity:="ERROR"', "query.help.exact"],
  ["http.response.status_code:>=500", "query.help.compare"],
  ["(error or warn) -debug", "query.help.bool"],
  ["* | stats by (service.name) count() as n", "query.help.stats"],
  ["* | stats by (severity) count() as n | sort by (n desc) | limit 10", "query.help.sort"],
];

export function SyntaxCard({ onTry }: { onTry: (query: string) => void }) {
  const { t } = useI18n();
  const [open, setOpen] = useState(false);
  return (
    <Popover name={t("query.help")} className="icon-btn" open={open} onOpen={setOpen} label={<Icon name="help" />}>
      <h2>{t("query.help")}</h2>
      <table className="syntax">
        <tbody>
          {EXAMPLES.map(([query, label]) => (
            <tr key={query}>
              <td>
                <button
                  type="button"
                  className="link-btn mono"
                  title={t("query.help.try")}
                  onClick={() => {
                    setOpen(false);
                    onTry(query);
                  }}
                >
                  {query}
                </button>
              </td>
              <td className="dim">{t(label)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Popover>
  );
}
