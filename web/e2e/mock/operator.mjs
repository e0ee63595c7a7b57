// What an operator does beside a search: follows rows, looks around one, keeps a view, takes rows away.
import { matches, parse } from "./query.mjs";

const EVERY_MS = 150;
/** `flood` asks for as many rows as arrive, so the mock leaves most of them out; `tailfails` for a stream that breaks. */
const FLOOD_ROWS = 100;

export function tail({ request, response, state, url }, badQuery) {
  const text = url.searchParams.get("query") ?? "";
  const { terms, diagnostics } = parse(text);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) return badQuery(response, errors);
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  response.write(": open\n\n");
  const send = (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  if (text.includes("tailfails")) {
    send("error", {
      error: { code: "unsupported", message: "a tail takes filters only", hint: "remove the pipe after the filter" },
    });
    return response.end();
  }
  const flood = text.includes("flood");
  const source = state.rows.filter((row) => flood || matches(row, terms));
  let sent = 0;
  const fresh = () => {
    const row = source[sent % source.length];
    sent += 1;
    const _id = `feed${sent.toString(16).padStart(12, "0")}`;
    const body = flood ? { body: `flood line ${sent}`, severity: "INFO" } : {};
    return { ...row, ...body, _id, _time: new Date().toISOString() };
  };
  const timer = setInterval(() => {
    if (source.length === 0) return;
    send("rows", { rows: Array.from({ length: flood ? FLOOD_ROWS : 2 }, fresh) });
    if (flood) send("dropped", { dropped: FLOOD_ROWS * 7, sampled: 8 });
  }, EVERY_MS);
  request.on("close", () => clearInterval(timer));
}

/** Rows of the same stream around one, oldest first. `state.rows` has the newest first. */
export function context(state, url) {
  const stream = url.searchParams.get("stream");
  const rows = state.rows.filter((row) => !stream || row._stream === stream).reverse();
  const at = rows.findIndex((row) => row._id === url.searchParams.get("id"));
  if (at < 0)
    return [404, { error: { code: "not_found", message: "there is no such row", hint: "it may be expired" } }];
  const size = (name) => Number(url.searchParams.get(name) ?? 10);
  const marked = (list, _context) => list.map((row) => ({ ...row, _context }));
  return [
    200,
    {
      rows: [
        ...marked(rows.slice(Math.max(0, at - size("before")), at), "before"),
        ...marked([rows[at]], "match"),
        ...marked(rows.slice(at + 1, at + 1 + size("after")), "after"),
      ],
    },
  ];
}

const fail = (status, code, message, hint) => [status, { error: { code, message, hint } }];

/** The saved views, or null when the path is none of theirs. */
export function views(state, method, path, body) {
  const own = /^\/views(?:\/([^/]+))?$/.exec(path);
  if (!own) return null;
  state.views ??= [];
  const id = own[1] && decodeURIComponent(own[1]);
  const found = state.views.find((view) => view.id === id);
  if (id !== undefined && !found) return fail(404, "not_found", `there is no view ${id}`);
  if (method === "GET") return [200, found ?? { views: state.views }];
  if (method === "DELETE") {
    state.views = state.views.filter((view) => view !== found);
    return [204];
  }
  if (!body.name?.trim()) return fail(400, "bad_request", "a view needs a name");
  const named = Buffer.from(body.name.trim().toLowerCase()).toString("hex");
  if (state.views.some((view) => view.id === named && view !== found))
    return fail(409, "conflict", `there is a view named ${body.name} already`, "choose another name, or overwrite it");
  const now = new Date().toISOString();
  const { name, query, language = "native", range, columns = [] } = body;
  const url = `/search?${new URLSearchParams({ q: query, from: range.from, to: range.to })}`;
  // As in the server, the id is made of the name, so it changes with it.
  const view = { ...found, id: named, name, query, language, range, columns, url, updated_at: now };
  if (found) {
    Object.assign(found, view);
    return [200, found];
  }
  state.made = (state.made ?? 0) + 1;
  const made = { owner: "mei", created_at: now.replace("Z", `${String(state.made).padStart(6, "0")}Z`), ...view };
  state.views.push(made);
  return [201, made];
}

const TYPES = {
  ndjson: "application/x-ndjson",
  csv: "text/csv",
  arrow: "application/vnd.apache.arrow.stream",
  parquet: "application/vnd.apache.parquet",
};

export function download(response, rows, format) {
  response.writeHead(200, {
    "Content-Type": TYPES[format] ?? "application/octet-stream",
    "Content-Disposition": `attachment; filename="logs.${format}"`,
  });
  if (format === "csv") response.write("_time,body\n");
  for (const row of rows) response.write(format === "csv" ? `${row._time},x\n` : `${JSON.stringify(row)}\n`);
  response.end();
}
