//! Made-up lines of many programs, each with its true pattern, so that nothing depends on the few systems of a benchmark.

use std::collections::{BTreeMap, BTreeSet};

use pattern::{Limits, Miner, PatternId};

/// Programs and the statements that write their lines. `{...}` is filled with made-up values; see [`fill`].
const PROGRAMS: &[(&str, &[&str])] = &[
    (
        "compute",
        &[
            "{ip} \"GET /v2/{hex}/servers/detail HTTP/1.1\" status: {code} len: {num} time: {float}",
            "{ip} \"POST /v2/{hex}/os-server-external-events HTTP/1.1\" status: {code} len: {num} time: {float}",
            "{ip} \"DELETE /v2/{hex}/servers/{uuid} HTTP/1.1\" status: {code} len: {num} time: {float}",
            "[instance: {uuid}] VM Started (Lifecycle Event)",
            "[instance: {uuid}] VM Stopped (Lifecycle Event)",
            "[instance: {uuid}] VM Paused (Lifecycle Event)",
            "[instance: {uuid}] VM Resumed (Lifecycle Event)",
            "[instance: {uuid}] Creating image",
            "[instance: {uuid}] Terminating instance",
            "[instance: {uuid}] Deleting instance files {path}",
            "[instance: {uuid}] Deletion of {path} complete",
            "[instance: {uuid}] Took {float} seconds to spawn the instance on the hypervisor.",
            "[instance: {uuid}] Took {float} seconds to build instance.",
            "[instance: {uuid}] Attempting claim: memory {num} MB, disk {num} GB, vcpus {num} CPU",
            "[instance: {uuid}] disk limit not specified, defaulting to unlimited",
            "[instance: {uuid}] vcpu limit not specified, defaulting to unlimited",
            "image {uuid} at ({path}): checking",
            "image {uuid} at ({path}): in use: on this node {num} local, {num} on other nodes sharing this instance storage",
            "Active base files: {path}",
            "Removable base files: {path} {path}",
            "Auditing locally available compute resources for node {node}",
            "Total usable vcpus: {num}, total allocated vcpus: {num}",
        ],
    ),
    (
        "proxy",
        &[
            "{host}:{port} close, {num} bytes sent, {num} bytes received, lifetime {lifetime}",
            "{host}:{port} close, {num} bytes ({size}) sent, {num} bytes received, lifetime {lifetime}",
            "{host}:{port} close, {num} bytes ({size}) sent, {num} bytes ({size}) received, lifetime {lifetime}",
            "{host}:{port} open through proxy {host}:{port} SOCKS5",
            "{host}:{port} open through proxy {host}:{port} HTTPS",
            "{host}:{port} open directly",
            "{host}:{port} error : Could not connect through proxy {host}:{port} - connection closed by the proxy",
            "{host}:{port} error : A connection request was canceled before the completion.",
        ],
    ),
    (
        "coordination",
        &[
            "Received connection request /{ip}:{port}",
            "Accepted socket connection from /{ip}:{port}",
            "Closed socket connection for client /{ip}:{port} which had sessionid {hex0}",
            "Closed socket connection for client /{ip}:{port} (no session established for client)",
            "Connection broken for id {big}, my id = {num}, error =",
            "Expiring session {hex0}, timeout of {num}ms exceeded",
            "Established session {hex0} with negotiated timeout {num} for client /{ip}:{port}",
            "Notification: {num} (n.leader), {hex0} (n.zxid), {hex0} (n.round), {state} (n.state), {num} (n.sid), {state} (my state)",
            "Notification time out: {num}",
            "Interrupting SendWorker",
            "Send worker leaving thread",
            "Interrupted while waiting for message on queue",
            "Got user-level exception when processing sessionid:{hex0} type:{op} cxid:{hex0} zxid:{hex0} txntype:{int} reqpath:n/a Error Path:{path} Error:NodeExists",
            "Cannot open channel to {num} at election address /{ip}:{port}",
            "FOLLOWING",
            "LOOKING",
            "LEADING",
            "Snapshotting: {hex0} to {path}",
            "tickTime set to {num}",
            "minSessionTimeout set to {int}",
            "maxSessionTimeout set to {int}",
        ],
    ),
    (
        "steps",
        &[
            "calculateCalories totalCalories={num}",
            "getTodayTotalSteps = {big}##{num}##{num}##{num}##{num}##{big}",
            "onStandStepChanged {num}",
            "onExtend:{big} {num} {num} {num}",
            "REPORT : {num} {num} {num} {num}",
            "processHandleBroadcastAction action:{action}",
            "onReceive action: {action}",
            "screen status unknown,think screen on",
            "flush sensor data",
            "setTodayTotalSteps={big}##{num}##{num}##{num}##{num}##{big}",
            "totalAltitude={num}",
            "uploadStatics onResult type = {num} code = {num}",
            "checkFirewall: {bool}, retry {num}",
        ],
    ),
    (
        "mail",
        &[
            "{qid}: from=<{mail}>, size={num}, nrcpt={num} (queue active)",
            "{qid}: to=<{mail}>, relay={host}[{ip}]:25, delay={float}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {qid})",
            "{qid}: to=<{mail}>, relay=none, delay={float}, dsn=4.4.1, status=deferred (connect to {host}[{ip}]:25: Connection timed out)",
            "{qid}: removed",
            "{qid}: message-id=<{mail}>",
            "connect from {host}[{ip}]",
            "disconnect from {host}[{ip}]",
            "lost connection after AUTH from {host}[{ip}]",
            "warning: {host}[{ip}]: SASL LOGIN authentication failed: authentication failure",
            "NOQUEUE: reject: RCPT from {host}[{ip}]: 554 5.7.1 <{mail}>: Relay access denied; from=<{mail}> to=<{mail}> proto=ESMTP helo=<{host}>",
            "statistics: max connection rate {num}/60s for (smtp:{ip}) at {month} {num} {clock}",
            "session opened for user {user} by (uid={num})",
            "session closed for user {user}",
            "({user}) CMD (run-parts /etc/cron.hourly)",
            "({user}) CMD ({path})",
            "synchronized to {ip}, stratum {num}",
            "time reset {signed} s",
            "DHCPDISCOVER from {mac} via eth{digit}",
            "DHCPOFFER on {ip} to {mac} via eth{digit}",
            "DHCPACK on {ip} to {mac} via eth{digit}",
            "DHCPREQUEST for {ip} from {mac} via eth{digit}: wrong network.",
        ],
    ),
    (
        "database",
        &[
            "duration: {float} ms  statement: SELECT * FROM {table} WHERE id = {num}",
            "duration: {float} ms  statement: UPDATE {table} SET seen = now() WHERE id = {num}",
            "connection received: host={ip} port={port}",
            "connection authorized: user={user} database={table}",
            "disconnection: session time: {clock} user={user} database={table} host={ip} port={port}",
            "password authentication failed for user \"{user}\"",
            "database \"{table}\" does not exist",
            "checkpoint starting: time",
            "checkpoint starting: xlog",
            "checkpoint complete: wrote {num} buffers ({float}%); 0 added, {num} removed, {num} recycled; write={float} s, sync={float} s, total={float} s",
            "duplicate key value violates unique constraint \"{constraint}\"",
            "canceling statement due to statement timeout",
            "canceling autovacuum task",
            "automatic vacuum of table \"{table}\": index scans: {num}",
            "automatic analyze of table \"{table}\": system usage: {float} s",
            "deadlock detected",
            "process {num} still waiting for ShareLock on transaction {num} after {float} ms",
            "process {num} acquired ShareLock on transaction {num} after {float} ms",
            "could not receive data from client: Connection reset by peer",
            "unexpected EOF on client connection with an open transaction",
            "temporary file: path \"{path}\", size {num}",
            "received fast shutdown request",
            "database system is ready to accept connections",
            "database system is shut down",
        ],
    ),
    (
        "cluster",
        &[
            "SyncLoop (ADD, \"api\"): \"{pod}\"",
            "SyncLoop (DELETE, \"api\"): \"{pod}\"",
            "Started container {ctr} for pod {pod}",
            "Killing container {ctr} of pod {pod} with grace period of {num}s",
            "Back-off restarting failed container {ctr} in pod {pod}",
            "Readiness probe failed: HTTP probe failed with statuscode: {code}",
            "Liveness probe failed: HTTP probe failed with statuscode: {code}",
            "Successfully assigned {ns}/{pod} to {node}",
            "Scaled up replica set {rs} to {num}",
            "Scaled down replica set {rs} to {num}",
            "Pulling image \"{image}\"",
            "Successfully pulled image \"{image}\" in {float}s",
            "MountVolume.SetUp succeeded for volume \"{volume}\"",
            "operation for volume {volume} failed, no retries permitted until {stamp} (durationBeforeRetry {num}s)",
            "Node {node} status is now: NodeNotReady",
            "Node {node} status is now: NodeReady",
            "eviction manager: attempting to reclaim {resource}",
            "eviction manager: pods ranked for eviction: {pod}",
            "Image garbage collection failed once. Stats initialization may not have completed yet",
            "http: TLS handshake error from {ip}:{port}: EOF",
            "http: TLS handshake error from {ip}:{port}: remote error: tls: bad certificate",
        ],
    ),
    (
        "logfmt",
        &[
            "level=info ts={stamp} caller=main.go:{num} msg=\"server listening\" addr=:{port}",
            "level=info ts={stamp} caller=main.go:{num} msg=\"server stopped\" addr=:{port}",
            "level=info ts={stamp} caller=head.go:{num} msg=\"WAL segment loaded\" segment={num} maxSegment={num}",
            "level=warn ts={stamp} caller=scrape.go:{num} msg=\"Append failed\" target={url} err=\"out of order sample\"",
            "level=error ts={stamp} caller=api.go:{num} msg=\"request failed\" method=GET path={path} status={code} took={num}ms user={user}",
            "level=info ts={stamp} caller=api.go:{num} msg=\"request done\" method=GET path={path} status={code} took={num}ms user={user}",
            "level=info ts={stamp} caller=compact.go:{num} msg=\"write block\" mint={big} maxt={big} ulid={hex}",
            "level=debug ts={stamp} caller=cache.go:{num} msg=\"cache evicted for tenant\" tenant={user} entries={num}",
        ],
    ),
    (
        "json",
        &[
            "{\"ts\":\"{stamp}\",\"level\":\"info\",\"msg\":\"user logged in\",\"user\":\"{user}\",\"ip\":\"{ip}\"}",
            "{\"ts\":\"{stamp}\",\"level\":\"info\",\"msg\":\"user logged out\",\"user\":\"{user}\",\"ip\":\"{ip}\"}",
            "{\"ts\":\"{stamp}\",\"level\":\"error\",\"msg\":\"payment of order failed with a timeout\",\"order\":\"{uuid}\",\"amount\":{float}}",
            "{\"ts\":\"{stamp}\",\"level\":\"info\",\"msg\":\"payment of order taken by the bank\",\"order\":\"{uuid}\",\"amount\":{float}}",
            "{\"ts\":\"{stamp}\",\"level\":\"warn\",\"msg\":\"slow query\",\"table\":\"{table}\",\"ms\":{num}}",
            "{\"ts\":\"{stamp}\",\"level\":\"info\",\"msg\":\"cache miss\",\"key\":\"{hex}\"}",
        ],
    ),
    (
        "java",
        &[
            "Started ShopApplication in {float} seconds (JVM running for {float})",
            "Tomcat started on port(s): {port} (http) with context path ''",
            "HikariPool-{digit} - Starting...",
            "HikariPool-{digit} - Start completed.",
            "HikariPool-{digit} - Connection is not available, request timed out after {num}ms.",
            "[Consumer clientId=consumer-{user}-{digit}, groupId={user}] Resetting offset for partition {table}-{digit} to offset {num}.",
            "[Consumer clientId=consumer-{user}-{digit}, groupId={user}] Successfully joined group with generation {num}",
            "[Consumer clientId=consumer-{user}-{digit}, groupId={user}] Revoking previously assigned partitions []",
            "Order {num} of customer {user} was accepted",
            "Order {num} of customer {user} was rejected: insufficient funds",
            "Could not resolve placeholder '{word}' in value \"${{word}}\"",
            "Failed to send email to {mail}: {exception}: connection refused",
            "Servlet.service() for servlet [dispatcherServlet] in context with path [] threw exception",
            "Resolved [{exception}: Request method 'POST' not supported]",
            "Thread starvation or clock leap detected (housekeeper delta={num}s{num}ms).",
            "Bean '{bean}' of type [{class}] is not eligible for getting processed by all BeanPostProcessors",
        ],
    ),
    (
        "web",
        &[
            "{ip} - - [{apache}] \"GET {path} HTTP/1.1\" {code} {num} \"-\" \"curl/{float}\"",
            "{ip} - - [{apache}] \"POST {path} HTTP/1.1\" {code} {num} \"-\" \"curl/{float}\"",
            "*{num} connect() failed (111: Connection refused) while connecting to upstream, client: {ip}, server: {host}, request: \"GET {path} HTTP/1.1\", upstream: \"{url}\", host: \"{host}\"",
            "*{num} open() \"{path}\" failed (2: No such file or directory), client: {ip}, server: {host}, request: \"GET {path} HTTP/1.1\", host: \"{host}\"",
            "*{num} client intended to send too large body: {num} bytes, client: {ip}, server: {host}",
            "signal process started",
            "worker process {num} exited on signal {digit}",
            "Server {table}/{node} is DOWN, reason: Layer4 timeout, check duration: {num}ms.",
            "Server {table}/{node} is UP, reason: Layer7 check passed, check duration: {num}ms.",
            "backend {table} has no server available!",
        ],
    ),
    (
        "system",
        &[
            "Started Session {num} of user {user}.",
            "Starting Cleanup of Temporary Directories...",
            "Started Cleanup of Temporary Directories.",
            "Removed slice User Slice of {user}.",
            "Created slice User Slice of {user}.",
            "{unit}.service: Main process exited, code=exited, status={digit}/FAILURE",
            "{unit}.service: Failed with result 'exit-code'.",
            "{unit}.service: Scheduled restart job, restart counter is at {num}.",
            "Out of memory: Killed process {num} ({unit}) total-vm:{num}kB, anon-rss:{num}kB, file-rss:{num}kB",
            "eth{digit}: link up, {num} Mbps, full-duplex",
            "eth{digit}: link down",
            "EXT4-fs (sda{digit}): mounted filesystem with ordered data mode. Opts: (null)",
            "pam_unix(sudo:session): session opened for user {user} by (uid={num})",
            "{user} : TTY=pts/{digit} ; PWD={path} ; USER=root ; COMMAND={path}",
            "Accepted publickey for {user} from {ip} port {port} ssh2: RSA SHA256:{hex}",
            "audit: type=1400 audit({float}:{num}): apparmor=\"DENIED\" operation=\"open\" profile=\"{path}\" name=\"{path}\" pid={num} comm=\"{unit}\"",
            "CPU{digit}: Core temperature above threshold, cpu clock throttled (total events = {num})",
            "CPU{digit}: Core temperature/speed normal",
        ],
    ),
];

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len() as u64) as usize]
    }
}

const USERS: &[&str] =
    &["root", "alice", "bob", "carol", "deploy", "www-data", "postgres", "erin", "svc_backup", "mallory"];
const TABLES: &[&str] = &["orders", "customers", "payments", "sessions", "items", "audit", "carts", "prices"];
const HOSTS: &[&str] =
    &["shop.example.com", "mail.example.org", "a.b.example.net", "example.com", "cdn-7.example.net", "db3.internal"];

/// A made-up value.
fn fill(name: &str, dice: &mut Dice) -> String {
    match name {
        "num" => dice.roll(100_000).to_string(),
        "int" => (dice.roll(2000) as i64 - 1000).to_string(),
        "signed" => format!("{}{}.{:06}", dice.pick(&["+", "-"]), dice.roll(2), dice.roll(1_000_000)),
        "big" => (1_500_000_000_000 + dice.roll(1_000_000_000)).to_string(),
        "digit" => dice.roll(9).to_string(),
        "port" => (1024 + dice.roll(60_000)).to_string(),
        "code" => dice.pick(&["200", "404", "500", "503"]).to_owned(),
        "float" => format!("{}.{}", dice.roll(100), dice.roll(10_000)),
        "hex" => format!("{:08x}{:08x}{:04x}", dice.roll(1 << 31), dice.roll(1 << 31), dice.roll(1 << 16)),
        "hex0" => format!("0x{:x}{:x}", dice.roll(1 << 31), dice.roll(1 << 31)),
        "uuid" => format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:08x}{:04x}",
            dice.roll(1 << 31),
            dice.roll(1 << 16),
            dice.roll(1 << 12),
            dice.roll(1 << 12),
            dice.roll(1 << 31),
            dice.roll(1 << 16)
        ),
        "mac" => (0..6).map(|_| format!("{:02x}", dice.roll(256))).collect::<Vec<_>>().join(":"),
        "ip" => format!("10.{}.{}.{}", dice.roll(256), dice.roll(256), dice.roll(256)),
        "host" => dice.pick(HOSTS).to_owned(),
        "path" => {
            let dir = dice.pick(&["var", "srv", "home", "opt"]);
            let sub = dice.pick(&["data", "lib", "shop", "tmp/x"]);
            format!("/{dir}/{sub}/{:x}.{}", dice.roll(1 << 20), dice.pick(&["log", "html", "dat"]))
        }
        "url" => {
            format!("http://{}:{}/{}", dice.pick(HOSTS), 1024 + dice.roll(9000), dice.pick(&["metrics", "api/v1", ""]))
        }
        "mail" => format!("{}@{}", dice.pick(USERS), dice.pick(HOSTS)),
        "user" => dice.pick(USERS).to_owned(),
        "table" => dice.pick(TABLES).to_owned(),
        "constraint" => format!("{}_{}_key", dice.pick(TABLES), dice.pick(&["id", "email", "name"])),
        "qid" => format!("{:X}A{:05X}", 1 + dice.roll(9), dice.roll(1 << 20)),
        "size" => format!("{}.{} {}", dice.roll(900), dice.roll(100), dice.pick(&["KB", "MB"])),
        "lifetime" => match dice.roll(3) {
            0 => "<1 sec".to_owned(),
            _ => format!("{:02}:{:02}", dice.roll(60), dice.roll(60)),
        },
        "state" => dice.pick(&["LOOKING", "FOLLOWING", "LEADING"]).to_owned(),
        "op" => dice.pick(&["create", "delete", "setData"]).to_owned(),
        "action" => {
            format!("android.intent.action.{}", dice.pick(&["SCREEN_ON", "SCREEN_OFF", "TIME_TICK", "USER_PRESENT"]))
        }
        "bool" => dice.pick(&["true", "false"]).to_owned(),
        "month" => dice.pick(&["Jan", "Feb", "Mar", "Dec"]).to_owned(),
        "clock" => format!("{:02}:{:02}:{:02}", dice.roll(24), dice.roll(60), dice.roll(60)),
        "stamp" => format!(
            "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            1 + dice.roll(12),
            1 + dice.roll(28),
            dice.roll(24),
            dice.roll(60),
            dice.roll(60),
            dice.roll(1000)
        ),
        "apache" => format!(
            "{:02}/{}/2026:{:02}:{:02}:{:02} +0000",
            1 + dice.roll(28),
            dice.pick(&["Jan", "May", "Dec"]),
            dice.roll(24),
            dice.roll(60),
            dice.roll(60)
        ),
        "pod" => format!(
            "{}-{:x}{:x}-{}",
            dice.pick(&["cart", "shop", "api-gateway", "web"]),
            1 + dice.roll(15),
            dice.roll(1 << 28),
            dice.pick(&["x7k2p", "b4c9z", "qq8tm", "v5n2d"])
        ),
        "rs" => format!("{}-{:x}9{:x}", dice.pick(&["cart", "shop", "web"]), 1 + dice.roll(15), dice.roll(1 << 28)),
        "ctr" => dice.pick(&["cart", "sidecar", "shop", "istio-proxy", "web", "init-db"]).to_owned(),
        "ns" => dice.pick(&["default", "kube-system", "prod", "staging"]).to_owned(),
        "node" => format!("node-{}", dice.roll(40)),
        "image" => {
            format!("registry.example.com/{}:v{}.{}", dice.pick(&["cart", "shop", "web"]), dice.roll(9), dice.roll(30))
        }
        "volume" => format!("pvc-{:08x}", dice.roll(1 << 31)),
        "resource" => dice.pick(&["memory", "ephemeral-storage", "inodes"]).to_owned(),
        "word" => dice.pick(&["shop.url", "mail.host", "db.user"]).to_owned(),
        "exception" => format!(
            "java.{}.{}",
            dice.pick(&["io", "net", "util"]),
            dice.pick(&["IOException", "ConnectException", "TimeoutException", "SocketException"])
        ),
        "bean" => dice.pick(&["mailSender", "dataSource", "cacheManager", "objectMapper", "orderService"]).to_owned(),
        "class" => {
            format!("com.example.shop.{}", dice.pick(&["MailSender", "DataSource", "CacheManager", "OrderService"]))
        }
        "unit" => dice.pick(&["nginx", "postgresql", "redis", "shop", "cron", "docker"]).to_owned(),
        other => panic!("no value {other:?}"),
    }
}

/// A line that a statement writes. A brace that opens no known name stands for itself.
fn line(statement: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    let mut rest = statement;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let body = &rest[at + 1..];
        match body.find('}').filter(|end| *end > 0 && body[..*end].bytes().all(|b| b.is_ascii_alphanumeric())) {
            Some(end) => {
                out.push_str(&fill(&body[..end], dice));
                rest = &body[end + 1..];
            }
            None => {
                out.push('{');
                rest = body;
            }
        }
    }
    out + rest
}

/// Share of lines whose group is exactly the lines of their statement; and what went wrong.
fn accuracy(statements: &[&str], lines: usize) -> (f64, Vec<String>) {
    let mut dice = Dice(7);
    // Few statements write most lines, as everywhere.
    let numbered: Vec<(usize, String)> = (0..lines)
        .map(|_| {
            let below = 1 + dice.roll(statements.len() as u64);
            let nth = dice.roll(below) as usize;
            (nth, line(statements[nth], &mut dice))
        })
        .collect();
    let mut miner = Miner::new(Limits::default());
    for (_, line) in &numbered {
        miner.learn(line, 1);
    }
    miner.refine();
    let mut truth: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut found: BTreeMap<PatternId, BTreeSet<usize>> = BTreeMap::new();
    let ids: Vec<PatternId> = numbered.iter().map(|(_, line)| miner.find(line).expect("learned")).collect();
    for (at, (nth, _)) in numbered.iter().enumerate() {
        truth.entry(*nth).or_default().insert(at);
        found.entry(ids[at]).or_default().insert(at);
    }
    let mut right = 0;
    let mut wrong = Vec::new();
    for (nth, want) in &truth {
        let own: BTreeSet<PatternId> = want.iter().map(|at| ids[*at]).collect();
        if own.iter().all(|id| found[id] == *want) {
            right += want.len();
        } else {
            let templates: Vec<String> = own.iter().take(3).filter_map(|id| miner.template(*id)).collect();
            wrong.push(format!(
                "{} lines in {} patterns: {}\n      {}",
                want.len(),
                own.len(),
                statements[*nth],
                templates.join("\n      ")
            ));
        }
    }
    (right as f64 / numbered.len() as f64, wrong)
}

/// What is reached, less a hair.
const FLOOR: f64 = 0.9;

#[test]
fn lines_of_many_programs_are_told_apart() {
    let mut sum = 0.0;
    for (name, statements) in PROGRAMS {
        let (share, wrong) = accuracy(statements, 2000);
        println!("{name:<13} {share:.3}");
        wrong.iter().for_each(|wrong| println!("   {wrong}"));
        sum += share;
    }
    let mean = sum / PROGRAMS.len() as f64;
    println!("mean          {mean:.3}");
    assert!(mean >= FLOOR, "{mean:.3} is below {FLOOR}");
}
