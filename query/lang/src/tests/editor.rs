//! What editors and terminals are given.

use expect_test::expect;

use super::NOW;
use crate::{complete, highlight, parse, render_diagnostic};

#[test]
fn highlighting_covers_every_part() {
    let render = |text: &str| {
        let parts: Vec<String> =
            highlight(text).into_iter().map(|(span, kind)| format!("{}={kind:?}", &text[span])).collect();
        parts.join(" ")
    };
    let all = [
        r#"error -service.name:"check out" or _time:5m status:>=500"#,
        r#"from logs ~"re" f:in(a, b) | stats by (f, _time:1h) count() if (x) as n | sort by (n desc) | limit 10"#,
        r#"{a=~"b"} | eval x = round(y) + 1 | banana z"#,
        r#"level:eror AND ("#,
        r#""open"#,
    ]
    .map(render)
    .join("\n");
    expect![[r#"
        error=String -=Operator service.name=Field :=Operator "check out"=String or=Keyword _time=Field :=Operator 5m=Number status=Field :=Operator >==Operator 500=Number
        from=Keyword logs=Keyword ~=Operator "re"=Regex f=Field :=Operator in=Function (=Operator a=String ,=Operator b=String )=Operator |=Operator stats=Pipe by=Keyword (=Operator f=Field ,=Operator _time=Field :=Operator 1h=Number )=Operator count=Function (=Operator )=Operator if=Keyword (=Operator x=String )=Operator as=Keyword n=Field |=Operator sort=Pipe by=Keyword (=Operator n=Field desc=Keyword )=Operator |=Operator limit=Pipe 10=Number
        {=Operator a=Field =~=Operator "b"=Regex }=Operator |=Operator eval=Pipe x=Field ==Operator round=Function (=Operator y=Field )=Operator +=Operator 1=Number |=Operator banana=Error z=Error
        level=Field :=Operator eror=String AND=Keyword (=Operator
        "open=String"#]].assert_eq(&all);
}

#[test]
fn completion_knows_what_may_come() {
    let render = |marked: &str| {
        let cursor = marked.find('^').unwrap();
        let found = complete(&marked.replace('^', ""), cursor);
        let items: Vec<&str> = found.items.iter().map(|item| item.text.as_str()).collect();
        let source = if found.source == crate::Source::Logs { "" } else { found.source.as_str() };
        format!("{marked} => {:?} {:?} {source} {}", found.replace, found.wanted, items.join(" "))
    };
    let all = [
        "^",
        "err^",
        "error ^",
        "error a^",
        "error and ^",
        "service.name:^",
        "service.name:=ch^",
        "service.name:ch^eckout",
        "error | ^",
        "error | st^",
        "error | stats ^",
        "error | stats by (^",
        "error | stats by (f) co^",
        "error | stats count() ^",
        "error | sort by (f ^",
        "error | sort ^",
        "error | fields a, ^",
        "error | where n^",
        "from ^",
        "from ch^",
        "\"in a phrase ^",
        "* | rename a ^",
        "* | eval x = ro^",
        "日本^",
        "severity:in(^",
        "severity:in(ERROR, ^",
        "status:>^",
        "error | parse ^",
        "error | parse json ^",
        "error | parse json from ^",
        "error | join ^",
        "error | join by (service.name) (fr^",
        "error | join by (service.name) (from ^",
        "error | join by (service.name) (from changes | fi^",
        "error | join by (a) within 5m ^",
        "error | union (^",
        "error | timechart ^",
        "error | timechart 5m by (f) ^",
        "error | stats count() if (sev^",
        "error | fill n with ^",
        "error | diff ^",
        "error | diff 1h ^",
        "error | lookup owners ^",
        "error | context ^",
        "error | patterns by (^",
        "error | top 5 by (f) ^",
        "error | bin _time ^",
        "error | sample ^",
        "error | format \"<a>\" ^",
        "error | replace (\"a\", \"b\") ^",
        "error | banana ^",
        "from changes | where ^",
        "error | join by (a) (from changes | where ^",
        "from changes | join by (^",
        "from changes | join by (a) (err^",
        "from changes | union (from alerts) | where ^",
        "service.name:\"check^",
        "service.name:=\"check out^",
        "{service.name=\"^",
        "severity:in(\"^",
        "\"some text ^",
    ]
    .map(render)
    .join("\n");
    expect![[r#"
        ^ => 0..0 Fields  from not
        err^ => 0..3 Fields  
        error ^ => 6..6 Fields  and or not
        error a^ => 6..7 Fields  and
        error and ^ => 10..10 Fields  not
        service.name:^ => 13..13 Values("service.name")  in( contains_any( contains_all( seq( wild( c( i( exact( re( range( len_range( string_range( ipv4_range( ipv6_range( eq_field( lt_field( le_field( gt_field( ge_field(
        service.name:=ch^ => 14..16 Values("service.name")  
        service.name:ch^eckout => 13..15 Values("service.name")  
        error | ^ => 8..8 Nothing  where stats timechart top rare uniq sort limit offset dedup sample fields drop rename eval bin fill parse replace replace_regexp format unroll join union lookup context patterns facets diff explain
        error | st^ => 8..10 Nothing  stats
        error | stats ^ => 14..14 Nothing  by count( count_empty( count_distinct( count_distinct_estimate( sum( sum_len( avg( min( max( quantile( median( stddev( histogram( rate( rate_sum( first( last( values( any( row_any( row_min( row_max(
        error | stats by (^ => 18..18 Fields  
        error | stats by (f) co^ => 21..23 Nothing  count( count_empty( count_distinct( count_distinct_estimate(
        error | stats count() ^ => 22..22 Nothing  as if by
        error | sort by (f ^ => 19..19 Nothing  desc asc
        error | sort ^ => 13..13 Fields  by
        error | fields a, ^ => 18..18 Fields  
        error | where n^ => 14..15 Fields  not
        from ^ => 5..5 Nothing  logs spans quarantine changes alerts incidents actions probes findings audit promql(
        from ch^ => 5..7 Nothing  changes
        "in a phrase ^ => 1..13 Nothing  
        * | rename a ^ => 13..13 Nothing  as
        * | eval x = ro^ => 13..15 Fields  round(
        日本^ => 0..6 Fields  
        severity:in(^ => 12..12 Values("severity")  
        severity:in(ERROR, ^ => 19..19 Values("severity")  
        status:>^ => 8..8 Values("status")  
        error | parse ^ => 14..14 Nothing  json logfmt regex pattern csv kv syslog user_agent access_log
        error | parse json ^ => 19..19 Nothing  from prefix keep if
        error | parse json from ^ => 24..24 Fields  
        error | join ^ => 13..13 Nothing  by on within inner left
        error | join by (service.name) (fr^ => 32..34 Fields  from
        error | join by (service.name) (from ^ => 37..37 Nothing  logs spans quarantine changes alerts incidents actions probes findings audit promql(
        error | join by (service.name) (from changes | fi^ => 47..49 Nothing changes fields fill
        error | join by (a) within 5m ^ => 30..30 Nothing  before after
        error | union (^ => 15..15 Fields  from
        error | timechart ^ => 18..18 Nothing  auto by count( count_empty( count_distinct( count_distinct_estimate( sum( sum_len( avg( min( max( quantile( median( stddev( histogram( rate( rate_sum( first( last( values( any( row_any( row_min( row_max(
        error | timechart 5m by (f) ^ => 28..28 Nothing  limit count( count_empty( count_distinct( count_distinct_estimate( sum( sum_len( avg( min( max( quantile( median( stddev( histogram( rate( rate_sum( first( last( values( any( row_any( row_min( row_max(
        error | stats count() if (sev^ => 26..29 Fields  
        error | fill n with ^ => 20..20 Nothing  0 previous linear
        error | diff ^ => 13..13 Nothing  previous by
        error | diff 1h ^ => 16..16 Nothing  ago by
        error | lookup owners ^ => 22..22 Nothing  on
        error | context ^ => 16..16 Nothing  before after
        error | patterns by (^ => 21..21 Fields  
        error | top 5 by (f) ^ => 21..21 Nothing  as percent
        error | bin _time ^ => 18..18 Nothing  auto
        error | sample ^ => 15..15 Nothing  
        error | format "<a>" ^ => 16..21 Nothing  
        error | replace ("a", "b") ^ => 27..27 Nothing  at limit if
        error | banana ^ => 15..15 Fields  not
        from changes | where ^ => 21..21 Fields changes not
        error | join by (a) (from changes | where ^ => 42..42 Fields changes not
        from changes | join by (^ => 24..24 Fields changes from
        from changes | join by (a) (err^ => 28..31 Fields  
        from changes | union (from alerts) | where ^ => 43..43 Fields changes not
        service.name:"check^ => 14..19 Values("service.name")  
        service.name:="check out^ => 15..24 Values("service.name")  
        {service.name="^ => 15..15 Values("service.name")  
        severity:in("^ => 13..13 Values("severity")  
        "some text ^ => 1..11 Nothing  "#]].assert_eq(&all);
}

#[test]
fn diagnostics_render_with_lines_and_wide_text() {
    let text = "größe:x\n\t| banana | limit 5";
    let (_, diagnostics) = parse(text, NOW);
    expect![[r#"
        error: unknown pipe `banana`
         2 | 	| banana | limit 5
           | 	  ^^^^^^
           = pipes are where, stats, timechart, top, rare, uniq, sort, limit, offset, dedup, sample, fields, drop, rename, eval, bin, fill, parse, replace, replace_regexp, format, unroll, join, union, lookup, context, patterns, facets, diff, explain; to filter for a word, write `where banana`
    "#]]
    .assert_eq(&render_diagnostic(text, &diagnostics[0]));
}
