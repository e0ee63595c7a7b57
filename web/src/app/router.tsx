import { type AnchorHTMLAttributes, type MouseEvent, useSyncExternalStore } from "react";

/**
 * The address bar as a store. It is the only home of what a page shows, so Back, reload and a shared link all work; a router
 * library would bring 28 KiB for the five addresses there are.
 */
const listeners = new Set<() => void>();
const notify = () => {
  for (const listener of listeners) listener();
};
window.addEventListener("popstate", notify);

export function navigate(href: string, options: { replace?: boolean } = {}): void {
  if (href === location.pathname + location.search) return;
  if (options.replace) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  notify();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const usePath = () => useSyncExternalStore(subscribe, () => location.pathname);
export const useSearchText = () => useSyncExternalStore(subscribe, () => location.search);

/** A real link (copy, middle click, new tab work) that stays inside the page on a plain click. */
export function Link(props: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const follow = (event: MouseEvent<HTMLAnchorElement>) => {
    props.onClick?.(event);
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    event.preventDefault();
    navigate(props.href);
  };
  const { href, children, ...rest } = props;
  return (
    <a {...rest} href={href} onClick={follow}>
      {children}
    </a>
  );
}
