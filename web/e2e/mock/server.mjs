// The API that the UI is written against, over the data of data.mjs, and the built UI with the server's own CSP.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { makeShop } from "./data.mjs";
import { change, makeLoop, read } from "./loop.mjs";
import { context, download, tail, views } from "./operator.mjs";
import { patterns } from "./patterns.mjs";
import { applyPipes, matches, otherLanguage, parse } from "./query.mjs";

const BASE = "/backstop/api/v1";
const DIST = new URL("../../dist/", import.meta.url).pathname;
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export function startMock({ port, empty = false }) {
  const now = Date.now();
  const shop = empty ? { rows: [], changes: [], alerts: [], incidents: [], details: {}, groups: [] } : makeShop(now);
  const state = { ...shop, started: now, loop: empty ? null : makeLoop(shop, now) };
  const server = createServer((request, response) => {
    handle(request, response, state).catch((error) =>
      json(response, 500, { error: { code: "internal", message: String(error) } }),
    );
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

async function handle(request, response, state) {
  const url = new URL(request.url, "http://mock");
  if (!url.pathname.startsWith("/backstop/")) {
    if (request.method === "POST" && url.pathname === "/v1/logs") return receive(request, response, state);
    return asset(url.pathname, response);
  }
  const path = url.pathname.slice(BASE.length);
  const body = request.method === "GET" ? {} : await readJson(request);
  const route = ROUTES[`${request.method} ${path}`];
  if (route) return route({ response, request, state, body, url });
  const kept = views(state, request.method, path, body);
  if (kept) return json(response, ...kept);
  const answer = loop(state, request, path, body, url);
  if (answer) return json(response, ...answer);
  const incident = /^\/incidents\/([^/]+)$/.exec(path);
  if (incident) {
    const found = state.details[decodeURIComponent(incident[1])];
    return found ? json(response, 200, found) : fail(response, 404, "not_found", `there is no incident ${incident[1]}`);
  }
  if (path.endsWith("/cancel")) return json(response, 200, {});
  return fail(response, 404, "not_found", `no such path: ${path}`);
}

/** The empty server is one of before the loop had these parts: it answers 404, but for the lists that always were. */
function loop(state, request, path, body, url) {
  if (!state.loop) {
    const lists = { "/changes": { changes: [] }, "/playbooks": { playbooks: [] } };
    return request.method === "GET" && lists[path] ? [200, lists[path]] : null;
  }
  return request.method === "GET"
    ? read(state, path, url)
    : change(state, request.method, path, body, request.headers.authorization);
}

const ROUTES = {
  "POST /query": query,
  "POST /histogram": ({ response, state, body }) =>
    body.language === "promql"
      ? fail(response, 400, "unsupported", "samples of PromQL are not counted over time")
      : withRows(response, state, body, (rows, start, end) =>
          json(response, 200, histogram(rows, start, end, body.buckets ?? 60)),
        ),
  "POST /fields": ({ response, state, body }) =>
    withRows(response, state, body, (rows) => json(response, 200, fields(rows))),
  "POST /values": ({ response, state, body }) =>
    withRows(response, state, body, (rows) => json(response, 200, values(rows, body))),
  "POST /patterns": ({ response, state, body }) =>
    withRows(response, state, body, (rows, start, end) => {
      const earlier = {
        ...body,
        start: new Date(2 * start - end).toISOString(),
        end: new Date(start - 1).toISOString(),
      };
      json(response, 200, patterns(rows, select(state, earlier).rows, { start, end, limit: body.limit }));
    }),
  "GET /tail": (call) => tail(call, badQuery),
  "GET /context": ({ response, state, url }) => json(response, ...context(state, url)),
  "GET /export": ({ response, state, url }) => {
    const asked = Object.fromEntries(url.searchParams);
    withRows(response, state, asked, (rows) => download(response, rows, asked.format));
  },
  "POST /diagnose": ({ response, body }) => {
    const { tokens, diagnostics } = parse(body.query, body.language);
    json(response, 200, { diagnostics, tokens, ...(body.cursor === undefined ? {} : completions(body)) });
  },
  "GET /status": ({ response, state }) =>
    json(response, 200, {
      version: "0.1.0",
      started_at: new Date(state.started).toISOString(),
      ready: true,
      tables: [{ table: "logs", rows: state.rows.length, segments: 4, bytes: 1_200_000 }],
      listeners: [
        { name: "http", address: "127.0.0.1:7070" },
        { name: "syslog-tcp", address: "127.0.0.1:5514" },
      ],
    }),
  "GET /alerts": ({ response, state }) => json(response, 200, { alerts: state.alerts }),
  "GET /rules": ({ response, state }) => json(response, 200, { groups: state.groups }),
  "GET /incidents": ({ response, state, url }) => {
    const wanted = url.searchParams.get("state") ?? "all";
    json(response, 200, { incidents: state.incidents.filter((one) => wanted === "all" || one.state === wanted) });
  },
};

function select(state, body) {
  const { terms, pipes, diagnostics } = parse(body.query, body.language);
  const [start, end] = [Date.parse(body.start), Date.parse(body.end)];
  const rows = state.rows.filter((row) => {
    const at = Date.parse(row._time);
    return at >= start && at <= end && matches(row, terms);
  });
  return { rows, pipes, start, end, errors: diagnostics.filter(({ severity }) => severity === "error"), diagnostics };
}

function withRows(response, state, body, then) {
  const { rows, start, end, errors } = select(state, body);
  if (errors.length > 0) return badQuery(response, errors);
  return then(rows, start, end);
}

const badQuery = (response, diagnostics) =>
  json(response, 400, {
    error: { code: "bad_query", message: diagnostics[0].message, hint: diagnostics[0].hint, diagnostics },
  });

function query({ response, state, body, request }) {
  const { rows, pipes, errors } = select(state, body);
  if (errors.length > 0) return badQuery(response, errors);
  const other = otherLanguage(body.language, rows);
  if (other?.error) return json(response, 400, { error: { ...other.error, diagnostics: [] } });
  const all = other?.rows ?? applyPipes(rows, pipes);
  const shown = all.slice(0, body.limit);
  const stats = {
    rows_returned: shown.length,
    rows_scanned: state.rows.length,
    rows_matched: all.length,
    segments_total: 4,
    segments_pruned: 1,
    segments_scanned: 3,
    bytes_read: 81_234,
    elapsed_ms: 12.4,
  };
  const end = {
    stats,
    complete: true,
    limit_reached: shown.length < all.length,
    rows_matched: all.length,
    warnings: [],
    query_id: request.headers["x-backstop-query-id"] ?? "q1",
  };
  response.writeHead(200, { "Content-Type": "application/x-ndjson" });
  for (const row of shown)
    response.write(`${JSON.stringify(row).replace('"1234567890123456789"', "1234567890123456789")}\n`);
  response.end(`${JSON.stringify({ _end: end })}\n`);
}

function histogram(rows, start, end, count) {
  const step = Math.max(1, Math.ceil((end - start) / count));
  const buckets = Array.from({ length: Math.ceil((end - start) / step) }, (_, index) => ({
    time: new Date(start + index * step).toISOString(),
    total: 0,
    by_severity: {},
  }));
  for (const row of rows) {
    const bucket = buckets[Math.min(buckets.length - 1, Math.floor((Date.parse(row._time) - start) / step))];
    const word = row.severity ?? "";
    bucket.total += 1;
    bucket.by_severity[word] = (bucket.by_severity[word] ?? 0) + 1;
  }
  return {
    start: new Date(start).toISOString(),
    end: new Date(end).toISOString(),
    step_ms: step,
    buckets,
    total: rows.length,
    complete: true,
  };
}

function fields(rows) {
  const counts = new Map();
  for (const row of rows)
    for (const [name, value] of Object.entries(row)) {
      const type =
        typeof value === "number"
          ? Number.isInteger(value)
            ? "int"
            : "double"
          : typeof value === "boolean"
            ? "bool"
            : "string";
      const field = counts.get(name) ?? { name, type, rows: 0 };
      if (field.type !== type)
        field.type =
          field.type === "int" && type === "double"
            ? "double"
            : field.type === "double" && type === "int"
              ? "double"
              : "mixed";
      field.rows += 1;
      counts.set(name, field);
    }
  return { fields: [...counts.values()], rows: rows.length, sampled: false };
}

function values(rows, { field, limit = 10 }) {
  const counts = new Map();
  for (const row of rows) if (row[field] !== undefined) counts.set(row[field], (counts.get(row[field]) ?? 0) + 1);
  const sorted = [...counts].map(([value, n]) => ({ value, rows: n })).sort((a, b) => b.rows - a.rows);
  return { field, values: sorted.slice(0, limit), more: sorted.length > limit };
}

/** The parser's own words, and what the data should add. */
function completions({ query: text, cursor }) {
  const before = Buffer.from(text).subarray(0, cursor).toString();
  const inField = /([\w.]+):=?"?[\w.]*$/.exec(before);
  if (inField) return { completions: [], wanted: { values: inField[1] } };
  if (!/\|\s*\w*$/.test(before)) return { completions: [], wanted: "fields" };
  const pipes = ["stats", "sort", "limit", "fields", "where"];
  return { completions: pipes.map((label) => ({ label, kind: "pipe", insert: label })), wanted: "nothing" };
}

async function receive(request, response, state) {
  await readJson(request);
  state.rows.unshift({
    _time: new Date().toISOString(),
    _id: "00000000000000aa",
    _stream: "{}",
    severity: "INFO",
    body: "first line",
    "service.name": "hello",
  });
  json(response, 200, {});
}

async function asset(path, response) {
  const file = extname(path) ? path : "/index.html";
  const full = join(DIST, normalize(file));
  const content = full.startsWith(DIST) ? await readFile(full).catch(() => null) : null;
  if (!content) return fail(response, 404, "not_found", `no such path: ${path}`);
  response.writeHead(200, {
    "Content-Type": TYPES[extname(full)] ?? "application/octet-stream",
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
  });
  response.end(content);
}

async function readJson(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text ? JSON.parse(text) : {};
}

function json(response, status, value) {
  if (value === undefined) return response.writeHead(status).end();
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(value));
}

const fail = (response, status, code, message) => json(response, status, { error: { code, message } });
