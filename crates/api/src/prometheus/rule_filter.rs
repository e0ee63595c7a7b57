//! Which rules `/api/v1/rules` shows: Prometheus's parameters, and its texts for those that make no sense.

use std::collections::BTreeMap;

use promql::Matcher;

use super::envelope::PromError;
use super::params::Params;

/// Which rules are wanted, and how many groups at once.
#[derive(Debug, Default)]
pub(crate) struct RuleFilter {
    /// `Some(true)` for recording rules only, `Some(false)` for alert rules only.
    recording: Option<bool>,
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    selectors: Vec<Vec<Matcher>>,
    /// Whether alerts are left out.
    pub(crate) exclude_alerts: bool,
    /// Most groups of one answer.
    pub(crate) groups_max: Option<usize>,
    /// Where to go on: the token of an earlier answer.
    pub(crate) next_token: Option<String>,
}

impl RuleFilter {
    /// Reads the parameters.
    pub(crate) fn read(params: &Params) -> Result<Self, PromError> {
        let given = |name: &str| params.get(name).filter(|value| !value.is_empty());
        let recording = match given("type").map(str::to_lowercase).as_deref() {
            None => None,
            Some("alert") => Some(false),
            Some("record") => Some(true),
            Some(other) => return Err(PromError::bad_data(format!("not supported value \"{other}\""))),
        };
        let selector = |text: &String| {
            promql::parse_selector(text)
                .map(|selector| selector.matchers)
                .map_err(|error| PromError::bad_data(format!("invalid parameter \"match[]\": {error}")))
        };
        let selectors: Result<Vec<_>, _> = params.all("match[]").iter().map(selector).collect();
        let exclude_alerts = match given("exclude_alerts") {
            None => false,
            Some(text) => boolean(text).ok_or_else(|| {
                let cause = format!("strconv.ParseBool: parsing {text:?}: invalid syntax");
                PromError::bad_data(format!("error converting exclude_alerts: {cause}"))
            })?,
        };
        let groups_max = match given("group_limit") {
            None => None,
            Some(text) => Some(group_limit(text)?),
        };
        let next_token = given("group_next_token").map(str::to_owned);
        if next_token.is_some() && groups_max.is_none() {
            let text = "group_limit needs to be present in order to paginate over the groups";
            return Err(PromError::bad_data(format!("invalid parameter \"group_next_token\": {text}")));
        }
        Ok(Self {
            recording,
            names: params.all("rule_name[]").to_vec(),
            groups: params.all("rule_group[]").to_vec(),
            files: params.all("file[]").to_vec(),
            selectors: selectors?,
            exclude_alerts,
            groups_max,
            next_token,
        })
    }

    /// Whether a group is wanted.
    pub(crate) fn wants_group(&self, file: &str, name: &str) -> bool {
        one_of(&self.files, file) && one_of(&self.groups, name)
    }

    /// Whether a rule of a wanted group is wanted. Labels that are templates have no value yet, so no selector looks at them.
    pub(crate) fn wants_rule(&self, name: &str, recording: bool, labels: &BTreeMap<String, String>) -> bool {
        let value = |name: &str| labels.get(name).filter(|text| !text.contains("{{")).map_or("", String::as_str);
        let matches = |selector: &Vec<Matcher>| selector.iter().all(|matcher| matcher.matches(value(&matcher.name)));
        self.recording.is_none_or(|wanted| wanted == recording)
            && one_of(&self.names, name)
            && (self.selectors.is_empty() || self.selectors.iter().any(matches))
    }
}

/// Whether a list holds a value; an empty one holds all.
fn one_of(list: &[String], value: &str) -> bool {
    list.is_empty() || list.iter().any(|known| known == value)
}

/// The spellings of Go's `strconv.ParseBool`.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn group_limit(text: &str) -> Result<usize, PromError> {
    let bad = |cause: String| PromError::bad_data(format!("invalid parameter \"group_limit\": {cause}"));
    let number: i64 = text.parse().map_err(|_| {
        bad(format!("group_limit needs to be a valid number: strconv.ParseInt: parsing {text:?}: invalid syntax"))
    })?;
    usize::try_from(number)
        .ok()
        .filter(|limit| *limit > 0)
        .ok_or_else(|| bad("group_limit needs to be greater than 0".to_owned()))
}

/// What stands for a group in `groupNextToken`.
pub(crate) fn token(file: &str, group: &str) -> String {
    catalog::ledger::sha256_hex(format!("{file};{group}").as_bytes())[..40].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<RuleFilter, PromError> {
        RuleFilter::read(&Params::of(query))
    }

    #[test]
    fn rules_are_chosen_by_type_name_and_labels() {
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let wants = |query: &str| {
            let filter = read(query).expect(query);
            let page: BTreeMap<String, String> = labels(&[("severity", "page"), ("value", "{{ $value }}")]);
            [filter.wants_rule("A", false, &page), filter.wants_rule("r:sum", true, &BTreeMap::new())]
        };
        assert_eq!(wants(""), [true, true]);
        assert_eq!(wants("type=alert"), [true, false]);
        assert_eq!(wants("type=record"), [false, true]);
        assert_eq!(wants("rule_name[]=A&rule_name[]=B"), [true, false]);
        assert_eq!(wants("match[]={severity=%22page%22}"), [true, false]);
        assert_eq!(wants("match[]={value=~%22.%2B%22}"), [false, false]);
        assert_eq!(wants("match[]={severity=%22x%22}&match[]={severity=~%22p.*%22}"), [true, false]);
        let filter = read("file[]=a.yml&rule_group[]=g").expect("filter");
        assert!(
            filter.wants_group("a.yml", "g") && !filter.wants_group("b.yml", "g") && !filter.wants_group("a.yml", "h")
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let bad =
            ["type=x", "exclude_alerts=maybe", "group_limit=0", "group_limit=x", "group_next_token=a", "match[]={"];
        for query in bad {
            assert!(read(query).is_err(), "{query}");
        }
    }
}
