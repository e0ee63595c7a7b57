import type { SavedView, ViewBody } from "../../api/views";
import { type SearchState, searchHref } from "../../app/searchUrl";

/** What of a search a view keeps: not which rows were open, nor how many were loaded. */
export function bodyOf(state: SearchState, name: string): ViewBody {
  const { query, language, from, to, columns } = state;
  return { name: name.trim(), query, language, range: { from, to }, columns };
}

export function viewHref({ query, language, range, columns }: Omit<ViewBody, "name">): string {
  return searchHref({ query, language, from: range.from, to: range.to, columns });
}

/** Is this the search on screen? */
export const isShown = (view: ViewBody, state: SearchState): boolean => viewHref(view) === viewHref(bodyOf(state, ""));

/** By name, as a person of this language sorts. */
export const sorted = (views: SavedView[], lang: string): SavedView[] =>
  [...views].sort((a, b) => a.name.localeCompare(b.name, lang));

/** Two views may not have names that differ in upper and lower case only. */
export const sameName = (a: string, b: string): boolean => a.trim().toLowerCase() === b.trim().toLowerCase();
