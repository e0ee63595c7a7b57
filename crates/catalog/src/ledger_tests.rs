//! The ledger keeps its promises.

use serde_json::json;

use super::*;

fn document(id: &str, secs: i64, service: &str, state: &str) -> Document {
    let body = json!({"summary": format!("{id} happened"), "target": {"service": service}, "n": secs});
    Document { id: id.into(), time: Timestamp::from_secs(secs), service: service.into(), state: state.into(), body }
}

fn entry(verb: &str) -> AuditEntry {
    AuditEntry {
        time: Timestamp::from_secs(5),
        actor: "respond".into(),
        verb: verb.into(),
        subject: "a1".into(),
        detail: json!({"z": 1, "a": [true, null]}),
    }
}

#[test]
fn a_batch_is_all_or_nothing() {
    let ledger = Ledger::in_memory().unwrap();
    let first = document("a1", 1, "checkout", "planned");
    ledger.commit(vec![Write::Insert(LedgerTable::Actions, first.clone())]).unwrap();
    let batch = vec![
        Write::Put(LedgerTable::Incidents, document("i1", 2, "checkout", "open")),
        Write::Audit(entry("action.planned")),
        Write::Insert(LedgerTable::Actions, first),
    ];
    let error = ledger.commit(batch).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"actions "a1" is there, "planned", not absent: someone else was faster; read it again"#
    );
    assert_eq!(ledger.get(LedgerTable::Incidents, "i1").unwrap(), None);
    assert_eq!(ledger.verify_audit().unwrap().0, 0);
}

#[test]
fn a_transition_happens_once() {
    let ledger = Ledger::in_memory().unwrap();
    ledger.commit(vec![Write::Insert(LedgerTable::Actions, document("a1", 1, "s", "planned"))]).unwrap();
    let start = || {
        let to = document("a1", 1, "s", "started");
        ledger.commit(vec![Write::Transition { table: LedgerTable::Actions, from: "planned", to }])
    };
    start().unwrap();
    assert!(matches!(start(), Err(LedgerError::Conflict { .. })));
}

#[test]
fn a_replacement_needs_the_document_that_was_read() {
    let ledger = Ledger::in_memory().unwrap();
    let replace = |was: Option<&Document>, to: &Document| {
        let (was, to) = (was.cloned(), to.clone());
        ledger.commit(vec![Write::Replace { table: LedgerTable::Changes, was, to }])
    };
    let (first, second) = (document("c1", 1, "a", ""), document("c1", 2, "a", ""));
    replace(None, &first).unwrap();
    assert!(matches!(replace(None, &second), Err(LedgerError::Conflict { .. })));
    replace(Some(&first), &second).unwrap();
    assert!(matches!(replace(Some(&first), &first), Err(LedgerError::Conflict { .. })));
    assert_eq!(ledger.get(LedgerTable::Changes, "c1").unwrap(), Some(second));
}

#[test]
fn listings_filter_and_order() {
    let ledger = Ledger::in_memory().unwrap();
    let writes = [("c1", 10, "a", ""), ("c2", 20, "b", ""), ("c3", 30, "a", ""), ("c4", 30, "a", "x")]
        .map(|(id, secs, service, state)| Write::Put(LedgerTable::Changes, document(id, secs, service, state)));
    ledger.commit(writes.to_vec()).unwrap();
    let ids = |filter: Filter| -> Vec<String> {
        ledger.list(LedgerTable::Changes, &filter).unwrap().into_iter().map(|document| document.id).collect()
    };
    assert_eq!(ids(Filter::default()), ["c1", "c2", "c3", "c4"]);
    assert_eq!(ids(Filter { service: Some("a".into()), latest_first: true, ..Filter::default() }), ["c4", "c3", "c1"]);
    let range = TimeRange::new(Timestamp::from_secs(20), Timestamp::from_secs(30));
    assert_eq!(ids(Filter { range, ..Filter::default() }), ["c2"]);
    assert_eq!(ids(Filter { states: vec!["x".into()], limit: 5, ..Filter::default() }), ["c4"]);
    assert_eq!(ids(Filter { id_prefix: Some("c".into()), limit: 1, ..Filter::default() }), ["c1"]);
}

/// Read and written again, some numbers end in another digit; the trail must not look altered for it.
#[test]
fn numbers_of_every_kind_verify() {
    let ledger = Ledger::in_memory().unwrap();
    let mut state = 7_u64;
    for _ in 0..500 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = (state >> 11) as f64 / (1_u64 << 53) as f64;
        let entry = AuditEntry {
            time: Timestamp(1),
            actor: "a".to_owned(),
            verb: "score".to_owned(),
            subject: "s".to_owned(),
            detail: json!({"score": number, "small": number * 1e-200}),
        };
        ledger.commit(vec![Write::Audit(entry)]).unwrap();
    }
    assert_eq!(ledger.verify_audit().unwrap().0, 500);
}

#[test]
fn the_audit_trail_only_grows_and_shows_any_change() {
    let folder = std::env::temp_dir().join(format!("ledger-audit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("ledger.sqlite");
    let ledger = Ledger::open(&path).unwrap();
    ledger.commit(vec![Write::Audit(entry("one")), Write::Audit(entry("two"))]).unwrap();
    ledger.commit(vec![Write::Audit(entry("three"))]).unwrap();
    drop(ledger);
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(ledger.verify_audit().unwrap().0, 3);
    let connection = Connection::open(&path).unwrap();
    assert!(connection.execute("UPDATE audit SET verb = 'x' WHERE seq = 2", []).is_err());
    assert!(connection.execute("DELETE FROM audit WHERE seq = 2", []).is_err());
    connection.execute_batch("DROP TRIGGER audit_no_update; UPDATE audit SET detail = '{}' WHERE seq = 2;").unwrap();
    assert!(matches!(ledger.verify_audit(), Err(LedgerError::Altered { seq: 2, .. })));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_ledger_of_version_1_gets_the_new_tables_and_keeps_its_documents() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let document = Document {
        id: "ci/1".into(),
        time: Timestamp::from_secs(1),
        service: "a".into(),
        state: "started".into(),
        body: json!({"id": "1"}),
    };
    {
        let ledger = Ledger::open(&path).unwrap();
        ledger.commit(vec![Write::Put(LedgerTable::Changes, document.clone())]).unwrap();
        let connection = ledger.connection.lock();
        connection
            .execute_batch("DROP TABLE watches; DROP TABLE leases; DROP TABLE approvals; DROP TABLE switches")
            .unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
    }
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(ledger.get(LedgerTable::Changes, "ci/1").unwrap(), Some(document));
    assert_eq!(ledger.get(LedgerTable::Leases, "x").unwrap(), None);
}

#[test]
fn queries_read_rows() {
    let ledger = Ledger::in_memory().unwrap();
    let writes = vec![
        Write::Put(LedgerTable::Changes, document("c1", 10, "a", "")),
        Write::Put(LedgerTable::Changes, document("c2", 20, "b", "")),
        Write::Audit(entry("change.recorded")),
    ];
    ledger.commit(writes).unwrap();
    let rows = ledger.rows("changes", TimeRange::ALL, 1).unwrap();
    assert_eq!(rows.len(), 1);
    let fields: Vec<String> = rows[0].fields.iter().map(|(name, value)| format!("{name}={}", value.text())).collect();
    assert_eq!(fields, ["body=c2 happened", "target.service=b", "n=20", "id=c2", "service.name=b"]);
    let rows = ledger.rows("audit", TimeRange::ALL, 10).unwrap();
    assert_eq!(rows[0].body(), "respond change.recorded a1");
    assert!(matches!(ledger.rows("logs", TimeRange::ALL, 1), Err(LedgerError::UnknownTable(_))));
}
