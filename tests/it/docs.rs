//! The documents say what is so: links lead somewhere, the tour of a log line names code that exists, generated manuals are
//! fresh.

use std::process::Command;

use crate::shared::{binary, repository, run};

fn read(name: &str) -> String {
    std::fs::read_to_string(repository().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Texts between backticks.
fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether a Rust file defines a function, type or method of that name.
fn defines(source: &str, symbol: &str) -> bool {
    let name = symbol.rsplit("::").next().unwrap_or(symbol);
    let kinds = ["fn", "struct", "enum", "trait", "const", "static"];
    kinds.iter().any(|kind| {
        source.match_indices(&format!("{kind} {name}")).any(|(at, found)| {
            let next = source[at + found.len()..].chars().next();
            next.is_some_and(|c| !c.is_alphanumeric() && c != '_')
        })
    })
}

#[test]
fn the_tour_of_a_log_line_names_files_and_symbols_that_exist() {
    let readme = read("README.md");
    let section =
        readme.split("\n## ").find(|section| section.starts_with("Follow one log line")).expect("the section");
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ") && line.contains(".rs`")).collect();
    assert!(rows.len() >= 7, "the tour has {} stops", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let file = code_spans(cells[2])[0];
        let source = read(file);
        let symbols = code_spans(cells[3]);
        assert!(!symbols.is_empty(), "{row}");
        for symbol in symbols {
            assert!(defines(&source, symbol), "{file} does not define {symbol}");
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(name);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let inside = !target.is_empty() && !target.contains("://");
            assert!(!inside || repository().join(target).exists(), "{name} links to {target}, which is not there");
        }
    }
}

#[test]
fn the_manual_of_settings_is_the_one_that_the_binary_prints() {
    let printed = run(Command::new(binary()).args(["config", "reference"]));
    assert_eq!(read("docs/configuration.md"), printed, "run `make docs`");
}

#[test]
fn the_manual_of_the_query_language_is_the_one_that_the_binary_prints() {
    let printed = run(Command::new(binary()).args(["config", "language"]));
    assert_eq!(read("docs/query-language.md"), printed, "run `make docs`");
}

#[test]
fn every_crate_is_on_the_map() {
    let map = read("ARCHITECTURE.md");
    for group in ["crates", "ingest", "query"] {
        for entry in std::fs::read_dir(repository().join(group)).expect("folder") {
            let name = entry.expect("entry").file_name().to_string_lossy().into_owned();
            assert!(map.contains(&format!("`{group}/{name}`")), "ARCHITECTURE.md does not mention {group}/{name}");
        }
    }
}

#[test]
fn examples_are_valid() {
    let examples = repository().join("examples");
    let files = |folder: &str| {
        let mut files: Vec<_> = std::fs::read_dir(examples.join(folder))
            .expect("folder")
            .map(|entry| entry.expect("entry").path())
            .collect();
        files.sort();
        assert!(!files.is_empty());
        files
    };
    run(Command::new(binary()).args(["rules", "check"]).args(files("rules")));
    run(Command::new(binary()).args(["playbooks", "check"]).args(files("playbooks")));
    run(Command::new(binary()).args(["services", "check"]).args(files("services")));
    run(Command::new(binary()).args(["parse", "check"]).args(files("parse-rules")));
    run(Command::new(binary()).args(["scrape", "check"]).args(files("scrape")));
    run(Command::new(binary()).args(["config", "check"]).arg(examples.join("backstop.yaml")));
}
