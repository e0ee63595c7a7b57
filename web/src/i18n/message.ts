/**
 * A message is text with `{name}` placeholders and at most simple plurals: `{n, plural, one {# row} other {# rows}}`.
 * This is the part of ICU MessageFormat that the catalogues use; branches do not nest.
 */
export type Params = Record<string, string | number>;

const PART = /\{(\w+)(?:, plural,((?:\s*(?:one|other|=\d+) \{[^{}]*\})+)\s*)?\}/g;
const BRANCH = /(one|other|=\d+) \{([^{}]*)\}/g;

export function formatMessage(message: string, params: Params, locale: string): string {
  return message.replace(PART, (whole, name: string, branches: string | undefined) => {
    const value = params[name];
    if (value === undefined) return whole;
    const shown = typeof value === "number" ? new Intl.NumberFormat(locale).format(value) : value;
    if (branches === undefined) return shown;
    return pickBranch(branches, Number(value), locale).replaceAll("#", shown);
  });
}

function pickBranch(branches: string, value: number, locale: string): string {
  const found = new Map<string, string>();
  for (const [, name, text] of branches.matchAll(BRANCH)) found.set(name as string, text as string);
  const rule = new Intl.PluralRules(locale).select(value);
  return found.get(`=${value}`) ?? found.get(rule) ?? found.get("other") ?? "";
}

/** The names of a message's placeholders; both languages must use the same. */
export function placeholders(message: string): string[] {
  return [...new Set([...message.matchAll(PART)].map((match) => match[1] as string))].sort();
}
