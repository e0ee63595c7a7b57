// A shop with one bad deploy, as the server would have stored it. Seeded, so that two runs show the same rows.
const SERVICES = ["checkout", "cart", "catalog", "payment", "frontend"];
const PATHS = ["/api/cart", "/api/checkout", "/api/products/1042", "/healthz", "/api/pay"];
const MINUTE = 60_000;

function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const hex = (n, width) => n.toString(16).padStart(width, "0");

function line(next, service, severity) {
  const ms = Math.round(5 + next() * 240);
  const path = PATHS[Math.floor(next() * PATHS.length)];
  if (severity === "ERROR")
    return service === "checkout"
      ? `error: payment declined, upstream payment-gw returned 502 after ${ms} ms, order ${Math.floor(next() * 1e6)}`
      : `error: connection refused dialing 10.0.3.${Math.floor(next() * 200)}:5432`;
  if (severity === "WARN")
    return `slow query: ${ms * 10} ms SELECT * FROM orders WHERE user_id = ${Math.floor(next() * 1e5)}`;
  if (severity === "DEBUG") return `cache hit key=product:${Math.floor(next() * 9999)} ttl=${ms}s`;
  return `${next() < 0.7 ? "GET" : "POST"} ${path} 200 ${ms}ms`;
}

function severityOf(next, service, bad) {
  const roll = next();
  if (service === "checkout" && bad && roll < 0.8) return "ERROR";
  if (roll < 0.008) return "ERROR";
  if (roll < 0.05) return "WARN";
  return roll < 0.8 ? "INFO" : "DEBUG";
}

/** For so long lines go on coming after the mock has started, so that the last test finds as many in its window as the first. */
const AHEAD = 30 * MINUTE;

export function makeShop(now, { count = 18_700, hours = 3 } = {}) {
  const next = random(42);
  const start = now - hours * 60 * MINUTE;
  const deploy = now - 24 * MINUTE;
  const alert = deploy + 41_000;
  const rolledBack = deploy + 100_000;
  const rows = [];
  for (let index = 0; index < count; index += 1) {
    const at = start + ((index + next()) / count) * (now + AHEAD - start);
    const service = SERVICES[Math.floor(next() * SERVICES.length)];
    const bad = at > deploy && at < rolledBack;
    const severity = severityOf(next, service, bad);
    const status = severity === "ERROR" ? 502 : 200;
    rows.push({
      _time: new Date(at).toISOString().replace("Z", `${hex(index % 1000, 3).replace(/\D/g, "7")}123Z`),
      _id: hex(index + 1, 16),
      _stream: `{service.name="${service}",host.name="node-${(index % 3) + 1}"}`,
      severity,
      body: line(next, service, severity),
      "service.name": service,
      "service.version": service === "checkout" && at > deploy && at < rolledBack ? "2.0.0" : "1.9.4",
      "host.name": `node-${(index % 3) + 1}`,
      "http.response.status_code": status,
      duration_ms: Math.round(next() * 900) / 10,
      ...(next() < 0.6
        ? { trace_id: hex(Math.floor(next() * 2 ** 48), 16) + hex(Math.floor(next() * 2 ** 48), 16) }
        : {}),
    });
  }
  rows.push(...odd(now));
  rows.sort((a, b) => (a._time < b._time ? 1 : -1));
  return { rows, ...loop({ now, deploy, alert, rolledBack }) };
}

// Lines as the world sends them: markup, very long, other scripts, terminal colours.
function odd(now) {
  const at = (minutes, index) => ({
    _time: new Date(now - minutes * MINUTE - index).toISOString(),
    _id: hex(0xf000 + index, 16),
    _stream: '{service.name="frontend"}',
    "service.name": "frontend",
  });
  return [
    {
      ...at(3, 1),
      severity: "WARN",
      body: "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script> hostile line",
    },
    { ...at(3, 2), severity: "INFO", body: `long line ${"x".repeat(20_000)}` },
    { ...at(3, 3), severity: "ERROR", body: "支付超时：订单 88231 在 3 次重试后失败 🎈", user: "王小明" },
    { ...at(3, 4), severity: "INFO", body: "first\n\tat second line\n\tat third line" },
    { ...at(3, 5), "user.id": "1234567890123456789", tags: ["a", "b"], nested: { a: { b: 1 } } },
  ];
}

function loop({ now, deploy, alert, rolledBack }) {
  const iso = (at) => new Date(at).toISOString();
  const change = {
    id: "chg-1",
    source: "shop-deployer",
    kind: "deploy",
    target: { service: "checkout", environment: "demo" },
    from_version: "1.9.4",
    to_version: "2.0.0",
    actor: "mei",
    started_at: iso(deploy),
    finished_at: iso(deploy + 4000),
    link: "https://example.com/deploys/1",
    reversible: "yes",
  };
  const back = {
    ...change,
    id: "chg-2",
    source: "backstop",
    actor: "backstop",
    from_version: "2.0.0",
    to_version: "1.9.4",
    started_at: iso(rolledBack - 2000),
  };
  const fired = {
    id: "al-1",
    rule: "CheckoutErrors",
    group: "checkout",
    state: "resolved",
    labels: { alertname: "CheckoutErrors", severity: "page", service: "checkout" },
    annotations: { summary: "checkout 2.0.0 answers 5xx to 48 % of requests" },
    value: 11.4,
    active_at: iso(alert - 10_000),
    fired_at: iso(alert),
    resolved_at: iso(rolledBack + 50_000),
    query: 'sum by (service_version) (rate(http_requests_total{service="checkout",code=~"5.."}[1m])) > 1',
    playbook: "rollback-checkout",
    incident: "inc-7",
  };
  const slow = {
    ...fired,
    id: "al-2",
    rule: "CatalogSlow",
    group: "catalog",
    state: "firing",
    labels: { alertname: "CatalogSlow", severity: "ticket", service: "catalog" },
    annotations: { summary: "p99 of catalog is 1.8 s, limit 1 s" },
    value: 1.83,
    active_at: iso(now - 7 * MINUTE),
    fired_at: iso(now - 5 * MINUTE),
    resolved_at: null,
    playbook: null,
    incident: "inc-8",
  };
  const pending = {
    ...slow,
    id: "al-3",
    rule: "DiskFull",
    state: "pending",
    labels: { alertname: "DiskFull", host: "node-2" },
    annotations: {},
    value: 0.91,
    fired_at: null,
    active_at: iso(now - 40_000),
    incident: null,
  };
  const link = {
    query: 'service.name:="checkout" severity:="ERROR"',
    start: iso(deploy - MINUTE),
    end: iso(rolledBack + MINUTE),
  };
  const incident = {
    id: "inc-7",
    title: "checkout: errors after deploy of 2.0.0",
    state: "resolved",
    severity: "page",
    service: "checkout",
    opened_at: iso(alert),
    resolved_at: iso(rolledBack + 50_000),
    summary: "Errors rose from 0.4 % to 48 % 41 s after version 2.0.0 was deployed; rolled back to 1.9.4 and verified.",
    outcome: "helped",
  };
  const detail = {
    ...incident,
    change,
    alerts: [fired],
    actions: [
      {
        key: "inc-7/rollback-checkout/0",
        kind: "http",
        target: "checkout 2.0.0 → 1.9.4",
        state: "ok",
        started_at: iso(rolledBack - 2000),
        finished_at: iso(rolledBack),
        output: 'HTTP 200\n{"version":"1.9.4","replicas":3}',
        mode: "auto",
      },
      {
        key: "inc-7/rollback-checkout/2",
        kind: "notify",
        target: "team",
        state: "ok",
        started_at: iso(rolledBack + 48_000),
        finished_at: iso(rolledBack + 48_200),
        output: "HTTP 204",
        mode: "auto",
      },
    ],
    timeline: [
      {
        time: iso(deploy),
        kind: "change",
        title: "checkout 1.9.4 → 2.0.0",
        detail: "deploy by mei, from shop-deployer",
        outcome: null,
        evidence: null,
        link: null,
      },
      {
        time: iso(alert),
        kind: "alert",
        title: "CheckoutErrors fires",
        detail: fired.annotations.summary,
        outcome: null,
        evidence: { value: 11.4, threshold: 1, query: fired.query, labels: fired.labels },
        link,
      },
      {
        time: iso(alert + 1000),
        kind: "decision",
        title: "The deploy of 2.0.0 is to blame",
        detail: "Errors come only from version 2.0.0; the change ended 37 s before they rose.",
        outcome: "ok",
        evidence: {
          verdict: "bad",
          change: "chg-1",
          error_ratio: { before: 0.004, after: 0.48 },
          guards: [
            { guard: "cooldown", passed: true, detail: "no action on checkout before" },
            { guard: "max_per", passed: true, detail: "0 of 3 actions in 3600s" },
          ],
        },
        link: null,
      },
      {
        time: iso(rolledBack - 2000),
        kind: "action",
        title: "Roll back checkout to 1.9.4",
        detail: "POST to the shop's deploy endpoint",
        outcome: "ok",
        evidence: { status: 200, attempt: 1 },
        link: null,
      },
      {
        time: iso(rolledBack + 46_000),
        kind: "verify",
        title: "Errors are back below 1 %",
        detail: "5 of 5 checks passed within 46 s",
        outcome: "ok",
        evidence: { checks: [true, true, true, true, true], error_ratio: 0.003 },
        link,
      },
      {
        time: iso(rolledBack + 48_000),
        kind: "notify",
        title: "Told team",
        detail: "webhook answered 204",
        outcome: "ok",
        evidence: null,
        link: null,
      },
    ],
  };
  const open = {
    id: "inc-8",
    title: "catalog: p99 above 1 s",
    state: "open",
    severity: "ticket",
    service: "catalog",
    opened_at: iso(now - 5 * MINUTE),
    resolved_at: null,
    summary: "No change to catalog in the last 30 minutes; nothing to roll back.",
    outcome: null,
  };
  const openDetail = {
    ...open,
    change: null,
    alerts: [slow],
    actions: [],
    timeline: [
      {
        time: slow.fired_at,
        kind: "alert",
        title: "CatalogSlow fires",
        detail: slow.annotations.summary,
        outcome: null,
        evidence: { value: 1.83 },
        link: null,
      },
      {
        time: iso(now - 5 * MINUTE + 900),
        kind: "decision",
        title: "No rollback",
        detail: open.summary,
        outcome: "refused",
        evidence: { change_within: "30m", changes_found: 0 },
        link: null,
      },
    ],
  };
  const rule = (name, query, extra = {}) => ({
    name,
    kind: "alert",
    query,
    for_ms: 30_000,
    health: "ok",
    last_error: null,
    last_evaluation: iso(now - 3000),
    evaluation_ms: 4,
    state: "inactive",
    ...extra,
  });
  const groups = [
    {
      name: "checkout",
      file: "examples/rules/checkout.yaml",
      interval_ms: 5000,
      rules: [
        rule("CheckoutErrors", fired.query),
        rule("CheckoutErrorLogs", "service.name:checkout severity:ERROR | stats by (service.version) count() as n", {
          kind: "logs",
        }),
      ],
    },
    {
      name: "catalog",
      file: "examples/rules/catalog.yaml",
      interval_ms: 15_000,
      rules: [
        rule("CatalogSlow", "histogram_quantile(0.99, rate(http_duration_seconds_bucket[5m])) > 1", {
          state: "firing",
        }),
        rule("DiskFull", "node_filesystem_used_ratio > 0.9", { state: "pending" }),
        rule("Broken", "sum(rate(nope[5m])) by", { health: "err", last_error: "1:24: expected '(' after by" }),
      ],
    },
  ];
  return {
    changes: [back, change],
    alerts: [slow, pending, fired],
    incidents: [open, incident],
    details: { "inc-7": detail, "inc-8": openDetail },
    groups,
  };
}
