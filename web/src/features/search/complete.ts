import { diagnose, fetchFields, fetchValues } from "../../api/queries";
import type { Completion } from "../../api/types";
import { fieldName, quoted } from "./queryText";

const VALUES_MAX = 50;

/** What may stand at the cursor: the language's words from its parser, names and values from the data of the range. */
export async function complete(
  text: string,
  cursor: number,
  range: { start: string; end: string },
): Promise<Completion[]> {
  const { completions = [], wanted } = await diagnose(text, cursor);
  if (wanted === "fields") return [...(await fields(range)), ...completions];
  if (typeof wanted === "object" && wanted) return [...(await values(wanted.values, range)), ...completions];
  return completions;
}

async function fields(range: { start: string; end: string }): Promise<Completion[]> {
  const { fields } = await fetchFields({ query: "", ...range });
  return fields.map(({ name, type }) => ({ label: name, kind: type, insert: `${fieldName(name)}:` }));
}

async function values(field: string, range: { start: string; end: string }): Promise<Completion[]> {
  const { values } = await fetchValues({ query: "", ...range }, field, VALUES_MAX);
  return values.flatMap(({ value, rows }) =>
    typeof value === "object"
      ? []
      : [
          {
            label: String(value),
            kind: String(rows),
            insert: typeof value === "string" ? quoted(value) : String(value),
          },
        ],
  );
}
