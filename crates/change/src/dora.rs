//! DORA's four figures, from the records that are there anyway: how often a service is deployed, how long a commit takes to reach
//! its users, how many deployments fail, and how long it takes to restore service.
//!
//! A figure that the records can not tell is absent, with a note that says why; nothing that was not seen counts as zero. Every
//! figure comes with the number of records it rests on.

use std::collections::{BTreeMap, BTreeSet};

use catalog::ledger::time_text;
use model::{TimeRange, Timestamp};
use serde::Serialize;

use crate::{Change, ChangeKind};

/// The label of a change that says when what it brings was committed: RFC 3339 or a Unix time.
pub const COMMITTED_AT_LABEL: &str = "committed_at";
/// Shortest time from which a frequency is made, in nanoseconds: two deployments in an hour are not 48 a day.
pub const OBSERVED_NS_MIN: i64 = DAY_NS;

const DAY_NS: i64 = 86_400_000_000_000;

/// What the figures need to know of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentFacts {
    /// The service it is about.
    pub service: String,
    /// The change that is blamed, by `source/id`.
    pub change: Option<String>,
    /// When users began to be hurt.
    pub started_at: Timestamp,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
}

/// What the figures are made from.
#[derive(Clone, Copy, Debug)]
pub struct DoraInput<'a> {
    /// Changes, in any order: those of the window, and earlier ones, which tell what a rollback goes back to.
    pub changes: &'a [Change],
    /// Incidents, in any order.
    pub incidents: &'a [IncidentFacts],
    /// The times asked about.
    pub window: TimeRange,
    /// When the first change of all was recorded: before, nobody counted. `None` when there is none.
    pub observed_from: Option<Timestamp>,
    /// Only this service.
    pub service: Option<&'a str>,
    /// Only changes of this environment.
    pub environment: Option<&'a str>,
    /// When this is asked.
    pub now: Timestamp,
}

/// The middle of some durations.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Median {
    /// The median, in nanoseconds; absent when there is nothing to measure.
    pub median_ns: Option<i64>,
    /// How many durations it is of.
    pub n: u64,
    /// How many there would be if all records said enough.
    pub of: u64,
}

/// A share, with what is left to chance.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// The share, 0 to 1; absent when there is nothing to share.
    pub share: Option<f64>,
    /// Where the true share is, with a confidence of 95 % (Wilson's interval).
    pub interval: Option<(f64, f64)>,
    /// How many had it.
    pub n: u64,
    /// Of how many.
    pub of: u64,
}

/// The four figures of one service or of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DoraFigures {
    /// Deployments that began in the window; rollbacks are counted apart.
    pub deployments: u64,
    /// Deployments of a version that was there before.
    pub rollbacks: u64,
    /// Deployment frequency; absent when it was not observed for a day, or nothing was ever recorded.
    pub deployments_per_day: Option<f64>,
    /// Lead time for changes: from commit to the end of the deployment.
    pub lead_time: Median,
    /// Change failure rate: deployments that were rolled back, or that an incident blames.
    pub change_failures: Share,
    /// Time to restore: of incidents that blame a change, from the first harm to the end. Those that are open count in `of`.
    pub time_to_restore: Median,
    /// Why a figure is absent, or rests on little.
    pub notes: Vec<String>,
}

/// The figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DoraReport {
    /// From when it was observed within the window.
    #[serde(with = "time_text")]
    pub start: Timestamp,
    /// Until when.
    #[serde(with = "time_text")]
    pub end: Timestamp,
    /// All services together.
    pub overall: DoraFigures,
    /// Each service that was deployed, or had an incident that blames a change.
    pub services: BTreeMap<String, DoraFigures>,
    /// The environments whose deployments count.
    pub environments: Vec<String>,
}

/// Makes the figures.
///
/// A deployment is a rollback when its version is not the one before it and was deployed before, to the same service and environment
/// (Datadog's rule); then the deployment of the version before it failed.
pub fn dora(input: &DoraInput<'_>) -> DoraReport {
    let end = input.window.end.min(input.now);
    let start = input.window.start.max(input.observed_from.unwrap_or(end)).min(end);
    let observed = TimeRange::new(start, end);
    let environment = |change: &&Change| input.environment.is_none_or(|wanted| in_environment(change, wanted));
    let changes: Vec<&Change> = input.changes.iter().filter(environment).collect();
    let history = History::of(&changes, input.incidents);
    let service_of: BTreeMap<String, &str> =
        input.changes.iter().map(|change| (change.key(), change.target.service.as_str())).collect();
    let mut facts = Facts { observed, ever: input.observed_from.is_some(), ..Facts::default() };
    let mut of_service: BTreeMap<&str, Facts> = BTreeMap::new();
    let wanted = |service: &str| input.service.is_none_or(|wanted| wanted == service);
    let blank = facts.clone();
    let mut environments = BTreeSet::new();
    let deployed = changes.iter().filter(|change| change.kind == ChangeKind::Deploy);
    for change in deployed.filter(|change| observed.contains(change.started_at) && wanted(&change.target.service)) {
        environments.extend(change.target.environment.as_deref());
        let mine = of_service.entry(&change.target.service).or_insert_with(|| blank.clone());
        [&mut facts, mine].into_iter().for_each(|facts| facts.deployment(change, &history, input.now));
    }
    for incident in input.incidents.iter().filter(|incident| observed.contains(incident.started_at)) {
        let Some(blamed) = &incident.change else { continue };
        let known = service_of.get(blamed).copied();
        let counts = input.environment.is_none() || changes.iter().any(|change| change.key() == *blamed);
        let service = known.unwrap_or(&incident.service);
        if counts && wanted(service) {
            let mine = of_service.entry(service).or_insert_with(|| blank.clone());
            [&mut facts, mine].into_iter().for_each(|facts| facts.incident(incident));
        }
    }
    let services = of_service.into_iter().map(|(service, facts)| (service.to_owned(), facts.figures())).collect();
    let environments = environments.into_iter().map(str::to_owned).collect();
    DoraReport { start, end, overall: facts.figures(), services, environments }
}

fn in_environment(change: &Change, wanted: &str) -> bool {
    change.target.environment.as_deref().is_some_and(|environment| environment == wanted)
}

/// What the order of deployments tells.
struct History {
    rollbacks: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl History {
    fn of(changes: &[&Change], incidents: &[IncidentFacts]) -> Self {
        let mut of_target: BTreeMap<(&str, Option<&str>), Vec<&Change>> = BTreeMap::new();
        for change in changes.iter().filter(|change| change.kind == ChangeKind::Deploy) {
            let target = (change.target.service.as_str(), change.target.environment.as_deref());
            of_target.entry(target).or_default().push(change);
        }
        let blamed = incidents.iter().filter_map(|incident| incident.change.clone());
        let mut history = Self { rollbacks: BTreeSet::new(), failed: blamed.collect() };
        for deployments in of_target.values_mut() {
            deployments.sort_by_key(|change| (change.started_at, change.key()));
            history.walk(deployments);
        }
        history
    }

    /// The deployments of one target, by time.
    fn walk(&mut self, deployments: &[&Change]) {
        // Which deployment brought each version, the latest.
        let mut brought: BTreeMap<&str, Option<String>> = BTreeMap::new();
        let mut current: Option<&str> = None;
        for change in deployments {
            let before = change.from_version.as_deref().or(current);
            if let Some(before) = before {
                brought.entry(before).or_insert(None);
            }
            let version = change.to_version.as_deref();
            if let (Some(version), Some(before)) = (version, before)
                && version != before
                && brought.contains_key(version)
            {
                self.rollbacks.insert(change.key());
                self.failed.extend(brought.get(before).cloned().flatten());
            }
            if let Some(version) = version {
                brought.insert(version, Some(change.key()));
            }
            current = version;
        }
    }
}

/// What is counted before it becomes figures.
#[derive(Clone)]
struct Facts {
    observed: TimeRange,
    /// Whether any change was ever recorded.
    ever: bool,
    deployments: u64,
    rollbacks: u64,
    failed: u64,
    /// Deployments that do not say their version.
    without_version: u64,
    /// Deployments that were committed after they were deployed, by what they say.
    reversed: u64,
    lead_times_ns: Vec<i64>,
    incidents: u64,
    restore_times_ns: Vec<i64>,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            observed: TimeRange::new(Timestamp(0), Timestamp(0)),
            ever: false,
            deployments: 0,
            rollbacks: 0,
            failed: 0,
            without_version: 0,
            reversed: 0,
            lead_times_ns: Vec::new(),
            incidents: 0,
            restore_times_ns: Vec::new(),
        }
    }
}

impl Facts {
    fn deployment(&mut self, change: &Change, history: &History, now: Timestamp) {
        let key = change.key();
        if history.rollbacks.contains(&key) {
            self.rollbacks += 1;
            return;
        }
        self.deployments += 1;
        self.failed += u64::from(history.failed.contains(&key));
        self.without_version += u64::from(change.to_version.is_none());
        let committed = change.labels.get(COMMITTED_AT_LABEL).and_then(|text| Timestamp::parse(text, now).ok());
        match committed.map(|committed| change.settled_at().0.saturating_sub(committed.0)) {
            Some(lead_ns) if lead_ns >= 0 => self.lead_times_ns.push(lead_ns),
            Some(_) => self.reversed += 1,
            None => {}
        }
    }

    fn incident(&mut self, incident: &IncidentFacts) {
        self.incidents += 1;
        let restored = incident.resolved_at.map(|at| at.0.saturating_sub(incident.started_at.0).max(0));
        self.restore_times_ns.extend(restored);
    }

    fn figures(self) -> DoraFigures {
        let observed_ns = self.observed.end.0.saturating_sub(self.observed.start.0);
        let long_enough = self.ever && observed_ns >= OBSERVED_NS_MIN;
        let notes = self.notes(observed_ns);
        DoraFigures {
            deployments: self.deployments,
            rollbacks: self.rollbacks,
            deployments_per_day: long_enough.then(|| self.deployments as f64 * DAY_NS as f64 / observed_ns as f64),
            lead_time: median(self.lead_times_ns, self.deployments),
            change_failures: share(self.failed, self.deployments),
            time_to_restore: median(self.restore_times_ns, self.incidents),
            notes,
        }
    }

    fn notes(&self, observed_ns: i64) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.ever {
            notes.push("no change was ever recorded: send deployments to /backstop/api/v1/changes".to_owned());
            return notes;
        }
        if observed_ns < OBSERVED_NS_MIN {
            let hours = observed_ns / (DAY_NS / 24);
            notes.push(format!(
                "deployment frequency: changes were recorded for {hours}h of the window, a day is the least"
            ));
        }
        let (with_commit, deployments) = (self.lead_times_ns.len() as u64, self.deployments);
        if with_commit < deployments {
            let hint = format!("the label {COMMITTED_AT_LABEL} of a change says it");
            notes.push(format!(
                "lead time: {with_commit} of {deployments} deployments say when they were committed; {hint}"
            ));
        }
        if self.reversed > 0 {
            notes.push(format!(
                "lead time: {} deployments say they were committed after they were deployed",
                self.reversed
            ));
        }
        if self.without_version > 0 {
            let hint = "whether it was rolled back is known only from incidents";
            notes.push(format!(
                "change failures: {} deployments do not say their version; {hint}",
                self.without_version
            ));
        }
        if self.deployments == 0 {
            notes.push("change failures: nothing was deployed in the window".to_owned());
        }
        let open = self.incidents - self.restore_times_ns.len() as u64;
        if self.incidents == 0 {
            notes.push("time to restore: no incident of the window blames a change".to_owned());
        } else if open > 0 {
            notes.push(format!("time to restore: {open} of {} incidents are still open", self.incidents));
        }
        notes
    }
}

fn median(mut values: Vec<i64>, of: u64) -> Median {
    values.sort_unstable();
    let n = values.len();
    let median_ns = match n {
        0 => None,
        n if n % 2 == 1 => Some(values[n / 2]),
        n => Some(values[n / 2 - 1].midpoint(values[n / 2])),
    };
    Median { median_ns, n: n as u64, of }
}

fn share(n: u64, of: u64) -> Share {
    if of == 0 {
        return Share::default();
    }
    // Wilson 1927; 1.96 is the normal quantile of 95 %.
    let (total, share, z2) = (of as f64, n as f64 / of as f64, 1.96f64 * 1.96);
    let middle = (share + z2 / (2.0 * total)) / (1.0 + z2 / total);
    let half = (z2 * (share * (1.0 - share) / total + z2 / (4.0 * total * total))).sqrt() / (1.0 + z2 / total);
    let interval = ((middle - half).max(0.0), (middle + half).min(1.0));
    Share { share: Some(share), interval: Some(interval), n, of }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::ChangeReport;

    const HOUR: i64 = 3600;

    /// `id service version [from=V] [env=E] [commit=HOURS_BEFORE] [kind=K]` at an hour.
    fn change(hour: i64, text: &str) -> Change {
        let words: Vec<&str> = text.split(' ').collect();
        let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let mut json = json!({"id": words[0], "source": "ci", "kind": option("kind").unwrap_or("deploy"),
            "target": {"service": words[1], "environment": option("env")}, "started_at": hour * HOUR, "from_version": option("from")});
        if words[2] != "-" {
            json["to_version"] = words[2].into();
        }
        if let Some(hours) = option("commit") {
            let at = (hour - hours.parse::<i64>().unwrap()) * HOUR;
            json["labels"] = json!({"committed_at": at.to_string()});
        }
        ChangeReport::from_json(&json).unwrap().merge_over(None, Timestamp(0)).unwrap()
    }

    fn incident(service: &str, blamed: &str, from: i64, minutes: Option<i64>) -> IncidentFacts {
        let started_at = Timestamp::from_secs(from * HOUR);
        let resolved_at = minutes.map(|minutes| started_at.saturating_add_ns(minutes * 60_000_000_000));
        let change = (!blamed.is_empty()).then(|| format!("ci/{blamed}"));
        IncidentFacts { service: service.to_owned(), change, started_at, resolved_at }
    }

    /// The window is hours 240 to 480 (ten days), asked at its end.
    fn report(changes: &[Change], incidents: &[IncidentFacts], environment: Option<&str>) -> DoraReport {
        let at = |hour: i64| Timestamp::from_secs(hour * HOUR);
        dora(&DoraInput {
            changes,
            incidents,
            window: TimeRange::new(at(240), at(480)),
            observed_from: changes.iter().map(|change| change.started_at).min(),
            service: None,
            environment,
            now: at(480),
        })
    }

    fn show(figures: &DoraFigures) -> String {
        let hours = |median: &Median| {
            let text = median.median_ns.map_or("unknown".to_owned(), |ns| format!("{:.2}h", ns as f64 / 3.6e12));
            format!("{text} ({} of {})", median.n, median.of)
        };
        let failures = &figures.change_failures;
        let share = failures
            .share
            .zip(failures.interval)
            .map_or("unknown".to_owned(), |(share, (low, high))| format!("{share:.2} [{low:.2}, {high:.2}]"));
        let per_day = figures.deployments_per_day.map_or("unknown".to_owned(), |rate| format!("{rate:.2} a day"));
        let mut out = format!(
            "{} deployments, {} rollbacks, {per_day}; lead time {}; failures {share} ({} of {}); restore {}\n",
            figures.deployments,
            figures.rollbacks,
            hours(&figures.lead_time),
            failures.n,
            failures.of,
            hours(&figures.time_to_restore)
        );
        figures.notes.iter().for_each(|note| out += &format!("  {note}\n"));
        out
    }

    fn check(changes: &[Change], incidents: &[IncidentFacts], expect: Expect) {
        let report = report(changes, incidents, None);
        let mut out = format!("all: {}", show(&report.overall));
        report.services.iter().for_each(|(service, figures)| out += &format!("{service}: {}", show(figures)));
        expect.assert_eq(&out);
    }

    #[test]
    fn nothing_recorded_is_unknown_and_not_zero() {
        check(
            &[],
            &[],
            expect![[r#"
            all: 0 deployments, 0 rollbacks, unknown; lead time unknown (0 of 0); failures unknown (0 of 0); restore unknown (0 of 0)
              no change was ever recorded: send deployments to /backstop/api/v1/changes
        "#]],
        );
        check(
            &[change(470, "1 a 1")],
            &[],
            expect![[r#"
            all: 1 deployments, 0 rollbacks, unknown; lead time unknown (0 of 1); failures 0.00 [0.00, 0.79] (0 of 1); restore unknown (0 of 0)
              deployment frequency: changes were recorded for 10h of the window, a day is the least
              lead time: 0 of 1 deployments say when they were committed; the label committed_at of a change says it
              time to restore: no incident of the window blames a change
            a: 1 deployments, 0 rollbacks, unknown; lead time unknown (0 of 1); failures 0.00 [0.00, 0.79] (0 of 1); restore unknown (0 of 0)
              deployment frequency: changes were recorded for 10h of the window, a day is the least
              lead time: 0 of 1 deployments say when they were committed; the label committed_at of a change says it
              time to restore: no incident of the window blames a change
        "#]],
        );
    }

    #[test]
    fn figures_of_two_services() {
        check(
            &[
                change(100, "0 a 1"),
                change(250, "1 a 2 commit=10"),
                change(300, "2 a 3 commit=30"),
                // Back to 2: a rollback, and the deployment of 3 failed.
                change(301, "3 a 2"),
                change(350, "4 a 4 commit=20"),
                change(360, "5 b 7 from=6"),
                change(361, "6 b - "),
                change(362, "7 b 8 kind=config"),
            ],
            &[
                incident("b", "5", 360, Some(30)),
                incident("b", "5", 365, Some(10)),
                incident("web", "4", 370, None),
                incident("b", "", 380, Some(500)),
            ],
            expect![[r#"
                all: 5 deployments, 1 rollbacks, 0.50 a day; lead time 20.00h (3 of 5); failures 0.60 [0.23, 0.88] (3 of 5); restore 0.33h (2 of 3)
                  lead time: 3 of 5 deployments say when they were committed; the label committed_at of a change says it
                  change failures: 1 deployments do not say their version; whether it was rolled back is known only from incidents
                  time to restore: 1 of 3 incidents are still open
                a: 3 deployments, 1 rollbacks, 0.30 a day; lead time 20.00h (3 of 3); failures 0.67 [0.21, 0.94] (2 of 3); restore unknown (0 of 1)
                  time to restore: 1 of 1 incidents are still open
                b: 2 deployments, 0 rollbacks, 0.20 a day; lead time unknown (0 of 2); failures 0.50 [0.09, 0.91] (1 of 2); restore 0.33h (2 of 2)
                  lead time: 0 of 2 deployments say when they were committed; the label committed_at of a change says it
                  change failures: 1 deployments do not say their version; whether it was rolled back is known only from incidents
            "#]],
        );
    }

    #[test]
    fn environments_are_apart() {
        let changes = [
            change(100, "0 a 1 env=prod"),
            change(250, "1 a 2 env=staging"),
            change(260, "2 a 1 env=staging"),
            change(270, "3 a 2 env=prod"),
        ];
        let all = report(&changes, &[], None);
        assert_eq!((all.overall.deployments, all.overall.rollbacks), (3, 0), "1 was not in staging before");
        assert_eq!(all.environments, ["prod", "staging"]);
        let prod = report(&changes, &[incident("a", "1", 255, Some(5))], Some("prod"));
        assert_eq!((prod.overall.deployments, prod.overall.time_to_restore.of), (1, 0));
    }

    #[test]
    fn a_repeated_version_is_no_rollback() {
        let changes = [change(250, "1 a 2 from=1"), change(260, "2 a 2"), change(270, "3 a 1")];
        let figures = report(&changes, &[], None).overall;
        assert_eq!((figures.deployments, figures.rollbacks, figures.change_failures.n), (2, 1, 1));
    }

    #[test]
    fn the_order_of_records_does_not_matter() {
        let mut changes: Vec<Change> = (0..6)
            .map(|n| change(240 + n * 10, &format!("{n} a {} commit=3", [1, 2, 1, 3, 3, 2][n as usize])))
            .collect();
        let incidents = [incident("a", "3", 275, Some(60)), incident("a", "1", 255, Some(20))];
        let forwards = report(&changes, &incidents, None);
        changes.reverse();
        let backwards = report(&changes, &[incidents[1].clone(), incidents[0].clone()], None);
        assert_eq!(forwards, backwards);
    }
}
