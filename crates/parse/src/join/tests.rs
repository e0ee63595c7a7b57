//! Traces of every language as their runtimes print them, between ordinary lines, and limits.

use expect_test::{Expect, expect};

use super::*;

fn joiner(kind: Kind) -> Joiner<usize> {
    let rule = JoinRule {
        name: "test".into(),
        kind,
        lines_max: JOIN_LINES_MAX_DEFAULT,
        bytes_max: JOIN_BYTES_MAX_DEFAULT,
        timeout_ns: JOIN_TIMEOUT_NS_DEFAULT,
    };
    Joiner::new(Arc::from(vec![rule]))
}

fn join(kind: Kind, text: &str) -> Vec<Joined<usize>> {
    let (mut joiner, mut out) = (joiner(kind), Vec::new());
    for (at, line) in text.lines().enumerate() {
        joiner.push("s", 0, line, Timestamp(0), at, &mut out);
    }
    joiner.flush(&mut out);
    out
}

/// Shows each record as the number of its lines, and the beginnings of its first and its last.
fn check_kind(kind: Kind, text: &str, expect: Expect) {
    let mut shown = String::new();
    for joined in join(kind, text) {
        let short = |line: &str| line.chars().take(70).collect::<String>().trim_end().to_owned();
        let mut lines = joined.text.split('\n');
        shown += &format!("{} {}\n", joined.lines, short(lines.next().unwrap_or_default()));
        if let Some(last) = lines.next_back() {
            shown += &format!("    {}\n", if last.is_empty() { "(empty)".to_owned() } else { short(last) });
        }
    }
    expect.assert_eq(&shown);
}

fn check(language: Language, text: &str, expect: Expect) {
    check_kind(Kind::Traces(vec![language]), text, expect);
}

const JAVA: &str = "\
2026-11-23 09:00:00.001  INFO 1 --- [main] c.e.Shop : started
2026-11-23 09:00:00.002 ERROR 1 --- [nio-1] c.e.Shop : payment failed
java.lang.IllegalStateException: card declined
\tat com.example.Shop.pay(Shop.java:42)
\tat com.example.Shop$$Lambda$14/0x0000000800066840.run(Unknown Source)
\tat java.base/java.lang.Thread.run(Thread.java:829) ~[na:na]
\tSuppressed: java.io.IOException: close
\t\tat com.example.Res.close(Res.java:7)
Caused by: java.net.SocketTimeoutException: Read timed out
\tat java.base/java.net.SocketInputStream.socketRead0(Native Method)
\t... 23 more
Caused by: com.example.Deep: gone
\t... 2 common frames omitted
2026-11-23 09:00:00.003  INFO 1 --- [main] c.e.Shop : at work (again)
Exception in thread \"main\" java.lang.NullPointerException
\tat com.example.Main.main(Main.java:5)
2026-11-23 09:00:00.004  INFO next
2026-11-23 09:00:00.005  INFO java.lang.String: not an error
java.lang.OutOfMemoryError: Java heap space
java.lang.OutOfMemoryError: again
2026-11-23 09:00:00.006 WARN c.e.Odd - unexpected CustomFault happened
\tat com.example.Odd.run(Odd.kt:9)
  an indented ordinary line
";

#[test]
fn java() {
    check(
        Language::Java,
        JAVA,
        expect![[r#"
            1 2026-11-23 09:00:00.001  INFO 1 --- [main] c.e.Shop : started
            12 2026-11-23 09:00:00.002 ERROR 1 --- [nio-1] c.e.Shop : payment failed
                	... 2 common frames omitted
            1 2026-11-23 09:00:00.003  INFO 1 --- [main] c.e.Shop : at work (again)
            2 Exception in thread "main" java.lang.NullPointerException
                	at com.example.Main.main(Main.java:5)
            1 2026-11-23 09:00:00.004  INFO next
            1 2026-11-23 09:00:00.005  INFO java.lang.String: not an error
            1 java.lang.OutOfMemoryError: Java heap space
            1 java.lang.OutOfMemoryError: again
            2 2026-11-23 09:00:00.006 WARN c.e.Odd - unexpected CustomFault happened
                	at com.example.Odd.run(Odd.kt:9)
            1   an indented ordinary line
        "#]],
    );
}

const PYTHON: &str = "\
INFO:root:started
ERROR:root:job failed
Traceback (most recent call last):
  File \"/app/job.py\", line 12, in run
    return self.load(path)
           ^^^^^^^^^^^^^^^
  File \"/app/job.py\", line 30, in load
    raise KeyError(\"a\")
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/app/job.py\", line 14, in run
    raise app.errors.Declined(\"no\") from error
app.errors.Declined: no
INFO:root:next
Traceback (most recent call last):
  File \"<stdin>\", line 1, in <module>
KeyboardInterrupt
INFO:root:ordinary: line
  + Exception Group Traceback (most recent call last):
  |   File \"x.py\", line 3, in <module>
  |     raise ExceptionGroup(\"many\", [ValueError(1)])
  | ExceptionGroup: many (1 sub-exception)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------
2026-11-23 09:00:00 next
File is not a trace
  indented
";

#[test]
fn python() {
    check(
        Language::Python,
        PYTHON,
        expect![[r#"
        1 INFO:root:started
        15 ERROR:root:job failed
            app.errors.Declined: no
        1 INFO:root:next
        3 Traceback (most recent call last):
            KeyboardInterrupt
        1 INFO:root:ordinary: line
        7   + Exception Group Traceback (most recent call last):
                +------------------------------------
        1 2026-11-23 09:00:00 next
        1 File is not a trace
        1   indented
    "#]],
    );
}

const GO: &str = "\
2026/11/23 09:00:00 started (v1.2)
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.pay(0xc000012345, 0x5)
\t/app/main.go:12 +0x1d
main.main()
\t/app/main.go:5 +0x85
exit status 2
2026/11/23 09:00:01 http: panic serving 10.0.0.1:5000: boom
goroutine 35 [running]:
net/http.(*conn).serve.func1(0xc0000a2000)
\t/usr/local/go/src/net/http/server.go:1850 +0xbf
panic({0x6a1b20, 0x7c5a30})
\t/usr/local/go/src/runtime/panic.go:890 +0x262
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3102 +0x4db
2026/11/23 09:00:02 next request (ok)
fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
\t/app/main.go:7 +0x2d

goroutine 18 [select (no cases)]:
main.worker(...)
\t/app/main.go:20
2026/11/23 09:00:03 next
panic: first [recovered]
\tpanic: second
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45d2f1]

goroutine 7 [running]:
main.f({0x1, 0x2}, 0x3)
\t/app/f.go:1 +0x1
server started (done)
ordinary line
";

#[test]
fn go() {
    check(
        Language::Go,
        GO,
        expect![[r#"
            1 2026/11/23 09:00:00 started (v1.2)
            8 panic: runtime error: index out of range [5] with length 3
                exit status 2
            8 2026/11/23 09:00:01 http: panic serving 10.0.0.1:5000: boom
                	/usr/local/go/src/net/http/server.go:3102 +0x4db
            1 2026/11/23 09:00:02 next request (ok)
            9 fatal error: all goroutines are asleep - deadlock!
                	/app/main.go:20
            1 2026/11/23 09:00:03 next
            7 panic: first [recovered]
                	/app/f.go:1 +0x1
            1 server started (done)
            1 ordinary line
        "#]],
    );
}

const NODE: &str = "\
Server listening at http://localhost:3000
/app/shop.js:12
    throw new TypeError('no total');
    ^

TypeError: no total
    at pay (/app/shop.js:12:11)
    at async Promise.all (index 0)
    at node:internal/main/run_main_module:22:47 {
  code: 'ERR_TOTAL',
  [cause]: Error: inner
      at load (/app/load.mjs:3:9)
}

Node.js v18.17.0
GET /cart 200
Error [ERR_HTTP_HEADERS_SENT]: Cannot set headers
    at ServerResponse.setHeader (node:_http_outgoing:652:11)
    at Object.<anonymous> (/app/index.ts:5:1)
GET /cart 200
UnhandledPromiseRejection: This error originated either by throwing
Connected at last (took 5:00)
error: request failed for user 5
    at next (/app/node_modules/express/lib/router/route.js:137:13)
done
";

#[test]
fn node() {
    check(
        Language::Nodejs,
        NODE,
        expect![[r#"
        1 Server listening at http://localhost:3000
        14 /app/shop.js:12
            Node.js v18.17.0
        1 GET /cart 200
        3 Error [ERR_HTTP_HEADERS_SENT]: Cannot set headers
                at Object.<anonymous> (/app/index.ts:5:1)
        1 GET /cart 200
        1 UnhandledPromiseRejection: This error originated either by throwing
        1 Connected at last (took 5:00)
        2 error: request failed for user 5
                at next (/app/node_modules/express/lib/router/route.js:137:13)
        1 done
    "#]],
    );
}

const DOTNET: &str = "\
info: Microsoft.Hosting.Lifetime[0] Application started.
Unhandled exception. System.InvalidOperationException: outer
 ---> System.ArgumentNullException: Value cannot be null. (Parameter 'id')
   at Shop.Cart.Add(Int32 id) in /src/Cart.cs:line 12
   --- End of inner exception stack trace ---
   at Shop.Api.<Pay>d__5.MoveNext() in /src/Api.cs:line 40
--- End of stack trace from previous location ---
   at System.Threading.Tasks.Task.Execute()
info: Shop.Api[1] paid
fail: Microsoft.AspNetCore.Server.Kestrel[13] Connection failed
System.IO.IOException: The process cannot access the file
   at System.IO.FileStream..ctor(String path)
info: next
";

#[test]
fn dotnet() {
    check(
        Language::Dotnet,
        DOTNET,
        expect![[r#"
        1 info: Microsoft.Hosting.Lifetime[0] Application started.
        7 Unhandled exception. System.InvalidOperationException: outer
               at System.Threading.Tasks.Task.Execute()
        1 info: Shop.Api[1] paid
        3 fail: Microsoft.AspNetCore.Server.Kestrel[13] Connection failed
               at System.IO.FileStream..ctor(String path)
        1 info: next
    "#]],
    );
}

const RUBY: &str = "\
I, [2026-11-23T09:00:00 #1]  INFO -- : started
shop.rb:12:in `pay': card declined (ShopError)
\tfrom shop.rb:20:in `block in run'
\tfrom shop.rb:19:in `each'
\t ... 10 levels...
\tfrom /usr/bin/rake:25:in `<main>'
shop.rb:3:in 'Shop#charge': timeout (Net::ReadTimeout)
\tfrom shop.rb:11:in 'Shop#pay'
I, [2026-11-23T09:00:01 #1]  INFO -- : next
Traceback (most recent call last):
\t2: from a.rb:5:in `<main>'
\t1: from a.rb:3:in `x'
a.rb:1:in `y': undefined method (NoMethodError)
I, [2026-11-23T09:00:02 #1]  INFO -- : next
";

#[test]
fn ruby() {
    check(
        Language::Ruby,
        RUBY,
        expect![[r#"
        1 I, [2026-11-23T09:00:00 #1]  INFO -- : started
        7 shop.rb:12:in `pay': card declined (ShopError)
            	from shop.rb:11:in 'Shop#pay'
        1 I, [2026-11-23T09:00:01 #1]  INFO -- : next
        4 Traceback (most recent call last):
            a.rb:1:in `y': undefined method (NoMethodError)
        1 I, [2026-11-23T09:00:02 #1]  INFO -- : next
    "#]],
    );
}

/// All languages at once find the same records: nothing of one is taken for another's.
#[test]
fn all_languages_together() {
    use Language::{Dotnet, Go, Java, Nodejs, Python, Ruby};
    let all = vec![Java, Python, Go, Nodejs, Dotnet, Ruby];
    for (language, text) in [(Java, JAVA), (Python, PYTHON), (Go, GO), (Nodejs, NODE), (Dotnet, DOTNET), (Ruby, RUBY)] {
        let alone = join(Kind::Traces(vec![language]), text);
        assert_eq!(join(Kind::Traces(all.clone()), text), alone, "{language:?}");
    }
}

#[test]
fn by_expressions() {
    let text = "a1\n b\nc\na2\n\na3\n";
    check_kind(
        Kind::Start(Regex::new("^a").unwrap()),
        text,
        expect![[r#"
            3 a1
                c
            2 a2
                (empty)
            1 a3
        "#]],
    );
    check_kind(
        Kind::Continue(Regex::new(r"^\s").unwrap()),
        text,
        expect![[r#"
        2 a1
             b
        1 c
        1 a2
        1 
        1 a3
    "#]],
    );
}

#[test]
fn streams_do_not_mix_and_limits_end_records() {
    let rule = |lines_max, bytes_max| JoinRule {
        name: "t".into(),
        kind: Kind::Traces(vec![Language::Java]),
        lines_max,
        bytes_max,
        timeout_ns: 1_000,
    };
    let mut joiner = Joiner::new(Arc::from(vec![rule(3, 1000), rule(100, 60)]));
    let mut out = Vec::new();
    let frame = "\tat a.B.c(B.java:1)";
    for (at, line) in ["a.BException: x", frame, frame, frame, frame, "next"].into_iter().enumerate() {
        joiner.push("one", 0, line, Timestamp(at as i64), at, &mut out);
        joiner.push("two", 1, line, Timestamp(at as i64), at + 100, &mut out);
    }
    assert_eq!((joiner.held(), joiner.next_due()), (2, Some(Timestamp(1_005))));
    joiner.flush_due(Timestamp(1_004), &mut out);
    assert_eq!(joiner.held(), 2);
    joiner.push("one", 0, frame, Timestamp(2_000), 6, &mut out);
    joiner.flush_due(Timestamp(2_500), &mut out);
    joiner.push("one", 7, "no such rule", Timestamp(2_600), 7, &mut out);
    let shown: Vec<String> =
        out.iter().map(|joined| format!("{} {} {:?}\n", joined.first, joined.lines, joined.text)).collect();
    expect![[r#"
        0 3 "a.BException: x\n\tat a.B.c(B.java:1)\n\tat a.B.c(B.java:1)"
        100 3 "a.BException: x\n\tat a.B.c(B.java:1)\n\tat a.B.c(B.java:1)"
        3 2 "\tat a.B.c(B.java:1)\n\tat a.B.c(B.java:1)"
        103 2 "\tat a.B.c(B.java:1)\n\tat a.B.c(B.java:1)"
        5 1 "next"
        105 1 "next"
        6 1 "\tat a.B.c(B.java:1)"
        7 1 "no such rule"
    "#]]
    .assert_eq(&shown.concat());
}

#[test]
fn the_longest_silent_stream_makes_room() {
    let (mut joiner, mut out) = (joiner(Kind::Traces(vec![Language::Go])), Vec::new());
    for at in 0..JOIN_STREAMS_MAX + 3 {
        joiner.push(&at.to_string(), 0, "x", Timestamp(at as i64), at, &mut out);
    }
    assert_eq!(joiner.held(), JOIN_STREAMS_MAX);
    assert_eq!(out.iter().map(|joined| joined.first).collect::<Vec<_>>(), [0, 1, 2]);
}

fn lines() -> impl proptest::strategy::Strategy<Value = Vec<String>> {
    let known: Vec<String> = [JAVA, PYTHON, GO, NODE, DOTNET, RUBY].concat().lines().map(str::to_owned).collect();
    let line = proptest::prop_oneof![3 => proptest::sample::select(known), 1 => "[ -~é\t]{0,30}"];
    proptest::collection::vec(line, 0..40)
}

proptest::proptest! {
    /// The lines of every stream come out as they went in, whatever the limits and the clock do.
    #[test]
    fn no_line_is_lost(
        lines in lines(),
        streams in proptest::collection::vec((0usize..3, 0i64..700), 40),
        lines_max in 1usize..6,
        bytes_max in 1usize..200,
        flush in 0usize..10,
    ) {
        use Language::{Dotnet, Go, Java, Nodejs, Python, Ruby};
        let kind = Kind::Traces(vec![Java, Python, Go, Nodejs, Dotnet, Ruby]);
        let rule = JoinRule { name: "t".into(), kind, lines_max, bytes_max, timeout_ns: 1_000 };
        let mut joiner = Joiner::new(Arc::from(vec![rule]));
        let (mut out, mut now, mut wanted) = (Vec::new(), 0, vec![Vec::new(); 3]);
        for (at, (line, (stream, pause))) in lines.iter().zip(&streams).enumerate() {
            now += pause;
            joiner.push(&stream.to_string(), 0, line, Timestamp(now), *stream, &mut out);
            wanted[*stream].push(line.as_str());
            if at % 10 == flush {
                joiner.flush_due(Timestamp(now), &mut out);
            }
        }
        joiner.flush(&mut out);
        for (stream, wanted) in wanted.iter().enumerate() {
            let texts: Vec<&str> = out.iter().filter(|joined| joined.first == stream).map(|joined| joined.text.as_str()).collect();
            proptest::prop_assert_eq!(texts.join("\n"), wanted.join("\n"));
        }
        proptest::prop_assert!(out.iter().all(|joined| joined.lines <= lines_max && (joined.lines == 1 || joined.text.len() <= bytes_max)));
    }
}
