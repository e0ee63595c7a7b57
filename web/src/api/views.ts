import { useMutation, useQuery } from "@tanstack/react-query";
import { ApiError, act, get } from "./client";
import { queryClient } from "./queries";
import type { Language } from "./types";

/** A search kept under a name. The range is as written, so that "the last hour" stays that. */
export interface ViewBody {
  name: string;
  query: string;
  language: Language;
  range: { from: string; to: string };
  columns: string[];
}

export interface SavedView extends ViewBody {
  id: string;
  owner?: string | null;
  created_at: string;
  updated_at: string;
}

export const VIEW_NAME_CHARS_MAX = 200;

export function useViews(enabled: boolean) {
  return useQuery({
    queryKey: ["views"],
    queryFn: async ({ signal }) => (await get<{ views: SavedView[] }>("/views", signal)).views,
    enabled,
  });
}

/** Saves a new view, or with an id in place of an old one. */
export function useSaveView() {
  return useMutation({
    mutationFn: ({ id, body }: { id?: string; body: ViewBody }) =>
      id === undefined
        ? act<SavedView>("POST", "/views", body)
        : act<SavedView>("PUT", `/views/${encodeURIComponent(id)}`, body),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["views"] }),
  });
}

export function useDeleteView() {
  return useMutation({
    mutationFn: (id: string) => act("DELETE", `/views/${encodeURIComponent(id)}`),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["views"] }),
  });
}

/** Another view has this name. */
export const isConflict = (error: unknown): boolean => error instanceof ApiError && error.status === 409;
/** The server wants to know who asks. */
export const isForbidden = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 401 || error.status === 403);
