//! Properties over generated trees and texts.

use model::{TimeRange, Timestamp};
use proptest::prelude::*;

use crate::*;

const NOW: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,5}",
        r#"[a-z0-9 \\"'`|():*{}\[\]=!<>~,\n\t._/-]{1,8}"#,
        "\\PC{1,4}",
        Just("and".to_owned()),
        Just("FROM".to_owned()),
        Just("by".to_owned()),
        Just("in".to_owned()),
    ]
}

/// Names that have no grammar of their own.
fn name() -> impl Strategy<Value = String> {
    text().prop_filter("built in", |name| !["_time", "severity", "level"].contains(&name.as_str()))
}

/// Names that are no patterns.
fn plain_name() -> impl Strategy<Value = String> {
    name().prop_filter("a pattern", |name| !name.ends_with('*') && !name.is_empty())
}

fn case() -> impl Strategy<Value = Case> {
    prop_oneof![Just(Case::Sensitive), Just(Case::Insensitive)]
}

fn test() -> impl Strategy<Value = Test> {
    let comparison = prop_oneof![
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
    ];
    let bound = prop_oneof![text(), "-?[0-9]{1,4}(ms|KiB)?"];
    prop_oneof![
        (text(), any::<bool>(), case()).prop_map(|(text, prefix, case)| Test::Phrase { text, prefix, case }),
        (text(), any::<bool>(), case()).prop_map(|(text, prefix, case)| Test::Exact { text, prefix, case }),
        text().prop_map(|text| Test::Regex(regex_syntax::escape(&text))),
        (comparison, bound).prop_map(|(op, text)| Test::Compare(op, filter::bound(text))),
        prop::collection::vec(text(), 1..4).prop_map(Test::In),
        prop::collection::vec(text(), 1..4).prop_map(Test::Sequence),
        Just(Test::Exists),
        Just(Test::Empty),
        (any::<u32>(), any::<u32>()).prop_map(|(a, b)| Test::Ipv4Range(a.min(b), a.max(b))),
    ]
}

fn filter_tree() -> impl Strategy<Value = Filter> {
    let op = prop_oneof![Just(MatchOp::Equal), Just(MatchOp::NotEqual)];
    let matcher = (plain_name(), op, text()).prop_map(|(name, op, value)| StreamMatcher { name, op, value });
    let field = prop_oneof![name().prop_map(FieldName::Named), Just(FieldName::body()), Just(FieldName::Any),];
    let time = (any::<i64>(), any::<i64>()).prop_map(|(a, b)| TimeRange::new(Timestamp(a.min(b)), Timestamp(a.max(b))));
    let leaf = prop_oneof![
        Just(Filter::All),
        Just(Filter::Nothing),
        (field, test()).prop_map(|(field, test)| Filter::Field(field, test)),
        prop::collection::vec(matcher, 0..3).prop_map(Filter::Stream),
        time.prop_map(Filter::Time),
        expr().prop_map(Filter::Expr),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(filter::negated),
        ]
    })
}

fn expr() -> impl Strategy<Value = Expr> {
    let op = prop::sample::select(BinaryOp::ALL.to_vec());
    let function = prop::sample::select(FUNCTIONS.to_vec());
    let leaf = prop_oneof![
        Just(Expr::Null),
        any::<bool>().prop_map(Expr::Bool),
        (0..=i64::MAX).prop_map(Expr::Integer),
        prop_oneof![0f64..1e6, 0f64..1e300, 0f64..1e-6].prop_map(Expr::number),
        (0..=i64::MAX >> 12).prop_map(|whole| Expr::Duration(whole << 11)),
        (0..=i64::MAX >> 12).prop_map(|whole| Expr::Size(whole << 11)),
        plain_name().prop_map(Expr::Field),
        text().prop_map(Expr::text),
    ];
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let parts = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.clone().prop_map(|inner| Expr::Negate(Box::new(inner))),
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
            (inner.clone(), op.clone(), inner.clone()).prop_map(|(a, op, b)| Expr::Binary(
                Box::new(a),
                op,
                Box::new(b)
            )),
            parts().prop_map(Expr::And),
            parts().prop_map(Expr::Or),
            (function.clone(), prop::collection::vec(inner.clone(), 8)).prop_map(|(spec, mut arguments)| {
                arguments.truncate(spec.arguments_max().unwrap_or(8).min(spec.arguments_min() + 1));
                Expr::call(spec.function, arguments)
            }),
        ]
    })
    .prop_filter("constants that are in order", |expr| {
        let columns = vec![("x".to_owned(), expr.clone())];
        let pipe = Pipe { kind: PipeKind::Eval(columns), span: Span::default() };
        let query = Query { pipes: vec![pipe], ..Query::default() };
        parse(&format(&query), NOW).1.iter().all(|d| !d.message.contains("is a text") && !d.message.contains("is no "))
    })
}

fn aggregate() -> impl Strategy<Value = Aggregate> {
    let one = |function: Function| plain_name().prop_map(move |field| (function, vec![field]));
    let call = prop_oneof![
        Just((Function::Count, Vec::new())),
        Just((Function::Rate, Vec::new())),
        prop::collection::vec(plain_name(), 1..3).prop_map(|fields| (Function::CountDistinct, fields)),
        one(Function::Sum),
        one(Function::Quantile(0.99)),
        one(Function::Median),
        one(Function::Last),
    ];
    let filter = prop::option::of(filter_tree());
    (call, filter).prop_map(|((function, fields), filter)| Aggregate { function, fields, filter, name: String::new() })
}

fn pipe() -> impl Strategy<Value = PipeKind> {
    let names = || prop::collection::vec(plain_name(), 1..4);
    let key = (plain_name(), any::<bool>()).prop_map(|(field, descending)| SortKey { field, descending });
    let stats = (prop::collection::vec(plain_name(), 0..3), prop::collection::vec(aggregate(), 1..3), 1i64..1 << 50);
    prop_oneof![
        stats.prop_map(|(by, mut aggregates, step_ns)| {
            for (at, aggregate) in aggregates.iter_mut().enumerate() {
                aggregate.name = format!("column {at} of these");
            }
            let time = Group::Bucket { field: "_time".to_owned(), bucket: Bucket::Time { step_ns, offset_ns: 0 } };
            PipeKind::Stats(Stats { by: by.into_iter().map(Group::Field).chain([time]).collect(), aggregates })
        }),
        prop::collection::vec(key, 1..3).prop_map(PipeKind::Sort),
        (0u64..1000).prop_map(PipeKind::Limit),
        (0u64..1000).prop_map(PipeKind::Offset),
        names().prop_map(PipeKind::Fields),
        names().prop_map(PipeKind::Drop),
        prop::collection::vec((plain_name(), plain_name()), 1..3).prop_map(PipeKind::Rename),
        filter_tree().prop_map(PipeKind::Where),
        prop::collection::vec((plain_name(), expr()), 1..3).prop_map(PipeKind::Eval),
        (0u64..99, names(), any::<bool>(), plain_name()).prop_map(|(limit, by, rare, hits)| PipeKind::Top(Top {
            limit,
            by,
            rare,
            hits,
            percent: None
        })),
        (names(), any::<bool>())
            .prop_map(|(by, hits)| PipeKind::Uniq(Uniq { by, hits: hits.then(|| "hits".to_owned()) })),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let source = prop::sample::select(Source::ALL.to_vec());
    (source, filter_tree(), prop::collection::vec(pipe(), 0..4)).prop_map(|(source, filter, kinds)| {
        let pipes = kinds.into_iter().map(|kind| Pipe { kind, span: Span::default() }).collect();
        Query { input: Input::Table(source), filter, pipes }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn canonical_text_reads_back_as_the_same_tree(query in query()) {
        let text = format(&query);
        let (again, diagnostics) = parse(&text, NOW);
        prop_assert!(diagnostics.iter().all(|d| !d.is_error()), "{text}\n{diagnostics:?}");
        prop_assert_eq!(again, query, "{}", text);
    }

    #[test]
    fn any_text_is_read_with_spans_inside_it(
        text in prop::collection::vec(prop_oneof![
            "\\PC{0,6}", "[ |():*{}\\[\\]=!<>~,\"'`._-]{1,4}",
            prop::sample::select(vec![
                " and ", " or ", " not ", "stats ", "by (", "count()", " as ", " | ", "_time:", "f:in(", "~\"", "eval x=",
                "sort by ", "limit ", "expr(", "len(body) > ", "a / b > 1", " in (", "`a", "5m", "10MiB", " =~ ", "top ", "from ", "{a=", "severity:", "quantile(", " if (", "ü", "where ",
            ]).prop_map(str::to_owned),
        ], 0..12)
    ) {
        let text = text.concat();
        let (query, diagnostics) = parse(&text, NOW);
        for diagnostic in &diagnostics {
            prop_assert!(text.get(diagnostic.span.clone()).is_some_and(|part| !part.is_empty()), "{diagnostic:?}");
            prop_assert!(diagnostic.hint.is_some(), "{diagnostic:?}");
            prop_assert!(render_diagnostic(&text, diagnostic).contains('^'));
        }
        if diagnostics.is_empty() {
            prop_assert_eq!(parse(&format(&query), NOW).0, query, "{}", text);
        }
        let mut at = 0;
        for (span, _) in highlight(&text) {
            prop_assert!(span.start >= at && text.get(span.clone()).is_some_and(|part| !part.is_empty()), "{span:?}");
            at = span.end;
        }
        for cursor in 0..=text.len() + 1 {
            let found = complete(&text, cursor);
            prop_assert!(text.get(found.replace).is_some());
        }
    }
}
