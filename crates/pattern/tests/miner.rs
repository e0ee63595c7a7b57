//! What a miner promises: ids, limits, state, and that shapes and texts are the same to it.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};
use pattern::{BadState, Limits, Miner, PatternId, State, mine};
use proptest::prelude::*;
use shape::{Cutter, marked, tokenize};

fn learned(lines: &[&str]) -> Miner {
    let mut miner = Miner::new(Limits::default());
    for line in lines {
        miner.learn(line, 1);
    }
    miner.refine();
    miner
}

fn templates(miner: &Miner) -> String {
    let mut shown: Vec<String> =
        miner.patterns().map(|pattern| format!("{} × {}", pattern.rows, pattern.template)).collect();
    shown.sort();
    shown.join("\n")
}

fn check(lines: &[&str], want: Expect) {
    want.assert_eq(&templates(&learned(lines)));
}

/// The template of a line on its own.
fn check_line(line: &str, want: Expect) {
    let miner = learned(&[line]);
    want.assert_eq(&miner.patterns().map(|pattern| pattern.template).collect::<String>());
}

#[test]
fn values_are_seen_in_a_single_line() {
    check_line("", expect![""]);
    check_line("took 12 ms, 3.5 KB of 20% at -1", expect!["took <num> ms, <num> KB of <num> at <num>"]);
    check_line("from 10.0.0.1:8080 to fe80::1:2a and 00:1b:44:11:3a:b7", expect!["from <ip> to <id> and <id>"]);
    check_line("open /var/log/x.log and C:\\Temp\\a.txt and ./run", expect!["open <path> and <path> and <path>"]);
    check_line("see https://a.example/x?y=1, then stop", expect!["see <path>, then stop"]);
    check_line("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301 of blk_-99 and 0xff", expect!["id <id> of blk_<num> and <id>"]);
    check_line("at Sat Jun 18 02:08:10 2005 (host) ()", expect!["at <time> <num> <time> <num> (host) (<*>)"]);
    check_line("user=alice uid=0 name= key=[1,2] x=Foo{3}", expect!["user=alice uid=<num> name= key=<num> x=<*>"]);
    check_line("can't read 'a b c d e f' or \"x y\" or 'z'", expect![[r#"can't read 'a b c d e f' or "x y" or 'z'"#]]);
    check_line(
        r#"{"msg":"it is done now ok","n":5,"ok":true}"#,
        expect![[r#"{"msg":"it is done now ok","n":<num>,"ok":<*>}"#]],
    );
    check_line("sizes 1 2 3 4 and 5, 6, 7 of a_1 a_2", expect!["sizes <num> and <num> of a_<num>"]);
    check_line("GET /x HTTP/1.1 in <1 sec ......... 5", expect!["GET <path> HTTP/<num> in <num> sec ... <num>"]);
    check_line("数据库 12 失败 é\u{1}b", expect!["数据库 <num> 失败 é b"]);
}

#[test]
fn words_that_differ_are_values_when_there_are_many() {
    let users = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];
    let mut lines: Vec<String> = users.iter().map(|user| format!("Login of user {user} was refused")).collect();
    lines.extend(["VM started on node", "VM stopped on node", "VM paused on node"].map(str::to_owned));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    check(
        &lines,
        expect![[r#"
            1 × VM paused on node
            1 × VM started on node
            1 × VM stopped on node
            8 × Login of user <*> was refused"#]],
    );
}

#[test]
fn names_of_states_stay_and_names_of_things_do_not() {
    check(
        &[
            "job a state=open",
            "job a state=shut",
            "job a owner=alice",
            "job a owner=bob",
            "job a owner=carol",
            "job a owner=dave",
            "job a owner=erin",
            "job a owner=frank",
            "job a load=5",
            "job a load=none",
        ],
        expect![[r#"
            1 × job a state=open
            1 × job a state=shut
            2 × job a load=<*>
            6 × job a owner=<*>"#]],
    );
}

#[test]
fn an_id_stays_while_its_pattern_grows() {
    let mut miner = Miner::new(Limits::default());
    let users = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];
    let first: Vec<PatternId> =
        users[..8].iter().map(|user| miner.learn(&format!("Login of user {user} was refused"), 1)).collect();
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 8);
    miner.refine();
    let id = miner.find("Login of user alice was refused").expect("learned");
    assert!(first.iter().all(|old| miner.resolve(*old) == Some(id)), "what was told before leads there");
    assert_eq!(miner.learn("Login of user mallory was refused", 1), id);
    miner.learn("Something else", 1);
    miner.refine();
    assert_eq!(miner.find("Login of user trent was refused"), Some(id));
    assert!(miner.matches(first[3], "Login of user trent was refused"));
    assert!(!miner.matches(id, "Login of user trent was granted"));
    assert_eq!(miner.pattern(id).map(|pattern| pattern.rows), Some(9));
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(
        "xyz".parse::<PatternId>().expect_err("no id").to_string(),
        expect![[r#""xyz" is no pattern id: one is 16 hexadecimal digits, as in `_pattern` of a row"#]].data()
    );
}

#[test]
fn settled_patterns_that_merge_keep_the_older_id() {
    let mut miner = Miner::new(Limits::default());
    let line = |user: &str| format!("Login of user {user} was refused");
    let old = miner.learn(&line("alice"), 1);
    miner.refine();
    let newer = miner.learn(&line("bob"), 1);
    miner.refine();
    assert_ne!(old, newer);
    for user in ["carol", "dave", "erin", "frank", "grace", "heidi", "ivan"] {
        miner.learn(&line(user), 1);
    }
    miner.refine();
    assert_eq!(miner.find(&line("zoe")), Some(old));
    assert_eq!(miner.resolve(newer), Some(old));
    assert_eq!(miner.template(newer).as_deref(), Some("Login of user <*> was refused"));
}

#[test]
fn beyond_the_limits_rows_are_counted() {
    let limits = Limits { templates_max: 3, forms_max: 5, children_max: 2, tokens_max: 4, ..Limits::default() };
    let mut miner = Miner::new(limits);
    let words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"];
    let ids: Vec<PatternId> = words.iter().map(|word| miner.learn(&format!("only {word}"), 2)).collect();
    assert_eq!(ids.iter().filter(|id| **id == PatternId::OVERFLOW).count(), 3);
    assert_eq!((miner.len(), miner.overflow_rows()), (3, 6));
    miner.refine();
    assert_eq!(miner.find("only omega"), None);
    assert_eq!(miner.learn("only alpha", 1), ids[0]);
    let mut miner = Miner::new(limits);
    miner.learn("one two three four five six", 1);
    assert_eq!(templates(&miner), "1 × one two three four <*>");
}

#[test]
fn a_pattern_with_many_forms_stays_small() {
    let mut miner = Miner::new(Limits { children_max: 16, ..Limits::default() });
    let word = |nth: usize| nth.to_string().bytes().map(|digit| char::from(digit + 49)).collect::<String>();
    for nth in 0..5000 {
        miner.learn(&format!("Login of user {} was refused", word(nth)), 1);
    }
    miner.refine();
    assert_eq!(templates(&miner), "5000 × Login of user <*> was refused");
    let kept = serde_json::to_string(&miner.state()).expect("state");
    assert!(kept.len() < 30_000, "{} bytes", kept.len());
    let again = Miner::restore(Limits::default(), &miner.state()).expect("restored");
    assert_eq!(again.find("Login of user nobody was refused"), miner.find("Login of user somebody was refused"));
}

#[test]
fn room_is_made_for_new_patterns() {
    let mut miner = Miner::new(Limits { forms_max: 400, ..Limits::default() });
    let word = |nth: usize| nth.to_string().bytes().map(|digit| char::from(digit + 49)).collect::<String>();
    let statements = ["a user named", "no host is called", "the disk at fault is now", "one job asks for"];
    for nth in 0..8000 {
        miner.learn(&format!("{} {} and waits", statements[nth % 4], word(nth)), 1);
    }
    let id = miner.learn("Something new happens after all", 1);
    miner.refine();
    assert_eq!(miner.find("Something new happens after all"), Some(id));
    assert_eq!((miner.len(), miner.overflow_rows()), (5, 0), "{}", templates(&miner));
    let kept = serde_json::to_string(&miner.state()).expect("state");
    assert!(kept.len() < 200_000, "{} bytes", kept.len());
}

#[test]
fn forgotten_patterns_make_room_and_others_stay() {
    let all = lines(300);
    let mut miner = learned(&all.iter().map(String::as_str).collect::<Vec<_>>());
    let (gone, stays) = ("nothing to do", "request 7 from 10.9.9.9 done in 5 ms");
    let (old, id) = (miner.find(gone).expect("known"), miner.find(stays));
    let count = miner.len();
    miner.retain(|id| id != old);
    assert_eq!((miner.len(), miner.find(gone), miner.pattern(old)), (count - 1, None, None));
    assert_eq!(miner.find(stays), id);
    miner.learn("Login of user zoe was refused", 1);
    miner.refine();
    assert_eq!((miner.len(), miner.find(stays)), (count - 1, id));
    assert_eq!(miner.learn(gone, 1), old, "the same line has the same id again");
}

/// Lines of a few statements with made-up values.
fn lines(count: usize) -> Vec<String> {
    let users = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan"];
    let places = ["cellar", "attic", "kitchen", "garden", "hall", "garage", "porch", "study", "roof"];
    (0..count)
        .map(|nth| {
            let (user, place) = (users[nth * 7 % 9], places[nth * 5 % 9]);
            match nth % 5 {
                0 => format!("Login of user {user} was refused"),
                1 => format!("Sensor in the {place} reads {nth} degrees"),
                2 => format!("user={user} left by the door of {place}"),
                3 => format!("request {nth} from 10.0.0.{} done in {nth} ms", nth % 256),
                _ => "nothing to do".to_owned(),
            }
        })
        .collect()
}

#[test]
fn two_nodes_agree_whatever_the_order() {
    let forward = lines(600);
    let mut backward = forward.clone();
    backward.reverse();
    let one = learned(&forward.iter().map(String::as_str).collect::<Vec<_>>());
    let other = learned(&backward.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(templates(&one), templates(&other));
    let ids = |miner: &Miner| miner.patterns().map(|pattern| pattern.id).collect::<BTreeSet<_>>();
    assert_eq!(ids(&one), ids(&other));
}

#[test]
fn a_state_goes_over_a_restart() {
    let all = lines(300);
    let mut before = Miner::new(Limits::default());
    let told: Vec<PatternId> = all.iter().map(|line| before.learn(line, 1)).collect();
    let written = serde_json::to_string(&before.state()).expect("state");
    let state: State = serde_json::from_str(&written).expect("read");
    assert_eq!(state, before.state());
    let mut after = Miner::restore(Limits::default(), &state).expect("restored");
    assert_eq!(templates(&after), templates(&before));
    for id in told {
        assert_eq!(after.resolve(id), before.resolve(id));
    }
    before.refine();
    after.refine();
    for line in &all {
        assert_eq!(after.find(line), before.find(line));
    }
    let damaged = |from: &str, to: &str| {
        let state: State = serde_json::from_str(&written.replacen(from, to, 1)).expect("read");
        Miner::restore(Limits::default(), &state).err()
    };
    assert_eq!(damaged("\"version\":1", "\"version\":9"), Some(BadState::Version(9)));
    assert!(matches!(damaged("\\u001fw", "x"), Some(BadState::Damaged(_))));
}

#[test]
fn two_states_become_one() {
    let all = lines(600);
    let (left, right) = all.split_at(250);
    let mut one = learned(&left.iter().map(String::as_str).collect::<Vec<_>>());
    let mut extra: Vec<&str> = right.iter().map(String::as_str).collect();
    extra.push("only the other knows this");
    let other = learned(&extra);
    let own: Vec<PatternId> = one.patterns().map(|pattern| pattern.id).collect();
    one.merge(&other.state()).expect("merged");
    for id in own {
        assert_eq!(one.resolve(id), Some(id), "own ids stay");
    }
    for line in &extra {
        assert_eq!(one.find(line), one.resolve(other.find(line).expect("known")), "{line}");
    }
    assert_eq!(one.find("only the other knows this"), other.find("only the other knows this"));
    let rows: u64 = one.patterns().map(|pattern| pattern.rows).sum();
    assert_eq!(rows, 601);
}

#[test]
fn the_patterns_of_one_answer() {
    let all = lines(100);
    let texts: Vec<(&str, u64)> = all.iter().map(|line| (line.as_str(), 3)).collect();
    let mined = mine(&texts, Limits::default());
    let shown: Vec<String> =
        mined.patterns.iter().map(|pattern| format!("{} {} {}", pattern.id, pattern.rows, pattern.template)).collect();
    expect![[r#"
        35baf04d97219c74 60 Login of user <*> was refused
        b67fcdd02b7a64b3 60 Sensor in the <*> reads <num> degrees
        6e78d44cc9245fe5 60 nothing to do
        4155ae1272e6655e 60 request <num> from <ip> done in <num> ms
        33edb4f56853f1b2 60 user=<*> left by the door of <*>"#]]
    .assert_eq(&shown.join("\n"));
    let mut rows: BTreeMap<usize, u64> = BTreeMap::new();
    for (place, (_, count)) in mined.of.iter().zip(&texts) {
        *rows.entry(place.expect("has a pattern")).or_default() += count;
    }
    for (place, rows) in rows {
        assert_eq!(mined.patterns[place].rows, rows);
    }
}

#[test]
fn required_words_are_in_every_line() {
    let miner = learned(&["job node-7 of x.y failed: disk_full on v2beta at 5:00", "Größe 错误 err=12"]);
    let words = |line: &str| miner.required_words(miner.find(line).expect("known")).join(" ");
    expect!["at disk_full failed job node of on x y"]
        .assert_eq(&words("job node-7 of x.y failed: disk_full on v2beta at 5:00"));
    expect!["err größe 错误"].assert_eq(&words("Größe 错误 err=12"));
}

/// A line of what lines are made of, and of anything else.
fn a_line() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z]{1,6}",
        "[0-9]{1,4}",
        "[a-f0-9]{4,8}",
        "[ =:;,.\"'(){}<>/\\\\\\[\\]|#@%&*~`+-]{1,2}",
        "/[a-z]{1,3}/[a-z0-9.]{1,5}",
        "[a-z]{1,3}=",
        "\\PC{0,3}",
        Just(" ".to_owned()),
        Just("\u{11}".to_owned()),
        Just("\u{10}".to_owned()),
    ];
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_line_is_found_again(lines in prop::collection::vec(a_line(), 1..12)) {
        let mut miner = Miner::new(Limits { tokens_max: 12, ..Limits::default() });
        for line in &lines {
            miner.learn(line, 1);
        }
        miner.refine();
        let state = miner.state();
        let restored = Miner::restore(Limits { tokens_max: 12, ..Limits::default() }, &state).expect("restored");
        prop_assert_eq!(restored.state(), state);
        for line in &lines {
            let id = miner.find(line);
            prop_assert!(id.is_some());
            prop_assert_eq!(restored.find(line), id);
        }
    }

    #[test]
    fn a_shape_has_the_pattern_of_its_text(line in a_line()) {
        let (mut shape, mut variables) = (String::new(), String::new());
        marked(&mut Cutter::default(), &line, &mut shape, &mut variables);
        // A text with marks of its own is kept whole.
        prop_assume!(!line.contains(['\u{10}', '\u{11}', '\u{12}', '\u{13}']));
        let mut miner = Miner::new(Limits::default());
        let id = miner.learn(&line, 1);
        prop_assert_eq!(miner.find(&shape), Some(id));
    }

    #[test]
    fn no_line_of_a_pattern_lacks_a_required_word(lines in prop::collection::vec(a_line(), 1..12)) {
        let mut miner = Miner::new(Limits::default());
        for line in &lines {
            miner.learn(line, 1);
        }
        miner.refine();
        for line in &lines {
            let words: BTreeSet<String> = tokenize(line).map(|word| word.into_owned()).collect();
            let id = miner.find(line).expect("learned");
            for word in miner.required_words(id) {
                prop_assert!(words.contains(&word), "{word:?} is not in {line:?}");
            }
        }
    }
}
