import { memo, useState } from "react";
import { isBadQuery, isUnsupported, useLastGood } from "../../api/lastGood";
import { type RangeQuery, useFields, useValues } from "../../api/queries";
import type { FieldInfo, FieldType } from "../../api/types";
import { useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";
import { ErrorBox, Loading, NotHere } from "../../ui/States";
import { FilterButtons, type Filters } from "./Filters";

/** The list is cut here, not the data: a page of 79,000 fields must not stop the browser. Typing finds the others. */
const FIELDS_SHOWN_MAX = 200;
const VALUES_SHOWN = 10;
const TYPE_SIGNS: Record<FieldType, string> = { string: "T", int: "#", double: ".0", bool: "?", mixed: "±" };
const FIRST = ["severity", "service.name", "host.name"];
const HIDDEN = new Set(["_time", "_id", "body"]);

interface Props {
  request: RangeQuery;
  columns: string[];
  onColumn: (field: string) => void;
  filters: Filters | null;
}

export function FieldsPanel(props: Props) {
  const { t } = useI18n();
  const fields = useFields(props.request);
  const data = useLastGood(fields);
  const [find, setFind] = useState("");
  const [open, setOpen] = useState<string[]>([]);
  const toggle = (name: string) =>
    setOpen((all) => (all.includes(name) ? all.filter((one) => one !== name) : [...all, name]));
  return (
    <aside className="fields" aria-label={t("fields.label")}>
      <input
        className="field-input"
        type="search"
        placeholder={t("fields.find")}
        aria-label={t("fields.find")}
        value={find}
        onChange={(event) => setFind(event.target.value)}
      />
      {data ? (
        <FieldItems
          {...props}
          list={matching(data.fields, find)}
          total={data.rows}
          sampled={data.sampled}
          open={open}
          onToggle={toggle}
        />
      ) : isBadQuery(fields.error) ? null : isUnsupported(fields.error) ? (
        <NotHere error={fields.error} />
      ) : fields.error ? (
        <ErrorBox error={fields.error} onRetry={() => void fields.refetch()} />
      ) : (
        <Loading />
      )}
      {data?.sampled && <p className="dim note">{t("fields.sampled", { n: data.rows })}</p>}
    </aside>
  );
}

function matching(fields: FieldInfo[], find: string): FieldInfo[] {
  const wanted = find.trim().toLowerCase();
  return fields
    .filter(({ name }) => !HIDDEN.has(name) && name.toLowerCase().includes(wanted))
    .sort((a, b) => order(a) - order(b) || b.rows - a.rows || a.name.localeCompare(b.name));
}

/** The fields everyone starts from come first, then the most frequent. */
function order({ name }: FieldInfo): number {
  const index = FIRST.indexOf(name);
  return index < 0 ? FIRST.length : index;
}

function FieldItems(
  props: Props & {
    list: FieldInfo[];
    total: number;
    sampled: boolean;
    open: string[];
    onToggle: (name: string) => void;
  },
) {
  const { t } = useI18n();
  const { list, total, open } = props;
  if (list.length === 0) return <p className="dim note">{t(total === 0 ? "fields.empty" : "fields.none")}</p>;
  return (
    <ul>
      {list.slice(0, FIELDS_SHOWN_MAX).map((field) => (
        <FieldItem
          key={field.name}
          field={field}
          share={total > 0 ? field.rows / total : 0}
          sampled={props.sampled}
          open={open.includes(field.name)}
          isColumn={props.columns.includes(field.name)}
          request={props.request}
          onToggle={props.onToggle}
          onColumn={props.onColumn}
          filters={props.filters}
        />
      ))}
      {list.length > FIELDS_SHOWN_MAX && (
        <li className="dim note">{t("fields.more", { n: list.length - FIELDS_SHOWN_MAX })}</li>
      )}
    </ul>
  );
}

interface ItemProps {
  field: FieldInfo;
  share: number;
  sampled: boolean;
  open: boolean;
  isColumn: boolean;
  request: RangeQuery;
  onToggle: (name: string) => void;
  onColumn: (name: string) => void;
  filters: Props["filters"];
}

const FieldItem = memo(function FieldItem({ field, share, sampled, open, isColumn, ...props }: ItemProps) {
  const { t, number, percent } = useI18n();
  const { name, type, rows } = field;
  const count = sampled ? t("fields.share", { percent: percent(share) }) : t("fields.count", { n: rows });
  const column = t(isColumn ? "row.uncolumn" : "row.column", { field: name });
  return (
    <li className="field">
      <div className="head">
        <button
          type="button"
          className="name"
          aria-expanded={open}
          onClick={() => props.onToggle(name)}
          title={`${name}: ${count}`}
        >
          <span className="type" title={t(`fields.type.${type}`)} aria-hidden="true">
            {TYPE_SIGNS[type]}
          </span>
          <span className="ellipsis">{name}</span>
          <span className="count">{sampled ? percent(share) : number(rows)}</span>
        </button>
        <button
          type="button"
          className="icon-btn"
          aria-pressed={isColumn}
          aria-label={column}
          title={column}
          onClick={() => props.onColumn(name)}
        >
          <Icon name="columns" size={14} />
        </button>
      </div>
      <Share share={share} />
      {open && <Values field={name} request={props.request} filters={props.filters} />}
    </li>
  );
});

function Share({ share }: { share: number }) {
  return (
    <div className="share" aria-hidden="true">
      <div style={{ width: `${Math.min(1, share) * 100}%` }} />
    </div>
  );
}

function Values({ field, request, filters }: { field: string; request: RangeQuery; filters: Props["filters"] }) {
  const { t, number } = useI18n();
  const values = useValues(request, field, VALUES_SHOWN);
  if (values.error) return <ErrorBox error={values.error} onRetry={() => void values.refetch()} />;
  if (!values.data) return <Loading />;
  const top = Math.max(1, ...values.data.values.map(({ rows }) => rows));
  return (
    <ul className="values" aria-label={t("fields.values", { field })}>
      {values.data.values.length === 0 && <li className="dim">{t("fields.noValues")}</li>}
      {values.data.values.map(({ value, rows }) => (
        <li key={JSON.stringify(value)}>
          <div className="value">
            <span className="ellipsis mono" title={String(value)}>
              {String(value)}
            </span>
            <span className="count">{number(rows)}</span>
            <FilterButtons field={field} value={value} filters={filters} />
          </div>
          <Share share={rows / top} />
        </li>
      ))}
      {values.data.more && <li className="dim">{t("fields.moreValues")}</li>}
    </ul>
  );
}
