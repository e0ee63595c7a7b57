//! Golden lines, and what becomes of them: the RFCs' own examples, and lines written by hand after the formats of known senders.
//! Captured lines are in the files that `lines` tests, and the end-to-end tests run real senders.

use expect_test::{Expect, expect};

use super::*;

/// 2026-11-23T09:00:00Z.
const RECEIVED: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn show(message: &[u8], options: &SyslogOptions) -> String {
    match decode(message, RECEIVED, options) {
        Err(reject) => format!("REJECT {}", reject.reason),
        Ok(row) => {
            let time = if row.time == RECEIVED { "received".to_owned() } else { row.time.to_string() };
            let fields = row.fields.iter().filter(|(name, _)| {
                // Told by the others.
                !["severity_number", "syslog.facility_code"].contains(&&**name)
            });
            let fields: Vec<_> = fields.map(|(name, value)| format!("{name}={}", value.to_json())).collect();
            format!("{time} {}", fields.join(" "))
        }
    }
}

/// Each line of `messages` is one message.
fn check(messages: &str, expect: Expect) {
    let shown: Vec<String> = messages
        .lines()
        .map(|line| format!("{line}\n    {}\n", show(line.as_bytes(), &SyslogOptions::default())))
        .collect();
    expect.assert_eq(&shown.concat());
}

/// The examples of RFC 5424 (6.5), then the shapes of logger, rsyslogd, syslog-ng, Junos, Heroku, ESXi and Docker.
#[test]
fn rfc_5424() {
    check(
        concat!(
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed for lonvick on /dev/pts/8\n",
            "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.\n",
            "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] \u{feff}An application event log entry...\n",
            "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"][examplePriority@32473 class=\"high\"]\n",
            "<13>1 2026-11-23T08:59:59.123456+01:00 web1 logger 4711 - [timeQuality tzKnown=\"1\" isSynced=\"1\" syncAccuracy=\"254500\"] hello world\n",
            "<46>1 2026-11-23T08:59:59.999999999Z web1 rsyslogd - - [origin software=\"rsyslogd\" swVersion=\"8.2302.0\" x-pid=\"1\" x-info=\"https://www.rsyslog.com\"] start\n",
            "<38>1 2026-11-23T08:59:59Z web1 sshd 812 - [meta sequenceId=\"29\"] Accepted publickey for root\n",
            "<29>1 2026-11-23T08:59:59.000Z r1 mgd 3046 UI_DBASE_LOGOUT_EVENT [junos@2636.1.1.1.2.18 username=\"regress\" path=\"C:\\Temp\\\"x\\\" \\] \\\\end\"] User 'regress' exiting\n",
            "<40>1 2012-11-30T06:45:29+00:00 host app web.3 - State changed from starting to up\n",
            "<190>1 2026-11-23T08:59:59Z - - - - - just text\n",
            "<0>1 - - - - - -\n",
            "<14>1 2026-11-23T08:59:59Z h a - - [multi@1 ip=\"10.0.0.1\" ip=\"10.0.0.2\" n=\"\"][empty@1] x\n",
            "<14>1 2026-11-23T08:59:59Z h a - - [broken x=\"1\" text with a bracket\n",
            "<14>1 2026-11-23T08:59:59Z esx1 Hostd 2099 - [Originator@6876 sub=\"Vimsvc.ha-eventmgr\" opID=\"a]b\"] Event 1\n",
            "<14>1 2026-11-23T08:59:60Z h leap - - - x\n",
            "<30>1 2026-11-23T08:59:59Z docker-desktop myapp/1a2b3c 917 myapp/1a2b3c - {\"level\":\"info\"}\n",
            "<134>1 2026-11-23T08:59:59Z 9b8d f5 - - - multi  spaces  kept \n",
            "<14>1 2026-11-23 h a - - - bad time\n",
        ),
        expect![[r#"
            <34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - ﻿'su root' failed for lonvick on /dev/pts/8
                2003-10-11T22:14:15.003Z severity="FATAL" severity_text="crit" body="'su root' failed for lonvick on /dev/pts/8" host.name="mymachine.example.com" service.name="su" syslog.msgid="ID47" syslog.facility="auth" syslog.version=1
            <165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.
                2003-08-24T12:14:15.000003Z severity="INFO" severity_text="notice" body="%% It's time to make the do-nuts." host.name="192.0.2.1" service.name="myproc" process.pid=8710 syslog.facility="local4" syslog.version=1
            <165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"] ﻿An application event log entry...
                2003-10-11T22:14:15.003Z severity="INFO" severity_text="notice" body="An application event log entry..." host.name="mymachine.example.com" service.name="evntslog" syslog.msgid="ID47" syslog.facility="local4" syslog.version=1 exampleSDID@32473.iut="3" exampleSDID@32473.eventSource="Application" exampleSDID@32473.eventID="1011"
            <165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"][examplePriority@32473 class="high"]
                2003-10-11T22:14:15.003Z severity="INFO" severity_text="notice" host.name="mymachine.example.com" service.name="evntslog" syslog.msgid="ID47" syslog.facility="local4" syslog.version=1 exampleSDID@32473.iut="3" exampleSDID@32473.eventSource="Application" exampleSDID@32473.eventID="1011" examplePriority@32473.class="high"
            <13>1 2026-11-23T08:59:59.123456+01:00 web1 logger 4711 - [timeQuality tzKnown="1" isSynced="1" syncAccuracy="254500"] hello world
                2026-11-23T07:59:59.123456Z severity="INFO" severity_text="notice" body="hello world" host.name="web1" service.name="logger" process.pid=4711 syslog.facility="user" syslog.version=1 timeQuality.tzKnown="1" timeQuality.isSynced="1" timeQuality.syncAccuracy="254500"
            <46>1 2026-11-23T08:59:59.999999999Z web1 rsyslogd - - [origin software="rsyslogd" swVersion="8.2302.0" x-pid="1" x-info="https://www.rsyslog.com"] start
                2026-11-23T08:59:59.999999999Z severity="INFO" severity_text="info" body="start" host.name="web1" service.name="rsyslogd" syslog.facility="syslog" syslog.version=1 origin.software="rsyslogd" origin.swVersion="8.2302.0" origin.x-pid="1" origin.x-info="https://www.rsyslog.com"
            <38>1 2026-11-23T08:59:59Z web1 sshd 812 - [meta sequenceId="29"] Accepted publickey for root
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="Accepted publickey for root" host.name="web1" service.name="sshd" process.pid=812 syslog.facility="auth" syslog.version=1 meta.sequenceId="29"
            <29>1 2026-11-23T08:59:59.000Z r1 mgd 3046 UI_DBASE_LOGOUT_EVENT [junos@2636.1.1.1.2.18 username="regress" path="C:\Temp\"x\" \] \\end"] User 'regress' exiting
                2026-11-23T08:59:59Z severity="INFO" severity_text="notice" body="User 'regress' exiting" host.name="r1" service.name="mgd" process.pid=3046 syslog.msgid="UI_DBASE_LOGOUT_EVENT" syslog.facility="daemon" syslog.version=1 junos@2636.1.1.1.2.18.username="regress" junos@2636.1.1.1.2.18.path="C:\\Temp\"x\" ] \\end"
            <40>1 2012-11-30T06:45:29+00:00 host app web.3 - State changed from starting to up
                2012-11-30T06:45:29Z severity="FATAL" severity_text="emerg" body="State changed from starting to up" host.name="host" service.name="app" syslog.procid="web.3" syslog.facility="syslog" syslog.version=1
            <190>1 2026-11-23T08:59:59Z - - - - - just text
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="just text" syslog.facility="local7" syslog.version=1
            <0>1 - - - - - -
                received severity="FATAL" severity_text="emerg" syslog.facility="kern" syslog.version=1
            <14>1 2026-11-23T08:59:59Z h a - - [multi@1 ip="10.0.0.1" ip="10.0.0.2" n=""][empty@1] x
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="x" host.name="h" service.name="a" syslog.facility="user" syslog.version=1 multi@1.ip=["10.0.0.1","10.0.0.2"] multi@1.n="" empty@1=true
            <14>1 2026-11-23T08:59:59Z h a - - [broken x="1" text with a bracket
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="[broken x=\"1\" text with a bracket" host.name="h" service.name="a" syslog.facility="user" syslog.version=1
            <14>1 2026-11-23T08:59:59Z esx1 Hostd 2099 - [Originator@6876 sub="Vimsvc.ha-eventmgr" opID="a]b"] Event 1
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="Event 1" host.name="esx1" service.name="Hostd" process.pid=2099 syslog.facility="user" syslog.version=1 Originator@6876.sub="Vimsvc.ha-eventmgr" Originator@6876.opID="a]b"
            <14>1 2026-11-23T08:59:60Z h leap - - - x
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="x" host.name="h" service.name="leap" syslog.facility="user" syslog.version=1
            <30>1 2026-11-23T08:59:59Z docker-desktop myapp/1a2b3c 917 myapp/1a2b3c - {"level":"info"}
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="{\"level\":\"info\"}" host.name="docker-desktop" service.name="myapp/1a2b3c" process.pid=917 syslog.msgid="myapp/1a2b3c" syslog.facility="daemon" syslog.version=1
            <134>1 2026-11-23T08:59:59Z 9b8d f5 - - - multi  spaces  kept 
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="multi  spaces  kept " host.name="9b8d" service.name="f5" syslog.facility="local0" syslog.version=1
            <14>1 2026-11-23 h a - - - bad time
                received severity="INFO" severity_text="info" body="1 2026-11-23 h a - - - bad time" syslog.facility="user"
        "#]],
    );
}

/// RFC 3164's examples (5.4), then the shapes of logger, rsyslog's file format, PAM, cron, the kernel, postfix, haproxy, dnsmasq,
/// macOS's launchd, AIX's relay and syslogd itself.
#[test]
fn rfc_3164() {
    check(
        concat!(
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8\n",
            "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!\n",
            "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time to make the do-nuts.  %%  Ingredients: Mix=OK, Jelly=OK #\n",
            "<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!\n",
            "<13>Nov 23 08:59:59 web1 root[4711]: hello from logger\n",
            "<13>Nov  3 08:59:59 root: no host, as on /dev/log\n",
            "<30>2026-11-23T08:59:59.123456+01:00 web1 systemd[1]: Started Session 5 of user root.\n",
            "<86>Nov 23 08:59:59 web1 sshd(pam_unix)[19939]: authentication failure; logname= uid=0\n",
            "<78>Nov 23 08:59:59 web1 CRON[123]: (root) CMD (test -x /usr/sbin/anacron)\n",
            "<4>Nov 23 08:59:59 web1 kernel: [12345.678901] oom-killer: gfp_mask=0x0\n",
            "<22>Nov 23 08:59:59 mail postfix/smtpd[2301]: connect from unknown[192.0.2.7]\n",
            "<150>Nov 23 08:59:59 haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in\n",
            "<30>Nov 23 08:59:59 router dnsmasq-dhcp[1234]: DHCPACK(br-lan) 192.168.1.5 aa:bb:cc:dd:ee:ff phone\n",
            "<28>Nov 23 08:59:59 calvisitor-10-105-160-95 com.apple.xpc.launchd[1] (com.apple.bsd.dirhelper[17837]): Endpoint has been activated\n",
            "<6>Nov 23 08:59:59 Message forwarded from aix1: sshd[77]: Accepted password\n",
            "<13>Nov 23 08:59:59 aix2 Message forwarded from aix1\n",
            "<5>Nov 23 08:59:59 last message repeated 3 times\n",
            "<46>Nov 23 08:59:59 -- MARK --\n",
        ),
        expect![[r#"
            <34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8
                2026-10-11T22:14:15Z severity="FATAL" severity_text="crit" body="'su root' failed for lonvick on /dev/pts/8" host.name="mymachine" service.name="su" syslog.facility="auth"
            <13>Feb  5 17:32:18 10.0.0.99 Use the BFG!
                2026-02-05T17:32:18Z severity="INFO" severity_text="notice" body="Use the BFG!" host.name="10.0.0.99" syslog.facility="user"
            <165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time to make the do-nuts.  %%  Ingredients: Mix=OK, Jelly=OK #
                1987-08-24T05:34:00Z severity="INFO" severity_text="notice" body="%% It's time to make the do-nuts.  %%  Ingredients: Mix=OK, Jelly=OK #" host.name="mymachine" service.name="myproc" process.pid=10 syslog.facility="local4"
            <0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!
                1990-10-22T10:52:01Z severity="FATAL" severity_text="emerg" body="scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!" host.name="TZ-6" syslog.facility="kern"
            <13>Nov 23 08:59:59 web1 root[4711]: hello from logger
                2026-11-23T08:59:59Z severity="INFO" severity_text="notice" body="hello from logger" host.name="web1" service.name="root" process.pid=4711 syslog.facility="user"
            <13>Nov  3 08:59:59 root: no host, as on /dev/log
                2026-11-03T08:59:59Z severity="INFO" severity_text="notice" body="no host, as on /dev/log" service.name="root" syslog.facility="user"
            <30>2026-11-23T08:59:59.123456+01:00 web1 systemd[1]: Started Session 5 of user root.
                2026-11-23T07:59:59.123456Z severity="INFO" severity_text="info" body="Started Session 5 of user root." host.name="web1" service.name="systemd" process.pid=1 syslog.facility="daemon"
            <86>Nov 23 08:59:59 web1 sshd(pam_unix)[19939]: authentication failure; logname= uid=0
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="authentication failure; logname= uid=0" host.name="web1" service.name="sshd(pam_unix)" process.pid=19939 syslog.facility="authpriv"
            <78>Nov 23 08:59:59 web1 CRON[123]: (root) CMD (test -x /usr/sbin/anacron)
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="(root) CMD (test -x /usr/sbin/anacron)" host.name="web1" service.name="CRON" process.pid=123 syslog.facility="cron"
            <4>Nov 23 08:59:59 web1 kernel: [12345.678901] oom-killer: gfp_mask=0x0
                2026-11-23T08:59:59Z severity="WARN" severity_text="warning" body="[12345.678901] oom-killer: gfp_mask=0x0" host.name="web1" service.name="kernel" syslog.facility="kern"
            <22>Nov 23 08:59:59 mail postfix/smtpd[2301]: connect from unknown[192.0.2.7]
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="connect from unknown[192.0.2.7]" host.name="mail" service.name="postfix/smtpd" process.pid=2301 syslog.facility="mail"
            <150>Nov 23 08:59:59 haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in" service.name="haproxy" process.pid=14389 syslog.facility="local2"
            <30>Nov 23 08:59:59 router dnsmasq-dhcp[1234]: DHCPACK(br-lan) 192.168.1.5 aa:bb:cc:dd:ee:ff phone
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="DHCPACK(br-lan) 192.168.1.5 aa:bb:cc:dd:ee:ff phone" host.name="router" service.name="dnsmasq-dhcp" process.pid=1234 syslog.facility="daemon"
            <28>Nov 23 08:59:59 calvisitor-10-105-160-95 com.apple.xpc.launchd[1] (com.apple.bsd.dirhelper[17837]): Endpoint has been activated
                2026-11-23T08:59:59Z severity="WARN" severity_text="warning" body="(com.apple.bsd.dirhelper[17837]): Endpoint has been activated" host.name="calvisitor-10-105-160-95" service.name="com.apple.xpc.launchd" process.pid=1 syslog.facility="daemon"
            <6>Nov 23 08:59:59 Message forwarded from aix1: sshd[77]: Accepted password
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="Accepted password" host.name="aix1" service.name="sshd" process.pid=77 syslog.facility="kern"
            <13>Nov 23 08:59:59 aix2 Message forwarded from aix1
                2026-11-23T08:59:59Z severity="INFO" severity_text="notice" body="Message forwarded from aix1" host.name="aix2" syslog.facility="user"
            <5>Nov 23 08:59:59 last message repeated 3 times
                2026-11-23T08:59:59Z severity="INFO" severity_text="notice" body="last message repeated 3 times" syslog.facility="kern"
            <46>Nov 23 08:59:59 -- MARK --
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="-- MARK --" syslog.facility="syslog"
        "#]],
    );
}

/// Headers that are incomplete, wrong, or in an order of their own: nothing of the message is lost.
#[test]
fn rfc_3164_with_odd_headers() {
    check(
        concat!(
            "<14>myapp[12]: no timestamp at all\n",
            "<14>no header whatsoever, just words\n",
            "<14>see http://example.com/ for more\n",
            "<15>Nov 23 08:59:59 2001:db8::1 app: over IPv6\n",
            "<38>Nov 23 08:59:59.250 web1 app[worker.1]: fraction and odd pid\n",
            "<13>Sun Nov 22 08:59:59 2026 web1 app: ctime\n",
            "<13>Nov 25 08:59:59 web1 app: the day after tomorrow is last year\n",
            "<13>nov 23 08:59:59 WEB1 su:touching\n",
            "<13>Foo 23 08:59:59 web1 app: no such month\n",
            "<13>Nov 31 08:59:59 web1 app: no such day\n",
            "<13>Nov 23 25:59:59 web1 app: no such hour\n",
            "<192>Nov 23 08:59:59 web1 app: priority out of range\n",
            "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass; user unknown\n",
            "2026-11-23T08:59:59Z web1 app: a line of a file\n",
            "2026-11-23 08:59:59,123 web1 app[1]: Python's clock\n",
            "error: not a tag without a priority\n",
            "plain text\n",
            "<13>\n",
            "<13>   \n",
        ),
        expect![[r#"
            <14>myapp[12]: no timestamp at all
                received severity="INFO" severity_text="info" body="no timestamp at all" service.name="myapp" process.pid=12 syslog.facility="user"
            <14>no header whatsoever, just words
                received severity="INFO" severity_text="info" body="no header whatsoever, just words" syslog.facility="user"
            <14>see http://example.com/ for more
                received severity="INFO" severity_text="info" body="see http://example.com/ for more" syslog.facility="user"
            <15>Nov 23 08:59:59 2001:db8::1 app: over IPv6
                2026-11-23T08:59:59Z severity="DEBUG" severity_text="debug" body="over IPv6" host.name="2001:db8::1" service.name="app" syslog.facility="user"
            <38>Nov 23 08:59:59.250 web1 app[worker.1]: fraction and odd pid
                2026-11-23T08:59:59.25Z severity="INFO" severity_text="info" body="fraction and odd pid" host.name="web1" service.name="app" syslog.procid="worker.1" syslog.facility="auth"
            <13>Sun Nov 22 08:59:59 2026 web1 app: ctime
                2026-11-22T08:59:59Z severity="INFO" severity_text="notice" body="ctime" host.name="web1" service.name="app" syslog.facility="user"
            <13>Nov 25 08:59:59 web1 app: the day after tomorrow is last year
                2025-11-25T08:59:59Z severity="INFO" severity_text="notice" body="the day after tomorrow is last year" host.name="web1" service.name="app" syslog.facility="user"
            <13>nov 23 08:59:59 WEB1 su:touching
                2026-11-23T08:59:59Z severity="INFO" severity_text="notice" body="touching" host.name="WEB1" service.name="su" syslog.facility="user"
            <13>Foo 23 08:59:59 web1 app: no such month
                received severity="INFO" severity_text="notice" body="Foo 23 08:59:59 web1 app: no such month" syslog.facility="user"
            <13>Nov 31 08:59:59 web1 app: no such day
                received severity="INFO" severity_text="notice" body="Nov 31 08:59:59 web1 app: no such day" syslog.facility="user"
            <13>Nov 23 25:59:59 web1 app: no such hour
                received severity="INFO" severity_text="notice" body="Nov 23 25:59:59 web1 app: no such hour" syslog.facility="user"
            <192>Nov 23 08:59:59 web1 app: priority out of range
                received body="<192>Nov 23 08:59:59 web1 app: priority out of range"
            Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass; user unknown
                2026-06-14T15:16:01Z body="check pass; user unknown" host.name="combo" service.name="sshd(pam_unix)" process.pid=19939
            2026-11-23T08:59:59Z web1 app: a line of a file
                2026-11-23T08:59:59Z body="a line of a file" host.name="web1" service.name="app"
            2026-11-23 08:59:59,123 web1 app[1]: Python's clock
                2026-11-23T08:59:59.123Z body="Python's clock" host.name="web1" service.name="app" process.pid=1
            error: not a tag without a priority
                received body="error: not a tag without a priority"
            plain text
                received body="plain text"
            <13>
                REJECT nothing after the priority
            <13>   
                REJECT nothing after the priority
        "#]],
    );
}

/// The shapes of Cisco's IOS, NX-OS, ASA and FTD, with and without sequence numbers, host names, years and time zones.
#[test]
fn cisco() {
    check(
        concat!(
            "<189>29: *Mar  1 18:46:11: %SYS-5-CONFIG_I: Configured from console by vty2 (10.34.195.36)\n",
            "<189>237: router1: Nov 23 08:59:59.123: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up\n",
            "<187>000045: .Nov 23 08:59:59.123 CET: %LINEPROTO-5-UPDOWN: Line protocol on Interface Vlan1\n",
            "<166>Oct 10 2018 11:06:22: %ASA-6-302013: Built outbound TCP connection 2 for outside:10.0.0.1/443\n",
            "<166>Oct 10 2018 11:06:22 fw1 : %ASA-6-106100: access-list inside denied tcp\n",
            "<166>%ASA-6-302014: Teardown TCP connection\n",
            "<189>: 2026 Nov 23 08:59:59 UTC: %ETHPORT-5-IF_UP: Interface Ethernet1/1 is up\n",
            "<134>Nov 23 08:59:59 sw1 %FTD-4-430002: AccessControlRuleAction: Block\n",
            "<187>Nov 23 08:59:59 r1 1234: Nov 23 09:59:59.001 CET: %SEC_LOGIN-5-LOGIN_SUCCESS: Login Success\n",
        ),
        expect![[r#"
            <189>29: *Mar  1 18:46:11: %SYS-5-CONFIG_I: Configured from console by vty2 (10.34.195.36)
                2026-03-01T18:46:11Z severity="INFO" severity_text="notice" body="%SYS-5-CONFIG_I: Configured from console by vty2 (10.34.195.36)" syslog.msgid="SYS-5-CONFIG_I" syslog.facility="local7" cisco.sequence=29
            <189>237: router1: Nov 23 08:59:59.123: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up
                2026-11-23T08:59:59.123Z severity="INFO" severity_text="notice" body="%LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up" host.name="router1" syslog.msgid="LINK-3-UPDOWN" syslog.facility="local7" cisco.sequence=237
            <187>000045: .Nov 23 08:59:59.123 CET: %LINEPROTO-5-UPDOWN: Line protocol on Interface Vlan1
                2026-11-23T07:59:59.123Z severity="ERROR" severity_text="err" body="%LINEPROTO-5-UPDOWN: Line protocol on Interface Vlan1" syslog.msgid="LINEPROTO-5-UPDOWN" syslog.facility="local7" cisco.sequence=45
            <166>Oct 10 2018 11:06:22: %ASA-6-302013: Built outbound TCP connection 2 for outside:10.0.0.1/443
                2018-10-10T11:06:22Z severity="INFO" severity_text="info" body="%ASA-6-302013: Built outbound TCP connection 2 for outside:10.0.0.1/443" syslog.msgid="ASA-6-302013" syslog.facility="local4"
            <166>Oct 10 2018 11:06:22 fw1 : %ASA-6-106100: access-list inside denied tcp
                2018-10-10T11:06:22Z severity="INFO" severity_text="info" body="%ASA-6-106100: access-list inside denied tcp" host.name="fw1" syslog.msgid="ASA-6-106100" syslog.facility="local4"
            <166>%ASA-6-302014: Teardown TCP connection
                received severity="INFO" severity_text="info" body="%ASA-6-302014: Teardown TCP connection" syslog.msgid="ASA-6-302014" syslog.facility="local4"
            <189>: 2026 Nov 23 08:59:59 UTC: %ETHPORT-5-IF_UP: Interface Ethernet1/1 is up
                2026-11-23T08:59:59Z severity="INFO" severity_text="notice" body="%ETHPORT-5-IF_UP: Interface Ethernet1/1 is up" syslog.msgid="ETHPORT-5-IF_UP" syslog.facility="local7"
            <134>Nov 23 08:59:59 sw1 %FTD-4-430002: AccessControlRuleAction: Block
                2026-11-23T08:59:59Z severity="INFO" severity_text="info" body="%FTD-4-430002: AccessControlRuleAction: Block" host.name="sw1" syslog.msgid="FTD-4-430002" syslog.facility="local0"
            <187>Nov 23 08:59:59 r1 1234: Nov 23 09:59:59.001 CET: %SEC_LOGIN-5-LOGIN_SUCCESS: Login Success
                2026-11-23T08:59:59.001Z severity="ERROR" severity_text="err" body="%SEC_LOGIN-5-LOGIN_SUCCESS: Login Success" host.name="r1" syslog.msgid="SEC_LOGIN-5-LOGIN_SUCCESS" syslog.facility="local7" cisco.sequence=1234
        "#]],
    );
}

#[test]
fn bytes_that_are_not_text() {
    let shown: Vec<String> = [
        &b"<13>Nov 23 08:59:59 web1 app: caf\xe9 \xff\x00\r\n"[..],
        b"<13>1 2026-11-23T08:59:59Z h a - - [x@1 k=\"\xe9\"] latin1 \xe9",
        b"\xff\xfe\x00\x01",
        b"\0\0\n",
        b"",
    ]
    .iter()
    .map(|message| format!("{}\n    {}\n", message.escape_ascii(), show(message, &SyslogOptions::default())))
    .collect();
    expect![[r#"
        <13>Nov 23 08:59:59 web1 app: caf\xe9 \xff\x00\r\n
            2026-11-23T08:59:59Z severity="INFO" severity_text="notice" body="caf� �" host.name="web1" service.name="app" syslog.facility="user" raw_base64="PDEzPk5vdiAyMyAwODo1OTo1OSB3ZWIxIGFwcDogY2Fm6SD/"
        <13>1 2026-11-23T08:59:59Z h a - - [x@1 k=\"\xe9\"] latin1 \xe9
            2026-11-23T08:59:59Z severity="INFO" severity_text="notice" body="latin1 �" host.name="h" service.name="a" syslog.facility="user" syslog.version=1 x@1.k="�" raw_base64="PDEzPjEgMjAyNi0xMS0yM1QwODo1OTo1OVogaCBhIC0gLSBbeEAxIGs9IukiXSBsYXRpbjEg6Q=="
        \xff\xfe\x00\x01
            received body="��\u0000\u0001" raw_base64="//4AAQ=="
        \x00\x00\n
            REJECT the message is empty

            REJECT the message is empty
    "#]].assert_eq(&shown.concat());
}

#[test]
fn a_configured_offset_counts_only_where_no_zone_is_given() {
    let east = SyslogOptions { utc_offset_s: 2 * 3600 };
    for (message, want) in [
        ("<13>Nov 23 08:59:59 h a: x", "2026-11-23T06:59:59Z"),
        ("<13>Nov 23 08:59:59 UTC h a: x", "2026-11-23T08:59:59Z"),
        ("<13>2026-11-23T08:59:59Z h a: x", "2026-11-23T08:59:59Z"),
    ] {
        let row = decode(message.as_bytes(), RECEIVED, &east).unwrap();
        assert_eq!(row.time.to_string(), want, "{message}");
    }
}

#[test]
fn every_severity_keeps_its_number_and_oversize_is_refused() {
    let numbers: Vec<String> = (0..8)
        .map(|level| {
            let row = decode(format!("<{}>x", 16 * 8 + level).as_bytes(), RECEIVED, &SyslogOptions::default()).unwrap();
            let of = |name| row.get(name).map(Value::text).unwrap_or_default().into_owned();
            format!(
                "{}/{}/{}/{}",
                of("severity"),
                of("severity_number"),
                of("severity_text"),
                of("syslog.facility_code")
            )
        })
        .collect();
    expect!["FATAL/24/emerg/16 FATAL/22/alert/16 FATAL/21/crit/16 ERROR/17/err/16 WARN/13/warning/16 INFO/10/notice/16 INFO/9/info/16 DEBUG/5/debug/16"].assert_eq(&numbers.join(" "));
    let long = [b"<13>".to_vec(), vec![b'x'; MESSAGE_BYTES_MAX]].concat();
    let reject = decode(&long, RECEIVED, &SyslogOptions::default()).unwrap_err();
    assert_eq!((reject.raw.len(), reject.raw_bytes), (crate::QUARANTINE_BODY_BYTES_MAX, long.len() as u64));
}

proptest::proptest! {
    /// Whatever comes, it ends up in the row or in the reject.
    #[test]
    fn nothing_panics_and_nothing_is_lost(message in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        match decode(&message, RECEIVED, &SyslogOptions::default()) {
            Ok(row) => proptest::prop_assert!(!row.fields.is_empty()),
            Err(reject) => proptest::prop_assert!(reject.raw.len() <= message.len()),
        }
    }

    /// RFC 5424 written by its grammar reads back field by field.
    #[test]
    fn rfc_5424_round_trips(
        priority in 0u8..192,
        words in proptest::collection::vec("[!-~]{1,20}", 4),
        param in "[ -~é]{0,20}",
        body in "[ -~é]{0,40}",
    ) {
        let escaped = param.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
        let [host, app, procid, msgid] = &words[..] else { unreachable!() };
        let text = format!("<{priority}>1 2026-11-23T08:59:59.5Z {host} {app} {procid} {msgid} [a@1 k=\"{escaped}\"] {body}");
        let row = decode(text.as_bytes(), RECEIVED, &SyslogOptions::default()).unwrap();
        let field = |name: &str| row.get(name).map(|value| value.text().into_owned()).unwrap_or_default();
        let word = |word: &String| if word == "-" { String::new() } else { word.clone() };
        proptest::prop_assert_eq!(field("host.name"), word(host));
        proptest::prop_assert_eq!(field("service.name"), word(app));
        proptest::prop_assert_eq!(field("syslog.msgid"), word(msgid));
        proptest::prop_assert_eq!(field("a@1.k"), param);
        proptest::prop_assert_eq!(field("body"), body);
        let pid = if row.get("process.pid").is_some() { field("process.pid").trim_start_matches('0').to_owned() } else { field("syslog.procid") };
        let wanted = if row.get("process.pid").is_some() { procid.trim_start_matches(['0', '+']).to_owned() } else { word(procid) };
        proptest::prop_assert_eq!(pid, wanted);
    }
}
