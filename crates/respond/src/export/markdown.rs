//! The report: what happened, for how long, what it did to users, what was done about it and what is left to do.

use std::fmt::Write as _;

use model::Timestamp;
use serde_json::Value as Json;

use super::text::{code, fenced, inline, span};
use super::{Dossier, EXPORT_OUTPUT_BYTES_MAX};
use crate::{EntryKind, IncidentState, TimelineEntry};

pub(super) fn report(dossier: &Dossier) -> String {
    let mut out = String::new();
    let incident = &dossier.incident;
    let _ = writeln!(out, "# {}\n", inline(&incident.title));
    summary(&mut out, dossier);
    timeline(&mut out, dossier);
    evidence(&mut out, dossier);
    actions(&mut out, dossier);
    verification(&mut out, dossier);
    section(&mut out, "Follow up", &follow_up(dossier), "Nothing is known to be left.");
    out
}

fn section(out: &mut String, title: &str, lines: &[String], otherwise: &str) {
    let _ = writeln!(out, "\n## {title}\n");
    if lines.is_empty() {
        let _ = writeln!(out, "{otherwise}");
    }
    for line in lines {
        let _ = writeln!(out, "- {line}");
    }
}

fn text<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("")
}

fn items<'a>(value: &'a Json, name: &str) -> &'a [Json] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn summary(out: &mut String, dossier: &Dossier) {
    let incident = &dossier.incident;
    let handling = &incident.handling;
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "- **{name}:** {value}");
        }
    };
    line("Incident", code(&incident.id));
    let state = match &handling.merged_into {
        Some(into) => format!("merged into {}", code(into)),
        None => incident.state.as_str().to_owned(),
    };
    line("State", state);
    let services =
        if handling.services.is_empty() { vec![incident.service.clone()] } else { handling.services.clone() };
    line("Services", services.iter().map(|service| inline(service)).collect::<Vec<_>>().join(", "));
    line("Severity", inline(incident.severity.as_deref().unwrap_or("")));
    line("Began", when(incident.started_at));
    line("Opened", when(incident.opened_at));
    let ended = incident.resolved_at.map(|at| format!("{}{}", when(at), by(handling.resolved_by.as_deref())));
    line("Resolved", ended.unwrap_or_else(|| "not yet".to_owned()));
    line("Duration", incident.resolved_at.map_or_else(String::new, |at| span(at.0 - incident.started_at.0)));
    match handling.reopened {
        0 => {}
        1 => line("Reopened", "once".to_owned()),
        times => line("Reopened", format!("{times} times")),
    }
    line("Looked after by", inline(handling.acked_by.as_deref().unwrap_or("")));
    line("Impact", impact(dossier));
    line("Change", dossier.change.as_ref().map_or_else(|| "none is blamed".to_owned(), change));
    let acted = dossier.actions.iter().any(|action| text(action, "state") == "succeeded");
    let before = if acted { "acted before it was reopened" } else { "nothing has acted" };
    line("Outcome", incident.outcome.as_deref().map_or_else(|| before.to_owned(), outcome));
    line("Merged", handling.merged.iter().map(|id| code(id)).collect::<Vec<_>>().join(", "));
}

/// A time to the second: what people compare with what other tools print.
fn when(at: Timestamp) -> String {
    Timestamp::from_secs(at.0.div_euclid(1_000_000_000)).to_string()
}

/// The same for a time that a record holds as text.
fn when_text(value: &Json, name: &str) -> String {
    let said = text(value, name);
    Timestamp::parse(said, Timestamp(0)).map_or_else(|_| inline(said), when)
}

fn by(author: Option<&str>) -> String {
    author.map_or_else(String::new, |author| format!(" by {}", inline(author)))
}

fn change(change: &Json) -> String {
    let versions = [text(change, "from_version"), text(change, "to_version")];
    let versions: Vec<String> = versions.into_iter().filter(|one| !one.is_empty()).map(inline).collect();
    let mut line = format!("{} of {}", text(change, "kind"), inline(text(&change["target"], "service")));
    if !versions.is_empty() {
        line.push_str(&format!(" {}", versions.join(" → ")));
    }
    if !text(change, "actor").is_empty() {
        line.push_str(&format!(" by {}", inline(text(change, "actor"))));
    }
    let key = format!("{}/{}", text(change, "source"), text(change, "id"));
    format!("{line}, {}, at {}", code(&key), when_text(change, "started_at"))
}

fn outcome(word: &str) -> String {
    let known = match word {
        "helped" => "acted, and it helped",
        "not_helped" => "acted, and it did not help",
        "acted" => "acted, not verified",
        "failed" => "the action failed",
        "unknown" => "it is not known whether the action happened or helped",
        "held" => "did not act: the verdict or a guard forbade it",
        "observed" => "only observed: it would have acted",
        "notified" => "told people, did not act",
        other => return inline(other),
    };
    known.to_owned()
}

/// What users felt, where it was measured: the signals of the watch that are bad, else what the alerts say.
fn impact(dossier: &Dossier) -> String {
    let bad = |signal: &&Json| text(&signal["verdict"], "verdict") == "bad";
    let signals = dossier.watch.as_ref().map_or(&[][..], |watch| items(watch, "signals"));
    let measured: Vec<String> = signals.iter().filter(bad).map(signal_line).collect();
    if !measured.is_empty() {
        return measured.join("; ");
    }
    let said = dossier.alerts.iter().map(|alert| inline(text(alert, "summary"))).filter(|text| !text.is_empty());
    let said: Vec<String> = said.collect();
    if said.is_empty() { "not measured".to_owned() } else { said.join("; ") }
}

fn signal_line(signal: &Json) -> String {
    let share = text(signal, "effect_unit") == "points";
    let side = |side: &Json| {
        let n = side["n"].as_f64().map_or_else(String::new, |n| format!(" of {n}"));
        let value = match side["value"].as_f64() {
            Some(value) if share => format!("{} %", number(&Json::from(value * 100.0))),
            _ => number(&side["value"]),
        };
        format!("{value}{n} ({})", inline(text(side, "label")))
    };
    let unit = match text(signal, "effect_unit") {
        "points" => " points",
        "ratio" => " times",
        "per_minute" => " a minute",
        _ => "",
    };
    format!(
        "{}: {} → {}, effect {}{unit}",
        inline(text(signal, "name")),
        side(&signal["old"]),
        side(&signal["new"]),
        number(&signal["effect"])
    )
}

/// A number as a person reads it: four significant digits.
fn number(value: &Json) -> String {
    let Some(value) = value.as_f64() else { return "not measured".to_owned() };
    if value == 0.0 || value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value}");
    }
    let digits = 3 - value.abs().log10().floor().clamp(-9.0, 3.0) as i32;
    let shown = format!("{value:.*}", usize::try_from(digits).unwrap_or(0));
    if shown.contains('.') { shown.trim_end_matches('0').trim_end_matches('.').to_owned() } else { shown }
}

fn timeline(out: &mut String, dossier: &Dossier) {
    let _ = writeln!(out, "\n## Timeline\n");
    if dossier.timeline.is_empty() {
        let _ = writeln!(out, "Nothing was recorded.");
        return;
    }
    let _ = writeln!(out, "| time | after | what | |\n|---|---|---|---|");
    let first = dossier.timeline.first().map_or(0, |entry| entry.at.0);
    for entry in &dossier.timeline {
        let (kind, text) = (entry.kind.as_str(), inline(&said(entry)));
        let _ = writeln!(out, "| {} | +{} | {kind} | {text} |", when(entry.at), span(entry.at.0 - first));
    }
}

/// What an entry says, with its author when a person wrote it.
fn said(entry: &TimelineEntry) -> String {
    match entry.detail["author"].as_str() {
        Some(author) if entry.detail["text"].is_string() => format!("{author}: {}", entry.summary),
        _ => entry.summary.clone(),
    }
}

fn evidence(out: &mut String, dossier: &Dossier) {
    let _ = writeln!(out, "\n## Evidence");
    let before = out.len();
    if let Some(watch) = &dossier.watch {
        let _ = writeln!(out, "\n### The watch over the change\n");
        watch_evidence(out, watch);
    }
    for action in &dossier.actions {
        let evidence = &action["evidence"];
        if evidence.is_object() {
            let _ = writeln!(out, "\n### {}\n", inline(text(action, "summary")));
            decision_evidence(out, evidence);
        }
    }
    if out.len() == before {
        let _ = writeln!(out, "\nNo decision was taken, so none was stored.");
    }
}

fn watch_evidence(out: &mut String, watch: &Json) {
    let _ = writeln!(out, "- **Verdict:** {}", verdict(&watch["verdict"]));
    for signal in items(watch, "signals") {
        let _ = writeln!(out, "- signal {}; verdict {}", signal_line(signal), verdict(&signal["verdict"]));
        let strength = (&signal["log_e"], &signal["log_e_needed"]);
        let query = code(text(signal, "query"));
        let _ = writeln!(out, "  - evidence {} of {} needed; {query}", number(strength.0), number(strength.1));
    }
    for entry in items(watch, "history") {
        let at = when_text(entry, "at");
        let _ = writeln!(out, "- {at}: {}; {}", verdict(entry), inline(text(entry, "detail")));
    }
    exonerated(out, watch);
}

fn decision_evidence(out: &mut String, evidence: &Json) {
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "- **{name}:** {value}");
        }
    };
    line("Rule", inline(text(evidence, "rule")));
    line("Query", code(text(evidence, "query")));
    line("Value", number(&evidence["value"]));
    line("Decided", if evidence["decided_at"].is_string() { when_text(evidence, "decided_at") } else { String::new() });
    line("Verdict", verdict(&evidence["verdict"]));
    line("Why this change", inline(text(evidence, "attribution")));
    for one in items(evidence, "concurrent") {
        let _ = writeln!(out, "- as likely: {}: {}", change(&one["change"]), inline(text(one, "reason")));
    }
    exonerated(out, evidence);
    for guard in items(evidence, "guards") {
        let mark = if guard["passed"] == true { "passed" } else { "**refused**" };
        let _ = writeln!(out, "- guard {} {mark}: {}", inline(text(guard, "guard")), inline(text(guard, "detail")));
    }
}

fn exonerated(out: &mut String, evidence: &Json) {
    for one in items(evidence, "exonerated") {
        let what = match one["what"].as_str() {
            Some(what) => inline(what),
            None => change(&one["change"]),
        };
        let _ = writeln!(out, "- exonerated: {what}: {}", inline(text(one, "reason")));
    }
}

/// A verdict is a word, or an object with the word and why.
fn verdict(value: &Json) -> String {
    if value["verdict"].is_object() {
        return verdict(&value["verdict"]);
    }
    let word = value.as_str().or_else(|| value["verdict"].as_str()).unwrap_or("not given");
    match value["reason"].as_str() {
        Some(reason) => format!("{} ({})", inline(word), inline(&reason.replace('_', " "))),
        None => inline(word),
    }
}

fn actions(out: &mut String, dossier: &Dossier) {
    let _ = writeln!(out, "\n## Actions");
    if dossier.actions.is_empty() {
        let _ = writeln!(out, "\nNone.");
    }
    for action in &dossier.actions {
        let _ = writeln!(out, "\n### {}\n", inline(text(action, "summary")));
        let _ = writeln!(out, "- **Key:** {}", code(text(action, "key")));
        let _ = writeln!(out, "- **Playbook:** {}", inline(text(action, "playbook")));
        for (name, field) in [("Decided", "planned_at"), ("Started", "started_at"), ("Ended", "finished_at")] {
            if !text(action, field).is_empty() {
                let _ = writeln!(out, "- **{name}:** {}", when_text(action, field));
            }
        }
        if !text(action, "detail").is_empty() {
            let _ = writeln!(out, "- **Result:** {}", inline(text(action, "detail")));
        }
        match text(action, "output") {
            "" => {
                let _ = writeln!(out, "- **Output:** nothing");
            }
            output => {
                let _ = write!(out, "\n{}", fenced(output, EXPORT_OUTPUT_BYTES_MAX));
            }
        }
    }
}

fn verification(out: &mut String, dossier: &Dossier) {
    let entries = dossier.timeline.iter().filter(|entry| entry.kind == EntryKind::Verify);
    let line = |entry: &TimelineEntry| {
        let query = code(text(&entry.detail, "query"));
        let query = if query.is_empty() { query } else { format!("; {query}") };
        format!("{}: {}{query}", when(entry.at), inline(&entry.summary))
    };
    let lines: Vec<String> = entries.map(line).collect();
    section(out, "Verification", &lines, "Nothing was verified.");
}

/// What is left to do, as far as the records say.
fn follow_up(dossier: &Dossier) -> Vec<String> {
    let incident = &dossier.incident;
    let mut lines = Vec::new();
    if incident.state == IncidentState::Open {
        lines.push("It is still open.".to_owned());
    }
    if !incident.firing.is_empty() {
        lines.push(format!("Alerts still fire: {}.", incident.firing.len()));
    }
    for action in &dossier.actions {
        let (from, to) = (inline(text(action, "from_version")), inline(text(action, "to_version")));
        let target = inline(text(action, "target"));
        lines.extend(match text(action, "state") {
            "succeeded" if !from.is_empty() => {
                Some(format!("Mend {target} {from} before it is deployed again; {to} runs in its place."))
            }
            "failed" => {
                Some(format!("Find out why the action on {target} failed: {}.", inline(text(action, "detail"))))
            }
            "unknown" => Some(format!("Look at {target}: nobody knows whether the action happened.")),
            "started" | "planned" => Some(format!("The action on {target} has not ended.")),
            _ => None,
        });
    }
    match incident.outcome.as_deref() {
        Some("not_helped") => lines.push("What was done did not help; the cause is another one.".to_owned()),
        Some("acted") => lines.push("Give the playbook a step that verifies.".to_owned()),
        Some("held") => lines.push("Nothing acted: look at the verdict and the guards above.".to_owned()),
        _ => {}
    }
    if dossier.change.is_none() {
        lines.push("No change is blamed: find the cause.".to_owned());
    }
    if incident.handling.flap.flapping() {
        lines.push("It came and went: give its rules a longer `for` or a `recover`.".to_owned());
    }
    if let Some(watch) = &dossier.watch
        && text(&watch["verdict"], "verdict") == "unknown"
    {
        lines.extend(
            items(watch, "would_change")
                .iter()
                .filter_map(Json::as_str)
                .map(|what| format!("To settle it: {}", inline(what))),
        );
    }
    lines
}
