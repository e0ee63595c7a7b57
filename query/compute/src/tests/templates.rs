//! Texts that the pipe `format` makes.

use expect_test::expect;
use lang::{FormatPart, FormatStyle};

use super::{row, shown};
use crate::limits::TEMPLATE_PIECES_MAX;
use crate::{Template, Value};

fn field(name: &str, style: FormatStyle) -> FormatPart {
    FormatPart::Field { name: name.to_owned(), style }
}

#[test]
fn every_style_changes_what_fits_it() {
    let row = row();
    let names: Vec<String> = row.iter().map(|(name, _)| name.clone()).collect();
    let mut out = String::new();
    for style in FormatStyle::ALL {
        let mut line = format!("{}:", style.as_str());
        for name in ["status", "word", "took", "int", "list", "time", "inf", "url", "gone", "nothing"] {
            let template = Template::of_parts(&[field(name, style)], &names).expect("a template");
            let value = template.render(&|at| row[at].1.borrowed());
            line.push_str(&format!(" {name}={}", shown(value)));
        }
        out.push_str(&line);
        out.push('\n');
    }
    expect![[r#"
        : status="503" word="größe" took="1h30m" int="9007199254740993" list="[\"a\",\"b\",3]" time="2026-11-23T08:58:30Z" inf="+Inf" url="https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top" gone="" nothing=""
        q: status="\"503\"" word="\"größe\"" took="\"1h30m\"" int="\"9007199254740993\"" list="\"[\\\"a\\\",\\\"b\\\",3]\"" time="\"2026-11-23T08:58:30Z\"" inf="\"+Inf\"" url="\"https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top\"" gone="" nothing=""
        uc: status="503" word="GRÖSSE" took="1H30M" int="9007199254740993" list="[\"A\",\"B\",3]" time="2026-11-23T08:58:30Z" inf="+INF" url="HTTPS://ANA:PW@SHOP.EXAMPLE.CO.UK:8443/CART/7?Q=RED+SHOE&Q=2&E=%C3%BC&FLAG#TOP" gone="" nothing=""
        lc: status="503" word="größe" took="1h30m" int="9007199254740993" list="[\"a\",\"b\",3]" time="2026-11-23t08:58:30z" inf="+inf" url="https://ana:pw@shop.example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%c3%bc&flag#top" gone="" nothing=""
        urlencode: status="503" word="gr%C3%B6%C3%9Fe" took="1h30m" int="9007199254740993" list="%5B%22a%22%2C%22b%22%2C3%5D" time="2026-11-23T08%3A58%3A30Z" inf="%2BInf" url="https%3A%2F%2Fana%3Apw%40Shop.Example.co.uk%3A8443%2Fcart%2F7%3Fq%3Dred%2Bshoe%26q%3D2%26e%3D%25C3%25BC%26flag%23top" gone="" nothing=""
        urldecode: status="503" word="größe" took="1h30m" int="9007199254740993" list="[\"a\",\"b\",3]" time="2026-11-23T08:58:30Z" inf=" Inf" url="https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red shoe&q=2&e=ü&flag#top" gone="" nothing=""
        base64encode: status="NTAz" word="Z3LDtsOfZQ==" took="MWgzMG0=" int="OTAwNzE5OTI1NDc0MDk5Mw==" list="WyJhIiwiYiIsM10=" time="MjAyNi0xMS0yM1QwODo1ODozMFo=" inf="K0luZg==" url="aHR0cHM6Ly9hbmE6cHdAU2hvcC5FeGFtcGxlLmNvLnVrOjg0NDMvY2FydC83P3E9cmVkK3Nob2UmcT0yJmU9JUMzJUJDJmZsYWcjdG9w" gone="" nothing=""
        base64decode: status="503" word="größe" took="1h30m" int="9007199254740993" list="[\"a\",\"b\",3]" time="2026-11-23T08:58:30Z" inf="+Inf" url="https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top" gone="" nothing=""
        hexencode: status="353033" word="6772C3B6C39F65" took="316833306D" int="39303037313939323534373430393933" list="5B2261222C2262222C335D" time="323032362D31312D32335430383A35383A33305A" inf="2B496E66" url="68747470733A2F2F616E613A70774053686F702E4578616D706C652E636F2E756B3A383434332F636172742F373F713D7265642B73686F6526713D3226653D25433325424326666C616723746F70" gone="" nothing=""
        hexdecode: status="503" word="größe" took="1h30m" int="9007199254740993" list="[\"a\",\"b\",3]" time="2026-11-23T08:58:30Z" inf="+Inf" url="https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top" gone="" nothing=""
        hexnumencode: status="00000000000001F7" word="größe" took="1h30m" int="0020000000000001" list="[\"a\",\"b\",3]" time="18EAA0E5BAA69C00" inf="+Inf" url="https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top" gone="" nothing=""
        hexnumdecode: status="1283" word="größe" took="1h30m" int="10378291982571407763" list="[\"a\",\"b\",3]" time="2026-11-23T08:58:30Z" inf="+Inf" url="https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top" gone="" nothing=""
        time: status="1970-01-01T00:08:23Z" word="größe" took="1h30m" int="2255-06-05T23:47:34.740993Z" list="[\"a\",\"b\",3]" time="2026-11-23T08:58:30Z" inf="+Inf" url="https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top" gone="" nothing=""
        duration: status="503ns" word="größe" took="1h30m" int="104d5h59m59.254740993s" list="[\"a\",\"b\",3]" time="20780d8h58m30s" inf="+Inf" url="https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top" gone="" nothing=""
        duration_seconds: status="0.000000503" word="größe" took="5400" int="9007199.254740993" list="[\"a\",\"b\",3]" time="1795424310" inf="+Inf" url="https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top" gone="" nothing=""
        ipv4: status="0.0.1.247" word="größe" took="1h30m" int="9007199254740993" list="[\"a\",\"b\",3]" time="2026-11-23T08:58:30Z" inf="+Inf" url="https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top" gone="" nothing=""
    "#]].assert_eq(&out);
}

#[test]
fn texts_and_fields_stand_in_order_and_end_at_the_limits() {
    let names = ["a".to_owned(), "b".to_owned()];
    let parts = [
        FormatPart::Text("<".to_owned()),
        field("b", FormatStyle::Upper),
        FormatPart::Text("> of ".to_owned()),
        field("a", FormatStyle::Plain),
        field("gone", FormatStyle::Quoted),
    ];
    let template = Template::of_parts(&parts, &names).expect("a template");
    let value = template.render(&|at| if at == 0 { Value::Int(3) } else { Value::text("x") });
    assert_eq!(value, Value::text("<X> of 3"));

    let long = "x".repeat(700_000);
    let twice = Template::of_parts(&[field("a", FormatStyle::Plain), field("a", FormatStyle::Plain)], &names);
    assert_eq!(twice.expect("a template").render(&|_| Value::text(long.as_str())), Value::Missing);

    let many = vec![field("a", FormatStyle::Plain); TEMPLATE_PIECES_MAX + 1];
    let error = Template::of_parts(&many, &names).expect_err("over a limit").to_string();
    assert!(error.contains("TEMPLATE_PIECES_MAX"));
}
