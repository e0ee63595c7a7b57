//! What ingesting a record and answering a question cost, in instructions counted by callgrind, against budgets. Counts
//! hardly change from machine to machine, so that they can fail a build where times can not.
//!
//! A budget is for the profile of the tests; ratios to rivals are measured in `benches/`.

use std::path::Path;
use std::process::Command;

use crate::shared::{built, program, run};

/// Name and most instructions of each cost: of one record from OTLP bytes to merged segments, and of one answer.
const BUDGETS: &str = include_str!("instructions.txt");

/// Records that the longer ingesting run takes more than the shorter one.
const RECORDS: u64 = 8 * 2_500;
/// Answers that the longer run of a question gives more than the shorter one.
const ANSWERS: u64 = 20;

#[test]
fn costs_are_within_budget() {
    if program("valgrind").is_none() {
        return;
    }
    let temp = tempfile::tempdir().expect("temporary directory");
    let few = count(temp.path(), &["ingest", &dir(temp.path(), "few"), "1"]);
    let many = count(temp.path(), &["ingest", &dir(temp.path(), "many"), "9"]);
    let mut costs = vec![("ingest_record".to_owned(), (many - few) / RECORDS)];
    for name in ["rare_word", "newest", "regex", "by_severity"] {
        let data = dir(temp.path(), "many");
        let once = count(temp.path(), &["query", &data, name, "1"]);
        let again = count(temp.path(), &["query", &data, name, &(ANSWERS + 1).to_string()]);
        costs.push((name.to_owned(), (again - once) / ANSWERS));
    }
    let mut over = Vec::new();
    for (name, cost) in costs {
        let budget = budget(&name);
        println!("{name}: {cost} instructions, budget {budget}");
        if cost > budget {
            over.push(format!("{name} takes {cost} instructions and may take {budget}"));
        }
    }
    assert!(over.is_empty(), "{over:?}: make it cheaper, or raise tests/it/instructions.txt and say why in the commit");
}

fn dir(temp: &Path, name: &str) -> String {
    temp.join(name).display().to_string()
}

fn budget(name: &str) -> u64 {
    let lines = BUDGETS.lines().filter(|line| !line.starts_with('#'));
    let mut pairs = lines.filter_map(|line| line.split_once(' '));
    let (_, budget) = pairs.find(|(known, _)| *known == name).expect("every cost has a budget");
    budget.trim().replace('_', "").parse().expect("a number")
}

/// Instructions of a run of `counted`, all threads.
fn count(temp: &Path, args: &[&str]) -> u64 {
    let out = temp.join("callgrind.out");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())]);
    run(command.arg(built("counted")).args(args));
    let text = std::fs::read_to_string(&out).expect("callgrind's file");
    let totals = text.lines().find_map(|line| line.strip_prefix("summary:").or_else(|| line.strip_prefix("totals:")));
    totals.and_then(|total| total.trim().parse().ok()).expect("a total of instructions")
}
