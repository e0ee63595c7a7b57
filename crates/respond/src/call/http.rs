//! An HTTP request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{CallProblem, check_json, check_pointer, check_text, fill_json, fill_map, fill_option, fill_text};
use crate::fill::{FillError, FillUse};

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCall {
    /// The method: POST, PUT, PATCH or DELETE.
    #[serde(default = "post")]
    pub method: String,
    /// The URL; no template before its path.
    pub url: String,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, sent as JSON.
    #[serde(default)]
    pub body: Option<Json>,
    /// The statuses that mean success; any 2xx when empty.
    #[serde(default)]
    pub expect_status: Vec<u16>,
    /// What is asked before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precheck: Option<Box<HttpPrecheck>>,
}

/// A GET whose answer says what runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpPrecheck {
    /// The URL; no template before its path.
    pub url: String,
    /// Where in the answer the version is, a JSON pointer.
    pub pointer: String,
    /// What must stand there; the version that is rolled back without it.
    #[serde(default)]
    pub equals: Option<String>,
    /// Whether the answer's `ETag` goes along with the action as `If-Match`, so that the other side compares and swaps.
    #[serde(default)]
    pub if_match: bool,
}

fn post() -> String {
    "POST".to_owned()
}

impl HttpCall {
    pub(super) fn check(&self, problems: &mut Vec<CallProblem>) {
        check_url("url", &self.url, problems);
        for header in self.headers.values() {
            check_text("headers", header, problems);
        }
        if let Some(body) = &self.body {
            check_json("body", body, problems);
        }
        if !["POST", "PUT", "PATCH", "DELETE"].contains(&self.method.as_str()) {
            let message = format!("the method is {:?}", self.method);
            problems.push(CallProblem::new("method", message, "it is POST, PUT, PATCH or DELETE"));
        }
        if let Some(precheck) = &self.precheck {
            check_url("precheck", &precheck.url, problems);
            check_pointer("precheck", &precheck.pointer, problems);
            precheck.equals.iter().for_each(|equals| drop(check_text("precheck", equals, problems)));
        }
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        Ok(Self {
            method: self.method.clone(),
            url: fill_text(&self.url, values, FillUse::Url)?,
            headers: fill_map(&self.headers, values)?,
            body: self.body.as_ref().map(|body| fill_json(body, values)).transpose()?,
            expect_status: self.expect_status.clone(),
            precheck: self.precheck.as_ref().map(|precheck| precheck.fill(values).map(Box::new)).transpose()?,
        })
    }
}

impl HttpPrecheck {
    fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        Ok(Self {
            url: fill_text(&self.url, values, FillUse::Url)?,
            pointer: self.pointer.clone(),
            equals: fill_option(self.equals.as_ref(), values, FillUse::Text)?,
            if_match: self.if_match,
        })
    }
}

/// An absolute URL with no template in its host: what decides where a request goes is written by people only.
pub(crate) fn check_url(field: &str, url: &str, problems: &mut Vec<CallProblem>) {
    let Some(scheme) = ["http://", "https://"].into_iter().find(|scheme| url.starts_with(scheme)) else {
        let message = "the url does not begin with http:// or https://";
        return problems.push(CallProblem::new(field, message, "give an absolute URL"));
    };
    let rest = &url[scheme.len()..];
    let path = scheme.len() + rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if check_text(field, url, problems).is_some_and(|fill| fill.has_variable_before(path)) {
        let message = "the url has a template in its host";
        problems.push(CallProblem::new(field, message, "only the path and what follows may have one"));
    }
}
