import type { RangeQuery } from "../../api/queries";
import { storedRecords } from "../../api/stored";
import type { Status } from "../../api/types";
import { useI18n } from "../../i18n";
import { Command, Empty } from "../../ui/States";
import type { Range } from "./range";
import { useNearest } from "./useNearest";

/** The nearest match is known to a few seconds, so a jump shows at least this much around it. */
const JUMP_MS_MIN = 20_000;
const SYSLOG_PORT = "5514";

export const hasNoData = (status: Status | undefined): boolean => status !== undefined && storedRecords(status) === 0;

/** The first screen of a new install: how to send a line, and a counter that moves when it arrives. */
export function FirstLine({ status }: { status: Status }) {
  const { t } = useI18n();
  const received = storedRecords(status);
  const port =
    status.listeners
      ?.find(({ name }) => /syslog.*tcp/i.test(name))
      ?.address.split(":")
      .at(-1) ?? SYSLOG_PORT;
  const record =
    '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"hello"}}]},"scopeLogs":[{"logRecords":[{"severityText":"INFO","body":{"stringValue":"first line"}}]}]}]}';
  return (
    <Empty title={t("empty.first.title")}>
      <p>{t("empty.first.text")}</p>
      <Command label={t("empty.first.syslog")} text={`logger -n 127.0.0.1 -P ${port} --tcp "first line"`} />
      <Command
        label={t("empty.first.http")}
        text={`curl ${location.origin}/v1/logs -H 'Content-Type: application/json' -d '${record}'`}
      />
      <Command label={t("empty.first.file")} text="backstop ingest /var/log/*.log" />
      <Command label={t("empty.first.demo")} text="backstop demo" />
      <p role="status">{received === 0 ? t("empty.first.waiting") : t("empty.first.received", { n: received })}</p>
    </Empty>
  );
}

/** Nothing matches here: say where the nearest match is, or which part to remove. */
export function NothingInRange(props: {
  request: RangeQuery;
  range: Range;
  onRange: (range: Range) => void;
  onClear: () => void;
}) {
  const { t, time, span } = useI18n();
  const { request, range } = props;
  const nearest = useNearest(request, true);
  const length = Math.max(JUMP_MS_MIN, range.end - range.start);
  const at = nearest.data;
  return (
    <Empty title={t("empty.range.title")}>
      {nearest.isLoading && <p>{t("empty.range.looking")}</p>}
      {at === null && <p>{t("empty.range.never")}</p>}
      {typeof at === "number" && (
        <p>
          {t("empty.range.nearest", { time: time(at), span: span(range.end - at) })}{" "}
          <button
            type="button"
            className="btn primary"
            onClick={() => props.onRange({ start: at - length * 0.75, end: at + length * 0.25 })}
          >
            {t("empty.range.jump")}
          </button>
        </p>
      )}
      {request.query !== "" && (
        <button type="button" className="btn" onClick={props.onClear}>
          {t("empty.range.clear")}
        </button>
      )}
    </Empty>
  );
}
