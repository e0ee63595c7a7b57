//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::remote::Where;

/// Searches logs and metrics, notices that a change hurt users, rolls it back and proves that it helped.
#[derive(Debug, Parser)]
#[command(name = "backstop", version, about, long_about = None, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the server.
    Serve(ServeArgs),
    /// Runs the closed loop on a simulated shop: load, a bad deploy, detection, rollback, recovery.
    Demo(DemoArgs),
    /// Sends files or standard input to a server, line by line.
    Ingest(IngestArgs),
    /// Sends samples of metrics to a server, from files of OpenMetrics or of Prometheus's text: backfilling.
    Import(ImportArgs),
    /// Runs a query and prints its rows.
    Query(QueryArgs),
    /// Prints rows as they come, one JSON object a line.
    Tail(TailArgs),
    /// Works with files of parse rules.
    #[command(subcommand)]
    Parse(ParseCommand),
    /// Works with rule files.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Works with playbook files.
    #[command(subcommand)]
    Playbooks(PlaybooksCommand),
    /// Works with files of the service catalogue.
    #[command(subcommand)]
    Services(ServicesCommand),
    /// Works with files of what is scraped.
    #[command(subcommand)]
    Scrape(ScrapeCommand),
    /// Stops all actions, or lets them happen again.
    #[command(subcommand)]
    Kill(KillCommand),
    /// Lists what people are asked, and answers.
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
    /// Looks at the segments of a data directory.
    #[command(subcommand)]
    Segments(SegmentsCommand),
    /// Works with the audit trail.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Works with the configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prints a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the version.
    Version,
}

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ServeArgs {
    /// Configuration file (YAML); `backstop config reference` lists every setting.
    #[arg(long, value_name = "F")]
    pub(crate) config: Option<PathBuf>,
    /// Directory that holds everything [default: ./backstop-data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Address of the HTTP port [default: 127.0.0.1:7070].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Leaves only the HTTP port.
    #[arg(long)]
    pub(crate) no_receivers: bool,
    /// Rule files, as a glob pattern; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub(crate) rules: Vec<String>,
    /// Playbook files, as a glob pattern; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub(crate) playbooks: Vec<String>,
    /// Files of the service catalogue, as a glob pattern; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub(crate) services: Vec<String>,
    /// Features of PromQL to switch on, as `query.promql_features` names them; may be given several times.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) enable_feature: Vec<String>,
    /// Allows listening beyond loopback without authentication and TLS.
    #[arg(long)]
    pub(crate) insecure: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Ends when the story is told; exit code 0 only if the loop closed.
    #[arg(long)]
    pub(crate) exit: bool,
    /// Tells the story N times as fast.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// What happens.
    #[arg(long, value_name = "NAME", default_value = "bad-deploy")]
    pub(crate) scenario: String,
    /// Breaks one link of the loop, to show that the demo notices.
    #[arg(long = "break", value_name = "LINK", hide = true)]
    pub(crate) broken: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct IngestArgs {
    /// Files to send; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The `service.name` of records that do not say their own.
    #[arg(long, value_name = "S")]
    pub(crate) service: Option<String>,
    /// How lines are read.
    #[arg(long, value_enum, default_value_t = LineFormat::Auto)]
    pub(crate) format: LineFormat,
    /// The server.
    #[arg(long, value_name = "U", default_value = "http://127.0.0.1:7070")]
    pub(crate) url: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Files to send; `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// How the text is read: in OpenMetrics times are seconds, in Prometheus's own format milliseconds.
    #[arg(long, value_enum, default_value_t = TextFormat::Openmetrics)]
    pub(crate) format: TextFormat,
    /// A label that every series gets, as in `cluster=eu`; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) label: Vec<String>,
    /// The tenant [default: default].
    #[arg(long, value_name = "T")]
    pub(crate) tenant: Option<String>,
    /// The server.
    #[arg(long, value_name = "U", default_value = "http://127.0.0.1:7070")]
    pub(crate) url: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextFormat {
    /// OpenMetrics 1.0, which ends with `# EOF`.
    Openmetrics,
    /// Prometheus's text format.
    Prometheus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LineFormat {
    /// Told from the first lines of each file.
    Auto,
    /// One JSON object a line.
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// RFC 5424 or RFC 3164.
    Syslog,
    /// The line is the body.
    Raw,
}

#[derive(Debug, clap::Args)]
pub(crate) struct QueryArgs {
    /// The query: a filter, then pipes.
    #[arg(value_name = "QUERY")]
    pub(crate) query: String,
    /// In which language the query is written.
    #[arg(long, value_enum, default_value = "native")]
    pub(crate) language: LanguageArg,
    /// First time: RFC 3339, Unix time, or relative such as -15m.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// First time after.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// Most rows.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// How rows are printed; a table on a terminal and NDJSON in a pipe unless given.
    #[arg(long, value_enum)]
    pub(crate) output: Option<OutputFormat>,
    /// The server.
    #[arg(long, value_name = "U", conflicts_with = "data")]
    pub(crate) url: Option<String>,
    /// A data directory: asks the server that runs on it, or reads it when none does.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LanguageArg {
    /// Backstop's own: docs/query-language.md.
    Native,
    /// Query strings of Elasticsearch and Graylog.
    Lucene,
    /// PromQL; each sample is a row.
    Promql,
    /// SQL: one SELECT over the tables.
    Sql,
}

impl From<LanguageArg> for engine::Language {
    fn from(arg: LanguageArg) -> Self {
        match arg {
            LanguageArg::Native => Self::Native,
            LanguageArg::Lucene => Self::Lucene,
            LanguageArg::Promql => Self::Promql,
            LanguageArg::Sql => Self::Sql,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Aligned columns.
    Table,
    /// One JSON object a line.
    Ndjson,
    /// One JSON document with statistics.
    Json,
    /// Comma-separated values with a header.
    Csv,
    /// A stream of Arrow record batches.
    Arrow,
    /// A Parquet file.
    Parquet,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TailArgs {
    /// The query; pipes must work on each row by itself.
    pub(crate) query: String,
    /// In which language the query is written.
    #[arg(long, value_enum, default_value = "native")]
    pub(crate) language: LanguageArg,
    /// The server [default: http://127.0.0.1:7070].
    #[arg(long, value_name = "U")]
    pub(crate) url: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ParseCommand {
    /// Checks files; every mistake is shown with its line and column.
    Check {
        /// Files of parse rules.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Shows what the rules do to lines, from a file or standard input. Nothing is stored.
    Test {
        /// Files of parse rules.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// A file of lines.
        #[arg(long, value_name = "FILE")]
        sample: Option<PathBuf>,
        /// A field that every line has, as in `service.name=nginx`; may be given several times.
        #[arg(long, value_name = "NAME=VALUE")]
        field: Vec<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Checks files; every mistake is shown with its line and column.
    Check {
        /// Rule files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Features of PromQL that the rules may use, as `query.promql_features` names them.
        #[arg(long, value_name = "NAME", value_delimiter = ',')]
        enable_feature: Vec<String>,
    },
    /// Runs unit tests of rules: promtool's test files, unchanged. What a rule records and its ALERTS are seen by later rules, and
    /// the server's own evaluator runs them in virtual time.
    Test(RulesTestArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RulesTestArgs {
    /// Test files.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Only groups of tests whose name this finds something in; may be given more than once.
    #[arg(long, value_name = "REGEX")]
    pub(crate) run: Vec<String>,
    /// Differences line by line: `-` what was expected, `+` what came.
    #[arg(long)]
    pub(crate) diff: bool,
    /// Also writes the results as JUnit's XML.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Features of PromQL that rules and tests may use, as `query.promql_features` names them.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) enable_feature: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlaybooksCommand {
    /// Checks files; every mistake is shown with its line and column.
    Check {
        /// Playbook files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Draws flow charts.
    Graph {
        /// Playbook files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// What is printed.
        #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
        format: GraphFormat,
    },
    /// Plays a playbook on recorded data, and says what would have happened.
    Simulate(SimulateArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Text that Markdown viewers draw.
    Mermaid,
    /// A picture.
    Svg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SimulateOutput {
    /// A line a step.
    Table,
    /// One JSON document.
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SimulateArgs {
    /// The playbook file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) at: Where,
    /// A recorded incident, as `GET /backstop/api/v1/incidents/ID` gives it, instead of a server or a directory.
    #[arg(long, value_name = "JSON", conflicts_with_all = ["url", "data"])]
    pub(crate) record: Option<PathBuf>,
    /// First time: RFC 3339, Unix time, or relative such as -1h.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Last time.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// The mode that the playbook is played in [default: auto].
    #[arg(long, value_name = "M")]
    pub(crate) mode: Option<String>,
    /// How long people take to approve, or `never`.
    #[arg(long, value_name = "D", default_value = "0")]
    pub(crate) approve_after: String,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = SimulateOutput::Table)]
    pub(crate) output: SimulateOutput,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KillCommand {
    /// Nothing acts any more; what was planned is refused.
    On {
        /// Why: whoever comes next has to know.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        at: Where,
    },
    /// Things may act again.
    Off {
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        at: Where,
    },
    /// Says how it stands.
    Status {
        #[command(flatten)]
        at: Where,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// Lists what waits for an answer.
    List {
        /// Lists settled ones, too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        at: Where,
    },
    /// Answers, as whoever's token is in BACKSTOP_TOKEN.
    Answer {
        /// The approval.
        id: String,
        /// `approve`, `reject`, or one of the choices.
        decision: String,
        /// Why.
        #[arg(long, default_value = "")]
        comment: String,
        #[command(flatten)]
        at: Where,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServicesCommand {
    /// Checks files; every mistake is shown with its line and column.
    Check {
        /// Service files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScrapeCommand {
    /// Checks files and lists the targets that they give, after relabelling; services that tell of targets are not asked.
    Check {
        /// Files with `scrape_configs`.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SegmentsCommand {
    /// Lists live segments with their rows and bytes, the index by its three tiers.
    Ls {
        /// The data directory.
        #[arg(long, value_name = "DIR", default_value = "./backstop-data")]
        data: PathBuf,
    },
    /// Reads every segment and compares its checksums.
    Verify {
        /// The data directory.
        #[arg(long, value_name = "DIR", default_value = "./backstop-data")]
        data: PathBuf,
    },
    /// Builds missing and damaged indexes again from the columns.
    Repair {
        /// The data directory.
        #[arg(long, value_name = "DIR", default_value = "./backstop-data")]
        data: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Checks that no entry of the audit trail was changed or taken out.
    Verify {
        /// The data directory.
        #[arg(long, value_name = "DIR", default_value = "./backstop-data")]
        data: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints the settings that a file results in.
    Show {
        /// The file; the defaults without one.
        file: Option<PathBuf>,
    },
    /// Checks a file.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Prints the manual of every setting, as Markdown.
    Reference,
    /// Prints the manual of the query language.
    Language,
}
