//! Grouping accuracy on the logs of eleven systems, which lie beside the repository: a line counts when the lines of its
//! pattern are exactly the lines of its true template. One set of numbers for all; then the same with each number a fifth
//! smaller and larger, to see that none is on a knife's edge.

#![allow(clippy::print_stdout, reason = "tests say what they skip and what they measure")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pattern::{Limits, Miner, PatternId, TUNING, Tuning};

const SYSTEMS: &[&str] =
    &["Android", "Apache", "BGL", "HDFS", "HPC", "Hadoop", "Linux", "Mac", "OpenSSH", "Spark", "Windows"];

/// What is reached with messages, less a hair: on average, and on any system.
const MEAN_FLOOR: f64 = 0.990;
const SYSTEM_FLOOR: f64 = 0.95;
/// The same when whole lines are learned, with their times, hosts and names of programs. Lines whose headers differ in a word
/// are told apart there, and the labels do not.
const WHOLE_MEAN_FLOOR: f64 = 0.92;
/// What has to remain whatever number is changed by a fifth.
const VARIED_MEAN_FLOOR: f64 = 0.98;

/// The lines of a system with their true templates.
struct System {
    name: &'static str,
    messages: Vec<String>,
    whole: Vec<String>,
    truth: Vec<String>,
}

fn systems() -> Option<Vec<System>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let root = std::env::var_os("BACKSTOP_SHARED").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let logs = root.join("data/logs");
    if !logs.exists() {
        println!("skipped: {} is not here", logs.display());
        return None;
    }
    let read = |name: &str, file: String| {
        let path = logs.join(name).join(file);
        String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
            .into_owned()
    };
    let system = |name: &&'static str| {
        let table = csv(&read(name, format!("{name}_2k.log_structured_corrected.csv")));
        let column = |head: &str| {
            let at = table[0].iter().position(|cell| cell == head).expect("column");
            table[1..].iter().map(|row| row[at].clone()).collect::<Vec<_>>()
        };
        let whole: Vec<String> = read(name, format!("{name}_2k.log")).lines().map(str::to_owned).collect();
        let system = System { name, messages: column("Content"), whole, truth: column("EventId") };
        assert_eq!(system.messages.len(), system.whole.len(), "{name}");
        system
    };
    Some(SYSTEMS.iter().map(system).collect())
}

/// Rows and cells of comma-separated values with quotes.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            c => cell.push(c),
        }
    }
    if !cell.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

/// Share of lines in the right group, and the number of patterns. All lines are learned before the first is asked for.
fn accuracy(lines: &[String], truth: &[String], tuning: Tuning) -> (f64, usize) {
    let mut miner = Miner::with_tuning(Limits::default(), tuning);
    for line in lines {
        miner.learn(line, 1);
    }
    miner.refine();
    let ids: Vec<PatternId> = lines.iter().map(|line| miner.find(line).expect("learned")).collect();
    let mut groups: BTreeMap<PatternId, BTreeSet<usize>> = BTreeMap::new();
    let mut wanted: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (nth, (id, truth)) in ids.iter().zip(truth).enumerate() {
        groups.entry(*id).or_default().insert(nth);
        wanted.entry(truth).or_default().insert(nth);
    }
    let right = (0..lines.len()).filter(|nth| groups[&ids[*nth]] == wanted[&*truth[*nth]]).count();
    (right as f64 / lines.len() as f64, groups.len())
}

fn mean(shares: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = shares.len() as f64;
    shares.sum::<f64>() / count
}

#[test]
fn groups_are_the_true_templates() {
    let Some(systems) = systems() else { return };
    println!("{:<8} {:>8} {:>10} {:>10} {:>10}", "", "accuracy", "patterns", "templates", "whole line");
    let mut shares = Vec::new();
    for system in &systems {
        let (share, patterns) = accuracy(&system.messages, &system.truth, TUNING);
        let (whole, _) = accuracy(&system.whole, &system.truth, TUNING);
        let templates = system.truth.iter().collect::<BTreeSet<_>>().len();
        println!("{:<8} {share:>8.3} {patterns:>10} {templates:>10} {whole:>10.3}", system.name);
        shares.push((share, whole));
    }
    let messages = mean(shares.iter().map(|(share, _)| *share));
    let whole = mean(shares.iter().map(|(_, whole)| *whole));
    println!("{:<8} {messages:>8.3} {:>10} {:>10} {whole:>10.3}", "mean", "", "");
    assert!(messages >= MEAN_FLOOR, "{messages:.4} is below {MEAN_FLOOR}");
    assert!(whole >= WHOLE_MEAN_FLOOR, "{whole:.4} is below {WHOLE_MEAN_FLOOR}");
    let worst = shares.iter().map(|(share, _)| *share).fold(1.0, f64::min);
    assert!(worst >= SYSTEM_FLOOR, "{worst:.4} is below {SYSTEM_FLOOR}");
}

/// Every number of the tuning by name, to be changed.
fn numbers(tuning: &mut Tuning) -> [(&'static str, &mut usize); 12] {
    [
        ("values_min_bare", &mut tuning.values_min_bare),
        ("values_min_short", &mut tuning.values_min_short),
        ("values_min_long", &mut tuning.values_min_long),
        ("named_values_min", &mut tuning.named_values_min),
        ("dotted_words_min", &mut tuning.dotted_words_min),
        ("numbered_words_min", &mut tuning.numbered_words_min),
        ("mixed_words_min", &mut tuning.mixed_words_min),
        ("spread_patterns_min", &mut tuning.spread_patterns_min),
        ("spread_values_min", &mut tuning.spread_values_min),
        ("spread_words_min", &mut tuning.spread_words_min),
        ("known_values_min", &mut tuning.known_values_min),
        ("known_words_min", &mut tuning.known_words_min),
    ]
}

#[test]
fn no_number_is_on_a_knifes_edge() {
    let Some(systems) = systems() else { return };
    let measure =
        |tuning: Tuning| mean(systems.iter().map(|system| accuracy(&system.messages, &system.truth, tuning).0));
    for nth in 0..numbers(&mut TUNING.clone()).len() {
        let varied = |up: bool| {
            let mut tuning = TUNING;
            let (name, number) = &mut numbers(&mut tuning)[nth];
            let step = (**number / 5).max(1);
            let before = **number;
            **number = if up { before + step } else { before - step };
            let text = format!("{name} {before} -> {}", **number);
            (text, measure(tuning))
        };
        for (text, share) in [varied(false), varied(true)] {
            println!("{text:<32} {share:.4}");
            assert!(share >= VARIED_MEAN_FLOOR, "{text}: {share:.4} is below {VARIED_MEAN_FLOOR}");
        }
    }
}
