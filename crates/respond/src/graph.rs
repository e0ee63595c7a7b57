//! A playbook as a flow chart: one model, drawn as Mermaid text and as SVG.

mod svg;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::playbook::{Act, Playbook, Replicas, Step, StepKind};
use crate::{Risk, Verb};

/// A flow chart. Nodes are in the order of the steps; edges only go to nodes further on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// The playbook's name.
    pub name: String,
    /// The first node is the beginning, the last one the end.
    pub nodes: Vec<Node>,
    /// How nodes follow each other.
    pub edges: Vec<Edge>,
}

/// What a node looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// The beginning or the end.
    Terminal,
    /// A step that looks, waits or tells.
    Step,
    /// A step that acts.
    Act,
    /// A choice, by what is known or by people.
    Choice,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its id in the text.
    pub id: String,
    /// Its shape.
    pub shape: Shape,
    /// What it says, line by line.
    pub lines: Vec<String>,
    /// How much harm it can do.
    pub risk: Risk,
}

/// An edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The place of the node that it leaves.
    pub from: usize,
    /// The place of the node that it comes to.
    pub to: usize,
    /// When it is taken; empty when it goes well.
    pub label: String,
    /// Whether it is the way of a failure.
    pub fails: bool,
}

/// Longest line of a node, in characters; longer ones are cut off.
const LINE_CHARS_MAX: usize = 44;

impl Graph {
    /// The flow chart of a playbook.
    pub fn of(playbook: &Playbook) -> Graph {
        let end = playbook.steps.len() + 1;
        let mut nodes = vec![terminal("start", start_lines(playbook))];
        nodes.extend(playbook.steps.iter().enumerate().map(|(place, step)| node(place, step)));
        nodes.push(terminal("done", vec!["end".to_owned()]));
        let mut edges = vec![Edge { from: 0, to: 1, label: String::new(), fails: false }];
        for (place, step) in playbook.steps.iter().enumerate() {
            edges.extend(leaving(playbook, place, step, end));
        }
        Graph { name: playbook.name.clone(), nodes, edges }
    }

    /// Mermaid's text of a flow chart.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("flowchart TD\n");
        for node in &self.nodes {
            let label = node.lines.iter().map(|line| mermaid_text(line)).collect::<Vec<_>>().join("<br/>");
            let (open, close) = match node.shape {
                Shape::Terminal => ("([", "])"),
                Shape::Step => ("[", "]"),
                Shape::Act => ("[[", "]]"),
                Shape::Choice => ("{{", "}}"),
            };
            let class = if node.risk == Risk::None { String::new() } else { format!(":::{}", node.risk.as_str()) };
            // Writing to a text can not fail.
            let _ = writeln!(text, "  {}{open}\"{label}\"{close}{class}", node.id);
        }
        for edge in &self.edges {
            let (from, to) = (&self.nodes[edge.from].id, &self.nodes[edge.to].id);
            let arrow = if edge.fails { "-.->" } else { "-->" };
            let label =
                if edge.label.is_empty() { String::new() } else { format!("|\"{}\"|", mermaid_text(&edge.label)) };
            let _ = writeln!(text, "  {from} {arrow}{label} {to}");
        }
        text.push_str("  classDef low stroke:#2e7d32,stroke-width:2px\n");
        text.push_str("  classDef medium stroke:#b26a00,stroke-width:2px\n");
        text.push_str("  classDef high stroke:#b3261e,stroke-width:3px\n");
        text
    }

    /// A picture of it, without scripts or fonts of its own.
    pub fn svg(&self) -> String {
        svg::draw(self)
    }

    /// The layer of every node: the longest way to it. Every edge goes from a layer to a later one.
    pub(crate) fn layers(&self) -> Vec<usize> {
        let mut layers = vec![0; self.nodes.len()];
        // Edges only go forward, so the layer of a node is settled before an edge leaves it.
        let mut edges: Vec<&Edge> = self.edges.iter().collect();
        edges.sort_by_key(|edge| edge.from);
        for edge in edges {
            layers[edge.to] = layers[edge.to].max(layers[edge.from] + 1);
        }
        layers
    }
}

fn terminal(id: &str, lines: Vec<String>) -> Node {
    Node { id: id.to_owned(), shape: Shape::Terminal, lines, risk: Risk::None }
}

fn start_lines(playbook: &Playbook) -> Vec<String> {
    let mut lines = vec![playbook.name.clone(), format!("mode {}", playbook.mode.as_str())];
    lines.extend(playbook.matches.iter().map(|(name, value)| format!("{name} = {value}")));
    lines
}

fn node(place: usize, step: &Step) -> Node {
    let shape = match &step.kind {
        StepKind::Decide(_) | StepKind::Ask(_) => Shape::Choice,
        kind if kind.acting().is_some() => Shape::Act,
        _ => Shape::Step,
    };
    let kind = step.kind.as_str();
    let mut lines = vec![step.id.as_ref().map_or(kind.to_owned(), |id| format!("{id}: {kind}"))];
    lines.extend(what(&step.kind));
    if let Some(timeout_ns) = step.kind.timeout_ns() {
        lines.push(format!("timeout {}", span(timeout_ns)));
    }
    if step.risk > Risk::None {
        lines.push(format!("risk {}", step.risk.as_str()));
    }
    if let Some(undo) = &step.undo {
        lines.push(format!("undo: {}", act_line(undo, "the version after")));
    }
    let lines = lines.into_iter().map(|line| cut(&line)).collect();
    Node { id: format!("s{}", place + 1), shape, lines, risk: step.risk }
}

/// What a step does, in a line or two.
fn what(kind: &StepKind) -> Vec<String> {
    match kind {
        StepKind::Query(query) => vec![query.text.text().to_owned()],
        StepKind::Probe(probe) => vec![match &probe.kind {
            crate::ProbeKind::Http { url, .. } => format!("http {url}"),
            crate::ProbeKind::Tcp { address } => format!("tcp {address}"),
        }],
        StepKind::Decide(_) => Vec::new(),
        StepKind::Ask(ask) => {
            let of = if ask.approvals.of.is_empty() { "anyone".to_owned() } else { ask.approvals.of.join(", ") };
            vec![ask.question.clone(), format!("{} of {of}", ask.approvals.need)]
        }
        StepKind::Act(act) | StepKind::Rollback(act) | StepKind::Restart(act) | StepKind::Scale(act) => {
            vec![act_line(act, "the version before")]
        }
        StepKind::Wait(wait) => vec![wait.until.as_ref().map_or("time".to_owned(), crate::VerifyQuery::text)],
        StepKind::Verify(verify) => {
            vec![verify.query.text(), format!("for {}", span(verify.for_ns))]
        }
        StepKind::Notify(notify) => vec![format!("tell {}", notify.receiver)],
    }
}

/// What is done, in short; `version` is where a rollback goes that does not say it.
fn act_line(act: &Act, version: &str) -> String {
    let goes = match (act.verb, &act.to, &act.replicas) {
        (Verb::Rollback, Some(to), _) => format!(" to {to}"),
        (Verb::Rollback, None, _) => format!(" to {version}"),
        (_, _, Some(Replicas::Absolute(n))) => format!(" to {n}"),
        (_, _, Some(Replicas::Relative { add, min, max, .. })) => format!(" by {add:+}, {min} to {max}"),
        (_, _, None) => String::new(),
    };
    format!("{} by {}{goes}", act.verb, act.call.kind())
}

fn leaving(playbook: &Playbook, place: usize, step: &Step, end: usize) -> Vec<Edge> {
    let from = place + 1;
    let to = |id: &str| playbook.step_by_id(id).map(|place| place + 1);
    let mut edges: Vec<Edge> = Vec::new();
    for goto in step.gotos() {
        let fails = goto.when == "fails" || goto.when == "timeout";
        edges.extend(to(goto.to).map(|to| Edge { from, to, label: cut(&goto.when), fails }));
    }
    let leads = |step: &Step| match &step.kind {
        // Where every answer leads somewhere there is no other way on.
        StepKind::Decide(decide) => decide.otherwise.is_none(),
        StepKind::Ask(ask) => ask.choices.is_empty() || ask.choices.iter().any(|choice| choice.goto.is_none()),
        _ => true,
    };
    if step.next.is_none() && leads(step) {
        let label = match &step.kind {
            StepKind::Decide(_) => "else".to_owned(),
            StepKind::Ask(ask) if ask.choices.is_empty() => "approve".to_owned(),
            StepKind::Ask(ask) => {
                let stay = ask.choices.iter().filter(|choice| choice.goto.is_none());
                stay.map(|choice| choice.name.as_str()).collect::<Vec<_>>().join(", ")
            }
            _ => String::new(),
        };
        edges.push(Edge { from, to: playbook.after(place).map_or(end, |next| next + 1), label, fails: false });
    }
    let can_fail =
        !matches!(step.kind, StepKind::Notify(_) | StepKind::Decide(_) | StepKind::Query(_) | StepKind::Probe(_));
    let times_out = edges.iter().any(|edge| edge.label == "timeout");
    if step.on_fail.is_none() && can_fail && !times_out {
        edges.push(Edge { from, to: end, label: "fails: page people".to_owned(), fails: true });
    }
    merge(edges)
}

/// Several ways to the same node are one edge.
fn merge(edges: Vec<Edge>) -> Vec<Edge> {
    let mut merged: BTreeMap<(usize, bool), Edge> = BTreeMap::new();
    for edge in edges {
        match merged.get_mut(&(edge.to, edge.fails)) {
            Some(known) if !edge.label.is_empty() && !known.label.is_empty() => {
                known.label = format!("{}; {}", known.label, edge.label);
            }
            Some(known) => known.label.push_str(&edge.label),
            None => drop(merged.insert((edge.to, edge.fails), edge)),
        }
    }
    merged.into_values().collect()
}

/// A duration as it is written in files.
fn span(ns: i64) -> String {
    const UNITS: [(i64, &str); 4] =
        [(86_400_000_000_000, "d"), (3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s")];
    let unit = UNITS.into_iter().find(|(unit, _)| ns >= *unit && ns % unit == 0);
    unit.map_or_else(|| format!("{}ms", ns / 1_000_000), |(unit, name)| format!("{}{name}", ns / unit))
}

fn cut(line: &str) -> String {
    if line.chars().count() <= LINE_CHARS_MAX {
        return line.to_owned();
    }
    let short: String = line.chars().take(LINE_CHARS_MAX - 1).collect();
    format!("{short}…")
}

/// A text inside quotes. Mermaid reads `#35;` and the like as characters.
fn mermaid_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | '{' | '}' | '\\' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
