//! What is found, and what only looks like it.

use expect_test::{Expect, expect};

use super::*;

/// Each line of `lines` is one text, shown with what all detectors together make of it. Secrets of real shapes are put together
/// from halves (`¦` is dropped), so that nothing that scans sources takes them for leaked ones.
fn check(lines: &str, expect: Expect) {
    let scanner = Scanner::new(&Detector::ALL, Vec::new());
    let names: Vec<&str> = scanner.names().collect();
    let replacement = Replacement::Text("[$name]".into());
    let mut found = Vec::new();
    let mut shown = String::new();
    for line in lines.lines() {
        let line = line.replace('¦', "");
        scanner.scan(&line, &mut found);
        shown += &replacement.replace(&line, &found, &names);
        shown.push('\n');
    }
    expect.assert_eq(&shown);
}

#[test]
fn keys_and_tokens() {
    check(
        concat!(
            "key AKI¦AIOSFODNN7EXAMPLE used, xAKI¦AIOSFODNN7EXAMPLE, AKI¦AIOSFODNN7EXAMPLEX, akiaiosfodnn7example\n",
            "ASI¦A1234567890ABCDEF and ASIA is a continent\n",
            "AIz¦aSyA1234567890abcdefghijklmnopqrstuv and AIzaShort\n",
            "GOC¦SPX-abcdefghij1234567890abcdefgh ya¦29.a0AfH6SMBabcdefghij1234567890\n",
            "remote https://gh¦p_abcdefghijABCDEFGHIJ0123456789abcdef and ghp_short, GHP_ABC\n",
            "git¦hub_pat_11ABCDEFG0abcdefghij_klmnopqrstuvwxyz\n",
            "xo¦xb-123456789012-abcdefGHIJKL and xoxb-words-only\n",
            "POST https://hooks.slack.com/services/T0¦0000000/B00000000/abcdefghABCDEFGH ok\n",
            "https://hooks.slack.com/docs\n",
            "jwt ey¦JhbGciOiJIUzI1NiJ9.ey¦JzdWIiOiIxMjM0In0.abc-def_ghi. next\n",
            "eyJust a word, eyJhbGciOiJIUzI1NiJ9 alone\n",
            "Authorization: Bearer abc¦def123456.xyz\n",
            "authorization: bearer of bad news, Bearer authentication failed\n",
        ),
        expect![[r#"
            key [aws_key] used, xAKIAIOSFODNN7EXAMPLE, AKIAIOSFODNN7EXAMPLEX, akiaiosfodnn7example
            [aws_key] and ASIA is a continent
            [gcp_key] and AIzaShort
            [gcp_key] [gcp_key]
            remote https://[github_token] and ghp_short, GHP_ABC
            [github_token]
            [slack_token] and xoxb-words-only
            POST https://hooks.slack.com/services/[slack_token] ok
            https://hooks.slack.com/docs
            jwt [jwt]. next
            eyJust a word, eyJhbGciOiJIUzI1NiJ9 alone
            Authorization: Bearer [bearer]
            authorization: bearer of bad news, Bearer authentication failed
        "#]],
    );
}

#[test]
fn passwords() {
    check(
        concat!(
            "postgres://app:s3cr3t@db:5432/x and http://host:8080/a@b and ftp://user@host/ and amqp://u:p@ss@h/v\n",
            "redis://:hunter2@10.0.0.1:6379\n",
            "password=hunter2 user=x; passwd: 'a b c', pwd = abc\n",
            "{\"password\": \"a\\\"b\", \"api_key\":\"k-1\", \"token\": \"t\", \"n\":1}\n",
            "\"{\\\"password\\\":\\\"nested\\\",\\\"a\\\":1}\"\n",
            "GET /login?token=abc&x=1 client_secret=zzz)\n",
            "DB_PASSWORD=pässwört next=1 userPassword:abc\n",
            "Failed password for root from host port 22\n",
            "invalid token: expected a comma, token expired, Token::new, secret: of success\n",
            "password: null, token=true, password=******, password= , password=\"\"\n",
            "password_hash=abc tokens=5 token_type=bearer passwordless: yes\n",
            "password: correct horse\n",
            "password= next=1 passwd = x1 pwd= \"q\"\n",
            "sudo: bob : TTY=pts/0 ; PWD=/home/bob ; pwd=~ token=Token{5f3a u0}\n",
            "password=\"unterminated text here\n",
            "pwd='\\\n",
        ),
        expect![[r#"
            postgres://app:[basic_auth_url]@db:5432/x and http://host:8080/a@b and ftp://user@host/ and amqp://u:[basic_auth_url]@h/v
            redis://:[basic_auth_url]@[ipv4]:6379
            password=[password_kv] user=x; passwd: '[password_kv]', pwd = [password_kv]
            {"password": "[password_kv]", "api_key":"[password_kv]", "token": "[password_kv]", "n":1}
            "{\"password\":\"[password_kv]\",\"a\":1}"
            GET /login?token=[password_kv]&x=1 client_secret=[password_kv])
            DB_PASSWORD=[password_kv] next=1 userPassword:[password_kv]
            Failed password for root from host port 22
            invalid token: expected a comma, token expired, Token::new, secret: of success
            password: null, token=true, password=******, password= , password=""
            password_hash=abc tokens=5 token_type=bearer passwordless: yes
            password: [password_kv] horse
            password= next=1 passwd = [password_kv] pwd= "[password_kv]"
            sudo: bob : TTY=pts/0 ; PWD=/home/bob ; pwd=~ token=Token{5f3a u0}
            password="[password_kv]
            pwd='[password_kv]
        "#]],
    );
    check(
        "-----BEGIN RSA PRIV¦ATE KEY-----\\nMIIabc\\n-----END RSA PRIV¦ATE KEY----- after\n-----BEGIN CERTIFICATE-----abc\n-----BEGIN PRIV¦ATE KEY-----cut",
        expect![[r#"
            [private_key] after
            -----BEGIN CERTIFICATE-----abc
            [private_key]
        "#]],
    );
}

#[test]
fn cards_and_accounts() {
    check(
        concat!(
            "card 4111111111111111, 4111-1111-1111-1111 and 4111 1111 1111 1111.\n",
            "amex 378282246310005 3782 822463 10005 diners 30569309025904 jcb 3530111333300000 unionpay 6240008631401148\n",
            "mc 5555555555554444 2223003122003222 discover 6011111111111117 visa13 4222222222222\n",
            "4111111111111111,12,2026 card=5105105105105100;x 卡号4111111111111111已用\n",
            "not 4111111111111112 1795424400000000000 1234567812345670 0.4111111111111111 4111111111111111.5\n",
            "id 4111111111111111a a4111111111111111 _4111111111111111 41111111111111110000 4111-1111 1111-1111\n",
            "order 4111 1111 1111 1111 2026 4111 1111 1111 1112\n",
            "iban DE89370400440532013000 GB82 WEST 1234 5698 7654 32, NL91ABNA0417164300 FR1420041010050500013M02606\n",
            "not DE89370400440532013001 XX89370400440532013000 DE8937040044053201300 aDE89370400440532013000 AB12\n",
        ),
        expect![[r#"
            card [credit_card], [credit_card] and [credit_card].
            amex [credit_card] [credit_card] diners [credit_card] jcb [credit_card] unionpay [credit_card]
            mc [credit_card] [credit_card] discover [credit_card] visa13 [credit_card]
            [credit_card],12,2026 card=[credit_card];x 卡号[credit_card]已用
            not 4111111111111112 1795424400000000000 1234567812345670 0.4111111111111111 4111111111111111.5
            id 4111111111111111a a4111111111111111 _4111111111111111 41111111111111110000 4111-1111 1111-1111
            order [credit_card] 2026 4111 1111 1111 1112
            iban [iban] [iban], [iban] [iban]
            not DE89370400440532013001 XX89370400440532013000 DE8937040044053201300 aDE89370400440532013000 AB12
        "#]],
    );
}

#[test]
fn people() {
    check(
        concat!(
            "mail to alice.b+tag@example.co.uk, <bob@x.org>. not a@b, icon@2x.png lodash@4.17.21 Foo@1a2b3c git@github.com:o/r user@host\n",
            "git@github.com was mailed; @x.org .@x.org a@x..org\n",
            "ssn 536-22-1234, not 000-12-3456 666-12-3456 912-12-3456 536-00-1234 536-22-0000 1536-22-1234 536-22-12345 2026-11-23\n",
            "id 11010519491231002X 440524188001010014 身份证11010519491231002x。 not 110105194912310021 11010519491331002X 123456789012345678\n",
            "tel 13812345678 138-1234-5678 138 1234 5678 +8613812345678 +86 138-1234-5678 86-13812345678 手机13912345678号\n",
            "not 12812345678 1381234567 138123456789 1795424400123 138-12345678 1.13812345678 id-13812345678\n",
            "call +49 30 1234567, +1 (555) 234-5678, +442071838750; (555) 234-5678, 555-234-5678, 555.234.5678\n",
            "not +0100 2026-11-23T09:00:00+01:00 2026-11-23 09:00:00 123-456-7890 555-234-56789 5552345678 a+4420718387 1.555.234.5678 +12\n",
            "2026/11/23 09:00:00 +0000 took 250 ms, sha 1234567890, 100.200.300 1,234,567 x=0x7f3e2d1c\n",
        ),
        expect![[r#"
            mail to [email], <[email]>. not a@b, icon@2x.png lodash@4.17.21 Foo@1a2b3c git@github.com:o/r user@host
            [email] was mailed; @x.org .@x.org [email]
            ssn [us_ssn], not 000-12-3456 666-12-3456 912-12-3456 536-00-1234 536-22-0000 1536-22-1234 536-22-12345 2026-11-23
            id [cn_id_card] 440524188001010014 身份证[cn_id_card]。 not 110105194912310021 11010519491331002X 123456789012345678
            tel [cn_mobile] [cn_mobile] [cn_mobile] [cn_mobile] [cn_mobile] [cn_mobile] 手机[cn_mobile]号
            not 12812345678 1381234567 138123456789 1795424400123 138-12345678 1.13812345678 id-13812345678
            call [phone], [phone], [phone]; [phone], [phone], [phone]
            not +0100 2026-11-23T09:00:00+01:00 2026-11-23 09:00:00 123-456-7890 555-234-56789 5552345678 a+4420718387 1.555.234.5678 +12
            2026/11/23 09:00:00 +0000 took 250 ms, sha 1234567890, 100.200.300 1,234,567 x=0x7f3e2d1c
        "#]],
    );
}

#[test]
fn addresses() {
    check(
        concat!(
            "from 10.0.0.1:8080, 192.168.1.255/24 [client 1.2.3.4] http://8.8.8.8/x web1/10.1.2.3:80 1.2.3.4.\n",
            "not amd64~~6.1.1.0 v1.2.3.4 version 1.2.3.4 Version: \"4.5.6.7\" Chrome/120.0.0.0 1.2.3.4.5 256.1.1.1 01.2.3.4 1.2.3 1.2.3.4-beta lib-1.2.3.4\n",
            "peer 2001:db8::1, [fe80::1ff:fe23:4567:890a]:443 ::1 2001:0db8:85a3:0000:0000:8a2e:0370:7334 ::ffff:10.0.0.1 fe80::.\n",
            "not 09:00:00 a::b std::vec :: 00:1a:2b:3c:4d:5e a:b 12:34:56:78 Foo::1bar\n",
        ),
        expect![[r#"
            from [ipv4]:8080, [ipv4]/24 [client [ipv4]] http://[ipv4]/x web1/[ipv4]:80 [ipv4].
            not amd64~~6.1.1.0 v1.2.3.4 version 1.2.3.4 Version: "4.5.6.7" Chrome/120.0.0.0 1.2.3.4.5 256.1.1.1 01.2.3.4 1.2.3 1.2.3.4-beta lib-1.2.3.4
            peer [ipv6], [[ipv6]]:443 [ipv6] [ipv6] [ipv6] [ipv6].
            not 09:00:00 a::b std::vec :: 00:1a:2b:3c:4d:5e a:b 12:34:56:78 Foo::1bar
        "#]],
    );
}

#[test]
fn replacements() {
    let scanner =
        Scanner::new(&[Detector::CreditCard, Detector::Email], vec![Regex::new("emp-(?P<value>[0-9]+)").unwrap()]);
    let names: Vec<&str> = scanner.names().collect();
    let text = "a@example.org paid 4111-1111-1111-1111 for emp-77, again a@example.org";
    let mut found = Vec::new();
    scanner.scan(text, &mut found);
    let all = [
        Replacement::Text("[redacted:$name]".into()),
        Replacement::Text("X".into()),
        Replacement::Hash(b"key".to_vec()),
        Replacement::Hash(b"other".to_vec()),
        Replacement::Mask { keep_last: 4 },
        Replacement::Mask { keep_last: 100 },
    ];
    let shown: Vec<String> = all.iter().map(|with| with.replace(text, &found, &names) + "\n").collect();
    expect![[r#"
        [redacted:email] paid [redacted:credit_card] for emp-[redacted:regex], again [redacted:email]
        X paid X for emp-X, again X
        [email:82da2e98a56a9bde] paid [credit_card:6ef47eba3ecafd52] for emp-[regex:da57925ed40ee902], again [email:82da2e98a56a9bde]
        [email:9bfe7583da861455] paid [credit_card:bfd420fab154d0fe] for emp-[regex:47e7d06324a6ebab], again [email:9bfe7583da861455]
        *@******e.org paid ****-****-****-1111 for emp-*7, again *@******e.org
        *@*****le.org paid ****-****-1111-1111 for emp-*7, again *@*****le.org
    "#]].assert_eq(&shown.concat());
}

/// Texts that begin the same thing over and over are read a few times, not once for each beginning: a megabyte of each takes
/// seconds at most, where the square of it would take hours.
#[test]
fn no_text_takes_square_time() {
    let scanner = Scanner::new(&Detector::ALL, Vec::new());
    let mut found = Vec::new();
    for piece in [
        "-----BEGIN A PRIVATE KEY-----",
        "a@",
        "eyJ",
        "eyJ.",
        "eyJhbGciOiJI.",
        "bearer ",
        "://a:",
        "pwd='",
        "pwd=\\\"",
        "1",
        "1.",
        "1-",
        "+1 ",
        "(555",
        "4111 ",
        "a:",
        "::",
        "1:",
        "DE89 ",
        "xoxb-",
        "hooks.slack.com/services/",
        "token=",
    ] {
        let text = piece.repeat((1 << 20) / piece.len());
        scanner.scan(&text, &mut found);
        assert!(found.iter().all(|place| place.start < place.end && place.end <= text.len()), "{piece}");
    }
}

proptest::proptest! {
    /// Places are in order, apart, and at boundaries of characters, whatever comes.
    #[test]
    fn places_are_in_order_and_apart(text in "([ -~é中]|AKIA|@a.de|eyJ|password=|://|bearer |\\+49|4111|1.2.3.4|::|\\\\){0,60}") {
        let scanner = Scanner::new(&Detector::ALL, vec![Regex::new("a|é").unwrap()]);
        let mut found = Vec::new();
        scanner.scan(&text, &mut found);
        let mut from = 0;
        for place in &found {
            proptest::prop_assert!(from <= place.start && place.start < place.end);
            proptest::prop_assert!(text.is_char_boundary(place.start) && text.is_char_boundary(place.end));
            from = place.end;
        }
    }
}
