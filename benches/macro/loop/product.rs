//! Backstop's own code as a policy: a [`Watcher`] over a ledger in memory, asked each second of virtual time.
//!
//! Nothing is decided here. Changes go into the ledger through [`ChangeBook`] as intake puts them there; the watcher asks PromQL and
//! the native language of what has arrived (`exporter`, `question`); the alert that it raises about the release is a rollback, and the
//! card that it keeps says Good or why it can not be told.
//!
//! Not run here: who asks approvers, guards and actions (`respond`), HTTP, the store.

use std::sync::Arc;
use std::time::Duration;

use catalog::ledger::{Ledger, Records};
use change::{ChangeBook, ChangeKind};
use model::Timestamp;
use rules::AlertState;
use serde_json::{Value as Json, json};
use sim::{ChangeSeen, Changed, Policy, PolicyAction, Source, TelemetryView};
use verdict::Verdict;
use watch::{Measured, NoTopology, Topology, Watcher, WatcherOptions, record_of};

use crate::exporter::{Exporter, NEIGHBOURS, SERVICE, VERSIONS};
use crate::question::{Parsed, Question};

/// The name in reports.
pub(crate) const NAME: &str = "Backstop";
/// Seconds between two looks.
const TICK_S: u64 = 1;
/// The key of the release in the ledger.
const RELEASE: &str = "ci/release";

/// The product's watch over one release.
#[derive(Default)]
pub(crate) struct Product {
    watching: Option<Watching>,
    why: String,
}

struct Watching {
    records: Arc<dyn Records>,
    changes: ChangeBook,
    watcher: Watcher,
    exporter: Exporter,
    parsed: Parsed,
    /// The newest delivery about each change.
    told: Vec<Json>,
}

/// What the catalogue and the graph say of the simulated service.
struct Services;

impl Topology for Services {
    fn dependencies(&self, service: &str) -> Vec<String> {
        if service == SERVICE { NEIGHBOURS.map(str::to_owned).to_vec() } else { Vec::new() }
    }

    fn bake_ns(&self, service: &str, kind: ChangeKind) -> i64 {
        NoTopology.bake_ns(service, kind)
    }

    fn measures(&self, service: &str) -> Vec<Measured> {
        NoTopology.measures(service)
    }
}

impl Policy for Product {
    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn tick(&mut self, now: Timestamp, view: &TelemetryView<'_>) -> PolicyAction {
        match self.look(now, view) {
            Ok((action, why)) => {
                self.why = why;
                action
            }
            Err(error) => {
                self.why = format!("{error:#}");
                PolicyAction::Unknown(self.why.clone())
            }
        }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(TICK_S)
    }

    fn why(&self) -> String {
        self.why.clone()
    }

    /// Evidence about requests rests on what a collector counts from records.
    fn sources(&self) -> &'static [Source] {
        &[Source::Records]
    }
}

impl Product {
    fn look(&mut self, now: Timestamp, view: &TelemetryView<'_>) -> anyhow::Result<(PolicyAction, String)> {
        let watching = match &mut self.watching {
            Some(watching) => watching,
            none => none.insert(Watching::begin(view)?),
        };
        watching.tell(now, view)?;
        watching.exporter.extend(view);
        let question = Question { view, exporter: &watching.exporter, parsed: &watching.parsed };
        let alerts = watching.watcher.tick(now, &question)?;
        let raised = alerts.iter().find(|alert| {
            alert.state == AlertState::Firing && alert.labels.get("change").is_some_and(|change| change == RELEASE)
        });
        if let Some(alert) = raised {
            return Ok((PolicyAction::Rollback, alert.summary()));
        }
        let Some(record) = record_of(&*watching.records, RELEASE)? else {
            return Ok((PolicyAction::Wait, String::new()));
        };
        let action = match record.card.verdict {
            Verdict::Good => PolicyAction::Good,
            Verdict::Unknown(reason) => PolicyAction::Unknown(reason.as_str().to_owned()),
            Verdict::Bad => anyhow::bail!("the card says bad, and there is no alert"),
        };
        Ok((action, record.card.detail))
    }
}

impl Watching {
    fn begin(view: &TelemetryView<'_>) -> anyhow::Result<Self> {
        let records: Arc<dyn Records> = Arc::new(Ledger::in_memory()?);
        Ok(Self {
            changes: ChangeBook::new(records.clone()),
            watcher: Watcher::new(records.clone(), Arc::new(Services), WatcherOptions::default())?,
            records,
            exporter: Exporter::new(view.endpoints()),
            parsed: Parsed::default(),
            told: Vec::new(),
        })
    }

    /// Delivers what is new about changes.
    fn tell(&mut self, now: Timestamp, view: &TelemetryView<'_>) -> anyhow::Result<()> {
        for (place, seen) in view.changes().iter().enumerate() {
            let delivery = delivery(seen);
            if self.told.get(place) == Some(&delivery) {
                continue;
            }
            self.changes.record(&delivery, "ci", now)?;
            self.told.resize(self.told.len().max(place + 1), Json::Null);
            self.told[place] = delivery;
        }
        Ok(())
    }
}

/// A change in the native shape.
fn delivery(seen: &ChangeSeen) -> Json {
    let (id, kind, service) = match seen.what {
        Changed::Release => ("release", "deploy", SERVICE),
        Changed::OwnConfig => ("config", "config", SERVICE),
        Changed::Dependency => ("other", "deploy", NEIGHBOURS[0]),
    };
    let stage = |(at, share): &(Timestamp, f64)| json!({"percent": 100.0 * share, "at": at.to_string()});
    let mut json = json!({
        "id": id, "source": "ci", "kind": kind, "target": {"service": service}, "started_at": seen.started_at.to_string(),
        "status": if seen.finished_at.is_some() { "succeeded" } else { "running" },
        "stages": seen.stages.iter().map(stage).collect::<Vec<_>>(),
    });
    if let Some(at) = seen.finished_at {
        json["finished_at"] = at.to_string().into();
    }
    if seen.what == Changed::Release {
        (json["from_version"], json["to_version"]) = (VERSIONS[0].into(), VERSIONS[1].into());
    }
    json
}
