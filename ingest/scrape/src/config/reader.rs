//! Reads one file: keys to values, defaults of `global`, checks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{Mapper, Problem, Problems, yaml_problem};
use model::TenantId;
use serde_saphyr::Spanned;

use super::raw::{At, RawFile, RawGlobal, RawJob};
use super::{Escaping, ScrapeConfig, ScrapeProtocol};
use crate::limits::FILE_BYTES_MAX;
use crate::units::{parse_duration, parse_size};

/// Interval of a job that has none, as in Prometheus.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(60);
/// Timeout of a job that has none.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Reads a file and collects mistakes.
pub(super) struct Reader<'a> {
    pub(super) problems: Problems<'a>,
    pub(super) directory: &'a Path,
}

/// What `global` says.
pub(super) struct Global {
    pub(super) tenant: TenantId,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) protocols: Option<Vec<ScrapeProtocol>>,
    pub(super) body_bytes: u64,
    pub(super) legacy_names: bool,
    pub(super) escaping: Escaping,
    pub(super) failure_log: Option<PathBuf>,
    pub(super) raw: RawGlobal,
}

/// The text of a file.
pub(super) fn read_file(path: &Path) -> Result<String, Problem> {
    let problem = |message: String, hint: &str| {
        let file = path.display().to_string();
        Problem { file, line: 1, column: 1, message, hint: Some(hint.to_owned()) }
    };
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if bytes > FILE_BYTES_MAX {
        return Err(problem(format!("the file has {bytes} bytes, {FILE_BYTES_MAX} are allowed"), "split it"));
    }
    std::fs::read_to_string(path)
        .map_err(|error| problem(format!("cannot read the file: {error}"), "is the path right?"))
}

/// Reads the text of a file into the configuration.
pub(super) fn read(file: &str, text: &str, directory: &Path, config: &mut ScrapeConfig) -> Vec<Problem> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Vec::new();
    }
    let raw = match serde_saphyr::from_str::<RawFile>(text) {
        Ok(raw) => raw,
        Err(error) => return vec![with_hint(yaml_problem(file, &error))],
    };
    let mut reader = Reader { problems: Problems::new(file, text), directory };
    let global = reader.global(raw.global.unwrap_or_default());
    config.external_labels.extend(global.raw.external_labels.clone().unwrap_or_default());
    for (key, there) in [
        ("runtime", raw.runtime.is_some()),
        ("alerting", raw.alerting.is_some()),
        ("rule_files", raw.rule_files.is_some()),
        ("storage", raw.storage.is_some()),
        ("tracing", raw.tracing.is_some()),
        ("remote_write", raw.remote_write.is_some()),
        ("remote_read", raw.remote_read.is_some()),
        ("otlp", raw.otlp.is_some()),
    ] {
        if there {
            config.notes.push(format!("{file}: `{key}` is not about scraping and is not read here"));
        }
    }
    reader.jobs(raw.scrape_configs.as_deref(), &global, config);
    let included = raw.scrape_config_files.unwrap_or_default();
    reader.include(&included, &global, config);
    reader.problems.found
}

/// Kinds of discovery that are not here get a way that is.
fn with_hint(mut problem: Problem) -> Problem {
    let key = problem.message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    if key.is_some_and(|key| key.ends_with("_sd_configs")) {
        let hint = "targets come from static_configs and from file, http, dns, consul, docker and kubernetes _sd_configs; a small service \
                    of your own can answer http_sd_configs for everything else";
        problem.hint = Some(hint.to_owned());
    }
    problem
}

impl Reader<'_> {
    /// A mistake at a place that may not be known.
    pub(super) fn say_at(&mut self, at: Option<serde_saphyr::Location>, message: &str, hint: &str) {
        let (line, column) = at.map_or((1, 1), |at| (at.line(), at.column()));
        let file = self.problems.mapper.file.to_owned();
        self.problems.found.push(Problem {
            file,
            line,
            column,
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
        });
    }

    pub(super) fn duration(&mut self, at: &At<String>) -> Option<Duration> {
        let at = at.as_ref()?;
        let parsed = parse_duration(&at.value);
        if parsed.is_none() {
            self.problems.say(at, format!("not a valid duration string: {:?}", at.value), "write 15s, 1m or 1h30m");
        }
        parsed.filter(|duration| !duration.is_zero())
    }

    pub(super) fn size(&mut self, at: &At<String>) -> Option<u64> {
        let at = at.as_ref()?;
        let parsed = parse_size(&at.value);
        if parsed.is_none() {
            self.problems.say(at, format!("{:?} is not a size", at.value), "write 10MB or 512KiB; 0 is no limit");
        }
        parsed
    }

    /// The tenant that samples belong to, where one is named.
    pub(super) fn tenant(&mut self, at: &At<String>) -> Option<TenantId> {
        let at = at.as_ref()?;
        let tenant = TenantId::new(&at.value);
        if tenant.is_none() {
            self.problems.say(at, format!("{:?} is no tenant name", at.value), TenantId::RULE);
        }
        tenant
    }

    /// True for `legacy`.
    pub(super) fn validation(&mut self, at: &At<String>) -> Option<bool> {
        let at = at.as_ref()?;
        match at.value.as_str() {
            "" => None,
            "utf8" => Some(false),
            "legacy" => Some(true),
            other => {
                let message = format!("unknown name validation method {other:?}");
                self.problems.say(at, message, "write utf8 or legacy");
                None
            }
        }
    }

    pub(super) fn escaping(&mut self, at: &At<String>, legacy_names: bool) -> Option<Escaping> {
        let at = at.as_ref()?;
        let all = [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];
        let found = all.into_iter().find(|escaping| escaping.as_str() == at.value);
        match found {
            None if !at.value.is_empty() => {
                let message = format!("unknown name escaping method {:?}", at.value);
                self.problems.say(at, message, "write allow-utf-8, underscores, dots or values");
            }
            Some(Escaping::AllowUtf8) if legacy_names => {
                let message = "utf8 metric names requested but validation scheme is not set to UTF8";
                self.problems.say(at, message, "set metric_name_validation_scheme: utf8");
            }
            _ => {}
        }
        found
    }

    pub(super) fn protocols(&mut self, at: &At<Vec<String>>) -> Option<Vec<ScrapeProtocol>> {
        let at = at.as_ref()?;
        let mut found = Vec::new();
        for name in &at.value {
            match ScrapeProtocol::parse(name) {
                Some(protocol) if found.contains(&protocol) => {
                    let message = format!("duplicated protocol in scrape_protocols, got {name:?}");
                    self.problems.say(at, message, "name each once");
                }
                Some(protocol) => found.push(protocol),
                None => self.problems.say(at, format!("unknown scrape protocol {name}"), ScrapeProtocol::NAMES_HINT),
            }
        }
        if at.value.is_empty() {
            self.problems.say(at, "scrape_protocols cannot be empty", ScrapeProtocol::NAMES_HINT);
        }
        Some(found)
    }

    fn global(&mut self, raw: RawGlobal) -> Global {
        let interval = self.duration(&raw.scrape_interval).unwrap_or(INTERVAL_DEFAULT);
        let timeout = self.duration(&raw.scrape_timeout);
        if let Some(at) = raw.scrape_timeout.as_ref().filter(|_| timeout.is_some_and(|timeout| timeout > interval)) {
            let message = "global scrape timeout greater than scrape interval";
            self.problems.say(at, message, "make it shorter, or the interval longer");
        }
        let legacy_names = self.validation(&raw.metric_name_validation_scheme).unwrap_or(false);
        let escaping = self.escaping(&raw.metric_name_escaping_scheme, legacy_names);
        Global {
            tenant: self.tenant(&raw.backstop_tenant).unwrap_or_default(),
            interval,
            timeout: timeout.unwrap_or(TIMEOUT_DEFAULT.min(interval)),
            protocols: self.protocols(&raw.scrape_protocols),
            body_bytes: self.size(&raw.body_size_limit).unwrap_or(0),
            legacy_names,
            escaping: escaping.unwrap_or_else(|| Escaping::of(legacy_names)),
            failure_log: self.file(&raw.scrape_failure_log_file),
            raw,
        }
    }

    fn jobs(&mut self, jobs: Option<&[Spanned<RawJob>]>, global: &Global, config: &mut ScrapeConfig) {
        for at in jobs.unwrap_or_default() {
            let Some(job) = self.job(at, global) else { continue };
            if config.jobs.iter().any(|known| known.name == job.name)
                && let Some(name) = &at.value.job_name
            {
                // Two of them would mix their series.
                let message = format!("found multiple scrape configs with job name {:?}", job.name);
                self.problems.say(name, message, "give every job a name of its own");
            }
            config.jobs.push(Arc::new(job));
        }
    }

    /// Files of more jobs, which the settings name by patterns.
    fn include(&mut self, patterns: &[Spanned<String>], global: &Global, config: &mut ScrapeConfig) {
        for pattern in patterns {
            let whole = self.path(&pattern.value).display().to_string();
            let paths = match glob::glob(&whole) {
                Ok(paths) => paths,
                Err(error) => {
                    let message = format!("{:?} is not a pattern of files: {error}", pattern.value);
                    self.problems.say(pattern, message, "write it as jobs/*.yml");
                    continue;
                }
            };
            for path in paths.flatten() {
                self.include_file(&path, global, config);
            }
        }
    }

    fn include_file(&mut self, path: &Path, global: &Global, config: &mut ScrapeConfig) {
        let file = path.display().to_string();
        let text = match read_file(path) {
            Ok(text) => text,
            Err(problem) => return self.problems.found.push(problem),
        };
        match serde_saphyr::from_str::<RawFile>(&text) {
            Ok(raw) => {
                let directory = path.parent().unwrap_or(Path::new(""));
                let problems = Problems { mapper: Mapper { file: &file, text: &text }, found: Vec::new() };
                let mut reader = Reader { problems, directory };
                reader.jobs(raw.scrape_configs.as_deref(), global, config);
                self.problems.found.extend(reader.problems.found);
            }
            Err(error) => self.problems.found.push(with_hint(yaml_problem(&file, &error))),
        }
    }
}

impl Escaping {
    /// What is asked for where nothing is said.
    pub(super) fn of(legacy_names: bool) -> Self {
        if legacy_names { Self::Underscores } else { Self::AllowUtf8 }
    }
}
