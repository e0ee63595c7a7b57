//! The language as data: every table, filter, pipe and function with its syntax, meaning and examples, and every limit. Help,
//! completion's details and docs/query-language.md are made of it, so that they cannot say other things than the parser.

use std::fmt::Write as _;

use serde::Serialize;

use crate::limits;
use crate::pipes::{PIPES, stats};
use crate::{FAMILIES, FunctionSpec, Source, expressions_markdown, filter};

/// The whole language as data.
#[derive(Clone, Debug, Serialize)]
pub struct Reference {
    /// What `from` reads.
    pub sources: Vec<Entry>,
    /// Filters; those whose name is a function are marked.
    pub filters: Vec<Entry>,
    /// Pipes, LogsQL's spellings last.
    pub pipes: Vec<Entry>,
    /// Functions of `stats` and `timechart`.
    pub functions: Vec<Entry>,
    /// Functions of expressions, by family.
    pub expressions: Vec<Family>,
    /// Limits, by the names that errors use.
    pub limits: Vec<Limit>,
}

/// Functions of expressions that belong together.
#[derive(Clone, Debug, Serialize)]
pub struct Family {
    /// What they are about.
    pub name: &'static str,
    /// The functions.
    pub functions: &'static [FunctionSpec],
}

/// A part of the language.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// The canonical name.
    pub name: &'static str,
    /// Other names that mean the same.
    pub aliases: Vec<&'static str>,
    /// For another language's spelling: the name of what it is here.
    pub alias_of: Option<&'static str>,
    /// How it is written; `[...]` may be left out, `a|b` is a choice.
    pub syntax: &'static str,
    /// What it is, in a few words; may be empty.
    pub summary: &'static str,
    /// What it does, in sentences.
    pub doc: &'static str,
    /// Whole queries that can be run.
    pub examples: Vec<&'static str>,
    /// Whether it is a function of filters.
    pub is_function: bool,
}

/// A limit of the language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// The name that errors use.
    pub name: &'static str,
    /// The largest value; the smallest where the name ends in `MIN`.
    pub value: u64,
    /// What it limits.
    pub doc: &'static str,
}

/// The whole language as data.
pub fn reference() -> Reference {
    let source = |source: Source| Entry { summary: source.summary(), ..entry(source.as_str(), "from", &[]) };
    let promql = Entry {
        syntax: "from promql(`query`[, step 1m])",
        summary: "the answer of a PromQL query",
        doc: "A row for each sample, with `_time`, `value` and a field for each label. Without a step one is chosen that makes at \
              most 120 of them.",
        ..entry(
            "promql",
            "",
            &["from promql(`sum by (service) (rate(http_requests_total[5m]))`, step 1m) | where value > 10"],
        )
    };
    Reference {
        sources: Source::ALL.into_iter().map(source).chain([promql]).collect(),
        filters: filter::FILTERS
            .iter()
            .map(|spec| Entry {
                aliases: spec.names[1..].to_vec(),
                doc: spec.doc,
                is_function: spec.is_function,
                ..entry(spec.names[0], spec.syntax, spec.examples)
            })
            .collect(),
        pipes: PIPES
            .iter()
            .map(|spec| Entry {
                aliases: spec.names[1..].to_vec(),
                alias_of: spec.alias_of,
                summary: spec.summary,
                doc: spec.doc,
                ..entry(spec.names[0], spec.syntax, spec.examples)
            })
            .collect(),
        functions: stats::AGGREGATES
            .iter()
            .map(|spec| Entry {
                aliases: spec.names[1..].to_vec(),
                doc: spec.doc,
                ..entry(spec.names[0], spec.syntax, &[spec.example])
            })
            .collect(),
        expressions: FAMILIES.iter().map(|(name, functions)| Family { name, functions }).collect(),
        limits: limits::ALL.iter().map(|(name, value, doc)| Limit { name, value: *value, doc: doc.trim() }).collect(),
    }
}

fn entry(name: &'static str, syntax: &'static str, examples: &[&'static str]) -> Entry {
    Entry {
        name,
        aliases: Vec::new(),
        alias_of: None,
        syntax,
        summary: "",
        doc: "",
        examples: examples.to_vec(),
        is_function: false,
    }
}

/// The reference as a page: docs/query-language.md.
pub fn reference_markdown() -> String {
    let reference = reference();
    let mut out = String::from(INTRODUCTION);
    out.push_str("\n## Tables\n\n`from name` at the start; without it, log records.\n\n| table | rows |\n|---|---|\n");
    for source in &reference.sources {
        let name = if source.syntax == "from" { format!("from {}", source.name) } else { source.syntax.to_owned() };
        let _ = writeln!(out, "| {} | {}{} |", code(&name), source.summary, sentence(source.doc));
    }
    out.push_str(FIELDS);
    out.push_str("\n## Filters\n\n| | filter | rows it finds | example |\n|---|---|---|---|\n");
    for filter in reference.filters.iter().filter(|filter| !filter.is_function) {
        let forms = forms(filter.syntax).into_iter().map(code).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "| {} | {forms} | {} | {} |", filter.name, cell(filter.doc), examples(filter));
    }
    out.push_str("\nFunctions, `field:name(...)`, of `body` without a field:\n\n| function | rows it finds | example |\n|---|---|---|\n");
    for filter in reference.filters.iter().filter(|filter| filter.is_function) {
        let _ = writeln!(out, "| {} | {} | {} |", code(filter.syntax), cell(filter.doc), examples(filter));
    }
    out.push_str("\n## Pipes\n");
    for pipe in reference.pipes.iter().filter(|pipe| pipe.alias_of.is_none()) {
        let _ = write!(out, "\n### {}\n\n    {}\n\n", pipe.name, pipe.syntax);
        let also = pipe.aliases.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
        let also = if also.is_empty() { String::new() } else { format!(" Also {also}.") };
        let _ = write!(out, "{}{}. {}{also}\n\n", pipe.summary[..1].to_uppercase(), &pipe.summary[1..], pipe.doc);
        pipe.examples.iter().for_each(|example| {
            let _ = writeln!(out, "    {example}");
        });
    }
    out.push_str("\n### As LogsQL spells them\n\n| pipe | here |\n|---|---|\n");
    for pipe in &reference.pipes {
        if let Some(of) = pipe.alias_of {
            let _ = writeln!(out, "| {} | {of}: {} |", code(pipe.syntax), pipe.summary);
        }
    }
    out.push_str(
        "\n## Functions of `stats` and `timechart`\n\n| function | what it computes | example |\n|---|---|---|\n",
    );
    for function in &reference.functions {
        let also = function.aliases.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
        let also = if also.is_empty() { String::new() } else { format!(" Also {also}.") };
        let _ = writeln!(out, "| {} | {}{also} | {} |", code(function.syntax), cell(function.doc), examples(function));
    }
    out.push('\n');
    out.push_str(&expressions_markdown());
    out.push_str(
        "## Limits\n\nAn error names the limit that a query goes over.\n\n| limit | value | of |\n|---|---|---|\n",
    );
    for limit in &reference.limits {
        let _ = writeln!(out, "| `{}` | {} | {} |", limit.name, limit.value, cell(limit.doc));
    }
    out
}

/// The forms between commas, of which those in brackets are part of a form.
fn forms(syntax: &str) -> Vec<&str> {
    let mut depth = 0i32;
    let mut start = 0;
    let mut out = Vec::new();
    for (at, c) in syntax.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                out.push(syntax[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(syntax[start..].trim());
    out
}

fn sentence(doc: &str) -> String {
    if doc.is_empty() { String::new() } else { format!(". {}", cell(doc)) }
}

fn examples(entry: &Entry) -> String {
    entry.examples.iter().map(|example| code(example)).collect::<Vec<_>>().join("<br>")
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Code in a cell of a table.
fn code(text: &str) -> String {
    let fence = if text.contains('`') { "``" } else { "`" };
    format!("{fence}{}{fence}", cell(text))
}

const INTRODUCTION: &str = "\
# The query language

<!-- Made of the tables of the crate `lang`; change it there and run `make docs`. -->

A query is a filter, then pipes: `error service.name:checkout | stats by (host.name, _time:5m) count() as n | sort by (n desc) | limit 10`.
Shaped like VictoriaLogs' LogsQL, so that a pasted query mostly works. A text that can not be read gets its place, what is wrong, and a
hint; it is never half run. Without a pipe that orders or groups, rows come newest first.

Where it differs from LogsQL: words and phrases find any case (`c(...)` asks for one); a bare word searches `body`; `status >= 500` may
have spaces; `_time:5m` ends now and excludes its end; `sample 100` keeps 100 rows (`sample 1/100` keeps a hundredth).
Lucene query strings, as Elasticsearch and Graylog read them, are another language of the same engine: `language=lucene`; SQL is another: [sql.md](sql.md).
";

const FIELDS: &str = "
## Fields

Built-in fields: `_time`, `_id`, `_stream`, `severity` (TRACE DEBUG INFO WARN ERROR FATAL), `body`, `trace_id`, `span_id`, and `_pattern`,
the id of the template of the body, when it is asked for. All others are the record's own, flat and dotted: `service.name`,
`http.response.status_code`. A missing field matches nothing but `field:\"\"`. A name that is not plain is quoted.
";

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::{Diagnostic, format, parse, render_diagnostic};

    fn all() -> Vec<Entry> {
        let Reference { sources, filters, pipes, functions, .. } = reference();
        [sources, filters, pipes, functions].concat()
    }

    #[test]
    fn every_example_is_in_order_and_keeps_its_meaning() {
        let mut examples = 0;
        for entry in all() {
            for text in &entry.examples {
                examples += 1;
                let (query, diagnostics) = parse(text, Timestamp(0));
                let shown = |d: &Diagnostic| render_diagnostic(text, d);
                assert!(
                    diagnostics.is_empty(),
                    "{}: {}",
                    entry.name,
                    diagnostics.iter().map(shown).collect::<String>()
                );
                assert_eq!(parse(&format(&query), Timestamp(0)), (query, Vec::new()), "{text}");
            }
        }
        assert!(examples > 100, "{examples}");
    }

    #[test]
    fn every_pipe_filter_and_function_is_described() {
        for entry in all() {
            let described = entry.alias_of.is_some() || !entry.doc.is_empty() || !entry.summary.is_empty();
            assert!(described && !entry.syntax.is_empty(), "{entry:?}");
        }
        let pipes = reference().pipes;
        for pipe in &pipes {
            assert!(!pipe.examples.is_empty() && pipe.syntax.starts_with(pipe.name), "{pipe:?}");
            let used = |text: &&str| {
                text.split('|').any(|part| part.split_whitespace().next() == Some(pipe.name)) || pipe.name == "where"
            };
            assert!(pipe.examples.iter().all(used), "{pipe:?}");
        }
        let mut names: Vec<&str> = pipes.iter().flat_map(|pipe| [&[pipe.name], &pipe.aliases[..]].concat()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a name means two pipes");
    }

    #[test]
    fn the_page_names_everything() {
        let page = reference_markdown();
        for entry in all() {
            assert!(page.contains(entry.name), "{}", entry.name);
        }
        for limit in reference().limits {
            assert!(page.contains(limit.name) && page.contains(&limit.value.to_string()));
        }
        assert!(page.lines().filter(|line| line.starts_with('|')).all(|line| line.ends_with('|')));
    }
}
