//! Properties over generated trees and texts.

use model::{TimeRange, Timestamp};
use proptest::prelude::*;

use crate::*;

const DAY_NS: i64 = 86_400_000_000_000;
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
        Just("#".to_owned()),
        Just("_msg".to_owned()),
        Just("a~1".to_owned()),
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

fn test() -> BoxedStrategy<Test> {
    let comparison = prop_oneof![
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
    ];
    let bound = prop_oneof![text(), "-?[0-9]{1,4}(ms|KiB)?"];
    let field = comparison.clone();
    prop_oneof![
        (text(), any::<bool>(), case()).prop_map(|(text, prefix, case)| Test::Phrase { text, prefix, case }),
        (text(), case()).prop_map(|(text, case)| Test::Suffix { text, case }),
        (text(), case()).prop_map(|(text, case)| Test::Substring { text, case }),
        (wildcard(), case()).prop_map(|(parts, case)| Test::Wildcard { parts, case }),
        ("[a-z_0-9é]{5,9}", 1u8..=2).prop_map(|(word, edits)| Test::Fuzzy { word, edits }),
        prop::sample::select(vec!["and", "not", "from", "FROM"])
            .prop_map(|word| Test::Fuzzy { word: word.to_owned(), edits: 1 }),
        (any::<u128>(), any::<u128>()).prop_map(|(a, b)| Test::Ipv6Range(a.min(b), a.max(b))),
        (0u64..99, prop_oneof![Just(u64::MAX), 99u64..999]).prop_map(|(first, last)| Test::LenRange(first, last)),
        (text(), text()).prop_map(|(a, b)| Test::StringRange(a, b)),
        plain_name().prop_map(Test::EqualsField),
        (field, plain_name()).prop_map(|(op, name)| Test::CompareField(op, name)),
        prop::collection::vec(text(), 1..4).prop_map(Test::ContainsAny),
        prop::collection::vec(text(), 1..4).prop_map(Test::ContainsAll),
        (source(), plain_name()).prop_map(|(input, name)| {
            let pipes = pipes_of(vec![PipeKind::Fields(vec![name])]);
            Test::InQuery(Box::new(Query { input, filter: Filter::All, pipes }))
        }),
        (text(), any::<bool>(), case()).prop_map(|(text, prefix, case)| Test::Exact { text, prefix, case }),
        text().prop_map(|text| Test::Regex(regex_syntax::escape(&text))),
        (comparison, bound).prop_map(|(op, text)| Test::Compare(op, filter::bound(text))),
        prop::collection::vec(text(), 1..4).prop_map(Test::In),
        prop::collection::vec(text(), 1..4).prop_map(Test::Sequence),
        Just(Test::Exists),
        Just(Test::Empty),
        (any::<u32>(), any::<u32>()).prop_map(|(a, b)| Test::Ipv4Range(a.min(b), a.max(b))),
    ]
    .boxed()
}

/// Patterns that are nothing simpler: with a wildcard inside.
fn wildcard() -> BoxedStrategy<Vec<WildPart>> {
    let wild = prop_oneof![Just(WildPart::Run), Just(WildPart::One)];
    let pair = (text(), wild.clone());
    (prop::option::of(wild.clone()), prop::collection::vec(pair, 1..4), prop::option::of(text()))
        .prop_map(|(first, pairs, last)| {
            let mut parts: Vec<WildPart> = first.into_iter().collect();
            parts.extend(pairs.into_iter().flat_map(|(text, wild)| [WildPart::Text(text), wild]));
            parts.extend([WildPart::One]);
            parts.extend(last.map(WildPart::Text));
            parts
        })
        .boxed()
}

/// What `from` reads.
fn source() -> BoxedStrategy<Input> {
    let promql = (text(), prop::option::of(1i64..1 << 50)).prop_filter("empty", |(text, _)| !text.trim().is_empty());
    prop_oneof![
        4 => prop::sample::select(Source::ALL.to_vec()).prop_map(Input::Table),
        1 => promql.prop_map(|(text, step_ns)| Input::Promql(Promql { text, span: Span::default(), step_ns })),
    ]
    .boxed()
}

fn pipes_of(kinds: Vec<PipeKind>) -> Vec<Pipe> {
    kinds.into_iter().map(|kind| Pipe { kind, span: Span::default() }).collect()
}

fn bucket() -> impl Strategy<Value = Bucket> {
    prop_oneof![
        (1i64..1 << 50, 0f64..1.0).prop_map(|(step_ns, share)| Bucket::Time {
            step_ns,
            offset_ns: (step_ns as f64 * share) as i64 % step_ns
        }),
        Just(Bucket::AutoTime),
    ]
}

fn filter_tree() -> BoxedStrategy<Filter> {
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
        (0i64..DAY_NS, 1i64..=DAY_NS, -DAY_NS + 1..DAY_NS)
            .prop_filter("equal", |(start_ns, end_ns, _)| start_ns != end_ns)
            .prop_map(|(start_ns, end_ns, offset_ns)| Filter::DayRange(DayRange { start_ns, end_ns, offset_ns })),
        (0u8..7, 0u8..7, -DAY_NS + 1..DAY_NS).prop_map(|(first, last, offset_ns)| Filter::WeekRange(WeekRange {
            first,
            last,
            offset_ns
        })),
        expr().prop_map(Filter::Expr),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(filter::negated),
        ]
    })
    .boxed()
}

fn expr() -> BoxedStrategy<Expr> {
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
        let query = Query { pipes: pipes_of(vec![PipeKind::Eval(columns)]), ..Query::default() };
        parse(&format(&query), NOW)
            .1
            .iter()
            .all(|d| ["is a text", "is no ", "regular expression"].iter().all(|part| !d.message.contains(part)))
    })
    .boxed()
}

fn aggregate() -> BoxedStrategy<Aggregate> {
    let one = |function: Function| plain_name().prop_map(move |field| (function, vec![field]));
    let call = prop_oneof![
        Just((Function::Count, Vec::new())),
        Just((Function::Rate, Vec::new())),
        prop::collection::vec(plain_name(), 1..3).prop_map(|fields| (Function::CountDistinct, fields)),
        one(Function::Sum),
        one(Function::Quantile(0.99)),
        one(Function::Median),
        one(Function::Last),
        one(Function::RateSum),
        one(Function::Histogram(HISTOGRAM_BUCKETS_DEFAULT)),
        one(Function::Histogram(7)),
        prop::collection::vec(plain_name(), 1..3).prop_map(|fields| (Function::CountEmpty, fields)),
        prop::collection::vec(plain_name(), 1..3).prop_map(|fields| (Function::CountDistinctEstimate, fields)),
        prop::collection::vec(plain_name(), 1..3).prop_map(|fields| (Function::SumLen, fields)),
        prop::collection::vec(plain_name(), 0..3).prop_map(|fields| (Function::RowAny, fields)),
        prop::collection::vec(plain_name(), 1..3).prop_map(|fields| (Function::RowMax, fields)),
    ];
    let filter = prop::option::of(filter_tree());
    (call, filter)
        .prop_map(|((function, fields), filter)| Aggregate { function, fields, filter, name: String::new() })
        .boxed()
}

fn names(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(plain_name(), count)
}

fn aggregates() -> BoxedStrategy<Vec<Aggregate>> {
    prop::collection::vec(aggregate(), 1..3)
        .prop_map(|mut aggregates| {
            for (at, aggregate) in aggregates.iter_mut().enumerate() {
                aggregate.name = format!("column {at} of these");
            }
            aggregates
        })
        .boxed()
}

fn condition() -> impl Strategy<Value = Option<Filter>> {
    prop::option::of(filter_tree())
}

/// Pipes that take texts apart and put them together.
fn text_pipe() -> BoxedStrategy<PipeKind> {
    let format = prop_oneof![
        Just(ParseFormat::Json),
        Just(ParseFormat::Logfmt),
        Just(ParseFormat::Regex(r#"(?P<a>\d+) "(.*)""#.to_owned())),
        "[a-z &;]{0,4}".prop_map(|text| ParseFormat::Pattern(format!("{text}<a> <_>\"{text}&lt;"))),
        names(1..4)
            .prop_filter("no name", |names| names.iter().any(|name| !name.is_empty() && name != "_"))
            .prop_map(ParseFormat::Csv),
        ("[;,|]?", "[:=]{1,2}").prop_map(|(between, assign)| ParseFormat::Kv { between, assign }),
        Just(ParseFormat::Syslog),
        Just(ParseFormat::UserAgent),
        Just(ParseFormat::AccessLog),
    ];
    let parse = (format, plain_name(), text(), any::<bool>(), condition());
    let style = prop::sample::select(FormatStyle::ALL.to_vec());
    let place = ("[a-z_.& ]{1,6}", style).prop_map(|(name, style)| FormatPart::Field { name, style });
    let parts = (prop::option::of(text().prop_map(FormatPart::Text)), prop::collection::vec(place, 1..3));
    let replace = (any::<bool>(), text(), text(), plain_name(), prop::option::of(1u64..9), condition());
    prop_oneof![
        parse.prop_map(|(format, from, prefix, keep, filter)| {
            PipeKind::Parse(ParsePipe { format, from, prefix, keep, filter })
        }),
        (parts, plain_name(), condition()).prop_map(|((first, places), to, filter)| {
            PipeKind::Format(FormatPipe { parts: first.into_iter().chain(places).collect(), to, filter })
        }),
        replace.prop_map(|(regex, from, to, field, limit, filter)| {
            let (from, to) = if regex { (regex_syntax::escape(&from), to.replace('$', "$$")) } else { (from, to) };
            PipeKind::Replace(Replace { regex, from, to, field, limit, filter })
        }),
        names(1..3).prop_map(PipeKind::Unroll),
    ]
    .boxed()
}

/// Pipes of groups and time.
fn group_pipe() -> BoxedStrategy<PipeKind> {
    let stats = (names(0..3), aggregates(), bucket(), prop::option::of(0.1f64..1e6));
    let chart = (bucket(), names(0..3), 1u64..99, aggregates());
    let with = prop_oneof![(-1e6f64..1e6).prop_map(FillWith::Number), Just(FillWith::Previous), Just(FillWith::Linear)];
    prop_oneof![
        stats.prop_map(|(by, aggregates, bucket, width)| {
            let time = Group::Bucket { field: "_time".to_owned(), bucket };
            let number = width.map(|width| Group::Bucket { field: "a b".to_owned(), bucket: Bucket::Number { width } });
            PipeKind::Stats(Stats {
                by: by.into_iter().map(Group::Field).chain([time]).chain(number).collect(),
                aggregates,
            })
        }),
        chart.prop_map(|(bucket, by, limit, aggregates)| {
            let limit = if by.is_empty() { Timechart::LIMIT_DEFAULT } else { limit };
            PipeKind::Timechart(Timechart { bucket, by, limit, aggregates })
        }),
        (plain_name(), bucket(), plain_name()).prop_map(|(field, bucket, to)| PipeKind::Bin(Bin { field, bucket, to })),
        (names(0..3), with).prop_map(|(fields, with)| PipeKind::Fill(Fill { fields, with })),
        (1u64..99, names(1..4), any::<bool>(), any::<bool>()).prop_map(|(limit, mut by, rare, percent)| {
            by.sort();
            by.dedup();
            let (hits, percent) = ("by column".to_owned(), percent.then(|| "as column".to_owned()));
            PipeKind::Top(Top { limit, by, rare, hits, percent })
        }),
        (names(1..4), any::<bool>())
            .prop_map(|(by, hits)| PipeKind::Uniq(Uniq { by, hits: hits.then(|| "hits".to_owned()) })),
        (names(1..3), 1u64..9).prop_map(|(by, keep)| PipeKind::Dedup(Dedup { by, keep })),
        (names(0..3), 1u64..99).prop_map(|(by, limit)| PipeKind::Patterns(Patterns { by, limit })),
        (names(0..3), 1u64..99).prop_map(|(fields, limit)| PipeKind::Facets(Facets { limit, fields })),
    ]
    .boxed()
}

/// Pipes that bring other rows in.
fn other_pipe() -> BoxedStrategy<PipeKind> {
    let keys = || prop::collection::vec((plain_name(), plain_name()), 1..3);
    let within = prop::option::of(
        (1i64..1 << 50, any::<bool>())
            .prop_map(|(ns, after)| Within { ns, side: if after { WithinSide::After } else { WithinSide::Before } }),
    );
    let inner = || {
        (source(), filter_tree(), prop::collection::vec(row_pipe(), 0..2))
            .prop_map(|(input, filter, kinds)| Box::new(Query { input, filter, pipes: pipes_of(kinds) }))
    };
    let against = prop_oneof![
        Just(DiffAgainst::Previous),
        (1i64..1 << 50).prop_map(DiffAgainst::Ago),
        (0i64..1 << 60, 1i64..1 << 50).prop_map(|(start, length)| DiffAgainst::Range(TimeRange::new(
            Timestamp(start),
            Timestamp(start + length)
        ))),
    ];
    prop_oneof![
        (any::<bool>(), keys(), within, inner(), text()).prop_map(|(inner, on, within, query, prefix)| {
            let kind = if inner { JoinKind::Inner } else { JoinKind::Left };
            PipeKind::Join(Join { kind, on, within, query, prefix })
        }),
        inner().prop_map(PipeKind::Union),
        (plain_name(), keys(), prop::collection::vec((plain_name(), plain_name()), 0..3))
            .prop_map(|(table, on, output)| PipeKind::Lookup(Lookup { table, on, output })),
        (0u64..99, 1u64..99).prop_map(|(before, after)| PipeKind::Context(Context { before, after })),
        (against, names(0..3)).prop_map(|(against, by)| PipeKind::Diff(Diff { against, by })),
        prop_oneof![
            (1u64..999).prop_map(Sample::OneIn),
            (0.001f64..100.0).prop_map(Sample::Percent),
            (1u64..999).prop_map(Sample::Rows)
        ]
        .prop_map(PipeKind::Sample),
    ]
    .boxed()
}

/// Pipes that choose and order rows and columns.
fn row_pipe() -> BoxedStrategy<PipeKind> {
    let key = (plain_name(), any::<bool>()).prop_map(|(field, descending)| SortKey { field, descending });
    prop_oneof![
        prop::collection::vec(key, 1..3).prop_map(PipeKind::Sort),
        (0u64..1000).prop_map(PipeKind::Limit),
        (0u64..1000).prop_map(PipeKind::Offset),
        names(1..4).prop_map(PipeKind::Fields),
        names(1..4).prop_map(PipeKind::Drop),
        prop::collection::vec((plain_name(), plain_name()), 1..3).prop_map(PipeKind::Rename),
        filter_tree().prop_map(PipeKind::Where),
        prop::collection::vec((plain_name(), expr()), 1..3).prop_map(PipeKind::Eval),
    ]
    .boxed()
}

fn query() -> BoxedStrategy<Query> {
    let pipe = prop_oneof![row_pipe(), text_pipe(), group_pipe(), other_pipe()];
    (source(), filter_tree(), prop::collection::vec(pipe, 0..4), any::<bool>())
        .prop_map(|(input, filter, mut kinds, explain)| {
            kinds.extend(explain.then_some(PipeKind::Explain));
            Query { input, filter, pipes: pipes_of(kinds) }
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(fuzz::cases(512)) })]

    #[test]
    fn canonical_text_reads_back_as_the_same_tree(query in query()) {
        let text = format(&query);
        let (again, diagnostics) = parse(&text, NOW);
        prop_assert!(diagnostics.iter().all(|d| !d.is_error()), "{text}\n{diagnostics:?}");
        prop_assert_eq!(again, query, "{}", text);
    }
}
