//! Functions of URLs, split as RFC 3986 says (appendix B). Nothing is checked or made canonical: logs hold what clients sent.

use lang::ScalarFunction;

use super::codes::percent_decode;
use super::{Run, part, text};
use crate::value::Value;

pub(super) fn pick(function: ScalarFunction) -> Option<Run> {
    Some(match function {
        ScalarFunction::UrlScheme => |v, _| {
            let url = text(v, 0)?;
            Some(Value::text(Url::split(&url).scheme?.to_ascii_lowercase()))
        },
        ScalarFunction::UrlHost => |v, _| {
            let url = text(v, 0)?;
            Some(Value::text(Url::split(&url).host()?.to_lowercase()))
        },
        ScalarFunction::UrlPort => |v, _| Url::split(&text(v, 0)?).port().map(Value::Int),
        ScalarFunction::UrlPath => |v, _| {
            let url = text(v, 0)?;
            let split = Url::split(&url);
            if split.path.is_empty() && split.authority.is_some() {
                return Some(Value::text("/"));
            }
            let start = split.path.as_ptr() as usize - url.as_ptr() as usize;
            let end = start + split.path.len();
            Some(part(url, start, end))
        },
        ScalarFunction::UrlQuery => query,
        ScalarFunction::Domain => |v, _| domain(&text(v, 0)?).map(Value::text),
        _ => return None,
    })
}

/// The parts of a URL, or of a path alone.
struct Url<'u> {
    scheme: Option<&'u str>,
    authority: Option<&'u str>,
    path: &'u str,
    query: Option<&'u str>,
}

impl<'u> Url<'u> {
    fn split(url: &'u str) -> Self {
        let url = url.trim();
        let url = url.split_once('#').map_or(url, |(before, _)| before);
        let (rest, query) = match url.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (url, None),
        };
        let is_scheme = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        };
        let (scheme, rest) = match rest.split_once("://") {
            Some((scheme, _)) if is_scheme(scheme) => (Some(scheme), &rest[scheme.len() + 1..]),
            _ => (None, rest),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(inner) => {
                let end = inner.find('/').unwrap_or(inner.len());
                (Some(&inner[..end]), &inner[end..])
            }
            None => (None, rest),
        };
        Self { scheme, authority, path, query }
    }

    /// Host and port, without the user.
    fn address(&self) -> Option<&'u str> {
        self.authority.map(|authority| authority.rsplit_once('@').map_or(authority, |(_, address)| address))
    }

    fn host(&self) -> Option<&'u str> {
        let address = self.address()?;
        let host = match address.strip_prefix('[') {
            Some(inner) => inner.split_once(']')?.0,
            None => address.split_once(':').map_or(address, |(host, _)| host),
        };
        (!host.is_empty()).then_some(host)
    }

    fn port(&self) -> Option<i64> {
        let address = self.address()?;
        let after_host = match address.strip_prefix('[') {
            Some(inner) => inner.split_once(']')?.1.strip_prefix(':'),
            None => address.split_once(':').map(|(_, port)| port),
        };
        match after_host.filter(|port| !port.is_empty()) {
            Some(port) => port.parse::<u16>().ok().map(i64::from),
            None => match self.scheme?.to_ascii_lowercase().as_str() {
                "http" | "ws" => Some(80),
                "https" | "wss" => Some(443),
                "ftp" => Some(21),
                "ssh" => Some(22),
                _ => None,
            },
        }
    }
}

fn query<'r>(v: &mut [Value<'r>], _: &'r crate::prepare::Prepared) -> Option<Value<'r>> {
    let name = if v.len() > 1 { Some(text(v, 1)?) } else { None };
    let url = text(v, 0)?;
    let query = Url::split(&url).query?;
    let Some(name) = name else {
        let start = query.as_ptr() as usize - url.as_ptr() as usize;
        let end = start + query.len();
        return Some(part(url, start, end));
    };
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.into_iter().find(|(key, _)| percent_decode(key) == name)?;
    Some(Value::text(percent_decode(value).into_owned()))
}

/// Second levels under which countries give out names.
const SECOND_LEVELS: [&str; 10] = ["ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"];

fn domain(text: &str) -> Option<String> {
    let split = Url::split(text);
    let host = match split.host() {
        Some(host) => host,
        None if split.authority.is_some() => return None,
        // A name alone, perhaps with a port and a path.
        None => text.trim().split(['/', '?', '#', ':']).next()?,
    };
    let host = host.trim_end_matches('.').to_lowercase();
    if host.parse::<std::net::IpAddr>().is_ok() || host.is_empty() || host.contains(char::is_whitespace) {
        return None;
    }
    let labels: Vec<&str> = host.split('.').collect();
    let kept = match labels[..] {
        [.., second, country] if labels.len() > 2 && country.len() == 2 && SECOND_LEVELS.contains(&second) => 3,
        _ => 2,
    };
    Some(labels[labels.len().saturating_sub(kept)..].join("."))
}
