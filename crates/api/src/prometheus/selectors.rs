//! `match[]`: selectors of series as the store takes them.

use series::{MatchOp, Matcher};

use super::envelope::PromError;
use super::params::Params;

/// What all matchers of a selector must accept.
pub(crate) type Selector = Vec<Matcher>;

/// The selectors of `match[]`, none if there is no such parameter. The error is a text without the parameter's name: some
/// endpoints of Prometheus name it and some do not.
pub(crate) fn read(params: &Params) -> Result<Vec<Selector>, String> {
    let selectors: Vec<Selector> = params.all("match[]").iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
    let all_empty = |selector: &Selector| selector.iter().all(|matcher| matcher.matches(""));
    if selectors.iter().any(all_empty) {
        return Err("match[] must contain at least one non-empty matcher".to_owned());
    }
    Ok(selectors)
}

/// Fails when there is no selector, whatever it may say.
pub(crate) fn check_given(params: &Params) -> Result<(), PromError> {
    params.check_form()?;
    if params.all("match[]").is_empty() {
        return Err(PromError::bad_data("no match[] parameter provided"));
    }
    Ok(())
}

/// Selectors of which there must be one.
pub(crate) fn required(params: &Params) -> Result<Vec<Selector>, PromError> {
    check_given(params)?;
    read(params).map_err(|fault| PromError::invalid("match[]", fault))
}

/// A selector of PromQL as what series must satisfy; the error is a text.
pub fn parse(text: &str) -> Result<Vec<Matcher>, String> {
    let parsed = promql::parse_selector(text).map_err(|error| error.to_string())?;
    of_query(&parsed.matchers)
}

/// The matchers of a query's selector.
pub(crate) fn of_query(matchers: &[promql::Matcher]) -> Result<Selector, String> {
    matchers.iter().map(of_matcher).collect()
}

/// A matcher of a query, as the store has them.
pub(crate) fn of_matcher(matcher: &promql::Matcher) -> Result<Matcher, String> {
    let op = match matcher.op {
        promql::MatchOp::Equal => MatchOp::Equal,
        promql::MatchOp::NotEqual => MatchOp::NotEqual,
        promql::MatchOp::Regex => MatchOp::Regex,
        promql::MatchOp::NotRegex => MatchOp::NotRegex,
    };
    Matcher::new(&*matcher.name, op, matcher.pattern()).map_err(|error| error.to_string())
}
