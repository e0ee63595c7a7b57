//! What scraping may take, whatever targets and settings say.

use std::time::Duration;

/// Bytes of one answer after decompression, also where `body_size_limit` is not set: what bounds memory. A scrape above it fails.
pub const BODY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes of all answers that are in memory, as they come and decompressed. An answer that finds no room waits, within its timeout. Bytes
/// and not scrapes are counted, so that targets that do not answer hold up nobody.
pub const BODIES_IN_FLIGHT_BYTES_MAX: u64 = 512 * 1024 * 1024;

// The largest answer has room, before and after decompression.
const _: () = assert!(2 * BODY_BYTES_MAX <= BODIES_IN_FLIGHT_BYTES_MAX);

/// Targets of one job, also where `target_limit` is not set.
pub const TARGETS_PER_JOB_MAX: usize = 50_000;

/// Series of one target that are kept in mind, also where `sample_limit` is not set. A scrape above it fails.
pub const SERIES_PER_TARGET_MAX: usize = 2_000_000;

/// Metrics of one target whose kind, help and unit are kept in mind.
pub const METADATA_PER_TARGET_MAX: usize = 50_000;

/// Bytes of a help or a unit; the rest is cut.
pub const METADATA_TEXT_BYTES_MAX: usize = 4096;

/// Dropped targets of one job that are shown, also where `keep_dropped_targets` is not set.
pub const DROPPED_TARGETS_SHOWN_MAX: usize = 10_000;

/// Bytes of one file of settings or of targets.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes of one answer of a service that tells of targets.
pub const DISCOVERY_BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of one answer of an OAuth 2.0 server; tokens have a few thousand.
pub const TOKEN_BODY_BYTES_MAX: u64 = 1024 * 1024;

/// Markers of vanished series, and pieces of metadata, that a target keeps when the store did not take them.
pub const OWED_PER_TARGET_MAX: usize = 100_000;

/// Longest wait for an answer of a service that tells of targets; blocking questions wait longer by what they ask for.
pub const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long changes of targets gather before loops start and end, so that a burst of changes is one.
pub const TARGETS_SETTLE: Duration = Duration::from_millis(200);

/// Wait before a failed discovery that blocks is tried again.
pub const DISCOVERY_RETRY: Duration = Duration::from_secs(5);

/// How far a sample may lie in the future, when its target gives times of its own; as in Prometheus.
pub const AHEAD_MAX: Duration = Duration::from_secs(600);

/// By how much the time of a scrape may differ from the even one and still be written down as it, so that times lie on a grid and
/// cost next to nothing; not more than a hundredth of the interval. As in Prometheus.
pub const ALIGN_TOLERANCE: Duration = Duration::from_millis(2);

/// Bytes of a compiled regular expression of a relabelling.
pub const REGEX_COMPILED_BYTES_MAX: usize = 10 << 20;

/// Redirects that a request follows.
pub const REDIRECTS_MAX: usize = 10;

/// Times that a batch is offered to a store that is busy, within the scrape interval.
pub const STORE_TRIES_MAX: u32 = 5;

/// Services of one Consul that are watched, each with a connection of its own.
pub const CONSUL_SERVICES_MAX: usize = 10_000;

/// Objects of one kind of one Kubernetes cluster.
pub const KUBERNETES_OBJECTS_MAX: usize = 500_000;
