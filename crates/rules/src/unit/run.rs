//! Runs one group of tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::ledger::{Document, Filter, LedgerError, LedgerTable, Records, Write};
use model::{Labels, TimeRange, Timestamp, Value};
use promql::{EvalLimits, EvalRange, ParserOptions, QueryValue, SequenceValue};

use super::file::{AlertTest, ExpectedSample, ExprTest, TestFile, TestGroup};
use super::outcome::{FoundAlert, FoundSample, alerts_failure, same_samples, samples_failure};
use super::storage::{Sink, Storage};
use super::{TEST_SAMPLES_MAX, TEST_STEPS_MAX, TestOptions};
use crate::template::{Surroundings, go_duration};
use crate::{AlertState, Group, GroupEvaluator, RuleQuery, RuleQueryError, RuleSample};

/// Keeps nothing: a test starts nowhere and ends nowhere.
struct NoRecords;

impl Records for NoRecords {
    fn commit(&self, _batch: Vec<Write>) -> Result<(), LedgerError> {
        Ok(())
    }

    fn get(&self, _table: LedgerTable, _id: &str) -> Result<Option<Document>, LedgerError> {
        Ok(None)
    }

    fn list(&self, _table: LedgerTable, _filter: &Filter) -> Result<Vec<Document>, LedgerError> {
        Ok(Vec::new())
    }
}

/// Answers queries from the samples of a test.
struct Questions {
    storage: Arc<Storage>,
    language: ParserOptions,
    limits: EvalLimits,
}

impl RuleQuery for Questions {
    fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        Ok(self.vector(expr, at)?.into_iter().map(|sample| (sample.labels, sample.value)).collect())
    }

    fn vector(&self, expr: &str, at: Timestamp) -> Result<Vec<RuleSample>, RuleQueryError> {
        let failed = |error: &dyn std::fmt::Display| RuleQueryError(error.to_string());
        let expr = promql::parse_with(expr, &self.language).map_err(|error| failed(&error))?;
        let range = EvalRange::Instant { time_ms: at.millis() };
        let outcome = promql::eval(&expr, &*self.storage, range, &self.limits).map_err(|error| failed(&error))?;
        match outcome.value {
            QueryValue::Scalar(sample) => {
                Ok(vec![RuleSample { labels: Labels::default(), value: sample.value, histogram: None }])
            }
            QueryValue::Vector(samples) => Ok(samples
                .into_iter()
                .map(|sample| RuleSample { labels: sample.labels, value: sample.value, histogram: sample.histogram })
                .collect()),
            _ => Err(RuleQueryError("rule result is not a vector or scalar".to_owned())),
        }
    }

    fn logs(&self, _query: &str, _range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        Err(RuleQueryError("tests of rules have series and no logs".to_owned()))
    }
}

/// Runs a group of tests; what failed, and an error if the test itself makes no sense.
pub(super) fn run(
    file: &TestFile,
    test: &TestGroup,
    groups: &[Group],
    options: &TestOptions,
) -> Result<Vec<String>, String> {
    let storage = Arc::new(Storage::default());
    load(test, &storage)?;
    let subquery_interval_ms = file.evaluation_interval.0;
    let query = Questions {
        storage: Arc::clone(&storage),
        language: options.features.parser,
        limits: EvalLimits {
            subquery_interval_ms,
            delayed_name_removal: options.features.delayed_name_removal,
            type_labels: options.features.type_labels,
            ..EvalLimits::default()
        },
    };
    let surroundings =
        Surroundings { external_labels: test.external_labels.clone(), external_url: test.external_url.clone() };
    let start = Timestamp::from_millis(test.start_timestamp.0);
    let mut evaluators = Vec::with_capacity(groups.len());
    for group in groups {
        let evaluator =
            GroupEvaluator::new(group.clone(), Arc::new(NoRecords), start).map_err(|error| error.to_string())?;
        evaluators.push(evaluator.with_surroundings(surroundings.clone()));
    }
    let mut running = Running { file, test, options, evaluators, query, failures: Vec::new() };
    if running.evaluate()? {
        test.promql_expr_test.iter().for_each(|case| running.check_expr(case));
    }
    Ok(running.failures)
}

fn load(test: &TestGroup, storage: &Storage) -> Result<(), String> {
    let mut samples = 0usize;
    for input in &test.input_series {
        let failed = |error: String| format!("input series {:?}: {error}", input.series);
        let labels = promql::parse_metric(&input.series).map_err(failed)?;
        let values = promql::parse_values(&input.values).map_err(failed)?;
        samples = samples.saturating_add(values.len());
        if samples > TEST_SAMPLES_MAX {
            return Err(format!("the input series stand for more than {TEST_SAMPLES_MAX} samples; split the test"));
        }
        storage.add(&labels, values, test.start_timestamp.0, test.interval.0);
    }
    Ok(())
}

struct Running<'a> {
    file: &'a TestFile,
    test: &'a TestGroup,
    options: &'a TestOptions,
    evaluators: Vec<GroupEvaluator>,
    query: Questions,
    failures: Vec<String>,
}

impl Running<'_> {
    /// Evaluates all groups until the last time that a test asks about, and checks alerts on the way. Ends at the first time at which
    /// a rule fails, and says so with `false`.
    fn evaluate(&mut self) -> Result<bool, String> {
        let (start_ms, step_ms) = (self.test.start_timestamp.0, self.file.evaluation_interval.0);
        let alerts = self.test.alert_rule_test.iter().map(|case| case.eval_time);
        let exprs = self.test.promql_expr_test.iter().map(|case| case.eval_time);
        let end_ms = alerts.chain(exprs).max().unwrap_or_default().0;
        let steps = end_ms / step_ms;
        if steps > TEST_STEPS_MAX {
            let message = format!("the test has {steps} evaluations, {TEST_STEPS_MAX} are allowed");
            return Err(format!("{message}; raise evaluation_interval"));
        }
        let mut cases: Vec<&AlertTest> = self.test.alert_rule_test.iter().collect();
        cases.sort_by_key(|case| case.eval_time);
        let mut next = 0;
        for offset_ms in (0..=steps).map(|step| step * step_ms) {
            let at = Timestamp::from_millis(start_ms + offset_ms);
            self.query.storage.advance(start_ms + offset_ms);
            if !self.evaluate_once(at)? {
                return Ok(false);
            }
            // A time between two evaluations is checked against the earlier one.
            while let Some(case) = cases.get(next).filter(|case| case.eval_time.0 < offset_ms + step_ms) {
                self.check_alerts(case);
                next += 1;
            }
        }
        Ok(true)
    }

    fn evaluate_once(&mut self, at: Timestamp) -> Result<bool, String> {
        let mut well = true;
        for evaluator in &mut self.evaluators {
            let mut sink = Sink(&self.query.storage);
            let evaluation = evaluator.evaluate_at(at, &self.query, &mut sink).map_err(|error| error.to_string())?;
            for (rule, error) in evaluation.errors {
                let since = go_duration(at.secs_f64());
                self.failures.push(format!("    rule: {rule}, time: {since}, err: {error}"));
                well = false;
            }
        }
        Ok(well)
    }

    fn check_alerts(&mut self, case: &AlertTest) {
        let alerts = self.evaluators.iter().flat_map(GroupEvaluator::alerts);
        let firing = alerts.filter(|alert| alert.rule == case.alertname && alert.state == AlertState::Firing);
        let mut found: Vec<FoundAlert> =
            firing.map(|alert| FoundAlert { labels: alert.labels, annotations: alert.annotations }).collect();
        let expected = case.exp_alerts.iter().flatten().map(|expected| {
            // Whoever writes a test gives the labels of the rule, and the name is not one of them.
            let mut labels = expected.exp_labels.clone().unwrap_or_default();
            labels.insert("alertname".to_owned(), case.alertname.clone());
            FoundAlert { labels, annotations: expected.exp_annotations.clone().unwrap_or_default() }
        });
        let mut expected: Vec<FoundAlert> = expected.collect();
        // An empty label is no label.
        expected.iter_mut().for_each(|alert| alert.labels.retain(|_, value| !value.is_empty()));
        expected.sort();
        found.sort();
        if expected != found {
            let name = self.test.name.as_deref().unwrap_or_default();
            let head = if name.is_empty() { String::new() } else { format!("    name: {name},\n") };
            let head = format!("{head}    alertname: {}, time: {}, ", case.alertname, case.eval_time);
            self.failures.push(alerts_failure(&head, &expected, &found, self.options.diff));
        }
    }

    fn check_expr(&mut self, case: &ExprTest) {
        let head = format!("    expr: {:?}, time: {},", case.expr, case.eval_time);
        let at = Timestamp::from_millis(self.test.start_timestamp.0 + case.eval_time.0);
        let found = match self.query.vector(&case.expr, at) {
            Ok(found) => found,
            Err(error) => return self.failures.push(format!("{head} err: {error}")),
        };
        let expected: Result<Vec<FoundSample>, String> =
            case.exp_samples.iter().flatten().map(expected_sample).collect();
        let mut expected = match expected {
            Ok(expected) => expected,
            Err(error) => return self.failures.push(format!("{head} err: {error}")),
        };
        let found = found.into_iter().map(|sample| FoundSample {
            labels: sample.labels,
            // The value of a histogram is that of the text, which has none.
            value: if sample.histogram.is_some() { 0.0 } else { sample.value },
            histogram: sample.histogram.map(|histogram| histogram.test_expression()).unwrap_or_default(),
        });
        let mut found: Vec<FoundSample> = found.collect();
        expected.sort_by(|a, b| a.labels.cmp(&b.labels));
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        if !same_samples(&expected, &found, self.file.fuzzy_compare) {
            self.failures.push(samples_failure(&head, &expected, &found, self.options.diff));
        }
    }
}

fn expected_sample(expected: &ExpectedSample) -> Result<FoundSample, String> {
    let failed = |error: String| format!("labels {:?}: {error}", expected.labels);
    let labels = match expected.labels.trim() {
        "" => Labels::default(),
        text => promql::parse_metric(text).map_err(failed)?,
    };
    let histogram = match expected.histogram.as_str() {
        "" => String::new(),
        text => match &promql::parse_values(text).map_err(failed)?[..] {
            [SequenceValue::Histogram { histogram, .. }] => histogram.test_expression(),
            [other] => return Err(failed(format!("expected histogram, got {other:?}"))),
            values => return Err(failed(format!("expected 1 value, got {}", values.len()))),
        },
    };
    Ok(FoundSample { labels, value: expected.value, histogram })
}
