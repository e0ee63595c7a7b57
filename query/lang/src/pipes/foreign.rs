//! Names of pipes that other languages have, and what to write here.

/// What to write in place of a pipe of LogsQL, SPL, KQL, PPL, ES|QL, LogQL or a shell.
pub(super) fn hint(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    FOREIGN.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, hint)| *hint)
}

const FOREIGN: [(&[&str], &str); 40] = [
    (&["table", "project", "select", "columns", "project-reorder"], "write `fields a, b`"),
    (&["project-away", "fields-remove"], "write `drop a, b`"),
    (&["project-rename"], "write `rename a as b`"),
    (&["project-keep"], "write `fields a, b`"),
    (&["search", "grep", "match"], "write `where` and a filter"),
    (&["summarize", "summarise", "aggregate", "aggr", "group"], "write `stats by (field) count() as n`"),
    (&["groupby", "group_by", "by"], "write `stats by (field) count() as n`"),
    (&["chart"], "write `stats by (field) ...`, or `timechart` for a chart over time"),
    (
        &["eventstats", "streamstats", "running_stats", "total_stats"],
        "running totals are not known; `stats` computes a value for each group",
    ),
    (&["extend", "let", "set", "compute", "calc"], "write `eval n = expression`"),
    (&["take", "top_n", "topn", "first_n"], "write `limit 10`, after `sort by (field desc)` where the order matters"),
    (&["tail"], "write `sort by (_time desc) | limit 10`"),
    (&["distinct"], "write `uniq by (field)`"),
    (&["spath", "json", "unpack", "parse_json", "parse-json"], "write `parse json`"),
    (&["logfmt"], "write `parse logfmt`"),
    (
        &["regexp", "rex", "grok", "dissect", "kv", "syslog", "csv"],
        "write `parse regex`, `parse pattern`, `parse kv`, `parse csv(a, b)` or `parse syslog`",
    ),
    (&["line_format", "label_format"], "write `format \"<field> text\" as field`"),
    (&["decolorize"], "colours are taken out when logs are received"),
    (&["unwrap"], "no unwrapping is needed: write `stats avg(field)`"),
    (&["makemv", "mvexpand", "mv-expand", "mv_expand", "expand", "flatten", "explode"], "write `unroll by (field)`"),
    (
        &["fillnull", "fill_null", "coalesce", "make-series"],
        "write `fill field with 0` for empty buckets of time, `eval f = coalesce(f, 0)` for missing values",
    ),
    (&["append", "multisearch"], "write `union (query)`"),
    (&["appendcols", "enrich"], "write `join by (field) (query)`, or `lookup table on field`"),
    (&["transaction", "sessionize"], "write `stats by (trace_id) min(_time) as start, max(_time) as end`"),
    (&["cluster", "pattern", "collapse_nums", "autocluster", "categorize"], "write `patterns`"),
    (&["anomalies", "diffpatterns", "delta", "compare"], "write `diff previous`"),
    (&["span"], "write `stats by (_time:5m) ...` or `bin _time 5m`"),
    (&["bucket", "time_bucket", "buckets"], "write `bin _time 5m`"),
    (&["field_names", "fieldsummary", "getschema"], "write `facets` for the fields of the rows and their values"),
    (&["field_values", "values"], "write `top 10 by (field)`"),
    (&["streams"], "write `uniq by (_stream) with hits`"),
    (&["hash", "len", "math_functions", "strlen"], "write `eval n = function(field)`"),
    (&["pack_json", "pack_logfmt", "tojson"], "write `format \"<field> text\" as field`"),
    (&["render", "visualize"], "the table or chart is chosen where the answer is shown"),
    (&["count_values", "countby"], "write `stats by (field) count() as n`"),
    (&["copy", "cp", "clone"], "write `eval new = old`"),
    (
        &["first_by", "last_by", "partition"],
        "write `sort by (field) | limit 5`, or `dedup 5 by (field)` for some of each",
    ),
    (&["unpack_words", "split"], "write `eval words = split(field, \" \")`, then `unroll by (words)`"),
    (&["set_stream_fields", "block_stats", "blocks_count", "query_stats"], "write `explain` to see how a query is run"),
    (&["from"], "`from` stands at the start of a query: from changes | ..."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_foreign_name_is_one_of_ours() {
        for name in FOREIGN.iter().flat_map(|(names, _)| *names) {
            assert!(super::super::find(name).is_none(), "{name}");
            assert!(hint(&name.to_uppercase()).is_some());
        }
    }
}
