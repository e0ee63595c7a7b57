import { useState } from "react";
import type { RangeQuery } from "../../api/queries";
import { useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";
import { Popover } from "../../ui/Popover";
import { EXPORT_FORMATS, exportUrl } from "./exportUrl";
import "./export.css";

/** All rows of the query that was run, as a download. These are plain links: the browser shows the progress and can stop it. */
export function ExportMenu({ request }: { request: RangeQuery }) {
  const { t, time } = useI18n();
  const [open, setOpen] = useState(false);
  return (
    <Popover
      name={t("export.title")}
      className="icon-btn"
      open={open}
      onOpen={setOpen}
      label={<Icon name="download" />}
    >
      <div className="export">
        <h2>{t("export.title")}</h2>
        <p className="dim">{t("export.note", { from: time(request.start), to: time(request.end) })}</p>
        <ul>
          {EXPORT_FORMATS.map(({ format, name }) => (
            <li key={format}>
              <a href={exportUrl(request, format)} download onClick={() => setOpen(false)}>
                {name}
              </a>
              <span className="dim">{t(`export.${format}`)}</span>
            </li>
          ))}
        </ul>
      </div>
    </Popover>
  );
}
