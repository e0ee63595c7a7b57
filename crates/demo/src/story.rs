//! The story: what is done, what is awaited, and how it is told.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::files::{self, Outside};
use crate::receiver::Inbox;
use crate::shop::{BAD_VERSION, GOOD_VERSION, SERVICES, Shop};
use crate::watch::{Server, until};
use crate::{DemoError, DemoOptions, Link, report};

/// The customary port of the UI; a free one is taken when it is in use.
const UI_PORT: u16 = 7070;
/// Longest wait for one step of the story, at normal speed.
const STEP_PATIENCE: Duration = Duration::from_secs(60);
/// Shortest patience, however fast the story is told: rules and verification have lengths of their own.
const STEP_PATIENCE_MIN: Duration = Duration::from_secs(25);
/// How long the shop runs well before the bad release, at normal speed.
const STEADY: Duration = Duration::from_secs(15);
/// Share of failed checkouts at which the shop counts as well again.
const FAILED_SHARE_MAX: f64 = 0.05;

/// Tells the story. Ends in success only when every link of the loop was seen from outside.
pub async fn run(options: DemoOptions) -> Result<(), DemoError> {
    let mut teller = Teller { out: options.out, start: Instant::now() };
    let dir = tempfile::tempdir()?;
    let (shop, inbox) = (Shop::new(), Inbox::default());
    let outside = Outside {
        deploys: shop.serve_deploys().await?,
        inbox: inbox.serve(options.broken == Some(Link::Notify)).await?,
    };
    let server = start_server(&options.binary, options.broken, dir.path(), &outside).await?;
    teller.tell(&format!("Backstop runs at {}", server.targets.url))?;
    let mut story = Story { server, shop, inbox, teller, broken: options.broken, speed: options.speed.max(0.1) };
    story.tell().await?;
    if !options.exit {
        let url = &story.server.targets.url;
        story.teller.tell(&format!("UI stays up at {url} with the shop still running; Ctrl-C ends it"))?;
        ctrl_c_or_end(&mut story.server).await?;
    }
    Ok(())
}

/// Starts the server on the customary port, or on a free one when another has it.
async fn start_server(binary: &Path, broken: Option<Link>, dir: &Path, outside: &Outside) -> Result<Server, DemoError> {
    let address = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if TcpListener::bind(address(UI_PORT)).is_ok() {
        let config = files::write(dir, address(UI_PORT), outside, broken)?;
        match Server::start(binary, dir, &config).await {
            // Somebody took the port in between.
            Err(DemoError::ServerEnded { log, .. }) if log.contains("Address already in use") => {}
            started => return started,
        }
    }
    let config = files::write(dir, address(0), outside, broken)?;
    Server::start(binary, dir, &config).await
}

async fn ctrl_c_or_end(server: &mut Server) -> Result<(), DemoError> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
            _ = terminate.recv() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(1)) => server.check_alive()?,
        }
    }
}

/// Writes lines with the time since the start.
struct Teller {
    out: Box<dyn Write + Send>,
    start: Instant,
}

impl Teller {
    fn tell(&mut self, line: &str) -> Result<(), DemoError> {
        writeln!(self.out, "[{:>6.1} s] {line}", self.start.elapsed().as_secs_f64())?;
        Ok(self.out.flush()?)
    }
}

struct Story {
    server: Server,
    shop: Shop,
    inbox: Inbox,
    teller: Teller,
    broken: Option<Link>,
    speed: f64,
}

impl Story {
    fn patience(&self) -> Duration {
        STEP_PATIENCE.div_f64(self.speed).max(STEP_PATIENCE_MIN)
    }

    async fn tell(&mut self) -> Result<(), DemoError> {
        self.steady_load().await?;
        let deployed_at = self.bad_release().await?;
        let incident = self.detection(deployed_at).await?;
        self.rollback(deployed_at).await?;
        self.recovery(&incident).await?;
        self.message(&incident).await?;
        let (failed, served) = self.shop.failed_and_served("checkout");
        self.teller.tell(&format!(
            "the loop closed: {failed} of {served} checkouts failed in all; incident {incident} tells the story"
        ))
    }

    /// Every service's lines are found by search.
    async fn steady_load(&mut self) -> Result<(), DemoError> {
        if self.broken != Some(Link::Reports) {
            telemetry::spawn("shop-load", report::run_load(self.shop.clone(), self.server.targets.clone()));
        }
        self.teller.tell("a shop of five services takes orders; it reports by OTLP and by syslog over TCP and UDP")?;
        let patience = self.patience();
        let found = until(&mut self.server, "search finds every service's log lines", patience, async |server| {
            let rows = server.query("* | stats by (service.name) count() as n").await?;
            let seen = |service: &&str| rows.iter().any(|row| row["service.name"] == **service);
            Ok(SERVICES.iter().all(seen).then(|| rows.iter().filter_map(|row| row["n"].as_u64()).sum::<u64>()))
        });
        let lines = found.await?;
        self.teller.tell(&format!("{lines} log lines of all five services are searchable"))?;
        tokio::time::sleep(STEADY.div_f64(self.speed)).await;
        let (failed, served) = self.shop.failed_and_served("checkout");
        self.teller.tell(&format!("steady: {failed} of {served} checkouts failed"))
    }

    /// Deploys the bad release and records the change, as a deploy tool does.
    async fn bad_release(&mut self) -> Result<Instant, DemoError> {
        let version = if self.broken == Some(Link::Release) { "1.9.4" } else { BAD_VERSION };
        let started_at = telemetry::clock::now().to_string();
        self.shop.deploy("checkout", version);
        if self.broken == Some(Link::Rollback) {
            self.shop.break_deploy();
        }
        if self.broken != Some(Link::Change) {
            let change = json!({
                "id": format!("deploy-checkout-{version}"),
                "source": "shop-deployer",
                "kind": "deploy",
                "target": {"service": "checkout", "environment": "demo"},
                "from_version": GOOD_VERSION,
                "to_version": version,
                "started_at": started_at,
                "finished_at": telemetry::clock::now().to_string(),
                "actor": "demo",
                "reversible": "yes",
            });
            self.server.record_change(&change).await?;
        }
        self.teller.tell(&format!("checkout {version} is deployed (was {GOOD_VERSION})"))?;
        Ok(Instant::now())
    }

    /// The rule fires and an incident opens; gives the incident's id.
    async fn detection(&mut self, deployed_at: Instant) -> Result<String, DemoError> {
        let patience = self.patience();
        let alert = until(&mut self.server, "the rule CheckoutErrors fires", patience, async |server| {
            let alerts = server.get("alerts").await?;
            let firing = |alert: &&Value| alert["rule"] == "CheckoutErrors" && alert["state"] == "firing";
            Ok(alerts["alerts"].as_array().and_then(|alerts| alerts.iter().find(firing).cloned()))
        });
        let alert = alert.await?;
        let summary = alert["annotations"]["summary"].as_str().unwrap_or("CheckoutErrors").to_owned();
        let after_s = deployed_at.elapsed().as_secs_f64();
        self.teller.tell(&format!("firing {after_s:.1} s after the deploy: {summary}"))?;
        let incident = until(&mut self.server, "an incident opens", patience, async |server| {
            let incidents = server.get("incidents?state=all").await?;
            let of_checkout = |incident: &&Value| incident["service"] == "checkout";
            let found = incidents["incidents"].as_array().and_then(|all| all.iter().find(of_checkout).cloned());
            Ok(found.and_then(|incident| incident["id"].as_str().map(str::to_owned)))
        });
        let incident = incident.await?;
        self.teller.tell(&format!("incident {incident} is open"))?;
        Ok(incident)
    }

    /// The playbook calls the shop's own deploy endpoint.
    async fn rollback(&mut self, deployed_at: Instant) -> Result<(), DemoError> {
        let (patience, shop) = (self.patience(), self.shop.clone());
        let rolled_back = until(&mut self.server, "the playbook rolls checkout back", patience, async |_| {
            let back = |deploy: &crate::shop::Deploy| {
                deploy.service == "checkout" && deploy.from == BAD_VERSION && deploy.to == GOOD_VERSION
            };
            Ok(shop.deploys().into_iter().find(back))
        });
        let deploy = rolled_back.await?;
        let after_s = deployed_at.elapsed().as_secs_f64();
        self.teller.tell(&format!("rolled back from {} to {}, {after_s:.1} s after the deploy", deploy.from, deploy.to))
    }

    /// Verification passes, the incident ends, and the shop itself serves again.
    async fn recovery(&mut self, incident: &str) -> Result<(), DemoError> {
        let patience = self.patience();
        let path = format!("incidents/{incident}");
        let verified = until(&mut self.server, "verification passes", patience, async |server| {
            let incident = server.get(&path).await?;
            let ok = |entry: &&Value| entry["kind"] == "verify" && entry["outcome"] == "ok";
            let done = |entry: &&Value| entry["kind"] == "action" && entry["outcome"] == "ok";
            let timeline = incident["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
            let found = timeline.iter().find(ok).filter(|_| timeline.iter().any(|entry| done(&entry)));
            Ok(found.map(|entry| entry["title"].as_str().unwrap_or("verified").to_owned()))
        });
        let title = verified.await?;
        self.teller.tell(&title)?;
        let (failed_before, served_before) = self.shop.failed_and_served("checkout");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (failed, served) = self.shop.failed_and_served("checkout");
        let (failed, served) = (failed - failed_before, served - served_before);
        if served == 0 || failed as f64 > FAILED_SHARE_MAX * served as f64 {
            let what = format!("errors fall ({failed} of {served} checkouts still failed)");
            return Err(DemoError::NotClosed { what, waited_s: 2.0 });
        }
        self.teller.tell(&format!("the shop is well again: {failed} of the last {served} checkouts failed"))
    }

    /// The receiver has the message, and the incident is over.
    async fn message(&mut self, incident: &str) -> Result<(), DemoError> {
        let (patience, inbox) = (self.patience(), self.inbox.clone());
        let told = until(&mut self.server, "the receiver is told of the rollback", patience, async |_| {
            let about = |message: &&Value| {
                message.to_string().contains(incident) && message.to_string().contains("rolled_back")
            };
            Ok(inbox.messages().iter().find(about).cloned())
        });
        told.await?;
        self.teller.tell("told: the team's webhook has the message")?;
        let path = format!("incidents/{incident}");
        let over = until(&mut self.server, "the incident is resolved", patience, async |server| {
            let incident = server.get(&path).await?;
            Ok(["mitigated", "resolved"].iter().any(|state| incident["state"] == *state).then_some(()))
        });
        over.await
    }
}
