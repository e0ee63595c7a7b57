//! The layer table of ARCHITECTURE.md, held against `cargo metadata`: arrows point down, and each heavyweight package has
//! one owner.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Every crate and its layer. A crate may depend on crates of lower layers, and inside its own layer only along [`SIDEWAYS`].
const LAYERS: &[(&str, u8)] = &[
    ("model", 0),
    ("config", 0),
    ("telemetry", 0),
    ("shape", 0),
    ("blob", 1),
    ("wal", 1),
    ("column", 1),
    ("index", 1),
    ("segment", 1),
    ("decode", 1),
    ("parse", 1),
    ("verdict", 1),
    ("pattern", 1),
    ("catalog", 2),
    ("series", 2),
    ("store", 2),
    ("pipeline", 3),
    ("lang", 3),
    ("promql", 3),
    ("compute", 3),
    ("plan", 3),
    ("exec", 3),
    ("engine", 3),
    ("rules", 3),
    ("change", 3),
    ("watch", 3),
    ("respond", 3),
    ("listen", 4),
    ("scrape", 4),
    ("api", 4),
    ("notify", 4),
    ("act", 4),
    ("kubernetes", 4),
    ("demo", 4),
    ("server", 5),
    // For tests and benches only: above everything, so that nothing that ships may depend on it.
    ("sim", 6),
];

/// Arrows allowed inside a layer.
const SIDEWAYS: &[(&str, &str)] = &[
    ("config", "model"),
    ("telemetry", "model"),
    ("decode", "column"),
    ("decode", "parse"),
    ("segment", "column"),
    ("segment", "index"),
    ("segment", "blob"),
    ("store", "catalog"),
    ("store", "series"),
    ("compute", "lang"),
    ("plan", "lang"),
    ("exec", "compute"),
    ("exec", "lang"),
    ("exec", "plan"),
    ("engine", "lang"),
    ("engine", "plan"),
    ("engine", "exec"),
    ("engine", "promql"),
    ("rules", "lang"),
    ("rules", "promql"),
    ("watch", "change"),
    ("watch", "rules"),
    ("watch", "lang"),
    ("watch", "promql"),
    ("respond", "watch"),
    ("change", "rules"),
    ("change", "lang"),
    ("change", "promql"),
    ("respond", "change"),
    ("respond", "rules"),
    ("respond", "lang"),
    ("respond", "promql"),
    ("act", "kubernetes"),
];

/// Packages that only one crate (or the listed ones) may name.
const OWNERS: &[(&str, &[&str])] = &[
    ("tantivy", &["index"]),
    ("parquet", &["column"]),
    ("datafusion", &["exec"]),
    ("rusqlite", &["catalog"]),
    ("kube", &["kubernetes"]),
    ("k8s-openapi", &["kubernetes"]),
    ("nom", &["parse", "lang", "promql"]),
    ("memmap2", &["blob"]),
    ("axum", &["listen", "api", "demo", "server"]),
    ("tonic", &["listen", "server"]),
    ("anyhow", &["server"]),
];

/// The two sides that meet only at `store` and `model`.
const INGEST: &[&str] = &["decode", "pipeline", "listen", "scrape"];
const QUERY: &[&str] = &["lang", "promql", "compute", "plan", "exec", "engine"];

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo metadata")
}

/// The crates that ship: everything but the packages of tests and benches.
fn crates(metadata: &Metadata) -> Vec<&Package> {
    metadata.packages.iter().filter(|package| !["tests", "benches"].contains(&package.name.as_str())).collect()
}

/// Names of normal and build dependencies: what a crate needs to be built. Tests may look anywhere below them.
fn dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

#[test]
fn every_crate_has_a_layer_and_every_layer_entry_a_crate() {
    let metadata = metadata();
    let mut found: Vec<&str> = crates(&metadata).iter().map(|package| package.name.as_str()).collect();
    let mut listed: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
    found.sort_unstable();
    listed.sort_unstable();
    assert_eq!(found, listed, "the workspace and the layer table differ");
}

#[test]
fn arrows_point_down() {
    let metadata = metadata();
    let layer: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in crates(&metadata) {
        let from = package.name.as_str();
        for to in dependencies(package).filter(|to| layer.contains_key(to)) {
            let sideways = layer[from] == layer[to] && SIDEWAYS.contains(&(from, to));
            if layer[to] >= layer[from] && !sideways {
                wrong.push(format!("{from} -> {to}: L{} may not depend on L{}", layer[from], layer[to]));
            }
        }
    }
    assert!(wrong.is_empty(), "see ARCHITECTURE.md, \"Layers\":\n{}", wrong.join("\n"));
}

#[test]
fn the_write_path_and_the_read_path_meet_only_at_store_and_model() {
    let metadata = metadata();
    for package in crates(&metadata) {
        let from = package.name.as_str();
        for to in dependencies(package) {
            let crossing =
                INGEST.contains(&from) && QUERY.contains(&to) || QUERY.contains(&from) && INGEST.contains(&to);
            assert!(!crossing, "{from} -> {to} joins ingest/ and query/");
        }
    }
}

#[test]
fn heavyweight_packages_have_one_owner() {
    let metadata = metadata();
    for package in crates(&metadata) {
        for dependency in dependencies(package) {
            if let Some((_, owners)) = OWNERS.iter().find(|(name, _)| *name == dependency) {
                let owned = owners.contains(&package.name.as_str());
                assert!(owned, "{} names {dependency}, which belongs to {owners:?}", package.name);
            }
        }
    }
}
