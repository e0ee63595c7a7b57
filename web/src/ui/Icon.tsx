/** Line icons on a 16 px grid, drawn here so that no icon package ships. Always beside text or an accessible name. */
const PATHS = {
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 4.8V8l2.2 1.6",
  left: "M10 3 5 8l5 5",
  right: "m6 3 5 5-5 5",
  down: "m3 6 5 5 5-5",
  minus: "M3 8h10",
  plus: "M8 3v10M3 8h10",
  copy: "M6 6h7v7H6zM4 10H3V3h7v1",
  columns: "M3 3h10v10H3zM8 3v10",
  link: "M7 9.2 9.2 7M6 7 4.3 8.7a2.2 2.2 0 0 0 3.1 3.1L9 10.2M7 5.8l1.6-1.6a2.2 2.2 0 0 1 3.1 3.1L10 9",
  help: "M6 6.2A2 2 0 1 1 8.6 8c-.4.2-.6.5-.6 1v.4M8 11.6v.2M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12Z",
  keyboard: "M2 4.5h12v7H2zM4.5 7h.1M7 7h.1M9.4 7h.1M11.5 7h.1M5 9.3h6",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M12.6 3.4l-1.1 1.1M4.5 11.5l-1.1 1.1",
  moon: "M13 9.6A5.6 5.6 0 0 1 6.4 3 5.6 5.6 0 1 0 13 9.6Z",
  auto: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 2v12M8 5h4M8 8h5.8M8 11h4.2",
  table: "M2.5 3h11v10h-11zM2.5 6.3h11M2.5 9.6h11M6 6.3V13",
  wrap: "M2 4h12M2 8h9.5a2 2 0 0 1 0 4H8m1.8-1.8L8 12l1.8 1.8M2 12h3",
  change: "M8 2v4M8 10v4M8 6 10 8l-2 2-2-2Z",
  alert: "M8 2.5 14 13H2ZM8 6.5v3M8 11.2v.1",
  decision: "M8 2l6 6-6 6-6-6ZM8 5.5V8M8 10.4v.1",
  action: "M9 1.5 3.5 9H8l-1 5.5L12.5 7H8Z",
  verify: "m3 8.5 3.2 3.2L13 5",
  notify: "M4 11V7a4 4 0 0 1 8 0v4l1 1H3ZM6.8 14h2.4",
  note: "M3 3h10v7l-3 3H3zM10 13v-3h3",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  bookmark: "M4.5 2.5h7v11L8 10.8l-3.5 2.7Z",
  edit: "M3 13l.8-3L11 2.8 13.2 5 6 12.2ZM9.6 4.2l2.2 2.2",
  save: "M3 3h8l2 2v8H3zM5.5 3v3.5h4V3M5 13V9.5h6V13",
  trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5M6.8 7v3.8M9.2 7v3.8",
  download: "M8 2.5v7.5M5 7.2l3 3 3-3M3 13h10",
  cross: "m4 4 8 8M12 4l-8 8",
  circle: "M8 13A5 5 0 1 0 8 3a5 5 0 0 0 0 10Z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.4"
        strokeLinejoin="round"
        strokeLinecap="round"
      />
    </svg>
  );
}
