//! Functions of IP addresses, of both versions, and of URLs.

use crate::expr::function::ScalarFunction::*;
use crate::expr::function::{FunctionSpec, Kind, Param, many, one};

const ADDRESS: Param = one("address", Kind::Text);
const URL: Param = one("url", Kind::Text);

pub(in crate::expr) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec::new(IpIn, "ip_in", Kind::Bool, "Whether an address is in a network, or in one of several.")
        .also(&["cidr_match", "cidrmatch", "ip_in_range"])
        .takes(&[ADDRESS, many("network", Kind::Network)])
        .doc("An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) counts as IPv4.")
        .examples(&[
            (r#"ip_in("10.1.2.3", "10.0.0.0/8")"#, "true"),
            (r#"ip_in("2001:db8::1", "10.0.0.0/8", "2001:db8::/32")"#, "true"),
        ]),
    FunctionSpec::new(IsIp, "is_ip", Kind::Bool, "Whether a text is an IP address.")
        .takes(&[one("text", Kind::Text)])
        .examples(&[(r#"is_ip("::1")"#, "true"), (r#"is_ip("10.0.0.300")"#, "false")]),
    FunctionSpec::new(IsPrivate, "is_private", Kind::Bool, "Whether an address is not of the public internet.")
        .also(&["is_private_ip", "ipv4_is_private"])
        .takes(&[ADDRESS])
        .doc("Private networks (RFC 1918), unique local addresses, loopback, link-local and shared (RFC 6598) ones.")
        .examples(&[(r#"is_private("192.168.1.9")"#, "true"), (r#"is_private("8.8.8.8")"#, "false")]),
    FunctionSpec::new(IpPrefix, "ip_prefix", Kind::Text, "The network of so many bits that an address is in.")
        .also(&["ip_network"])
        .takes(&[ADDRESS, one("bits", Kind::Integer)])
        .examples(&[(r#"ip_prefix("10.1.2.3", 16)"#, "10.1.0.0/16"), (r#"ip_prefix("2001:db8:1::1", 32)"#, "2001:db8::/32")]),
    FunctionSpec::new(IpVersion, "ip_version", Kind::Integer, "4 or 6; missing for what is no address.")
        .takes(&[ADDRESS])
        .examples(&[(r#"ip_version("::1")"#, "6")]),
    FunctionSpec::new(Domain, "domain", Kind::Text, "The last two labels of the host of a URL or a name, three where a country's second level needs it.")
        .takes(&[URL])
        .doc("`example.co.uk` keeps three: `co`, `com`, `org`, `net`, `gov`, `edu`, `ac`, `or`, `ne` and `go` before a country. \
              Missing for addresses. For the exact list of public suffixes use a lookup table.")
        .examples(&[
            (r#"domain("https://www.shop.example.com/cart")"#, "example.com"),
            (r#"domain("a.b.example.co.uk")"#, "example.co.uk"),
        ]),
    FunctionSpec::new(UrlScheme, "url_scheme", Kind::Text, "The scheme of a URL, in lower case.")
        .takes(&[URL])
        .examples(&[(r#"url_scheme("HTTPS://a.example/")"#, "https")]),
    FunctionSpec::new(UrlHost, "url_host", Kind::Text, "The host of a URL, in lower case.")
        .takes(&[URL])
        .examples(&[(r#"url_host("https://ana@Shop.example:8443/cart?id=7")"#, "shop.example")]),
    FunctionSpec::new(UrlPort, "url_port", Kind::Integer, "The port of a URL, or that of its scheme.")
        .takes(&[URL])
        .examples(&[(r#"url_port("https://shop.example/")"#, "443")]),
    FunctionSpec::new(UrlPath, "url_path", Kind::Text, "The path of a URL, without query and fragment.")
        .takes(&[URL])
        .doc("Of a path alone as in an access log as well.")
        .examples(&[(r#"url_path("/cart/7?a=1#top")"#, "/cart/7"), (r#"url_path("https://shop.example")"#, "/")]),
    FunctionSpec::new(UrlQuery, "url_query", Kind::Text, "The query of a URL, or the decoded value of one name in it.")
        .takes(&[URL, Param { optional: true, ..one("name", Kind::Text) }])
        .examples(&[
            (r#"url_query("/find?q=red+shoe&page=2", "q")"#, "red shoe"),
            (r#"url_query("/find?q=red+shoe&page=2")"#, "q=red+shoe&page=2"),
        ]),
];
