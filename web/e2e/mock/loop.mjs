// The loop of the shop of data.mjs: watches over its changes, approvals, playbooks, services, and what people do with them.
const MINUTE = 60_000;
const iso = (at) => new Date(at).toISOString();
/** The one token that the mock lets through. */
export const TOKEN = "good-token";

const QUERY =
  'sum by (service_version) (rate(http_requests_total{service="checkout",code=~"5.."}[1m])) / sum by (service_version) (rate(http_requests_total{service="checkout"}[1m]))';

// Sentences as the server stores them beside their English text.
const FAILS = {
  code: "errors_beside",
  values: { percent: 48.24, requests: 398, version: "2.0.0", old_percent: 0.42, old_requests: 4012, old: "1.9.4" },
};
const FLAG = { code: "change", values: { kind: "flag", service: "checkout" } };
const BASKET = {
  code: "change_by",
  values: { that: { code: "change_from_to", values: { that: FLAG, from: "off", to: "on" } }, actor: "mei" },
};

function badWatch(deploy) {
  const unknown = { verdict: "unknown", reason: "low_sample" };
  return {
    id: "shop-deployer/chg-1",
    service: "checkout",
    state: "ended",
    verdict: { verdict: "bad" },
    started_at: iso(deploy),
    decided_at: iso(deploy + 41_000),
    evaluated_at: iso(deploy + 96_000),
    ends_at: iso(deploy + 100_000),
    detail: "48.24 % of 398 requests of 2.0.0 fail, 0.42 % of 4012 of 1.9.4",
    message: FAILS,
    signals: [
      {
        name: "errors",
        title: { code: "signal_errors", values: {} },
        kind: "errors",
        query: QUERY,
        compare: "version_split",
        old: { label: "1.9.4", n: 4012, bad: 17, value: 0.0042 },
        new: { label: "2.0.0", n: 398, bad: 192, value: 0.4824 },
        effect: 47.8,
        effect_unit: "points",
        log_e: 212.4,
        log_e_needed: 9.21,
        min_n: 50,
        verdict: { verdict: "bad" },
        detail: "48.24 % of 398 requests of 2.0.0 fail, 0.42 % of 4012 of 1.9.4",
        message: FAILS,
      },
      {
        name: "payment declined, upstream <*> returned 502",
        kind: "pattern",
        query: 'service.name:="checkout" severity:="ERROR" "payment declined"',
        compare: "before_after",
        old: { label: "before", n: 30, value: 0 },
        new: { label: "after", n: 2, value: 94.5 },
        effect: 94.5,
        effect_unit: "per_minute",
        log_e: 31.2,
        log_e_needed: 9.21,
        verdict: { verdict: "bad" },
        detail: "a pattern that was never seen before this change",
      },
      {
        name: "p99 of latency",
        kind: "latency",
        query: "histogram_quantile(0.99, sum by (le) (rate(http_duration_seconds_bucket[1m])))",
        compare: "version_split",
        old: { label: "1.9.4", n: 4012, value: 0.182 },
        new: { label: "2.0.0", n: 206, value: 0.191 },
        effect: 1.05,
        effect_unit: "ratio",
        log_e: 1.1,
        log_e_needed: 9.21,
        min_n: 500,
        verdict: unknown,
        detail: null,
      },
    ],
    exonerated: [
      {
        what: "flag of checkout off -> on by mei",
        title: BASKET,
        reason: "its own watch called it good before this change began",
        message: { code: "cleared_by_watch", values: {} },
      },
    ],
    would_change: [
      "without errors the evidence would not do: it has e^212.4, e^9.2 is needed",
      "the old version or a dependency failing alike would clear the change",
    ],
    would_change_messages: [
      {
        code: "without_signal",
        values: { signal: { code: "signal_errors", values: {} }, log_e: 212.4, needed: 9.2 },
      },
      { code: "alike_clears", values: {} },
    ],
    history: [
      {
        at: iso(deploy + 5000),
        ...unknown,
        detail: "12 requests of 2.0.0 so far",
        message: { code: "so_far", values: { requests: 12, version: "2.0.0" } },
      },
      { at: iso(deploy + 41_000), verdict: "bad", detail: "as an older release stored it" },
    ],
  };
}

function runningWatch(change, now) {
  return {
    id: `${change.source}/${change.id}`,
    service: change.target.service,
    state: "watching",
    verdict: { verdict: "unknown", reason: "low_sample" },
    started_at: change.started_at,
    evaluated_at: iso(now),
    ends_at: iso(now + 10 * MINUTE),
    signals: [
      {
        name: "error lines",
        kind: "count",
        query: 'service.name:="cart" severity:="ERROR"',
        compare: "before_after",
        old: { label: "before", n: 1800, value: 0.4 },
        new: { label: "after", n: 31, value: 0.6 },
        effect: 1.5,
        effect_unit: "ratio",
        log_e: 0.7,
        log_e_needed: 9.21,
        min_n: 120,
        verdict: { verdict: "unknown", reason: "low_sample" },
        detail: null,
      },
    ],
    exonerated: [],
    would_change: ["89 more requests to the new version"],
    history: [],
  };
}

const DIFF = `--- checkout 1.9.4
+++ checkout 2.0.0
@@ -3,7 +3,7 @@
 spec:
   replicas: 3
   containers:
   - name: checkout
-    image: registry.example.com/checkout:1.9.4
+    image: registry.example.com/checkout:2.0.0
     env:
-    - {name: PAYMENT_TIMEOUT_MS, value: "3000"}
+    - {name: PAYMENT_TIMEOUT_MS, value: "300"}
`;

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 190" width="520" height="190" onload="document.title='owned'">
<script>document.title = "owned"</script>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8Z"/></marker></defs>
<g><rect x="10" y="20" width="150" height="40" rx="5" fill="#fff"/><text x="85" y="45" text-anchor="middle" font-size="12">rollback checkout</text></g>
<g><rect x="200" y="20" width="140" height="40" rx="5"/><text x="270" y="45" text-anchor="middle" font-size="12">verify errors &lt; 1 %</text></g>
<g><rect x="380" y="20" width="120" height="40" rx="5"/><text x="440" y="45" text-anchor="middle" font-size="12">notify team</text></g>
<g><rect x="200" y="120" width="140" height="40" rx="5"/><text x="270" y="145" text-anchor="middle" font-size="12">page oncall</text></g>
<path d="M160 40H198" marker-end="url(#arrow)"/><path d="M340 40H378" marker-end="url(#arrow)"/>
<path d="M270 60V118" marker-end="url(#arrow)" stroke-dasharray="4 3"/><path d="M85 60V140H198" marker-end="url(#arrow)" stroke-dasharray="4 3"/>
<a href="javascript:alert(1)"><text x="10" y="180">evil link</text></a>
</svg>`;

const MERMAID = `flowchart LR
  s0["rollback checkout"] --> s1["verify errors < 1 %"]
  s1 --> s2["notify team"]
  s0 -. on_fail .-> page["page oncall"]
  s1 -. on_fail .-> page`;

export function makeLoop(shop, now) {
  const change = shop.changes.find(({ id }) => id === "chg-1");
  const deploy = Date.parse(change.started_at);
  change.stages = [
    { percent: 10, at: iso(deploy) },
    { percent: 50, at: iso(deploy + 20_000) },
    { percent: 100, at: iso(deploy + 40_000) },
  ];
  change.labels = { team: "shop", pipeline: "4812" };
  const cart = {
    id: "chg-3",
    source: "argocd",
    kind: "config",
    target: { service: "cart", environment: "demo", cluster: "eu-1" },
    from_version: "7f3a",
    to_version: "81c0",
    actor: "lin",
    started_at: iso(now - 4 * MINUTE),
    finished_at: null,
  };
  const catalog = {
    id: "deploys/2026/11",
    source: "ci",
    kind: "deploy",
    target: { service: "catalog" },
    from_version: "3.1",
    to_version: "3.2",
    actor: "ada",
    started_at: iso(now - 95 * MINUTE),
    finished_at: iso(now - 94 * MINUTE),
  };
  const flag = { ...catalog, id: "new-basket", source: "flags", kind: "flag", target: { service: "checkout" } };
  shop.changes.push(cart, catalog, { ...flag, from_version: "off", to_version: "on", actor: "mei" });
  const good = { ...badWatch(deploy), id: "ci/deploys/2026/11", service: "catalog", verdict: { verdict: "good" } };
  const conflict = { verdict: "unknown", reason: "conflict" };
  const watches = [
    badWatch(deploy),
    runningWatch(cart, now),
    { ...good, signals: good.signals.slice(2) },
    { ...good, id: "flags/new-basket", service: "checkout", verdict: conflict, signals: [] },
  ];
  shop.details["inc-7"] && dress(shop.details["inc-7"], watches[0], catalog);
  return {
    watches,
    approvals: [
      {
        id: "apr-1",
        incident: "inc-8",
        playbook: "restart-catalog",
        question: "Restart catalog? Its p99 is 1.8 s, and no change is to blame.",
        need: 2,
        choices: ["approve", "reject"],
        roles: ["operator", "lead"],
        given: [{ by: "mei", decision: "approve", at: iso(now - 60_000), comment: "looked at the heap" }],
        state: "pending",
        expires_at: iso(now + 9 * MINUTE),
      },
    ],
    kill: { engaged: false },
    playbooks: [
      {
        name: "rollback-checkout",
        mode: "auto",
        file: "examples/playbooks/rollback-checkout.yaml",
        steps: [{}, {}, {}, {}],
        record: { mode: "auto", decided: 9, helped: 7, not_helped: 2, worse: 0 },
        offer: null,
      },
      {
        name: "restart-catalog",
        mode: "suggest",
        file: "examples/playbooks/restart-catalog.yaml",
        steps: [{}, {}],
        record: { mode: "suggest", decided: 12, approved: 11, rejected: 1 },
        offer: { mode: "approve", why: "people accepted 11 of 12 suggestions" },
      },
      { name: "failover-payment", mode: "observe", file: "examples/playbooks/payment.yaml", steps: [{}], record: {} },
    ],
    graph: { mermaid: MERMAID, svg: SVG },
    dora: {
      start: iso(now - 30 * 24 * 60 * MINUTE),
      end: iso(now),
      overall: {
        deployments: 84,
        rollbacks: 3,
        deployments_per_day: 2.8,
        lead_time: { median_ns: 14_400e9, n: 80, of: 84 },
        change_failures: { share: 0.036, interval: [0.012, 0.1], n: 3, of: 84 },
        time_to_restore: { median_ns: null, n: 0, of: 3 },
        notes: ["no incident that blames a change has ended in this window"],
      },
      services: {},
      environments: ["demo"],
    },
    services: [
      {
        service: "checkout",
        in_catalogue: true,
        owners: ["shop"],
        criticality: { tier: 1 },
        needs: ["payment", "cart"],
        description: "Takes the money.",
      },
      { service: "cart", in_catalogue: true, owners: ["shop"], criticality: { tier: 2 }, needs: ["catalog"] },
      { service: "payment", in_catalogue: true, owners: ["money"], criticality: { tier: 1 }, needs: [] },
      { service: "reports", in_catalogue: true, owners: ["money"], criticality: { tier: 3 }, needs: [] },
    ],
    serviceGraph: {
      nodes: ["checkout", "cart", "payment", "catalog", "bank", "ledger"].map((service) => ({ service })),
      edges: [
        { caller: "checkout", callee: "payment", kind: "calls", provenance: ["file"] },
        { caller: "cart", callee: "catalog", kind: "calls", provenance: ["traces"] },
        { caller: "payment", callee: "bank", kind: "calls", provenance: ["file", "traces"] },
        // A circle: the bank reports back.
        { caller: "bank", callee: "ledger", kind: "calls", provenance: ["traces"] },
        { caller: "ledger", callee: "payment", kind: "calls", provenance: ["traces"] },
        { caller: "checkout", callee: "catalog", kind: "calls", provenance: ["traces"] },
      ],
    },
    diff: {
      fields: [{ field: "version", before: "1.9.4", after: "2.0.0" }],
      documents: [{ name: "spec", unified: DIFF }],
    },
  };
}

/** Gives the incident of data.mjs the evidence that the server stores with an action. */
function dress(detail, watch, other) {
  detail.watch = watch;
  Object.assign(detail.actions[0], {
    from_version: "2.0.0",
    to_version: "1.9.4",
    target: "checkout",
    playbook: "rollback-checkout",
    precheck: { precheck: "ready", detail: "dry run: 3 replicas would go to 1.9.4", revision: "rev 41" },
    evidence: {
      rule: "CheckoutErrors",
      query: QUERY,
      value: 11.4,
      decided_at: watch.decided_at,
      active_at: watch.started_at,
      verdict: { verdict: "bad" },
      attribution: "same service, began 41s before the alert",
      attribution_messages: [
        { code: "of_same_service", values: {} },
        { code: "began_before", values: { early_ns: 41e9 } },
      ],
      exonerated: [
        {
          change: other,
          reason: "it was over 71m before the alert, more than 30m",
          message: { code: "over_too_long", values: { age_ns: 4260e9, within_ns: 1800e9 } },
        },
      ],
      concurrent: [],
      guards: [
        { guard: "kill_switch", passed: true, detail: "not engaged" },
        { guard: "cooldown", passed: true, detail: "no action on checkout before" },
        { guard: "max_per", passed: true, detail: "0 of 3 actions in 3600s" },
      ],
    },
  });
}

/** What a POST or DELETE of the loop does; nothing for a path that is not the loop's. */
export function change(state, method, path, body, authorization) {
  const incident = /^\/incidents\/([^/]+)\/(notes|ack|resolve|reopen|merge)$/.exec(path);
  if (incident) return incidentAct(state, decodeURIComponent(incident[1]), incident[2], body);
  if (path === "/incidents") return openIncident(state, body);
  const approval = /^\/approvals\/([^/]+)$/.exec(path);
  const mode = /^\/playbooks\/([^/]+)\/mode$/.exec(path);
  if (!approval && !mode && path !== "/switches/kill") return null;
  if (authorization !== `Bearer ${TOKEN}`)
    return [401, { error: { code: "unauthorized", message: "the token is not known", hint: "ask an admin for one" } }];
  if (approval) return answer(state, decodeURIComponent(approval[1]), body);
  if (mode) state.loop.playbooks.find(({ name }) => name === decodeURIComponent(mode[1])).mode = body.mode;
  else
    state.loop.kill =
      method === "POST" ? { engaged: true, reason: body.reason, by: "ada", at: iso(Date.now()) } : { engaged: false };
  return [200, {}];
}

function incidentAct(state, id, verb, body) {
  const detail = state.details[id];
  if (!detail) return [404, { error: { code: "not_found", message: `there is no incident ${id}` } }];
  const listed = state.incidents.find((one) => one.id === id);
  const say = (title) => detail.timeline.push({ time: iso(Date.now()), kind: "note", title, author: body.author });
  const set = (fields) => Object.assign(detail, fields) && Object.assign(listed, fields);
  if (verb === "resolve" && id === "inc-8" && state.loop.approvals[0]?.state === "pending")
    return [
      409,
      {
        error: {
          code: "conflict",
          message: 'incident "inc-8" has a run that goes on, run-1',
          hint: "wait for its end",
        },
      },
    ];
  if (verb === "notes") say(body.text);
  if (verb === "ack") set({ acked_by: body.author || "someone", acked_at: iso(Date.now()) });
  if (verb === "resolve") set({ state: "resolved", resolved_at: iso(Date.now()), resolved_by: body.author });
  if (verb === "reopen") set({ state: "open", resolved_at: null, reopened: (detail.reopened ?? 0) + 1 });
  if (verb === "merge") set({ state: "merged", merged_into: body.into });
  return [200, { incident: detail, changed: true }];
}

function openIncident(state, body) {
  const id = `inc-${state.incidents.length + 100}`;
  const { title, service, severity } = body;
  const incident = { id, title, service, severity, state: "open", opened_at: iso(Date.now()), resolved_at: null };
  state.incidents.unshift(incident);
  state.details[id] = { ...incident, change: null, alerts: [], actions: [], timeline: [] };
  return [201, { incident, changed: true }];
}

function answer(state, id, { decision, comment }) {
  const approval = state.loop.approvals.find((one) => one.id === id);
  approval.given.push({ by: "ada", decision, at: iso(Date.now()), comment });
  const approved = approval.given.filter((one) => one.decision === "approve").length;
  approval.state = decision === "reject" ? "rejected" : approved >= approval.need ? "approved" : "pending";
  return [200, { approval }];
}

/** What a GET of the loop answers; nothing for a path that is not the loop's. */
export function read(state, path, url) {
  const { loop } = state;
  const named = /^\/(changes|watches)\/([^/]+)\/([^/]+?)(\/diff)?$/.exec(path);
  if (named) {
    const key = `${decodeURIComponent(named[2])}/${decodeURIComponent(named[3])}`;
    const found =
      named[1] === "watches"
        ? loop.watches.find(({ id }) => id === key)
        : state.changes.find(({ source, id }) => `${source}/${id}` === key);
    if (!found || (named[4] && key !== "shop-deployer/chg-1"))
      return [404, { error: { code: "not_found", message: `there is no ${key}` } }];
    return [200, named[4] ? loop.diff : found];
  }
  if (/^\/playbooks\/[^/]+\/graph$/.test(path)) return [200, loop.graph];
  if (/^\/incidents\/[^/]+\/export$/.test(path)) return [200, "# checkout: errors after deploy of 2.0.0\n"];
  const answers = {
    "/watches": { watches: loop.watches },
    "/approvals": { approvals: loop.approvals },
    "/switches": { kill: loop.kill },
    "/playbooks": { playbooks: loop.playbooks },
    "/dora": loop.dora,
    "/services": { services: loop.services },
    "/services/graph": loop.serviceGraph,
    "/changes": { changes: changes(state, url) },
  };
  return answers[path] ? [200, answers[path]] : null;
}

const UNITS = { m: MINUTE, h: 60 * MINUTE, d: 24 * 60 * MINUTE };

function timeOf(text, otherwise) {
  const relative = /^-(\d+)([mhd])$/.exec(text ?? "");
  if (relative) return Date.now() - Number(relative[1]) * UNITS[relative[2]];
  return !text || text === "now" ? otherwise : Date.parse(text);
}

function changes(state, url) {
  const start = timeOf(url.searchParams.get("start"), 0);
  const end = timeOf(url.searchParams.get("end"), Date.now());
  const service = url.searchParams.get("service");
  return state.changes.filter(({ started_at, target }) => {
    const at = Date.parse(started_at);
    return at >= start && at <= end && (!service || target.service === service);
  });
}
