//! The short cut against the rules: any request gives the same rows both ways.

use column::rows_from_batch;
use model::Row;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{Shell, ShellResource, ShellScope, careful_logs};
use super::*;

const RECEIVED: Timestamp = Timestamp(1_795_424_400_000_000_000);

/// Names that meet: built-in ones, what gives way to them, fields of the stream, parts of each other.
const NAMES: [&str; 22] = [
    "",
    "a",
    "b",
    "a.b",
    "a.b.a",
    "body",
    "severity",
    "_time",
    "trace_id",
    "service.name",
    "service",
    "host.name",
    "log.file.path",
    "resource.a",
    "resource.service.name",
    "resource.resource.a",
    "resource.schema_url",
    "attributes.body",
    "attributes.severity",
    "scope.name",
    "scope.a",
    "name",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => (0..NAMES.len()).prop_map(|at| NAMES[at].to_owned()),
        1 => ".{0,6}",
    ]
}

fn value() -> impl Strategy<Value = AnyValue> {
    use any_value::Value as V;
    let leaf = prop_oneof![
        1 => Just(None),
        5 => "[ab]?".prop_map(|text| Some(V::StringValue(text))),
        1 => ".{0,20}".prop_map(|text| Some(V::StringValue(text))),
        1 => any::<bool>().prop_map(|b| Some(V::BoolValue(b))),
        2 => (0..3i64).prop_map(|n| Some(V::IntValue(n))),
        1 => any::<i64>().prop_map(|n| Some(V::IntValue(n))),
        1 => any::<u64>().prop_map(|bits| Some(V::DoubleValue(f64::from_bits(bits)))),
        1 => Just(Some(V::DoubleValue(1.0))),
        1 => vec(any::<u8>(), 0..5).prop_map(|bytes| Some(V::BytesValue(bytes))),
        1 => any::<i32>().prop_map(|at| Some(V::StringValueStrindex(at))),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| AnyValue { value: Some(V::ArrayValue(ArrayValue { values })) }),
            vec(pair_of(inner), 0..4)
                .prop_map(|values| AnyValue { value: Some(V::KvlistValue(KeyValueList { values })) }),
        ]
    })
}

fn pair_of(value: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = KeyValue> {
    let value = proptest::option::weighted(0.9, value);
    (name(), value, 0..2i32).prop_map(|(key, value, key_strindex)| KeyValue { key, value, key_strindex })
}

fn attributes(max: usize) -> impl Strategy<Value = Vec<KeyValue>> {
    vec(pair_of(value()), 0..max)
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 6 => 1..5u64, 1 => Just(i64::MAX as u64), 1 => Just(i64::MAX as u64 + 1)]
}

fn id(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), Just(vec![0; bytes]), vec(any::<u8>(), bytes), vec(any::<u8>(), 0..bytes + 2),]
}

fn record() -> impl Strategy<Value = Item> {
    let words = prop_oneof![Just(""), Just("INFO"), Just("warning"), Just("odd"), Just(" Err ")];
    let number = prop_oneof![Just(0), 1..25i32, any::<i32>()];
    (
        (time(), time(), number, words, proptest::option::of(value())),
        (attributes(6), 0..2u32, 0..2u32, id(16), id(8), "e?"),
    )
        .prop_map(|((time_unix_nano, observed_time_unix_nano, severity_number, severity_text, body), rest)| {
            let (attributes, dropped_attributes_count, flags, trace_id, span_id, event_name) = rest;
            Item {
                time_unix_nano,
                observed_time_unix_nano,
                severity_number,
                severity_text: severity_text.to_owned(),
                body,
                attributes,
                dropped_attributes_count,
                flags,
                trace_id,
                span_id,
                event_name,
            }
        })
}

/// Fields behind a record's own: unknown ones of every wire type, repeated ones, broken ones.
fn more() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => Just(Vec::new()),
        1 => Just(vec![0xa0, 1, 0x96, 1]),                                       // 20: a varint
        1 => Just(vec![0xa1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0xa5, 1, 1, 2, 3, 4]), // 20: 64 and 32 bits
        1 => Just(vec![0xa2, 1, 2, 0xff, 0xfe]),                                // 20: bytes
        1 => Just(vec![0xa3, 1, 0x08, 1, 0xa4, 1]),                             // 20: a group
        1 => Just(vec![0x1a, 1, b'x', 0x1a, 5, b'd', b'e', b'b', b'u', b'g']),  // two more severity texts
        1 => Just(vec![0x2a, 3, 0x0a, 1, b'x']),                                // another body
        1 => Just(vec![0x2a, 6, 0x0a, 1, b'x', 0x0a, 1, b'y']),                 // a body with two values
        1 => Just(vec![0x2a, 4, 0x0a, 1, b'x', 0x20]),                          // a body that is cut off
        1 => Just(vec![0x1a, 1, 0xff]),                                         // not UTF-8
        1 => Just(vec![0x32, 5, 0x0a, 1, 0xff, 0x12, 0]),                       // a key that is not UTF-8
        1 => Just(vec![0x1a, 9]),                                               // a length beyond the end
        1 => Just(vec![0x28, 1]),                                               // a body of the wrong wire type
        1 => Just(vec![0x32, 2, 0x18, 1, 0x32, 2, 0x1a, 0]),                    // pairs with a key index, one of a wrong type
    ]
}

fn resource() -> impl Strategy<Value = Resource> {
    attributes(5).prop_map(|attributes| Resource { attributes, ..Resource::default() })
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    ("[ab]?", "1?", attributes(3)).prop_map(|(name, version, attributes)| InstrumentationScope {
        name,
        version,
        attributes,
        ..InstrumentationScope::default()
    })
}

/// A field of bytes with a number below 16.
fn field_of(number: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    prost::encode_length_delimiter(content.len(), out).unwrap();
    out.extend_from_slice(content);
}

/// A `ResourceLogs` or a `ScopeLogs`: their tags are the same.
fn group_of(head: Option<Vec<u8>>, items: &[Vec<u8>], schema_url: &str, schema_first: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if schema_first {
        field_of(3, schema_url.as_bytes(), &mut out);
    }
    for item in items {
        field_of(2, item, &mut out);
    }
    if !schema_first && !schema_url.is_empty() {
        field_of(3, schema_url.as_bytes(), &mut out);
    }
    if let Some(head) = head {
        field_of(1, &head, &mut out);
    }
    out
}

/// A request; `more` is what may come behind a record's fields.
fn request(more: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let record = (record(), more).prop_map(|(record, more)| [record.encode_to_vec(), more].concat());
    let url = prop_oneof![3 => Just(""), 1 => Just("http://schema")];
    let scope = proptest::option::of(scope()).prop_map(|scope| scope.map(|scope| scope.encode_to_vec()));
    let scope_logs = (scope, vec(record, 0..5), url.clone(), any::<bool>())
        .prop_map(|(scope, records, url, first)| group_of(scope, &records, url, first));
    let resource = proptest::option::of(resource()).prop_map(|resource| resource.map(|it| it.encode_to_vec()));
    let resource_logs = (resource, vec(scope_logs, 0..3), url, any::<bool>())
        .prop_map(|(resource, scopes, url, first)| group_of(resource, &scopes, url, first));
    // Groups that repeat are taken as one.
    vec((resource_logs, 1..3usize), 0..4).prop_map(|groups| {
        let mut out = Vec::new();
        for (group, times) in groups {
            (0..times).for_each(|_| field_of(1, &group, &mut out));
        }
        out
    })
}

/// Rows and rejects as text: a NaN is not equal to itself, and the order of a row's fields is free.
fn show(decoded: &Decoded) -> Vec<String> {
    let in_batches = decoded.log_batches.iter().flat_map(rows_from_batch);
    let rows = decoded.logs.iter().cloned().chain(in_batches).map(|mut row: Row| {
        row.fields.sort_by(|a, b| a.0.cmp(&b.0));
        format!("{} {} {:?}", row.time, row.stream, row.fields)
    });
    rows.chain(decoded.rejects.iter().map(|reject| format!("{reject:?}"))).collect()
}

fn assert_same(body: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(decoded) = decode(body, RECEIVED) {
        let careful = careful_logs(body, RECEIVED);
        prop_assert!(careful.is_ok(), "refused by prost: {careful:?}");
        prop_assert_eq!(show(&decoded), show(&careful.unwrap_or_default()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_well_formed_request_takes_the_short_cut(body in request(Just(Vec::new()))) {
        prop_assert!(decode(&body, RECEIVED).is_ok());
        assert_same(&body)?;
    }

    #[test]
    fn unknown_repeated_and_broken_fields_change_nothing(body in request(more())) {
        assert_same(&body)?;
    }

    #[test]
    fn damage_is_never_read_otherwise_than_by_the_rules(
        body in request(Just(Vec::new())), flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut body = body;
        for (at, byte) in flips {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] = byte;
            }
        }
        assert_same(&body)?;
    }
}

/// A request of records under one resource and one scope.
fn body_of(records: impl IntoIterator<Item = Item>) -> Vec<u8> {
    body_of_service("shop", records)
}

fn body_of_service(name: &str, records: impl IntoIterator<Item = Item>) -> Vec<u8> {
    let attribute = KeyValue { key: "service.name".into(), value: text_value(name), ..KeyValue::default() };
    let resource = Resource { attributes: vec![attribute], ..Resource::default() }.encode_to_vec();
    let items = records.into_iter().map(|record| record.encode_to_vec()).collect();
    let scopes = vec![ShellScope { scope: Vec::new(), items }];
    Shell { resources: vec![ShellResource { resource, scopes }] }.encode_to_vec()
}

fn text_value(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) })
}

#[test]
fn a_large_request_is_several_batches_and_keeps_its_order() {
    let long = "x".repeat(100_000);
    let records = (0..200).map(|n| Item { body: text_value(&format!("{n} {long}")), ..Item::default() });
    let decoded = decode(&body_of(records), RECEIVED).unwrap();
    assert!(decoded.log_batches.len() > 1);
    for batch in &decoded.log_batches {
        assert!(column::batch_bytes(batch) < 2 * BATCH_BYTES_MAX, "{}", column::batch_bytes(batch));
    }
    let rows: Vec<Row> = decoded.log_batches.iter().flat_map(rows_from_batch).collect();
    assert_eq!(rows.len(), 200);
    assert!(rows.iter().enumerate().all(|(n, row)| row.body().starts_with(&format!("{n} "))));
}

/// A short request must not become a long one: what the records share is kept once.
#[test]
fn a_large_resource_is_not_repeated_for_each_record() {
    let body = body_of_service(&"x".repeat(10_000_000), vec![Item::default(); 1000]);
    let decoded = decode(&body, RECEIVED).unwrap();
    assert_eq!(decoded.rows(), 1000);
    let bytes: usize = decoded.log_batches.iter().map(column::batch_bytes).sum();
    assert!(bytes < 3 * body.len(), "{bytes}");
}

#[test]
fn many_names_are_several_batches() {
    let pair = |n: usize| KeyValue { key: format!("name-{n:08}"), value: text_value("v"), ..KeyValue::default() };
    let records =
        (0..400).map(|n| Item { attributes: (0..100).map(|at| pair(n * 100 + at)).collect(), ..Item::default() });
    let body = body_of(records);
    let decoded = decode(&body, RECEIVED).unwrap();
    assert!(decoded.log_batches.len() > 1);
    assert_eq!(show(&decoded), show(&careful_logs(&body, RECEIVED).unwrap()));
}

#[test]
fn deep_nesting_is_left_to_the_careful_reader() {
    let mut value = AnyValue::default();
    for _ in 0..30 {
        value = AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values: vec![value] })) };
    }
    let body = body_of([Item { body: Some(value), ..Item::default() }]);
    assert_same(&body).unwrap();
    assert_eq!(decode(&body, RECEIVED).unwrap().rows(), 1);
}
