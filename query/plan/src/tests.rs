//! Golden cases: a query in, its plan out.

use expect_test::{Expect, expect};
use lang::{Case, FieldName, Filter, Pipe, PipeKind, Query, Span, Test, parse, render_diagnostic};
use model::{TimeRange, Timestamp};
use proptest::prelude::*;

use crate::rewrites::simplify_filter;
use crate::{LogicalPlan, explain, plan};

/// 2026-11-23T09:00:00Z.
const NOW: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn planned(text: &str) -> LogicalPlan {
    let (query, diagnostics) = parse(text, NOW);
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    plan(&query).unwrap_or_else(|d| panic!("{text}: {d:?}"))
}

/// Each line is a query; below it comes its plan.
fn check(queries: &str, expect: Expect) {
    let lines = queries.lines().map(str::trim).filter(|line| !line.is_empty());
    let out: String = lines.map(|text| format!("{text}\n{}\n", explain(&planned(text)))).collect();
    expect.assert_eq(&out);
}

#[test]
fn searches_are_newest_first_and_read_whole_records() {
    check(
        r#"
        *
        error | limit 10
        error | limit 10 | offset 3
        error | offset 5 | limit 10
        error | limit 10 | limit 20
        error | fields _time, body | limit 10
        error | limit 5 | fields body
        error | fields http.*
        error | fields *, body
        error | drop trace_id | limit 3
        error | sort by (_time desc) | limit 3
        error | sort by (_time) limit 3
        error | fields _time, body | sort by (_time desc)
        error | drop _time | sort by (_time)
        error | sort by (n desc, _time) | limit 3
        from changes service.name:checkout
        "#,
        expect![[r#"
            *
            Scan logs filter=* fields=all order=newest

            error | limit 10
            Limit offset=0 fetch=10
              Scan logs filter=error fields=all order=newest fetch=10

            error | limit 10 | offset 3
            Limit offset=3
              Limit offset=0 fetch=10
                Scan logs filter=error fields=all order=newest fetch=10

            error | offset 5 | limit 10
            Limit offset=0 fetch=10
              Limit offset=5
                Scan logs filter=error fields=all order=newest fetch=15

            error | limit 10 | limit 20
            Limit offset=0 fetch=20
              Limit offset=0 fetch=10
                Scan logs filter=error fields=all order=newest fetch=10

            error | fields _time, body | limit 10
            Limit offset=0 fetch=10
              Project [_time, body]
                Scan logs filter=error fields=[_time, body] order=newest fetch=10

            error | limit 5 | fields body
            Project [body]
              Limit offset=0 fetch=5
                Scan logs filter=error fields=[body] order=newest fetch=5

            error | fields http.*
            Project [http.*]
              Scan logs filter=error fields=[http.*] order=newest

            error | fields *, body
            Project [*, body]
              Scan logs filter=error fields=all order=newest

            error | drop trace_id | limit 3
            Limit offset=0 fetch=3
              Drop [trace_id]
                Scan logs filter=error fields=all order=newest fetch=3

            error | sort by (_time desc) | limit 3
            Limit offset=0 fetch=3
              Scan logs filter=error fields=all order=newest fetch=3

            error | sort by (_time) limit 3
            Limit offset=0 fetch=3
              Scan logs filter=error fields=all order=oldest fetch=3

            error | fields _time, body | sort by (_time desc)
            Project [_time, body]
              Scan logs filter=error fields=[_time, body] order=newest

            error | drop _time | sort by (_time)
            Sort [_time]
              Drop [_time]
                Scan logs filter=error fields=all

            error | sort by (n desc, _time) | limit 3
            Limit offset=0 fetch=3
              Sort [n desc, _time] fetch=3
                Scan logs filter=error fields=all

            from changes service.name:checkout
            Scan changes filter=service.name:checkout fields=all order=newest

        "#]],
    );
}

#[test]
fn time_filters_become_the_range() {
    check(
        r#"
        _time:5m error
        _time:1h _time:[-30m, now)
        _time:5m | where _time:1m | stats count()
        _time:5m or error
        !_time:5m
        _time:[-2h, -1h) _time:5m
        (_time:5m (a _time:>=-1m)) b
        * | limit 5 | where _time:5m
        "#,
        expect![[r#"
            _time:5m error
            Scan logs range=2026-11-23T08:55:00Z..2026-11-23T09:00:00Z filter=error fields=all order=newest

            _time:1h _time:[-30m, now)
            Scan logs range=2026-11-23T08:30:00Z..2026-11-23T09:00:00Z filter=* fields=all order=newest

            _time:5m | where _time:1m | stats count()
            Aggregate by=[] [count(*) as count(*)]
              Scan logs range=2026-11-23T08:59:00Z..2026-11-23T09:00:00Z filter=* fields=[]

            _time:5m or error
            Scan logs filter=_time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") or error fields=all order=newest

            !_time:5m
            Scan logs filter=!_time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") fields=all order=newest

            _time:[-2h, -1h) _time:5m
            Scan logs filter=!* fields=all order=newest

            (_time:5m (a _time:>=-1m)) b
            Scan logs range=2026-11-23T08:59:00Z..2026-11-23T09:00:00Z filter=a b fields=all order=newest

            * | limit 5 | where _time:5m
            Filter _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z")
              Limit offset=0 fetch=5
                Scan logs filter=* fields=all order=newest fetch=5

        "#]],
    );
}

#[test]
fn filters_are_simplified() {
    check(
        r#"
        a (b (c d))
        a or (b or c)
        !!a
        !!!a
        a *
        a or *
        a !*
        a or !*
        !(* or a)
        a a b
        {} a
        severity:>=WARN
        severity:<TRACE a
        !severity:>error
        * | where a | where b:c
        * | stats count() if (x *) as n
        "#,
        expect![[r#"
            a (b (c d))
            Scan logs filter=a b c d fields=all order=newest

            a or (b or c)
            Scan logs filter=a or b or c fields=all order=newest

            !!a
            Scan logs filter=a fields=all order=newest

            !!!a
            Scan logs filter=!a fields=all order=newest

            a *
            Scan logs filter=a fields=all order=newest

            a or *
            Scan logs filter=* fields=all order=newest

            a !*
            Scan logs filter=!* fields=all order=newest

            a or !*
            Scan logs filter=a fields=all order=newest

            !(* or a)
            Scan logs filter=!* fields=all order=newest

            a a b
            Scan logs filter=a b fields=all order=newest

            {} a
            Scan logs filter=a fields=all order=newest

            severity:>=WARN
            Scan logs filter=severity:in(WARN, ERROR, FATAL) fields=all order=newest

            severity:<TRACE a
            Scan logs filter=!* fields=all order=newest

            !severity:>error
            Scan logs filter=!severity:in(FATAL) fields=all order=newest

            * | where a | where b:c
            Scan logs filter=a b:c fields=all order=newest

            * | stats count() if (x *) as n
            Aggregate by=[] [count(*) if (x) as n]
              Scan logs filter=* fields=[body]

        "#]],
    );
}

#[test]
fn only_needed_fields_are_read() {
    check(
        r#"
        error | stats count() as n
        error | stats by (service.name, _time:5m) count() as n | sort by (n desc) | limit 10
        error | stats sum(x) if (y:z) as s, last(v) as l
        error | stats count() if (*:x) as n
        * | stats count(f)
        * | limit 100 | stats count() as n
        * | sort by (x) | limit 100 | stats avg(x) as a
        * | where n > 20 | fields a
        * | limit 5 | where n > 20 | fields a
        * | rename a as b | stats sum(b) as s
        * | rename a as b, b as c | fields c
        * | rename a as http.a | fields http.*
        * | eval http.x = a | fields http.*
        * | eval x = a + b, y = x * 2 | stats sum(y) as s
        * | eval x = a | stats count() as n
        * | stats by (f) count() as n | where n > 20 | eval m = n * 2 | sort by (m desc) | limit 3
        * | stats median(x) as m
        "#,
        expect![[r#"
            error | stats count() as n
            Aggregate by=[] [count(*) as n]
              Scan logs filter=error fields=[]

            error | stats by (service.name, _time:5m) count() as n | sort by (n desc) | limit 10
            Limit offset=0 fetch=10
              Sort [n desc] fetch=10
                Aggregate by=[service.name, _time:5m] [count(*) as n]
                  Scan logs filter=error fields=[_time, service.name]

            error | stats sum(x) if (y:z) as s, last(v) as l
            Aggregate by=[] [sum(x) if (y:z) as s, last(v) as l]
              Scan logs filter=error fields=[_time, v, x, y]

            error | stats count() if (*:x) as n
            Aggregate by=[] [count(*) if (*:x) as n]
              Scan logs filter=error fields=all

            * | stats count(f)
            Aggregate by=[] [count(f) as count(f)]
              Scan logs filter=* fields=[f]

            * | limit 100 | stats count() as n
            Aggregate by=[] [count(*) as n]
              Limit offset=0 fetch=100
                Scan logs filter=* fields=[] order=newest fetch=100

            * | sort by (x) | limit 100 | stats avg(x) as a
            Aggregate by=[] [avg(x) as a]
              Limit offset=0 fetch=100
                Sort [x] fetch=100
                  Scan logs filter=* fields=[x]

            * | where n > 20 | fields a
            Project [a]
              Scan logs filter=n:>20 fields=[a] order=newest

            * | limit 5 | where n > 20 | fields a
            Project [a]
              Filter n:>20
                Limit offset=0 fetch=5
                  Scan logs filter=* fields=[a, n] order=newest fetch=5

            * | rename a as b | stats sum(b) as s
            Aggregate by=[] [sum(b) as s]
              Rename [a as b]
                Scan logs filter=* fields=[a]

            * | rename a as b, b as c | fields c
            Project [c]
              Rename [a as b, b as c]
                Scan logs filter=* fields=[a] order=newest

            * | rename a as http.a | fields http.*
            Project [http.*]
              Rename [a as http.a]
                Scan logs filter=* fields=[a, http.*] order=newest

            * | eval http.x = a | fields http.*
            Project [http.*]
              Eval [http.x = a]
                Scan logs filter=* fields=[a, http.*] order=newest

            * | eval x = a + b, y = x * 2 | stats sum(y) as s
            Aggregate by=[] [sum(y) as s]
              Eval [x = a + b, y = x * 2]
                Scan logs filter=* fields=[a, b]

            * | eval x = a | stats count() as n
            Aggregate by=[] [count(*) as n]
              Eval [x = a]
                Scan logs filter=* fields=[]

            * | stats by (f) count() as n | where n > 20 | eval m = n * 2 | sort by (m desc) | limit 3
            Limit offset=0 fetch=3
              Sort [m desc] fetch=3
                Eval [m = n * 2]
                  Filter n:>20
                    Aggregate by=[f] [count(*) as n]
                      Scan logs filter=* fields=[f]

            * | stats median(x) as m
            Aggregate by=[] [quantile(0.5, x) as m]
              Scan logs filter=* fields=[x]

        "#]],
    );
}

#[test]
fn short_forms_are_written_out() {
    check(
        r#"
        * | top 5 by (a, b)
        * | rare 3 by (a) as n
        * | uniq by (a, b)
        * | uniq by (a) with hits limit 5
        "#,
        expect![[r#"
            * | top 5 by (a, b)
            Limit offset=0 fetch=5
              Sort [hits desc, a, b] fetch=5
                Aggregate by=[a, b] [count(*) as hits]
                  Scan logs filter=* fields=[a, b]

            * | rare 3 by (a) as n
            Limit offset=0 fetch=3
              Sort [n, a] fetch=3
                Aggregate by=[a] [count(*) as n]
                  Scan logs filter=* fields=[a]

            * | uniq by (a, b)
            Aggregate by=[a, b] []
              Scan logs filter=* fields=[a, b]

            * | uniq by (a) with hits limit 5
            Limit offset=0 fetch=5
              Aggregate by=[a] [count(*) as hits]
                Scan logs filter=* fields=[a]

        "#]],
    );
}

#[test]
fn columns_that_are_not_there_are_found() {
    let mut out = String::new();
    for text in [
        "* | stats by (f) count() as total | sort by (totl)",
        "* | stats count() as n | where error",
        "* | stats count() as n | eval x = m + 1",
        "* | fields a, b | where c:x",
        "* | top 5 by (a) | fields body",
        "* | stats by (a, b) count() as n | drop a | stats by (a) sum(n) as n",
        "* | stats count() as n | rename n as m | sort by (n)",
    ] {
        let (query, _) = parse(text, NOW);
        let diagnostics = plan(&query).expect_err(text);
        diagnostics.iter().for_each(|d| out.push_str(&render_diagnostic(text, d)));
    }
    expect![[r#"
        error: the pipes before this one leave no column `totl`
         1 | * | stats by (f) count() as total | sort by (totl)
           |                                     ^^^^^^^^^^^^^^
           = did you mean `total`?
        error: the pipes before this one leave no column `body`
         1 | * | stats count() as n | where error
           |                          ^^^^^^^^^^^
           = the columns are n
        error: the pipes before this one leave no column `m`
         1 | * | stats count() as n | eval x = m + 1
           |                          ^^^^^^^^^^^^^^
           = the columns are n
        error: the pipes before this one leave no column `c`
         1 | * | fields a, b | where c:x
           |                   ^^^^^^^^^
           = the columns are a, b
        error: the pipes before this one leave no column `body`
         1 | * | top 5 by (a) | fields body
           |                    ^^^^^^^^^^^
           = the columns are a, hits
        error: the pipes before this one leave no column `a`
         1 | * | stats by (a, b) count() as n | drop a | stats by (a) sum(n) as n
           |                                             ^^^^^^^^^^^^^^^^^^^^^^^^
           = the columns are b, n
        error: the pipes before this one leave no column `n`
         1 | * | stats count() as n | rename n as m | sort by (n)
           |                                          ^^^^^^^^^^^
           = the columns are m
    "#]]
    .assert_eq(&out);
    for text in [
        "* | stats count() as n | rename n as m, m as k | eval a = k, b = a | sort by (b)",
        "* | fields a* | where abc:x",
        "* | stats by (http.a) count() as n | fields http.*, n",
        "* | drop a | sort by (b)",
    ] {
        planned(text);
    }
}

#[test]
fn callers_narrow_time_and_rows() {
    let range = TimeRange::new(Timestamp::from_secs(1_795_424_000), Timestamp::from_secs(1_795_424_200));
    let narrowed = |text: &str| explain(&planned(text).within(range).with_limit(50));
    let out = ["error", "error | limit 5", "error | limit 500", "* | sort by (x)", "* | stats by (f) count() as n"];
    let out: String = out.into_iter().map(|text| format!("{text}\n{}\n", narrowed(text))).collect();
    expect![[r#"
        error
        Limit offset=0 fetch=50
          Scan logs range=2026-11-23T08:53:20Z..2026-11-23T08:56:40Z filter=error fields=all order=newest fetch=50

        error | limit 5
        Limit offset=0 fetch=5
          Scan logs range=2026-11-23T08:53:20Z..2026-11-23T08:56:40Z filter=error fields=all order=newest fetch=5

        error | limit 500
        Limit offset=0 fetch=50
          Scan logs range=2026-11-23T08:53:20Z..2026-11-23T08:56:40Z filter=error fields=all order=newest fetch=50

        * | sort by (x)
        Limit offset=0 fetch=50
          Sort [x] fetch=50
            Scan logs range=2026-11-23T08:53:20Z..2026-11-23T08:56:40Z filter=* fields=all

        * | stats by (f) count() as n
        Limit offset=0 fetch=50
          Aggregate by=[f] [count(*) as n]
            Scan logs range=2026-11-23T08:53:20Z..2026-11-23T08:56:40Z filter=* fields=[f]

    "#]]
    .assert_eq(&out);
}

/// Whether a filter of the words a, b, c holds for a row that has the words of the bit set.
fn holds(filter: &Filter, row: u8) -> bool {
    match filter {
        Filter::All => true,
        Filter::Nothing => false,
        Filter::And(parts) => parts.iter().all(|part| holds(part, row)),
        Filter::Or(parts) => parts.iter().any(|part| holds(part, row)),
        Filter::Not(inner) => !holds(inner, row),
        Filter::Field(_, Test::Phrase { text, .. }) => row >> (text.as_bytes()[0] - b'a') & 1 == 1,
        Filter::Time(range) => range.contains(Timestamp((row >> 3).into())),
        other => panic!("not generated: {other:?}"),
    }
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let word = |text: &'static str| {
        let text = text.to_owned();
        Filter::Field(FieldName::body(), Test::Phrase { text, prefix: false, case: Case::Insensitive })
    };
    let leaf = prop_oneof![
        prop::sample::select(vec![Filter::All, Filter::Nothing]),
        prop::sample::select(vec!["a", "b", "c"]).prop_map(word),
        (0i64..4, 0i64..4).prop_map(|(a, b)| Filter::Time(TimeRange::new(Timestamp(a), Timestamp(b)))),
    ];
    leaf.prop_recursive(5, 32, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

/// Whether simplifying left something to simplify.
fn is_simple(filter: &Filter, top: bool) -> bool {
    match filter {
        Filter::All | Filter::Nothing => top,
        Filter::And(parts) => {
            parts.len() > 1 && parts.iter().all(|part| !matches!(part, Filter::And(_)) && is_simple(part, false))
        }
        Filter::Or(parts) => {
            parts.len() > 1 && parts.iter().all(|part| !matches!(part, Filter::Or(_)) && is_simple(part, false))
        }
        Filter::Not(inner) => !matches!(**inner, Filter::Not(_)) && is_simple(inner, false),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn rewrites_keep_the_rows(filter in any_filter(), second in any_filter()) {
        let simple = simplify_filter(filter.clone());
        prop_assert!(is_simple(&simple, true), "{simple:?}");
        let pipe = Pipe { kind: PipeKind::Where(second.clone()), span: Span::default() };
        let query = Query { filter: filter.clone(), pipes: vec![pipe], ..Query::default() };
        let planned = plan(&query).unwrap();
        let LogicalPlan::Scan(scan) = &planned else { panic!("{planned:?}") };
        for row in 0..32 {
            prop_assert_eq!(holds(&simple, row), holds(&filter, row));
            let scanned = scan.range.contains(Timestamp((row >> 3).into())) && holds(&scan.filter, row);
            prop_assert_eq!(scanned, holds(&filter, row) && holds(&second, row));
        }
    }
}

#[test]
fn counting_is_known() {
    for text in ["error | stats count()", "a _time:5m | where b | stats count() as n, count() as m"] {
        assert!(planned(text).is_count_only() && planned(text).scan().is_count_only(), "{text}");
    }
    for text in [
        "error",
        "error | stats count(f)",
        "* | stats by (f) count()",
        "* | stats count() if (a) as n",
        "* | limit 5 | stats count()",
    ] {
        assert!(!planned(text).is_count_only(), "{text}");
    }
    assert!(planned("error | fields a | limit 3").is_record_search());
    assert!(!planned("* | stats count() as n | limit 3").is_record_search());
}
