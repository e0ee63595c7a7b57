//! Queries in order.

use expect_test::expect;

use super::{NOW, check};
use crate::{parse, render_diagnostic};

#[test]
fn words_phrases_and_exact_values() {
    check(
        r#"
        error
        "connection refused"
        conn*
        "connection ref"*
        =exact
        ="Exact Text"
        ="starts with"*
        ~"blk_-?[0-9]+9999"
        body:~"\d+\.\d+"
        service.name:checkout
        service.name:="checkout"
        service.name:=checkout
        service.name=checkout
        "field with space":x
        'single "quoted"'
        `raw \n`
        größe:日本語
        path:/var/log/a-b.log
        peer:10.0.0.1:8080
        f:*
        f:""
        f:=""
        *:needle
        *:*
        f:c("Exact Case")
        f:i(="any case")
        c(Word)
        seq("begin", end)
        f:seq(a, "b c")
        client:ipv4_range(10.1.2.3/8)
        client:ipv4_range(10.0.0.1, 10.0.0.9)
        f:in(a, "b c", 3)
        severity:warning
        trace_id:=4bf92f3577b34da6a3ce929d0e0e4736
        "and" "or" "not" and "from"
        "#,
        expect![[r#"
            error
                error
            "connection refused"
                "connection refused"
            conn*
                conn*
            "connection ref"*
                "connection ref"*
            =exact
                body:=exact
            ="Exact Text"
                body:="Exact Text"
            ="starts with"*
                body:="starts with"*
            ~"blk_-?[0-9]+9999"
                body:~"blk_-?[0-9]+9999"
            body:~"\d+\.\d+"
                body:~"\\d+\\.\\d+"
            service.name:checkout
                service.name:checkout
            service.name:="checkout"
                service.name:=checkout
            service.name:=checkout
                service.name:=checkout
            service.name=checkout
                service.name:=checkout
            "field with space":x
                "field with space":x
            'single "quoted"'
                "single \"quoted\""
            `raw \n`
                "raw \\n"
            größe:日本語
                größe:日本語
            path:/var/log/a-b.log
                path:/var/log/a-b.log
            peer:10.0.0.1:8080
                peer:10.0.0.1:8080
            f:*
                f:*
            f:""
                f:""
            f:=""
                f:""
            *:needle
                *:needle
            *:*
                *:*
            f:c("Exact Case")
                f:c("Exact Case")
            f:i(="any case")
                f:i(="any case")
            c(Word)
                body:c("Word")
            seq("begin", end)
                body:seq(begin, end)
            f:seq(a, "b c")
                f:seq(a, "b c")
            client:ipv4_range(10.1.2.3/8)
                client:ipv4_range(10.0.0.0, 10.255.255.255)
            client:ipv4_range(10.0.0.1, 10.0.0.9)
                client:ipv4_range(10.0.0.1, 10.0.0.9)
            f:in(a, "b c", 3)
                f:in(a, "b c", 3)
            severity:warning
                severity:WARN
            trace_id:=4bf92f3577b34da6a3ce929d0e0e4736
                trace_id:=4bf92f3577b34da6a3ce929d0e0e4736
            "and" "or" "not" and "from"
                "and" "or" "not" body:from
        "#]],
    );
}

#[test]
fn comparisons() {
    check(
        r#"
        status:>=500
        status:> 500
        status >= 500 error
        status<400
        n:>-5
        duration_ns:>1h30m
        size:>=10MiB
        version:<"1.2.3"
        severity:>=WARN
        f:!=x
        f:!x
        f:!~"re"
        "#,
        expect![[r#"
            status:>=500
                status:>=500
            status:> 500
                status:>500
            status >= 500 error
                status:>=500 error
            status<400
                status:<400
            n:>-5
                n:>-5
            duration_ns:>1h30m
                duration_ns:>1h30m
            size:>=10MiB
                size:>=10MiB
            version:<"1.2.3"
                version:<1.2.3
            severity:>=WARN
                severity:>=WARN
            f:!=x
                !f:=x
            f:!x
                !f:x
            f:!~"re"
                !f:~"re"
        "#]],
    );
    let number = |text: &str| crate::filter::bound(text.to_owned()).number;
    assert_eq!(number("500ms"), Some(5e8));
    assert_eq!(number("-1.5s"), Some(-1.5e9));
    assert_eq!(number("2KiB"), Some(2048.0));
    assert_eq!(number("1e3"), Some(1000.0));
    for text in ["nan", "inf", "1.2.3", "", "-", "0x10", "5 m"] {
        assert_eq!(number(text), None, "{text}");
    }
}

#[test]
fn boolean_structure() {
    check(
        r#"

        *
        a b c
        a and b AND c
        a or b c
        (a or b) c
        not a
        !a -b NOT c
        !!a
        !*
        !(a b)
        -5
        a !(b or c) d
        f:(a or b* or ="c")
        f:(a g:b)
        ((a))
        error {service.name="checkout", host.name=~"web-.*"}
        {}
        {a!="b",c!~"d"}
        _stream:{a="b"}
        and:x
        "#,
        expect![[r#"
            *
                *
            a b c
                a b c
            a and b AND c
                a b c
            a or b c
                a or (b c)
            (a or b) c
                (a or b) c
            not a
                !a
            !a -b NOT c
                !a !b !c
            !!a
                !!a
            !*
                !*
            !(a b)
                !(a b)
            -5
                !5
            a !(b or c) d
                a !(b or c) d
            f:(a or b* or ="c")
                f:a or f:b* or f:=c
            f:(a g:b)
                f:a g:b
            ((a))
                a
            error {service.name="checkout", host.name=~"web-.*"}
                error {service.name="checkout",host.name=~"web-.*"}
            {}
                {}
            {a!="b",c!~"d"}
                {a!="b",c!~"d"}
            _stream:{a="b"}
                {a="b"}
            and:x
                "and":x
        "#]],
    );
    assert_eq!(parse("", NOW), (crate::Query::default(), Vec::new()));
    assert_eq!(parse(" \n\t", NOW), (crate::Query::default(), Vec::new()));
}

#[test]
fn times() {
    check(
        r#"
        _time:5m
        _time:5m offset 1h
        _time:2026-11-23
        _time:2026-11-23T08:30:00Z
        _time:2026-11-23T08:30
        _time:[2026-11-22, 2026-11-23]
        _time:[2026-11-22, 2026-11-23)
        _time:(2026-11-23T08:00:00+01:00, now]
        _time:[-1h, now)
        _time:>=-15m
        _time:<2026-11-23
        _time:>1795424400
        _time:*
        _time >= -1h
        _time:["2026-11-23 08:00:00", now)
        "#,
        expect![[r#"
            _time:5m
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z")
            _time:5m offset 1h
                _time:["2026-11-23T07:55:00Z", "2026-11-23T08:00:00Z")
            _time:2026-11-23
                _time:["2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z")
            _time:2026-11-23T08:30:00Z
                _time:["2026-11-23T08:30:00Z", "2026-11-23T08:30:01Z")
            _time:2026-11-23T08:30
                _time:["2026-11-23T08:30:00Z", "2026-11-23T08:31:00Z")
            _time:[2026-11-22, 2026-11-23]
                _time:["2026-11-22T00:00:00Z", "2026-11-24T00:00:00Z")
            _time:[2026-11-22, 2026-11-23)
                _time:["2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z")
            _time:(2026-11-23T08:00:00+01:00, now]
                _time:["2026-11-23T07:00:01Z", "2026-11-23T09:00:00.000000001Z")
            _time:[-1h, now)
                _time:["2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z")
            _time:>=-15m
                _time:>="2026-11-23T08:45:00Z"
            _time:<2026-11-23
                _time:<"2026-11-23T00:00:00Z"
            _time:>1795424400
                _time:>="2026-11-23T09:00:00.000000001Z"
            _time:*
                _time:*
            _time >= -1h
                _time:>="2026-11-23T08:00:00Z"
            _time:["2026-11-23 08:00:00", now)
                _time:["2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z")
        "#]],
    );
}

#[test]
fn pipes() {
    check(
        r#"
        error service.name:checkout | stats by (host.name, _time:5m) count() as n | sort by (n desc) | limit 10
        * | stats count() as n
        | stats count()
        * | stats count(*) if (severity:ERROR) as errors, count() total
        * | stats by (f) quantile(0.99, x), median(x), stddev(x), rate(), first(x), last(x), values(x), any(x)
        * | stats count_distinct(a, b), count_uniq(a), sum(a), avg(a), min(a), max(a)
        * | stats (f, g) count() as n
        * | stats count() as n by (f)
        * | stats by (_time:day) count() "quoted name"
        * | stats by (_time:90s) count() as n
        * | sort by (a desc, b asc, "c d") limit 5
        * | sort a, b desc
        * | order by (a, b desc) desc offset 5 limit 10
        * | limit
        * | head 5 | offset 10
        * | limit 1_000
        * | fields _time, body, http.*
        * | keep *
        * | drop trace_id, "span id"
        * | rename a as b, c as "d e"
        * | stats count() n | where n > 20
        * | where n = 20 or m != 3 and severity:ERROR
        * | where n >= 5 and n<10
        * | where n in (5, "b c") or not m IN (from changes | fields m)
        * | filter f:x
        * | f:x | limit 1
        * | eval percent = errors / total * 100, r = round(percent)
        * | eval a = -(b + c) % 2 - -3.5, d = max(a, "x-y", 1e3)
        * | math a / b as ratio
        * | top 5 by (a, b)
        * | top a
        * | rare 3 by (a) as n
        * | top (a) hits as n
        * | uniq by (a, b) with hits limit 5
        from changes
        from changes | service.name:checkout | limit 5
        from changes service.name:checkout | sort by (started_at)
        FROM spans | stats count()
        from logs | where x:y
        "#,
        expect![[r#"
            error service.name:checkout | stats by (host.name, _time:5m) count() as n | sort by (n desc) | limit 10
                error service.name:checkout | stats by (host.name, _time:5m) count(*) as n | sort by (n desc) | limit 10
            * | stats count() as n
                * | stats count(*) as n
            | stats count()
                * | stats count(*) as "count(*)"
            * | stats count(*) if (severity:ERROR) as errors, count() total
                * | stats count(*) if (severity:ERROR) as errors, count(*) as total
            * | stats by (f) quantile(0.99, x), median(x), stddev(x), rate(), first(x), last(x), values(x), any(x)
                * | stats by (f) quantile(0.99, x) as "quantile(0.99, x)", median(x) as "median(x)", stddev(x) as "stddev(x)", rate() as "rate()", first(x) as "first(x)", last(x) as "last(x)", values(x) as "values(x)", any(x) as "any(x)"
            * | stats count_distinct(a, b), count_uniq(a), sum(a), avg(a), min(a), max(a)
                * | stats count_distinct(a, b) as "count_distinct(a, b)", count_distinct(a) as "count_distinct(a)", sum(a) as "sum(a)", avg(a) as "avg(a)", min(a) as "min(a)", max(a) as "max(a)"
            * | stats (f, g) count() as n
                * | stats by (f, g) count(*) as n
            * | stats count() as n by (f)
                * | stats by (f) count(*) as n
            * | stats by (_time:day) count() "quoted name"
                * | stats by (_time:1d) count(*) as "quoted name"
            * | stats by (_time:90s) count() as n
                * | stats by (_time:90s) count(*) as n
            * | sort by (a desc, b asc, "c d") limit 5
                * | sort by (a desc, b, "c d") | limit 5
            * | sort a, b desc
                * | sort by (a, b desc)
            * | order by (a, b desc) desc offset 5 limit 10
                * | sort by (a desc, b) | offset 5 | limit 10
            * | limit
                * | limit 10
            * | head 5 | offset 10
                * | limit 5 | offset 10
            * | limit 1_000
                * | limit 1000
            * | fields _time, body, http.*
                * | fields _time, body, http.*
            * | keep *
                * | fields *
            * | drop trace_id, "span id"
                * | drop trace_id, "span id"
            * | rename a as b, c as "d e"
                * | rename a as b, c as "d e"
            * | stats count() n | where n > 20
                * | stats count(*) as n | where n:>20
            * | where n = 20 or m != 3 and severity:ERROR
                * | where n:=20 or (!m:=3 severity:ERROR)
            * | where n >= 5 and n<10
                * | where n:>=5 n:<10
            * | where n in (5, "b c") or not m IN (from changes | fields m)
                * | where n:in(5, "b c") or !m:in(from changes * | fields m)
            * | filter f:x
                * | where f:x
            * | f:x | limit 1
                * | where f:x | limit 1
            * | eval percent = errors / total * 100, r = round(percent)
                * | eval percent = (errors / total) * 100, r = round(percent)
            * | eval a = -(b + c) % 2 - -3.5, d = max(a, "x-y", 1e3)
                * | eval a = (-(b + c) % 2) - -3.5, d = max(a, "x-y", 1000)
            * | math a / b as ratio
                * | eval ratio = a / b
            * | top 5 by (a, b)
                * | top 5 by (a, b) as hits
            * | top a
                * | top 10 by (a) as hits
            * | rare 3 by (a) as n
                * | rare 3 by (a) as n
            * | top (a) hits as n
                * | top 10 by (a) as n
            * | uniq by (a, b) with hits limit 5
                * | uniq by (a, b) with hits | limit 5
            from changes
                from changes *
            from changes | service.name:checkout | limit 5
                from changes service.name:checkout | limit 5
            from changes service.name:checkout | sort by (started_at)
                from changes service.name:checkout | sort by (started_at)
            FROM spans | stats count()
                from spans * | stats count(*) as "count(*)"
            from logs | where x:y
                * | where x:y
        "#]],
    );
}

#[test]
fn conditions_are_filters_over_columns() {
    let render = |text: &str| {
        let (filter, diagnostics) = crate::parse_condition(text, NOW);
        let remarks: String = diagnostics.iter().map(|d| render_diagnostic(text, d)).collect();
        format!("{text} => {}\n{remarks}", crate::format_filter(&filter))
    };
    let all = ["n > 20", "n = 1 or ratio>=0.5", "", "n > 20 | limit 5", "n >"].map(render).concat();
    expect![[r#"
        n > 20 => n:>20
        n = 1 or ratio>=0.5 => n:=1 or ratio:>=0.5
         => *
        error: the condition is empty
         1 | 
           | ^
           = for example n > 20
        n > 20 | limit 5 => n:>20
        error: a condition has no pipes
         1 | n > 20 | limit 5
           |        ^
           = put pipes into the query before it
        n > => *
        error: a value is missing after `n >`
         1 | n >
           | ^^^
           = write a word, "a phrase", ~"regex" or * (any value)
    "#]]
    .assert_eq(&all);
}

/// Queries as people write them for VictoriaLogs.
#[test]
fn pasted_logsql_works() {
    check(
        r#"
        _time:5m error | stats by (_stream) count() as errors | sort by (errors desc) | limit 10
        _time:5m log.level:error -app:(buggy_app OR foobar)
        _time:5m {app!~"buggy_app|foobar"} log.level:error
        {app in ("nginx", "foo.bar"), host not_in (a, b)} _time:1h
        error | fields _time, _stream, _msg
        _msg:"foo" _msg:=bar | stats by (_msg) count() hits
        _time:5m | stats count() if (GET) gets, count() if (POST) posts, count() total
        _time:5m | stats by (request_size_bytes:10KB) count(), quantile(0.5, d) p50
        _time:5m | stats by (_time:1d offset 2h) count() logs
        _time:5m | extract "ip=<ip> " from _msg | top 10 by (ip)
        _time:5m | extract_regexp "(?P<ip>([0-9]+[.]){3}[0-9]+)" from _msg
        _time:5m | unpack_json if (ip:"") from foo result_prefix "foo_"
        _time:5m | format "request from <ip>:<port>" as _msg
        _time:5m | replace ("secret-password", "***") at _msg
        _time:5m | replace_regexp ("host-(.+?)-foo", "$1") at _msg limit 1
        _time:5m | math round(duration_msecs / 1000) as duration_secs
        * | sort by (_time) desc | offset 10 | limit 10
        _time:5m | uniq (host, path) with hits limit 5
        _time:5m | rename host as server, ip as src | rm foo
        request.duration:range(4.2, Inf) response_size:range[1KiB, 10MiB]
        user.ip:ipv4_range(127.0.0.0, 127.255.255.255) foo:len_range(10, inf)
        log.level:in("error", "fatal") user_id:in(_time:1d path:admin | fields user_id)
        _time:2023-04-25Z _time:2023-02Z _time:2023-02-25T22Z
        _time:day_range[08:00, 18:00) offset 2h _time:week_range[Mon, Fri]
        _time:1d {app="app1"} | stats by (user) count() app1_hits | join by (user) (_time:1d {app="app2"} | stats by (user) count() app2_hits) inner
        _time:5m panic | stream_context after 10
        _time:5m | unroll (timestamp, value)
        user.name:eq_field(app.user) i("Foo"*) exact("x") re("a|b") seq("error", "open file")
        "#,
        expect![[r#"
            _time:5m error | stats by (_stream) count() as errors | sort by (errors desc) | limit 10
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") error | stats by (_stream) count(*) as errors | sort by (errors desc) | limit 10
            _time:5m log.level:error -app:(buggy_app OR foobar)
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") log.level:error !(app:buggy_app or app:foobar)
            _time:5m {app!~"buggy_app|foobar"} log.level:error
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") {app!~"buggy_app|foobar"} log.level:error
            {app in ("nginx", "foo.bar"), host not_in (a, b)} _time:1h
                {app=~"nginx|foo\\.bar",host!~"a|b"} _time:["2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z")
            error | fields _time, _stream, _msg
                error | fields _time, _stream, body
            _msg:"foo" _msg:=bar | stats by (_msg) count() hits
                foo body:=bar | stats by (body) count(*) as hits
            _time:5m | stats count() if (GET) gets, count() if (POST) posts, count() total
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | stats count(*) if (GET) as gets, count(*) if (POST) as posts, count(*) as total
            _time:5m | stats by (request_size_bytes:10KB) count(), quantile(0.5, d) p50
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | stats by (request_size_bytes:10000) count(*) as "count(*)", quantile(0.5, d) as p50
            _time:5m | stats by (_time:1d offset 2h) count() logs
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | stats by (_time:1d offset 2h) count(*) as logs
            _time:5m | extract "ip=<ip> " from _msg | top 10 by (ip)
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | parse pattern "ip=<ip> " | top 10 by (ip) as hits
            _time:5m | extract_regexp "(?P<ip>([0-9]+[.]){3}[0-9]+)" from _msg
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | parse regex "(?P<ip>([0-9]+[.]){3}[0-9]+)"
            _time:5m | unpack_json if (ip:"") from foo result_prefix "foo_"
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | parse json from foo prefix foo_ if (ip:"")
            _time:5m | format "request from <ip>:<port>" as _msg
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | format "request from <ip>:<port>"
            _time:5m | replace ("secret-password", "***") at _msg
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | replace ("secret-password", "***")
            _time:5m | replace_regexp ("host-(.+?)-foo", "$1") at _msg limit 1
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | replace_regexp ("host-(.+?)-foo", "$1") limit 1
            _time:5m | math round(duration_msecs / 1000) as duration_secs
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | eval duration_secs = round(duration_msecs / 1000)
            * | sort by (_time) desc | offset 10 | limit 10
                * | sort by (_time desc) | offset 10 | limit 10
            _time:5m | uniq (host, path) with hits limit 5
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | uniq by (host, path) with hits | limit 5
            _time:5m | rename host as server, ip as src | rm foo
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | rename host as server, ip as src | drop foo
            request.duration:range(4.2, Inf) response_size:range[1KiB, 10MiB]
                request.duration:>4.2 (response_size:>=1KiB response_size:<=10MiB)
            user.ip:ipv4_range(127.0.0.0, 127.255.255.255) foo:len_range(10, inf)
                user.ip:ipv4_range(127.0.0.0, 127.255.255.255) foo:len_range(10, inf)
            log.level:in("error", "fatal") user_id:in(_time:1d path:admin | fields user_id)
                log.level:in(error, fatal) user_id:in(from logs _time:["2026-11-22T09:00:00Z", "2026-11-23T09:00:00Z") path:admin | fields user_id)
            _time:2023-04-25Z _time:2023-02Z _time:2023-02-25T22Z
                _time:["2023-04-25T00:00:00Z", "2023-04-26T00:00:00Z") _time:["2023-02-01T00:00:00Z", "2023-03-01T00:00:00Z") _time:["2023-02-25T22:00:00Z", "2023-02-25T23:00:00Z")
            _time:day_range[08:00, 18:00) offset 2h _time:week_range[Mon, Fri]
                _time:day_range[08:00, 18:00) offset 2h _time:week_range[Mon, Fri]
            _time:1d {app="app1"} | stats by (user) count() app1_hits | join by (user) (_time:1d {app="app2"} | stats by (user) count() app2_hits) inner
                _time:["2026-11-22T09:00:00Z", "2026-11-23T09:00:00Z") {app="app1"} | stats by (user) count(*) as app1_hits | join inner by (user) (from logs _time:["2026-11-22T09:00:00Z", "2026-11-23T09:00:00Z") {app="app2"} | stats by (user) count(*) as app2_hits)
            _time:5m panic | stream_context after 10
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") panic | context before 0 after 10
            _time:5m | unroll (timestamp, value)
                _time:["2026-11-23T08:55:00Z", "2026-11-23T09:00:00Z") | unroll by (timestamp, value)
            user.name:eq_field(app.user) i("Foo"*) exact("x") re("a|b") seq("error", "open file")
                user.name:eq_field(app.user) Foo* body:=x body:~"a|b" body:seq(error, "open file")
        "#]],
    );
    let commented = "# what went wrong\nerror # here\n| limit 5 # only some\n#";
    let (query, diagnostics) = parse(commented, NOW);
    assert_eq!((crate::format(&query).as_str(), diagnostics), ("error | limit 5", Vec::new()));
    assert_eq!(crate::format(&parse("#tag a#b", NOW).0), "#tag a#b");
}
