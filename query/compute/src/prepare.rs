//! What functions keep of their constant arguments, so that it is read once and not for every row.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use lang::{Kind, ScalarFunction, Span};
use memchr::memmem::Finder;
use model::Timestamp;
use regex::Regex;

use crate::ComputeError;
use crate::functions::addresses::Network;
use crate::functions::json::{self, Step};
use crate::functions::template::{self, Piece};
use crate::functions::{patterns, times};
use crate::value::Value;

/// What a call keeps of its constants.
pub(crate) enum Prepared {
    /// Nothing.
    None,
    /// A text to find.
    Needle(Box<Finder<'static>>),
    /// A regular expression, and the group that is asked for.
    Pattern { regex: Regex, group: usize },
    /// Networks.
    Networks(Vec<Network>),
    /// A path into JSON.
    Path(Vec<Step>),
    /// The zone, and the time that is now.
    Time { zone: TimeZone, now: Timestamp },
    /// A template.
    Template(Vec<Piece>),
}

type Constants<'a> = [Option<&'a Value<'a>>];

/// Reads the constants of a call. `places` says where each argument is written.
pub(crate) fn prepare(
    function: ScalarFunction,
    constants: &Constants<'_>,
    places: &[&Span],
    now: Timestamp,
) -> Result<Prepared, ComputeError> {
    match function {
        ScalarFunction::Contains | ScalarFunction::IndexOf => Ok(match text(constants, 1) {
            Some(needle) => Prepared::Needle(Box::new(Finder::new(needle.as_bytes()).into_owned())),
            None => Prepared::None,
        }),
        ScalarFunction::Like => {
            let pattern = needed(function, constants, places, 1)?;
            Ok(Prepared::Pattern { regex: patterns::compile(&patterns::like(&pattern), places[1])?, group: 0 })
        }
        ScalarFunction::Matches
        | ScalarFunction::Extract
        | ScalarFunction::ExtractAll
        | ScalarFunction::ReplaceRegex
        | ScalarFunction::CountMatches => {
            let pattern = needed(function, constants, places, 1)?;
            let regex = patterns::compile(&pattern, places[1])?;
            let takes_group = matches!(function, ScalarFunction::Extract | ScalarFunction::ExtractAll);
            let group = match places.get(2).filter(|_| takes_group) {
                Some(place) => patterns::group(&regex, constants[2], place)?,
                None => usize::from(regex.captures_len() > 1),
            };
            Ok(Prepared::Pattern { regex, group })
        }
        ScalarFunction::IpIn => networks(constants, places),
        ScalarFunction::JsonGet => match text(constants, 1) {
            Some(path) => Ok(Prepared::Path(
                json::path(&path)
                    .map_err(|message| ComputeError::new(places[1], message, "a path is written a.b[0][\"c d\"]"))?,
            )),
            None => Ok(Prepared::None),
        },
        ScalarFunction::Format => {
            let text = needed(function, constants, places, 0)?;
            template::read(&text, constants.len() - 1, places[0]).map(Prepared::Template)
        }
        _ => zone(function, constants, places, now),
    }
}

/// The text of a constant argument.
fn text<'a>(constants: &'a Constants<'_>, at: usize) -> Option<Cow<'a, str>> {
    constants.get(at).copied().flatten()?.to_text()
}

/// The text of an argument that has to be constant.
fn needed<'a>(
    function: ScalarFunction,
    constants: &'a Constants<'_>,
    places: &[&Span],
    at: usize,
) -> Result<Cow<'a, str>, ComputeError> {
    text(constants, at).ok_or_else(|| {
        let param = function.spec().params[at].name;
        ComputeError::new(
            places[at],
            format!("the {param} of `{}` is not the same for every row", function.as_str()),
            "write it as a text: it is read once, before the rows",
        )
    })
}

/// The networks of `ip_in`, when all of them are constant.
fn networks(constants: &Constants<'_>, places: &[&Span]) -> Result<Prepared, ComputeError> {
    let mut networks = Vec::new();
    for (at, constant) in constants.iter().enumerate().skip(1) {
        let Some(value) = constant else { return Ok(Prepared::None) };
        let text = value.to_text().unwrap_or_default();
        let network = Network::parse(&text).ok_or_else(|| {
            ComputeError::new(
                places[at],
                format!("\"{text}\" is no network"),
                "write a network such as \"10.0.0.0/8\" or \"2001:db8::/32\"",
            )
        })?;
        networks.push(network);
    }
    Ok(Prepared::Networks(networks))
}

/// The zone of a function of times, its format checked. Functions of anything else keep nothing.
fn zone(
    function: ScalarFunction,
    constants: &Constants<'_>,
    places: &[&Span],
    now: Timestamp,
) -> Result<Prepared, ComputeError> {
    let params = function.spec().params;
    if !params.iter().any(|param| param.kind == Kind::Zone) && function != ScalarFunction::Age {
        return Ok(Prepared::None);
    }
    let mut zone = TimeZone::UTC;
    for (at, param) in params.iter().enumerate().take(constants.len()) {
        match param.kind {
            Kind::Zone => {
                let name = needed(function, constants, places, at)?;
                zone = times::zone(&name).ok_or_else(|| {
                    ComputeError::new(
                        places[at],
                        format!("there is no time zone \"{name}\""),
                        "write a name such as \"Europe/Berlin\", \"UTC\" or an offset such as \"+02:00\"",
                    )
                })?;
            }
            Kind::TimeFormat => {
                if let Some(format) = text(constants, at) {
                    times::check_format(&format, places[at])?;
                }
            }
            _ => {}
        }
    }
    Ok(Prepared::Time { zone, now })
}
