//! Lines and pickles as carbon's clients write them.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const RECEIVED: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn show(decoded: &Decoded) -> String {
    let mut out = String::new();
    for series in &decoded.series.series {
        let samples: Vec<_> = series.samples.iter().map(|it| format!("{}@{}", it.value, it.time_ms)).collect();
        let _ = writeln!(out, "{} {}", series.labels, samples.join(" "));
    }
    for reject in &decoded.rejects {
        let raw = String::from_utf8_lossy(&reject.raw[..reject.raw.len().min(60)]).into_owned();
        let _ = writeln!(out, "REJECT {} x{} {}: {raw:?}", reject.reason, reject.items, reject.peer);
    }
    out
}

fn decode(text: &[u8], templates: &[&str]) -> Decoded {
    let options = GraphiteOptions { templates: Templates::parse(templates).unwrap() };
    let mut decoder = GraphiteDecoder::new(&options, RECEIVED);
    decoder.lines(text, "10.0.0.1");
    decoder.finish()
}

fn check(text: &str, templates: &[&str], want: Expect) {
    want.assert_eq(&show(&decode(text.as_bytes(), templates)));
}

#[test]
fn lines_become_samples() {
    check(
        "servers.web-1.cpu.load 1.5 1700000000\r\n\
         servers.web-1.cpu.load 2 1700000060.25\n\
         now.a 1\nnow.b 2 -1\nnow.c 3 N\n\
         disk.used;host=web-1;dc=eu 9e3 1700000000\n\
         \tspaced\t 4  1700000000 \n\
         gone nan 1700000000\n\
         5xx.count -inf 1700000000\n\n",
        &[],
        expect![[r#"
            servers_web_1_cpu_load 1.5@1700000000000 2@1700000060250
            now_a 1@1795424400000
            now_b 2@1795424400000
            now_c 3@1795424400000
            disk_used{dc="eu", host="web-1"} 9000@1700000000000
            spaced 4@1700000000000
            _5xx_count -inf@1700000000000
        "#]],
    );
}

#[test]
fn bad_lines_take_no_neighbour_with_them() {
    check(
        "a 1 1700000000\nalone\nb one 1700000000\nc 1 soon\nd 1 1 1\ne;tag 1 1\nf;=x 1 1\n... 1 1\ng 1 1e300\nh 1 -5\nz 2 1700000000",
        &[],
        expect![[r#"
            a 1@1700000000000
            z 2@1700000000000
            REJECT the line has no value: send `path value time` x1 10.0.0.1: "alone"
            REJECT the value "one" is not a number x1 10.0.0.1: "b one 1700000000"
            REJECT the time "soon" is not a number of seconds x1 10.0.0.1: "c 1 soon"
            REJECT there is "1" behind the time: send `path value time` x1 10.0.0.1: "d 1 1 1"
            REJECT the tag "tag" has no value x1 10.0.0.1: "e;tag 1 1"
            REJECT the tag "=x" has no name x1 10.0.0.1: "f;=x 1 1"
            REJECT nothing of the path "..." can be kept as a name x1 10.0.0.1: "... 1 1"
            REJECT the time 1e300 is out of bounds: send seconds since 1970 x1 10.0.0.1: "g 1 1e300"
            REJECT the time -5.0 is out of bounds: send seconds since 1970 x1 10.0.0.1: "h 1 -5"
        "#]],
    );
    let decoded = decode(b"a 1 1\nb\xff 1 1\nc 1 1", &[]);
    assert_eq!((decoded.series.series.len(), decoded.rejects.len()), (2, 1));
}

#[test]
fn templates_take_paths_apart() {
    let templates =
        ["servers.* .host.measurement* region=eu", "stats.*.count type.host.measurement.field", "measurement*"];
    check(
        "servers.web-1.cpu.load 1 1\nservers.only 1 1\nstats.web.count.x 2 1\nstats.web.other.x 2 1\nservers.web;a=b 3 1",
        &templates,
        expect![[r#"
            cpu_load{host="web-1", region="eu"} 1@1000
            count_x{host="web", type="stats"} 2@1000
            stats_web_other_x 2@1000
            servers_web{a="b"} 3@1000
            REJECT nothing of the path "servers.only" can be kept as a name x1 10.0.0.1: "servers.only 1 1"
        "#]],
    );
    for (template, why) in [
        ("", "a template has one to three words"),
        (".host", "the template has no `measurement`"),
        ("a* measurement b", "a tag is not written"),
        ("h*st.measurement", "is no name of a label"),
    ] {
        let error = Templates::parse(&[template]).unwrap_err().to_string();
        assert!(error.contains(why), "{template:?}: {error}");
    }
    for (pattern, part, want) in
        [("*", "x", true), ("a*c", "abc", true), ("a*c", "ab", false), ("*b*", "abc", true), ("a", "ab", false)]
    {
        let templates = Templates::parse(&[format!("{pattern} measurement")]).unwrap();
        assert_eq!(templates.apply(part).is_some(), want, "{pattern} {part}");
    }
}

/// Written by Python: `pickle.dumps([("a.b", (1700000000, 1.5)), ("a.c;h=x", (1700000000.5, 7)), ("a.b", (1700000060, "2"))], protocol=N)`.
const PICKLES: [&str; 4] = [PROTOCOL_0, PROTOCOL_2, PROTOCOL_3, PROTOCOL_5];

const PROTOCOL_0: &str = "286c70300a2856612e620a70310a2849313730303030303030300a46312e350a7470320a7470330a612856612e633b683d780a70340a2846313730303030303030302e350a49370a7470350a7470360a612867310a2849313730303030303036300a56320a70370a7470380a7470390a612e";
const PROTOCOL_2: &str = "80025d7100285803000000612e6271014a00f15365473ff80000000000008671028671035807000000612e633b683d7871044741d954fc402000004b0786710586710668014a3cf153655801000000327107867108867109652e";
const PROTOCOL_3: &str = "80035d7100285803000000612e6271014a00f15365473ff80000000000008671028671035807000000612e633b683d7871044741d954fc402000004b0786710586710668014a3cf153655801000000327107867108867109652e";
const PROTOCOL_5: &str = "80059545000000000000005d94288c03612e62944a00f15365473ff8000000000000869486948c07612e633b683d78944741d954fc402000004b078694869468014a3cf153658c01329486948694652e";

#[test]
fn pickles_become_samples() {
    let want = "a_b{} 1.5@1700000000000 2@1700000060000\na_c{h=\"x\"} 7@1700000000500\n".replace("a_b{}", "a_b");
    for pickle in PICKLES {
        let message = hex::decode(pickle).unwrap();
        let options = GraphiteOptions::default();
        let mut decoder = GraphiteDecoder::new(&options, RECEIVED);
        decoder.pickle(&message, "");
        assert_eq!(show(&decoder.finish()), want);
        for cut in 0..message.len() {
            let mut decoder = GraphiteDecoder::new(&options, RECEIVED);
            decoder.pickle(&message[..cut], "");
            assert_eq!(decoder.finish().rejects.len(), 1);
        }
    }
}

#[test]
fn a_pickle_runs_nothing() {
    let options = GraphiteOptions::default();
    let mut decoder = GraphiteDecoder::new(&options, RECEIVED);
    decoder.pickle(b"cos\nsystem\n(S'true'\ntR.", "");
    let decoded = decoder.finish();
    assert!(decoded.rejects[0].reason.contains("nothing here runs"), "{}", decoded.rejects[0].reason);
}

/// Small messages that would not fit into the stack or into memory.
#[test]
fn a_pickle_stays_small() {
    let refused = |message: &[u8]| {
        let options = GraphiteOptions::default();
        let mut decoder = GraphiteDecoder::new(&options, RECEIVED);
        decoder.pickle(message, "");
        let decoded = decoder.finish();
        assert!(decoded.series.series.is_empty());
        decoded.rejects[0].reason.clone()
    };
    let nested = [&b"]"[..], &[0x85; 199_999], b"."].concat();
    assert_eq!(refused(&nested), "the pickle has more than 4 lists within each other");
    let appended = [&b"]]]]]"[..], b"aaaa."].concat();
    assert_eq!(refused(&appended), "the pickle has more than 4 lists within each other");
    let gathered = b"((((((ttttt.";
    assert_eq!(refused(gathered), "the pickle has more than 4 lists within each other");
    let mut recalled = b"(X\x20\xa1\x07\x00".to_vec();
    recalled.resize(recalled.len() + 500_000, b'x');
    recalled.extend_from_slice(b"q\x00");
    recalled.extend(b"h\x00".repeat(190_000));
    recalled.extend_from_slice(b"l.");
    assert_eq!(refused(&recalled), "the pickle's texts, as often as they are used, have more than 67108864 bytes");
}

#[test]
fn pickles_are_cut_out_of_a_stream() {
    let message = hex::decode(PROTOCOL_2).unwrap();
    let mut stream = Vec::new();
    for _ in 0..3 {
        stream.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        stream.extend_from_slice(&message);
    }
    for piece in [1, 3, 7, 1000] {
        let mut frames = PickleFrames::default();
        let found: Vec<Vec<u8>> = stream.chunks(piece).flat_map(|bytes| frames.push(bytes).unwrap()).collect();
        assert_eq!(found, vec![message.clone(); 3]);
        assert_eq!(frames.pending_bytes(), 0);
    }
    assert_eq!(PickleFrames::default().push(b"GET / HTTP/1.1").unwrap_err(), pickle::TooLong(0x4745_5420));
}

proptest! {
    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(decode(&bytes, &["a.* x.measurement*"])); // any result is fine
        let options = GraphiteOptions::default();
        let mut decoder = GraphiteDecoder::new(&options, RECEIVED);
        decoder.pickle(&bytes, "");
        drop(decoder.finish());
    }

    #[test]
    fn a_damaged_pickle_is_safe(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut message = hex::decode(PROTOCOL_2).unwrap();
        let at = at.index(message.len());
        message[at] ^= flip;
        let options = GraphiteOptions::default();
        let mut decoder = GraphiteDecoder::new(&options, RECEIVED);
        decoder.pickle(&message, "");
        drop(decoder.finish()); // any result is fine
    }

    #[test]
    fn every_line_is_kept_or_refused(lines in prop::collection::vec(("[a-z][a-z.]{0,8}", any::<i32>(), 0u32.., any::<bool>()), 0..20)) {
        let text: String = lines.iter()
            .map(|(path, value, time, good)| format!("{path} {value} {time}{}\n", if *good { "" } else { " x" }))
            .collect();
        let decoded = decode(text.as_bytes(), &[]);
        let good = lines.iter().filter(|line| line.3).count();
        prop_assert_eq!(decoded.series.sample_count(), good);
        prop_assert_eq!(decoded.rejected() as usize, lines.len() - good);
    }
}
