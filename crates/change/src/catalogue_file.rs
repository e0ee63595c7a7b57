//! Service files, from YAML to a checked [`Catalogue`].

use std::collections::BTreeMap;
use std::fmt;

use rules::{Problem, Problems, yaml_problem};
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use crate::catalogue::{BAKE_NS_MAX, BAKE_NS_MIN, TIER_MAX, VERSION_LABEL_DEFAULT};
use crate::catalogue_query::{LogsNeed, QueryMistake, check_logs_template, check_promql_template};
use crate::record::NAME_BYTES_MAX;
use crate::{Catalogue, ChangeKind, Check, CheckKind, Measure, ServiceEntry, Slo, SloMeasure};

/// Largest service file, in bytes.
pub const SERVICES_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most services of all files.
pub const SERVICES_MAX: usize = 10_000;
/// Most entries of one list of a service: owners, dependencies, receivers, ...
pub const SERVICE_LIST_MAX: usize = 500;
/// Most checks of a service: each costs a query every few seconds while a watch goes on.
pub const CHECKS_MAX: usize = 50;
/// Most promises of a service.
pub const SLOS_MAX: usize = 50;
/// Shortest and longest window of a promise, in nanoseconds: one hour and 90 days.
const SLO_WINDOW_NS: std::ops::RangeInclusive<i64> = 3_600_000_000_000..=90 * 86_400_000_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    services: Spanned<Vec<Spanned<RawService>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawService {
    service: Spanned<String>,
    #[serde(default)]
    owners: Vec<Spanned<String>>,
    #[serde(default)]
    description: String,
    tier: Option<Spanned<u8>>,
    #[serde(default)]
    depends_on: Vec<Spanned<String>>,
    #[serde(default)]
    environments: Vec<Spanned<String>>,
    runbook: Option<Spanned<String>>,
    #[serde(default)]
    links: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    receivers: Vec<Spanned<String>>,
    #[serde(default)]
    slos: Vec<Spanned<RawSlo>>,
    #[serde(default)]
    checks: Vec<Spanned<RawCheck>>,
    bake: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSlo {
    name: Spanned<String>,
    objective: Spanned<f64>,
    window: Spanned<String>,
    good: Option<Spanned<String>>,
    total: Option<Spanned<String>>,
    error_ratio: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheck {
    name: Spanned<String>,
    kind: Spanned<String>,
    version_label: Option<Spanned<String>>,
    bad: Option<Spanned<String>>,
    total: Option<Spanned<String>>,
    buckets: Option<Spanned<String>>,
    expr: Option<Spanned<String>>,
    logs: Option<Spanned<String>>,
}

/// What a check of service files found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServicesReport {
    /// The mistakes, by file and place.
    pub problems: Vec<Problem>,
    /// What is right and worth saying.
    pub notes: Vec<String>,
    /// How many files were read.
    pub files: usize,
    /// How many services are right.
    pub services: usize,
    /// How many checks they have.
    pub checks: usize,
    /// How many promises.
    pub slos: usize,
}

impl ServicesReport {
    /// Whether there is no mistake.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for ServicesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        let (files, services, checks, slos) = (self.files, self.services, self.checks, self.slos);
        write!(f, "{files} files, {services} services, {checks} checks, {slos} slos, {} problems", self.problems.len())
    }
}

/// Reads service files, given as name and text. `receivers` are the names that the settings know; `None` does not check them.
pub fn load_services(files: &[(String, String)], receivers: Option<&[String]>) -> (Catalogue, ServicesReport) {
    let mut report = ServicesReport { files: files.len(), ..ServicesReport::default() };
    let mut entries: Vec<ServiceEntry> = Vec::new();
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in files {
        let mut reader = Reader { receivers, problems: Problems::new(file, text) };
        for (at, entry) in reader.file(file, text) {
            match places.get(&entry.service) {
                Some(other) => {
                    let message = format!("the service {:?} is in {other} too", entry.service);
                    reader.problems.say(&at, message, "give each service one entry");
                }
                None if entries.len() == SERVICES_MAX => {
                    reader.problems.say(&at, format!("there are more than {SERVICES_MAX} services"), "leave some out");
                    break;
                }
                None => {
                    places.insert(entry.service.clone(), format!("{file}:{}", at.defined.line()));
                    entries.push(entry);
                }
            }
        }
        report.problems.extend(reader.problems.found);
    }
    report.problems.sort();
    let catalogue = Catalogue::new(entries);
    report.services = catalogue.len();
    report.checks = catalogue.iter().map(|entry| entry.checks.len()).sum();
    report.slos = catalogue.iter().map(|entry| entry.slos.len()).sum();
    if report.is_ok() {
        report.notes = notes(&catalogue);
    }
    (catalogue, report)
}

/// Checks service files, given as name and text.
pub fn check_services(files: &[(String, String)]) -> ServicesReport {
    load_services(files, None).1
}

/// A dependency that no file describes may be somebody else's system, or a slip of the pen.
fn notes(catalogue: &Catalogue) -> Vec<String> {
    let unknown = |entry: &ServiceEntry| {
        let missing = entry.depends_on.iter().filter(|name| catalogue.get(name).is_none());
        missing
            .map(|name| format!("{} depends on {name:?}, which no file describes", entry.service))
            .collect::<Vec<_>>()
    };
    catalogue.iter().flat_map(unknown).collect()
}

struct Reader<'a> {
    receivers: Option<&'a [String]>,
    problems: Problems<'a>,
}

impl Reader<'_> {
    /// The services of a file that are right, each with where its name stands.
    fn file(&mut self, file: &str, text: &str) -> Vec<(Spanned<String>, ServiceEntry)> {
        if text.len() > SERVICES_FILE_BYTES_MAX {
            let message = format!("the file has {} bytes, {SERVICES_FILE_BYTES_MAX} are allowed", text.len());
            let hint = Some("split it".to_owned());
            self.problems.found.push(Problem { file: file.to_owned(), line: 1, column: 1, message, hint });
            return Vec::new();
        }
        let raw = match serde_saphyr::from_str::<RawFile>(text) {
            Ok(raw) => raw,
            Err(error) => {
                self.problems.found.push(yaml_problem(file, &error));
                return Vec::new();
            }
        };
        if raw.services.value.is_empty() {
            self.problems.say(&raw.services, "the file names no service", "add one, or take the file away");
        }
        let mut found = Vec::new();
        for service in &raw.services.value {
            let before = self.problems.found.len();
            let entry = self.service(file, &service.value);
            if self.problems.found.len() == before {
                found.push((service.value.service.clone(), entry));
            }
        }
        found
    }

    fn service(&mut self, file: &str, raw: &RawService) -> ServiceEntry {
        let name = &raw.service;
        self.name(name, "the service");
        if let Some(tier) = raw.tier.as_ref().filter(|tier| !(1..=TIER_MAX).contains(&tier.value)) {
            self.problems.say(
                tier,
                format!("tier is {}", tier.value),
                format!("it is 1, the most critical, to {TIER_MAX}"),
            );
        }
        let depends_on = self.names(&raw.depends_on, "the dependency");
        if let Some(own) = raw.depends_on.iter().find(|dependency| dependency.value == name.value) {
            self.problems.say(own, format!("{:?} depends on itself", name.value), "leave it out");
        }
        let receivers = self.names(&raw.receivers, "the receiver");
        for receiver in &raw.receivers {
            let unknown = self.receivers.is_some_and(|known| !known.contains(&receiver.value));
            if unknown {
                let message = format!("there is no receiver {:?}", receiver.value);
                self.problems.say(receiver, message, "name one of `receivers` in the settings, or `log`");
            }
        }
        for link in raw.runbook.iter().chain(raw.links.values()) {
            self.url(link);
        }
        let text = |text: &Spanned<String>| text.value.clone();
        ServiceEntry {
            service: name.value.clone(),
            file: file.to_owned(),
            owners: self.names(&raw.owners, "the owner"),
            description: raw.description.trim().to_owned(),
            tier: raw.tier.as_ref().map(|tier| tier.value),
            depends_on,
            environments: self.names(&raw.environments, "the environment"),
            runbook: raw.runbook.as_ref().map(text),
            links: raw.links.iter().map(|(name, link)| (name.clone(), text(link))).collect(),
            receivers,
            slos: self.slos(&raw.slos),
            checks: self.checks(&raw.checks),
            bake: self.bake(raw.bake.as_ref()),
        }
    }

    fn name(&mut self, text: &Spanned<String>, what: &str) {
        let wrong = if text.value.trim().is_empty() {
            "is empty".to_owned()
        } else if text.value.len() > NAME_BYTES_MAX {
            format!("has {} bytes, {NAME_BYTES_MAX} are allowed", text.value.len())
        } else if text.value.chars().any(char::is_control) {
            "holds a control character".to_owned()
        } else {
            return;
        };
        self.problems.say(text, format!("{what} {wrong}"), "give it a short name of printable text");
    }

    fn names(&mut self, texts: &[Spanned<String>], what: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for text in texts {
            self.name(text, what);
            if names.contains(&text.value) {
                self.problems.say(text, format!("{what} {:?} is there twice", text.value), "leave one out");
            } else if names.len() == SERVICE_LIST_MAX {
                self.problems.say(text, format!("the list has more than {SERVICE_LIST_MAX} entries"), "leave some out");
                break;
            }
            names.push(text.value.clone());
        }
        names
    }

    /// Links are shown to people to click on: nothing but web pages.
    fn url(&mut self, link: &Spanned<String>) {
        let web = ["http://", "https://"].iter().any(|scheme| link.value.starts_with(scheme));
        if !web || link.value.chars().any(|c| c.is_control() || c.is_whitespace()) {
            self.problems.say(link, format!("{:?} is not a link", link.value), "write it as https://...");
        }
    }

    fn bake(&mut self, raw: Option<&Spanned<BTreeMap<String, Spanned<String>>>>) -> crate::BakeTimes {
        let mut bake = crate::BakeTimes::default();
        for (word, text) in raw.iter().flat_map(|raw| &raw.value) {
            let Some(kind) = ChangeKind::ALL.into_iter().find(|kind| kind.as_str() == word) else {
                let kinds = ChangeKind::ALL.map(ChangeKind::as_str).join(", ");
                self.problems.say(
                    text,
                    format!("bake: {word:?} is not a kind of change"),
                    format!("the kinds are {kinds}"),
                );
                continue;
            };
            if let Some(bake_ns) = self.span(text, BAKE_NS_MIN..=BAKE_NS_MAX, "1m to 30d") {
                bake.set(kind, bake_ns);
            }
        }
        bake
    }

    fn slos(&mut self, raw: &[Spanned<RawSlo>]) -> Vec<Slo> {
        self.unique(raw, |slo| &slo.name, "slo", SLOS_MAX);
        raw.iter().filter_map(|spanned| self.slo(spanned)).collect()
    }

    fn slo(&mut self, spanned: &Spanned<RawSlo>) -> Option<Slo> {
        let raw = &spanned.value;
        let objective = raw.objective.value;
        if !(objective > 0.0 && objective < 100.0) {
            self.problems.say(
                &raw.objective,
                format!("objective is {objective}"),
                "it is a percentage above 0 and below 100",
            );
        }
        let window_ns = self.span(&raw.window, SLO_WINDOW_NS, "1h to 90d");
        let measure = match (&raw.good, &raw.total, &raw.error_ratio) {
            (Some(good), Some(total), None) => {
                self.promql(good, &[]);
                self.promql(total, &[]);
                SloMeasure::Counts { good: good.value.clone(), total: total.value.clone() }
            }
            (None, None, Some(ratio)) => {
                self.promql(ratio, &[]);
                SloMeasure::Ratio { error_ratio: ratio.value.clone() }
            }
            _ => {
                self.problems.say(
                    spanned,
                    "an slo needs `good` and `total`, or `error_ratio`",
                    "give exactly one of the two",
                );
                return None;
            }
        };
        Some(Slo { name: raw.name.value.clone(), objective, window_ns: window_ns?, measure })
    }

    fn checks(&mut self, raw: &[Spanned<RawCheck>]) -> Vec<Check> {
        self.unique(raw, |check| &check.name, "check", CHECKS_MAX);
        raw.iter().filter_map(|spanned| self.check(spanned)).collect()
    }

    fn check(&mut self, spanned: &Spanned<RawCheck>) -> Option<Check> {
        let raw = &spanned.value;
        let Some(kind) = CheckKind::ALL.into_iter().find(|kind| kind.as_str() == raw.kind.value) else {
            let message = format!("there is no kind of check {:?}", raw.kind.value);
            self.problems.say(&raw.kind, message, "it is errors, latency, saturation or count");
            return None;
        };
        let version_label = match &raw.version_label {
            Some(label) if label.value == "off" => None,
            Some(label) => {
                self.name(label, "the version label");
                Some(label.value.clone())
            }
            None => Some(VERSION_LABEL_DEFAULT.to_owned()),
        };
        let measure = self.measure(spanned, kind, version_label.as_deref())?;
        Some(Check { name: raw.name.value.clone(), kind, version_label, measure })
    }

    /// Which queries each kind takes.
    fn measure(&mut self, spanned: &Spanned<RawCheck>, kind: CheckKind, version: Option<&str>) -> Option<Measure> {
        let raw = &spanned.value;
        let text = |query: &Spanned<String>| query.value.clone();
        let labels: Vec<&str> = version.into_iter().collect();
        let counted = matches!(kind, CheckKind::Errors | CheckKind::Latency);
        match (&raw.bad, &raw.total, &raw.buckets, &raw.expr, &raw.logs) {
            (Some(bad), Some(total), None, None, None) if counted => {
                self.promql(bad, &labels);
                self.promql(total, &labels);
                Some(Measure::Counts { bad: text(bad), total: text(total) })
            }
            (None, None, Some(buckets), None, None) if kind == CheckKind::Latency => {
                let labels: Vec<&str> = labels.into_iter().chain(["le"]).collect();
                self.promql(buckets, &labels);
                Some(Measure::Buckets { buckets: text(buckets) })
            }
            (None, None, None, Some(expr), None) if !counted => {
                // What is full now needs no window; what happened does.
                let windowed = kind == CheckKind::Count;
                self.template(expr, check_promql_template(&expr.value, &labels, windowed));
                Some(Measure::Value { expr: text(expr) })
            }
            (None, None, None, None, Some(logs)) => {
                let columns: &[&str] = if counted { &["n", "bad"] } else { &["n"] };
                self.template(logs, check_logs_template(&logs.value, LogsNeed { version, columns }));
                let logs = text(logs);
                Some(if counted { Measure::CountsInLogs { logs } } else { Measure::ValueInLogs { logs } })
            }
            _ => {
                let hint = match kind {
                    CheckKind::Errors => "give `bad` and `total`, or `logs`",
                    CheckKind::Latency => "give `buckets`, or `bad` and `total`, or `logs`",
                    CheckKind::Saturation | CheckKind::Count => "give `expr` or `logs`",
                };
                self.problems.say(
                    spanned,
                    format!("a check of kind {} has other queries than it takes", kind.as_str()),
                    hint,
                );
                None
            }
        }
    }

    fn unique<T>(&mut self, items: &[Spanned<T>], name: impl Fn(&T) -> &Spanned<String>, what: &str, max: usize) {
        let mut seen: Vec<&str> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let name = name(&item.value);
            self.name(name, &format!("the name of the {what}"));
            if seen.contains(&name.value.as_str()) {
                self.problems.say(name, format!("the {what} {:?} is there twice", name.value), "rename one");
            }
            if index == max {
                self.problems.say(name, format!("the service has more than {max} {what}s"), "leave some out");
                return;
            }
            seen.push(&name.value);
        }
    }

    fn span(&mut self, text: &Spanned<String>, allowed: std::ops::RangeInclusive<i64>, shown: &str) -> Option<i64> {
        let parsed = self.problems.duration(Some(text));
        if parsed.is_some_and(|ns| !allowed.contains(&ns)) {
            self.problems.say(text, format!("{} is out of range", text.value), format!("give {shown}"));
        }
        parsed
    }

    fn promql(&mut self, query: &Spanned<String>, labels: &[&str]) {
        self.template(query, check_promql_template(&query.value, labels, true));
    }

    fn template(&mut self, query: &Spanned<String>, checked: Result<(), QueryMistake>) {
        if let Err(found) = checked {
            self.problems.say_inside(query, found);
        }
    }
}
