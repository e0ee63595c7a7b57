//! Lines of every format, and their fields.

use expect_test::{Expect, expect};

use super::*;

/// 2026-11-23T09:00:00Z.
const AT: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn show(extractor: &Extractor, line: &str) -> String {
    let mut fields = Vec::new();
    let read = extractor.extract(line, AT, &mut |name, value| {
        fields.push(format!("{name}={}", model::Value::from(value).to_json()));
    });
    match read {
        Ok(()) if fields.is_empty() => "no fields".to_owned(),
        Ok(()) => fields.join(" "),
        Err(not) => format!("NOT: {not}"),
    }
}

/// Each line of `lines` is one text.
fn check(format: &Format, lines: &str, expect: Expect) {
    let extractor = Extractor::new(format, &Limits::default()).unwrap();
    let shown: Vec<String> = lines.lines().map(|line| format!("{line}\n    {}\n", show(&extractor, line))).collect();
    expect.assert_eq(&shown.concat());
}

#[test]
fn json() {
    check(
        &Format::Json,
        concat!(
            "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":{\"e\":true}},\"n\":null,\"l\":[1,{\"x\":2}],\"f\":1.5,\"big\":18446744073709551615}\n",
            " {\"\\u0061\\n\":\"q\\\"\"} \n",
            "{}\n",
            "[1]\n",
            "text {\"a\":1}\n",
            "{\"a\":1} tail\n",
            "{\"a\":\n",
            "{\"\":1,\"a\":{\"\":2}}\n",
        ),
        expect![[r#"
            {"a":1,"b":{"c":"x","d":{"e":true}},"n":null,"l":[1,{"x":2}],"f":1.5,"big":18446744073709551615}
                a=1 b.c="x" b.d.e=true l=[1,{"x":2}] f=1.5 big=18446744073709552000
             {"\u0061\n":"q\""} 
                a
            ="q\""
            {}
                no fields
            [1]
                NOT: not a JSON object
            text {"a":1}
                NOT: not a JSON object
            {"a":1} tail
                NOT: not JSON: trailing characters at line 1 column 9
            {"a":
                NOT: not JSON: EOF while parsing a value at line 1 column 5
            {"":1,"a":{"":2}}
                a.=2
        "#]],
    );
}

#[test]
fn logfmt_and_kv() {
    check(
        &Format::Logfmt,
        concat!(
            "level=info msg=\"a \\\"b\\\"\" n=5 ok=true flag\n",
            "msg=\"tab\\t\\u00e9\\x41\\U\" é=ü\n",
            "just words\n",
            "a=1 =b\n",
        ),
        expect![[r#"
            level=info msg="a \"b\"" n=5 ok=true flag
                level="info" msg="a \"b\"" n=5 ok=true flag=true
            msg="tab\t\u00e9\x41\U" é=ü
                msg="tab\téAU" é="ü"
            just words
                NOT: not logfmt: key=value throughout
            a=1 =b
                NOT: not logfmt: key=value throughout
        "#]],
    );
    check(
        &Format::from_name("kv").unwrap(),
        "login ok user=bob id=\"a b\" note='c d' took=5 = x= \nno pairs at all\n",
        expect![[r#"
            login ok user=bob id="a b" note='c d' took=5 = x= 
                user="bob" id="a b" note="c d" took=5 x=""
            no pairs at all
                NOT: no pair of a key and a value
        "#]],
    );
    let colons = Format::Kv { between: ";".into(), assign: ":".into() };
    check(
        &colons,
        "user: bob smith; id: \"a;b\"; url: http://x/y ; junk;n:5;\n",
        expect![[r#"
        user: bob smith; id: "a;b"; url: http://x/y ; junk;n:5;
            user="bob smith" id="a;b" url="http://x/y" n=5
    "#]],
    );
    check(
        &Format::Kv { between: "&".into(), assign: "=".into() },
        "a=1&b=&c=x y&=z\n",
        expect![[r#"
        a=1&b=&c=x y&=z
            a=1 b="" c="x y"
    "#]],
    );
}

#[test]
fn regex_and_pattern() {
    check(
        &Format::Regex(r"^(?P<ip>\S+) (?<method>[A-Z]+) (?<path>\S+)(?: (?<status>\d+))?".into()),
        "10.0.0.1 GET /a 200\n10.0.0.1 GET /a\nnothing\n",
        expect![[r#"
            10.0.0.1 GET /a 200
                ip="10.0.0.1" method="GET" path="/a" status=200
            10.0.0.1 GET /a
                ip="10.0.0.1" method="GET" path="/a"
            nothing
                NOT: the regular expression does not match
        "#]],
    );
    check(
        &Format::Pattern(r#"<ip> <_> "<method> <path>" <status>"#.into()),
        "1.2.3.4 x \"GET /a b\" 200\n1.2.3.4 \"y z\" \"GET /\" \n1.2.3.4 GET\n",
        expect![[r#"
            1.2.3.4 x "GET /a b" 200
                ip="1.2.3.4" method="GET" path="/a b" status=200
            1.2.3.4 "y z" "GET /" 
                ip="1.2.3.4" method="GET" path="/" status=""
            1.2.3.4 GET
                NOT: the pattern does not match
        "#]],
    );
    check(
        &Format::Pattern("msg=<msg> user=<user>, <> <plain:tail>".into()),
        "at 5 msg=\"a, user=\\\"x\\\" b\" user=bob, took \"5 s\"\nmsg=`raw \\n` user=, \nmsg=a b user=c, d e\n",
        expect![[r#"
            at 5 msg="a, user=\"x\" b" user=bob, took "5 s"
                msg="a, user=\"x\" b" user="bob" tail="\"5 s\""
            msg=`raw \n` user=, 
                NOT: the pattern does not match
            msg=a b user=c, d e
                msg="a b" user="c" tail="e"
        "#]],
    );
    check(
        &Format::Pattern("&lt;<tag>&gt;<rest>".into()),
        "a <b>c\n<>\n",
        expect![[r#"
        a <b>c
            tag="b" rest="c"
        <>
            tag="" rest=""
    "#]],
    );
}

#[test]
fn csv() {
    let columns = ["time", "_", "msg", "n"].map(str::to_owned).to_vec();
    check(
        &Format::Csv { columns: columns.clone(), delimiter: ',' },
        "10:00,skip,\"a, \"\"b\"\"\",5\n10:00\na,b,c,d,e\na,\"b\na,\"b\"c\n,,,\n\"\",\"\",\"5\",\"\"\"\"\n",
        expect![[r#"
            10:00,skip,"a, ""b""",5
                time="10:00" msg="a, \"b\"" n=5
            10:00
                time="10:00"
            a,b,c,d,e
                NOT: more columns than names
            a,"b
                NOT: a quoted column does not end
            a,"b"c
                NOT: text behind a quoted column
            ,,,
                time="" msg="" n=""
            "","","5",""""
                time="" msg="5" n="\""
        "#]],
    );
    check(
        &Format::Csv { columns, delimiter: '\t' },
        "a\tb\tc, d\t1.5\n",
        expect![[r#"
        a	b	c, d	1.5
            time="a" msg="c, d" n=1.5
    "#]],
    );
}

#[test]
fn syslog() {
    check(
        &Format::Syslog(SyslogOptions::default()),
        concat!(
            "<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 [a@1 b=\"c\" b=\"d\"][e@1] 'su root' failed\n",
            "<13>Nov 23 08:59:59 web1 sshd[812]: Accepted password\n",
            "Nov 23 08:59:59 web1 sshd[812]: Accepted password\n",
            "<13>\n",
            "plain text\n",
            "2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.Master: Created\n",
            "2015-10-18T18:01:47Z web1 app[5]: a line of a file\n",
            "Nov 23 08:59:59 web1 last message repeated 2 times\n",
        ),
        expect![[r#"
            <34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 [a@1 b="c" b="d"][e@1] 'su root' failed
                timestamp="2003-10-11T22:14:15.003Z" severity="FATAL" severity_number=21 severity_text="crit" syslog.facility="auth" syslog.facility_code=4 host.name="mymachine" service.name="su" syslog.msgid="ID47" syslog.version=1 a@1.b=["c","d"] e@1=true message="'su root' failed"
            <13>Nov 23 08:59:59 web1 sshd[812]: Accepted password
                timestamp="2026-11-23T08:59:59Z" severity="INFO" severity_number=10 severity_text="notice" syslog.facility="user" syslog.facility_code=1 host.name="web1" service.name="sshd" process.pid=812 message="Accepted password"
            Nov 23 08:59:59 web1 sshd[812]: Accepted password
                timestamp="2026-11-23T08:59:59Z" host.name="web1" service.name="sshd" process.pid=812 message="Accepted password"
            <13>
                NOT: nothing after the priority
            plain text
                NOT: not syslog: no priority, and no time with a host and a tag
            2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.Master: Created
                NOT: not syslog: no priority, and no time with a host and a tag
            2015-10-18T18:01:47Z web1 app[5]: a line of a file
                timestamp="2015-10-18T18:01:47Z" host.name="web1" service.name="app" process.pid=5 message="a line of a file"
            Nov 23 08:59:59 web1 last message repeated 2 times
                timestamp="2026-11-23T08:59:59Z" host.name="web1" message="last message repeated 2 times"
        "#]],
    );
}

#[test]
fn access_logs() {
    check(
        &Format::AccessLog,
        concat!(
            "127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /apache_pb.gif HTTP/1.0\" 200 2326\n",
            "127.0.0.1 - - [10/Oct/2000:13:55:36 +0000] \"GET /a?b=c&d=e HTTP/1.1\" 304 - \"http://x/\" \"Mozilla/4.08 [en] (Win98; I ;Nav)\"\n",
            "www.example.com:443 10.0.0.9 - - [23/Nov/2026:09:00:00 +0100] \"POST /api HTTP/2.0\" 502 157 \"-\" \"curl/8.5\"\n",
            "example.com 10.0.0.9 - bob [23/Nov/2026:09:00:00 +0100] \"POST /api HTTP/2.0\" 502 157\n",
            "10.1.1.1, 10.2.2.2 - - [23/Nov/2026:09:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"a \\\"b\\\" c\" \"1.2.3.4\" rt=0.005\n",
            "::1 - John Doe [23/Nov/2026:09:00:00 +0000] \"OPTIONS * HTTP/1.0\" 200 126\n",
            "1.2.3.4 - - [23/Nov/2026:09:00:00 +0000] \"\\x16\\x03\\x01\" 400 157 \"-\" \"-\"\n",
            "1.2.3.4 - - [23/Nov/2026:09:00:00 +0000] \"-\" 408 -\n",
            "1.2.3.4 - - [23/Nov/2026:09:00:00 +0000] \"GET http://evil/ HTTP/1.1\" 404 0\n",
            "1.2.3.4 - - [2026-11-23T09:00:00+01:00] \"GET /with space.html HTTP/1.1\" 404 0\n",
            "1.2.3.4 - - [99/Foo/2026:09:00:00 +0000] \"GET /\" 200 1\n",
            "2026-11-23 [error] \"x\" oh\n",
            "[Sun Nov 23 09:00:00 2026] [error] [client 1.2.3.4] denied\n",
        ),
        expect![[r#"
            127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326
                client.address="127.0.0.1" user.name="frank" timestamp="2000-10-10T20:55:36Z" http.request.method="GET" url.path="/apache_pb.gif" network.protocol.version="1.0" http.response.status_code=200 http.response.body.size=2326
            127.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET /a?b=c&d=e HTTP/1.1" 304 - "http://x/" "Mozilla/4.08 [en] (Win98; I ;Nav)"
                client.address="127.0.0.1" timestamp="2000-10-10T13:55:36Z" http.request.method="GET" url.path="/a" url.query="b=c&d=e" network.protocol.version="1.1" http.response.status_code=304 http.request.header.referer="http://x/" user_agent.original="Mozilla/4.08 [en] (Win98; I ;Nav)"
            www.example.com:443 10.0.0.9 - - [23/Nov/2026:09:00:00 +0100] "POST /api HTTP/2.0" 502 157 "-" "curl/8.5"
                server.address="www.example.com" server.port=443 client.address="10.0.0.9" timestamp="2026-11-23T08:00:00Z" http.request.method="POST" url.path="/api" network.protocol.version="2.0" http.response.status_code=502 http.response.body.size=157 user_agent.original="curl/8.5"
            example.com 10.0.0.9 - bob [23/Nov/2026:09:00:00 +0100] "POST /api HTTP/2.0" 502 157
                server.address="example.com" client.address="10.0.0.9" user.name="bob" timestamp="2026-11-23T08:00:00Z" http.request.method="POST" url.path="/api" network.protocol.version="2.0" http.response.status_code=502 http.response.body.size=157
            10.1.1.1, 10.2.2.2 - - [23/Nov/2026:09:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "a \"b\" c" "1.2.3.4" rt=0.005
                client.address="10.1.1.1, 10.2.2.2" timestamp="2026-11-23T09:00:00Z" http.request.method="GET" url.path="/" network.protocol.version="1.1" http.response.status_code=200 http.response.body.size=5 user_agent.original="a \"b\" c" http.request.header.x-forwarded-for="1.2.3.4" access_log.more="rt=0.005"
            ::1 - John Doe [23/Nov/2026:09:00:00 +0000] "OPTIONS * HTTP/1.0" 200 126
                client.address="::1" user.name="John Doe" timestamp="2026-11-23T09:00:00Z" http.request.method="OPTIONS" url.path="*" network.protocol.version="1.0" http.response.status_code=200 http.response.body.size=126
            1.2.3.4 - - [23/Nov/2026:09:00:00 +0000] "\x16\x03\x01" 400 157 "-" "-"
                client.address="1.2.3.4" timestamp="2026-11-23T09:00:00Z" http.request.line="\\x16\\x03\\x01" http.response.status_code=400 http.response.body.size=157
            1.2.3.4 - - [23/Nov/2026:09:00:00 +0000] "-" 408 -
                client.address="1.2.3.4" timestamp="2026-11-23T09:00:00Z" http.response.status_code=408
            1.2.3.4 - - [23/Nov/2026:09:00:00 +0000] "GET http://evil/ HTTP/1.1" 404 0
                client.address="1.2.3.4" timestamp="2026-11-23T09:00:00Z" http.request.method="GET" url.full="http://evil/" network.protocol.version="1.1" http.response.status_code=404 http.response.body.size=0
            1.2.3.4 - - [2026-11-23T09:00:00+01:00] "GET /with space.html HTTP/1.1" 404 0
                client.address="1.2.3.4" timestamp="2026-11-23T08:00:00Z" http.request.method="GET" url.path="/with space.html" network.protocol.version="1.1" http.response.status_code=404 http.response.body.size=0
            1.2.3.4 - - [99/Foo/2026:09:00:00 +0000] "GET /" 200 1
                client.address="1.2.3.4" timestamp="99/Foo/2026:09:00:00 +0000" http.request.method="GET" url.path="/" http.response.status_code=200 http.response.body.size=1
            2026-11-23 [error] "x" oh
                NOT: not a line of an access log
            [Sun Nov 23 09:00:00 2026] [error] [client 1.2.3.4] denied
                NOT: not a line of an access log
        "#]],
    );
}

#[test]
fn user_agents() {
    check(
        &Format::UserAgent,
        concat!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\n",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.61\n",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1.2 Mobile/15E148 Safari/604.1\n",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15\n",
            "Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Mobile Safari/537.36\n",
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36\n",
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0\n",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)\n",
            "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko\n",
            "Opera/9.80 (Windows NT 6.0) Presto/2.12.388 Version/12.14\n",
            "curl/8.5.0\n",
            "kube-probe/1.29\n",
            "Go-http-client/1.1\n",
            "-\n",
        ),
        expect![[r#"
            Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36
                user_agent.name="Chrome" user_agent.version="120.0.0.0" user_agent.os.name="Windows" user_agent.os.version="10" user_agent.device.type="desktop"
            Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.61
                user_agent.name="Edge" user_agent.version="120.0.2210.61" user_agent.os.name="Windows" user_agent.os.version="10" user_agent.device.type="desktop"
            Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1.2 Mobile/15E148 Safari/604.1
                user_agent.name="Safari" user_agent.version="17.1.2" user_agent.os.name="iOS" user_agent.os.version="17.1.2" user_agent.device.type="mobile" user_agent.device.model="iPhone"
            Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15
                user_agent.name="Safari" user_agent.version="17.1" user_agent.os.name="macOS" user_agent.os.version="10.15.7" user_agent.device.type="desktop"
            Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Mobile Safari/537.36
                user_agent.name="Chrome" user_agent.version="112.0.0.0" user_agent.os.name="Android" user_agent.os.version="13" user_agent.device.type="mobile" user_agent.device.model="SM-S901B"
            Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36
                user_agent.name="Chrome" user_agent.version="114.0.0.0" user_agent.os.name="Android" user_agent.os.version="10" user_agent.device.type="tablet"
            Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0
                user_agent.name="Firefox" user_agent.version="120.0" user_agent.os.name="Ubuntu" user_agent.device.type="desktop"
            Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)
                user_agent.name="Googlebot" user_agent.version="2.1" user_agent.device.type="bot"
            Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko
                user_agent.name="Internet Explorer" user_agent.version="11.0" user_agent.os.name="Windows" user_agent.os.version="7" user_agent.device.type="desktop"
            Opera/9.80 (Windows NT 6.0) Presto/2.12.388 Version/12.14
                user_agent.name="Opera" user_agent.version="12.14" user_agent.os.name="Windows" user_agent.os.version="Vista" user_agent.device.type="desktop"
            curl/8.5.0
                user_agent.name="curl" user_agent.version="8.5.0" user_agent.device.type="other"
            kube-probe/1.29
                user_agent.name="kube-probe" user_agent.version="1.29" user_agent.device.type="bot"
            Go-http-client/1.1
                user_agent.name="Go-http-client" user_agent.version="1.1" user_agent.device.type="other"
            -
                NOT: no user agent
        "#]],
    );
}

/// Each line of `formats` is a regular expression or, behind `p `, a pattern.
#[test]
fn bad_formats() {
    let mut shown = String::new();
    let formats = [
        "(?P<a>x",
        "[a-z]+",
        "(?P<a>(?=x))",
        r"(?P<a>\w{1000}){1000}",
        "(?P<a>x)(?P<a>y)",
        "p <a",
        "p <a><b>",
        "p text",
        "p <_> <>",
        "p <a <b>",
    ];
    for format in formats {
        let text = format.strip_prefix("p ");
        let kind = text.map_or_else(|| Format::Regex(format.into()), |text| Format::Pattern(text.into()));
        match Extractor::new(&kind, &Limits::default()) {
            Ok(_) => shown += &format!("{format}: fine\n"),
            Err(error) => shown += &format!("{format}\n    {:?} {}\n    {}\n", error.at, error.message, error.hint),
        }
    }
    for format in [
        Format::Csv { columns: vec!["_".into()], delimiter: ',' },
        Format::Csv { columns: vec!["a".into()], delimiter: '"' },
        Format::Kv { between: "=".into(), assign: "=".into() },
        Format::Regex(format!("(?P<a>{})", "x".repeat(crate::FORMAT_BYTES_MAX))),
    ] {
        shown += &format!("{}\n", Extractor::new(&format, &Limits::default()).unwrap_err());
    }
    expect![[r#"
        (?P<a>x
            0..1 regular expression: unclosed group
            the syntax is RE2's; a literal character of its syntax needs a backslash before it
        [a-z]+
            0..6 the regular expression has no named group
            name what becomes a field: (?P<status>[0-9]+)
        (?P<a>(?=x))
            6..9 regular expression: look-around, including look-ahead and look-behind, is not supported
            look-around and backreferences would take time without bound; match the surroundings outside the group
        (?P<a>\w{1000}){1000}
            0..21 the regular expression needs more than 1048576 bytes of memory
            make counted repetitions such as {1000} smaller, or write [0-9] for \d
        (?P<a>x)(?P<a>y)
            12..13 regular expression: duplicate capture group name
            the syntax is RE2's; a literal character of its syntax needs a backslash before it
        p <a
            0..2 a place is opened and not closed
            close it with > or write &lt; for a < of the text
        p <a><b>
            3..6 two places touch
            put the text that stands between the values there, at least a space
        p text
            0..4 the pattern names no field
            name what becomes a field: <ip> - <user>
        p <_> <>
            0..6 the pattern names no field
            name what becomes a field: <ip> - <user>
        p <a <b>
            0..6 a place inside a place
            close the place before it with > or write &lt; for a < of the text
        no column has a name
        a quote or the end of a line can not stand between columns
        pairs and their values are cut by the same text
        the regular expression has 16391 bytes, the limit is 16384
    "#]]
    .assert_eq(&shown);
}

#[test]
fn limits_have_names() {
    let limits = Limits { text_bytes_max: 100, fields_max: 3, name_bytes_max: 8, depth_max: 2 };
    let shown: Vec<String> = [
        (Format::Json, "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}"),
        (Format::Json, "{\"a\":{\"b\":{\"c\":{\"d\":[1,null,1.5]}}}}"),
        (Format::Json, "{\"abcdefghi\":1}"),
        (Format::Json, "{\"abcd\":{\"efgh\":1}}"),
        (Format::Logfmt, "a=1 b=2 c=3 d=4"),
        (Format::Logfmt, &format!("a={}", "x".repeat(100))),
    ]
    .into_iter()
    .map(|(format, text)| format!("{}\n", show(&Extractor::new(&format, &limits).unwrap(), text)))
    .collect();
    expect![[r#"
        NOT: more than 3 fields
        a.b="{\"c\":{\"d\":[1,null,1.5]}}"
        NOT: a name of 9 bytes, the limit is 8
        NOT: a name of 9 bytes, the limit is 8
        NOT: more than 3 fields
        NOT: the text has 102 bytes, the limit is 100
    "#]]
    .assert_eq(&shown.concat());
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let json = Extractor::new(&Format::Json, &Limits::default()).unwrap();
    expect!["NOT: not JSON: recursion limit exceeded at line 1 column 636"].assert_eq(&show(&json, &deep));
}
