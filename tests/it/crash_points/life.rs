//! One scenario from its begin to its end: a server that dies where it is told to and is started again, and whoever goes on
//! sending, deploying and approving meanwhile.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use catalog::ledger::{Filter, Ledger, LedgerTable, Records as _};

use super::check::{Report, check};
use super::send::Sent;
use super::variant::Variant;
use super::world::World;
use super::{Point, kind};
use crate::shared::binary;

/// How long a scenario may take, crashes included, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two looks.
const POLL: Duration = Duration::from_millis(30);
/// How long it is watched after it has ended: longer than the rule's interval, so that whatever would come twice comes.
const LINGER: Duration = Duration::from_millis(1300);
/// How long a shop that recovered by itself is watched when nobody noticed that it had failed.
const UNNOTICED: Duration = Duration::from_secs(3);

/// A server; it ends with whoever holds it.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A scenario under way.
pub(crate) struct Life {
    pub(crate) point: Point,
    pub(crate) world: World,
    pub(crate) sent: Sent,
    /// What the process was at when it was killed, each time: the kind of the moment.
    pub(crate) crashes: Vec<String>,
    /// Whether the ledger said that the alert fired, at a crash that the shop recovered in.
    pub(crate) noticed: bool,
    dir: tempfile::TempDir,
    config: String,
    process: Option<Process>,
    starts: usize,
    started_at: Instant,
}

impl Life {
    /// Lives through it; an error is what was wrong, with the end of the server's log.
    pub(crate) fn run(point: Point) -> Result<Report, String> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let done = dir.path().join("done");
        let world = World::start(point.variant, &done);
        let config = point.variant.write(dir.path(), &world.url(), &done);
        let mut life = Self {
            point,
            world,
            sent: Sent::new(),
            crashes: Vec::new(),
            noticed: false,
            dir,
            config,
            process: None,
            starts: 0,
            started_at: Instant::now(),
        };
        let ended = life.live();
        life.process = None;
        ended.and_then(|outcome| check(&life, &outcome)).map_err(|why| life.story(&why))
    }

    /// Why it went wrong, and what the server said.
    fn story(self, why: &str) -> String {
        let (point, reached) = (&self.point, self.crashes.len());
        let kept = self.dir.keep();
        let log = std::fs::read_to_string(kept.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n");
        format!("{point}, {reached} reached: {why}\n  kept in {}\n{tail}", kept.display())
    }

    /// Until nothing happens any more; gives how the run ended, or nothing when there was none to run for.
    fn live(&mut self) -> Result<String, String> {
        self.start();
        let deadline = Instant::now() + PATIENCE;
        let mut quiet_since = None;
        loop {
            if Instant::now() > deadline {
                return Err(format!("not at its end after {PATIENCE:?}"));
            }
            self.revive()?;
            self.sent.go_on(self.point.variant, self.world.well());
            std::thread::sleep(POLL);
            match (self.quiet(), quiet_since) {
                (None, _) => quiet_since = None,
                (Some(_), None) => quiet_since = Some(Instant::now()),
                (Some(outcome), Some(since)) if since.elapsed() > LINGER => match self.sent.all_there() {
                    Ok(()) => return Ok(outcome),
                    // It may have been killed while it was asked.
                    Err(_) if self.died() => quiet_since = None,
                    Err(why) => return Err(why),
                },
                _ => {}
            }
        }
    }

    fn start(&mut self) {
        let file = self.dir.path().join("backstop.yaml");
        std::fs::write(&file, &self.config).expect("configuration");
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).expect("log");
        let mut command = Command::new(binary());
        command.arg("serve").arg("--config").arg(&file).arg("--data").arg(self.data());
        command.env("BACKSTOP_CRASH_LOG", self.events_file(self.starts)).env_remove("BACKSTOP_CRASH_POINT");
        if let Some(at) = self.point.kills.get(self.starts) {
            command.env("BACKSTOP_CRASH_POINT", at.text());
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("log")).stderr(log);
        self.process = Some(Process(command.spawn().expect("the server starts")));
        self.starts += 1;
        self.started_at = Instant::now();
    }

    /// Whether it was killed just now: its connections break before its end can be seen.
    fn died(&mut self) -> bool {
        std::thread::sleep(POLL);
        !self.process.as_mut().is_some_and(|process| matches!(process.0.try_wait(), Ok(None)))
    }

    /// Starts the server again when it was killed at its point; any other end is a mistake.
    fn revive(&mut self) -> Result<(), String> {
        let child = &mut self.process.as_mut().expect("a server").0;
        let Some(status) = child.try_wait().expect("child") else {
            let pid = child.id();
            self.sent.url = self.runtime_url(pid);
            return Ok(());
        };
        self.sent.url = None;
        if status.signal() != Some(9) {
            return Err(format!("the server ended by itself: {status}"));
        }
        let at = self.point.kills.get(self.starts - 1).ok_or("the server was killed, and no crash point said so")?;
        let events = self.events(self.starts - 1);
        let label =
            if at.label.is_empty() { events.get(at.nth).cloned().unwrap_or_default() } else { at.label.clone() };
        self.crashes.push(kind(&label, at));
        if self.point.variant == Variant::HealsMeanwhile && !self.world.well() {
            self.noticed = self.fires();
            self.world.heal();
        }
        std::thread::sleep(self.point.variant.down());
        self.start();
        Ok(())
    }

    /// Where the process listens, once it is ready.
    fn runtime_url(&self, pid: u32) -> Option<String> {
        let text = std::fs::read_to_string(self.data().join("runtime.json")).ok()?;
        let runtime: serde_json::Value = serde_json::from_str(&text).ok()?;
        (runtime["pid"] == pid).then(|| runtime["url"].as_str().expect("url").to_owned())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The server's log of its life so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The ledger, beside the server if it runs.
    pub(crate) fn ledger(&self) -> Option<Ledger> {
        let path = self.data().join("ledger.sqlite");
        path.exists().then(|| Ledger::open(&path).ok()).flatten()
    }

    fn events_file(&self, start: usize) -> PathBuf {
        self.dir.path().join(format!("events-{start}"))
    }

    /// The events of a start, in order.
    pub(crate) fn events(&self, start: usize) -> Vec<String> {
        let text = std::fs::read_to_string(self.events_file(start)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Whether the rules' own state says that the alert fires.
    fn fires(&self) -> bool {
        let Some(ledger) = self.ledger() else { return false };
        let found = ledger.list(LedgerTable::RuleState, &Filter::default()).unwrap_or_default();
        found.iter().any(|document| document.body.to_string().contains(r#""state":"firing""#))
    }

    /// How the run ended, once it has and everybody was told.
    fn quiet(&self) -> Option<String> {
        self.sent.url.as_ref()?;
        let ledger = self.ledger()?;
        let runs = ledger.list(LedgerTable::Runs, &Filter::default()).ok()?;
        let waiting = Filter { states: vec!["queued".to_owned()], ..Filter::default() };
        if runs.iter().any(|run| run.state != "done") || !ledger.list(LedgerTable::Outbox, &waiting).ok()?.is_empty() {
            return None;
        }
        if !self.sent.change {
            return None;
        }
        match runs.first() {
            Some(run) => run.body["outcome"].as_str().map(str::to_owned),
            None if self.point.variant == Variant::HealsMeanwhile && !self.crashes.is_empty() => {
                (self.started_at.elapsed() > UNNOTICED).then(|| "unnoticed".to_owned())
            }
            None => None,
        }
    }
}
