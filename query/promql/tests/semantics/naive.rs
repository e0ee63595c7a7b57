//! A naive evaluator: it walks the tree anew at each moment, looks at every sample each time and computes in the plainest way. What
//! it lacks in speed it has in obviousness. Histograms are to it two numbers, count and sum.

use std::collections::BTreeMap;

use model::{Labels, METRIC_NAME};
use promql::{
    AggregateOp, At, Binary, BinaryOp, Cardinality, DurationExpr, Expr, SourceSeries, Subquery, VectorSelector,
};

/// What a sample is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Float(f64),
    Histogram { count: f64, sum: f64 },
}

impl Value {
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Option<Self> {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => Some(Self::Float(f(a, b))),
            (Self::Histogram { count, sum }, Self::Histogram { count: other_count, sum: other_sum }) => {
                Some(Self::Histogram { count: f(count, other_count), sum: f(sum, other_sum) })
            }
            _ => None,
        }
    }

    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Float(a) => Self::Float(f(a)),
            Self::Histogram { count, sum } => Self::Histogram { count: f(count), sum: f(sum) },
        }
    }

    /// The number, or the count.
    fn size(self) -> f64 {
        match self {
            Self::Float(value) | Self::Histogram { count: value, .. } => value,
        }
    }
}

/// An element of a vector; the name goes in the end if it says so.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) labels: Labels,
    pub(crate) drop_name: bool,
    pub(crate) value: Value,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    time: i64,
    start: i64,
    value: Value,
}

/// A series of a range vector.
struct Window {
    labels: Labels,
    drop_name: bool,
    points: Vec<Point>,
    /// Open there.
    from: i64,
    /// Closed there.
    to: i64,
}

/// The query as a whole.
pub(crate) struct Naive<'a> {
    pub(crate) series: &'a [SourceSeries],
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
}

/// Why there is no result: the evaluator must refuse it as well, or it is beyond this one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refused {
    Error,
    Unknown,
}

type Result<T> = std::result::Result<T, Refused>;

fn without(labels: &Labels, drop: impl Fn(&str) -> bool) -> Labels {
    labels.iter().filter(|(name, _)| !drop(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn grouped(labels: &Labels, names: &[String], without_them: bool) -> Labels {
    let listed = |name: &str| names.iter().any(|known| known == name);
    without(labels, |name| if without_them { listed(name) || name == METRIC_NAME } else { !listed(name) })
}

fn literal_ms(duration: &DurationExpr) -> i64 {
    let DurationExpr::Seconds(seconds, ..) = duration else { panic!("only literals are generated") };
    (seconds * 1000.0).round() as i64
}

fn points_of(series: &SourceSeries) -> Vec<Point> {
    let point = |at: usize| {
        let histogram = series.histograms.get(at).and_then(Option::as_ref);
        let value =
            histogram.map_or(Value::Float(series.values[at]), |h| Value::Histogram { count: h.count, sum: h.sum });
        Point { time: series.times[at], start: series.starts.get(at).copied().unwrap_or(0), value }
    };
    (0..series.times.len()).map(point).collect()
}

fn is_stale(value: Value) -> bool {
    matches!(value, Value::Float(value) if model::is_stale_nan(value))
}

impl Naive<'_> {
    /// The final result at a moment, sorted.
    pub(crate) fn at(&self, expr: &Expr, time: i64) -> Result<BTreeMap<String, Value>> {
        let mut all = BTreeMap::new();
        for element in self.vector(expr, time)? {
            let labels = without(&element.labels, |name| element.drop_name && name == METRIC_NAME);
            if all.insert(labels.to_string(), element.value).is_some() {
                return Err(Refused::Error);
            }
        }
        Ok(all)
    }

    fn moment(&self, at: Option<At>, offset: Option<&DurationExpr>, time: i64) -> i64 {
        let base = match at {
            None => time,
            Some(At::TimeMs(ms)) => ms,
            Some(At::Start) => self.start_ms,
            Some(At::End) => self.end_ms,
        };
        base - offset.map_or(0, literal_ms)
    }

    fn select<'s>(&'s self, selector: &'s VectorSelector) -> impl Iterator<Item = &'s SourceSeries> {
        let wanted = move |series: &&SourceSeries| {
            selector.matchers.iter().all(|m| m.matches(series.labels.get(&m.name).unwrap_or("")))
        };
        self.series.iter().filter(wanted)
    }

    /// The newest sample of each series, not older than five minutes.
    fn instant(&self, selector: &VectorSelector, time: i64) -> Vec<(Labels, Point)> {
        let time = self.moment(selector.at, selector.offset.as_ref(), time);
        let newest = |series: &SourceSeries| {
            let within = |point: &Point| point.time > time - 300_000 && point.time <= time;
            let point = points_of(series).into_iter().rfind(within)?;
            (!is_stale(point.value)).then(|| (series.labels.clone(), point))
        };
        self.select(selector).filter_map(newest).collect()
    }

    fn vector(&self, expr: &Expr, time: i64) -> Result<Vec<Element>> {
        let keep = |(labels, point): (Labels, Point)| Element { labels, drop_name: false, value: point.value };
        match expr {
            Expr::Paren(inner, _) => self.vector(inner, time),
            Expr::Vector(selector) => Ok(self.instant(selector, time).into_iter().map(keep).collect()),
            Expr::Unary { expr, .. } => {
                let negate = |e: Element| Element { drop_name: true, value: e.value.map(|v| -v), ..e };
                Ok(self.vector(expr, time)?.into_iter().map(negate).collect())
            }
            Expr::Aggregate(aggregate) => {
                let param = aggregate.param.as_ref();
                let input = self.vector(&aggregate.expr, time)?;
                aggregated(aggregate.op, param, &aggregate.grouping, aggregate.without, input)
            }
            Expr::Binary(binary) => self.binary(binary, time),
            Expr::Call(call) => self.call(call, time),
            _ => Err(Refused::Unknown),
        }
    }

    fn call(&self, call: &promql::Call, time: i64) -> Result<Vec<Element>> {
        let name = call.function.name;
        if let Some(range) = call.args.iter().find(|arg| arg.result_type() == promql::Type::Matrix) {
            let param = call.args.iter().find_map(|arg| match arg {
                Expr::Number(value, ..) => Some(*value),
                _ => None,
            });
            let mut out = Vec::new();
            for window in self.windows(range, time)? {
                if let Some(value) = over_time(name, &window, param.unwrap_or(0.0), time)? {
                    let drop_name = window.drop_name || !matches!(name, "last_over_time" | "first_over_time");
                    out.push(Element { labels: window.labels, drop_name, value });
                }
            }
            return Ok(out);
        }
        if let ("timestamp", Expr::Vector(selector)) = (name, call.args[0].unparen()) {
            let stamp = |(labels, point): (Labels, Point)| Element {
                labels,
                drop_name: true,
                value: Value::Float(point.time as f64 / 1000.0),
            };
            return Ok(self.instant(selector, time).into_iter().map(stamp).collect());
        }
        let apply = |element: Element| {
            let value = match (name, element.value) {
                ("abs", Value::Float(value)) => Value::Float(value.abs()),
                ("sgn", Value::Float(value)) => Value::Float(if value == 0.0 { 0.0 } else { value.signum() }),
                ("histogram_count", Value::Histogram { count, .. }) => Value::Float(count),
                ("histogram_sum", Value::Histogram { sum, .. }) => Value::Float(sum),
                _ => return None,
            };
            Some(Element { drop_name: true, value, ..element })
        };
        Ok(self.vector(&call.args[0], time)?.into_iter().filter_map(apply).collect())
    }

    fn windows(&self, expr: &Expr, time: i64) -> Result<Vec<Window>> {
        match expr {
            Expr::Matrix(matrix) => {
                let selector = &matrix.selector;
                let to = self.moment(selector.at, selector.offset.as_ref(), time);
                let from = to - literal_ms(&matrix.range);
                let window = |series: &SourceSeries| {
                    let mut points = points_of(series);
                    points.retain(|point| point.time > from && point.time <= to && !is_stale(point.value));
                    Window { labels: series.labels.clone(), drop_name: false, points, from, to }
                };
                Ok(self.select(selector).map(window).filter(|window| !window.points.is_empty()).collect())
            }
            Expr::Subquery(subquery) => self.subquery(subquery, time),
            _ => Err(Refused::Unknown),
        }
    }

    fn subquery(&self, subquery: &Subquery, time: i64) -> Result<Vec<Window>> {
        let to = self.moment(subquery.at, subquery.offset.as_ref(), time);
        let from = to - literal_ms(&subquery.range);
        let step = subquery.step.as_ref().map_or(60_000, literal_ms);
        let mut windows: Vec<Window> = Vec::new();
        for at in (from + 1..=to).filter(|at| at.rem_euclid(step) == 0) {
            for Element { labels, drop_name, value } in self.vector(&subquery.expr, at)? {
                let point = Point { time: at, start: 0, value };
                match windows.iter_mut().find(|window| window.labels == labels) {
                    Some(window) => window.points.push(point),
                    None => windows.push(Window { labels, drop_name, points: vec![point], from, to }),
                }
            }
        }
        Ok(windows)
    }

    fn binary(&self, binary: &Binary, time: i64) -> Result<Vec<Element>> {
        let Some(matching) = &binary.matching else {
            let (Expr::Number(scalar, ..), vector) = (&binary.right, &binary.left) else {
                return Err(Refused::Unknown);
            };
            let mut out = self.vector(vector, time)?;
            out.retain_mut(|element| {
                let Value::Float(value) = element.value else { return false };
                let (result, keeps) = operate(binary.op, value, *scalar);
                element.drop_name |= !binary.op.is_comparison();
                element.value = Value::Float(result);
                keeps
            });
            return Ok(out);
        };
        let (left, right) = (self.vector(&binary.left, time)?, self.vector(&binary.right, time)?);
        let key = |element: &Element| grouped(&element.labels, &matching.labels, !matching.on);
        match binary.op {
            BinaryOp::And | BinaryOp::Unless => {
                let found = |l: &Element| right.iter().any(|r| key(r) == key(l));
                return Ok(left.into_iter().filter(|l| found(l) == (binary.op == BinaryOp::And)).collect());
            }
            BinaryOp::Or => {
                let new: Vec<Element> = right.into_iter().filter(|r| !left.iter().any(|l| key(l) == key(r))).collect();
                return Ok([left, new].concat());
            }
            _ => {}
        }
        self.join(binary, &left, &right)
    }

    /// One to one, or many to one with `group_left`.
    fn join(&self, binary: &Binary, left: &[Element], right: &[Element]) -> Result<Vec<Element>> {
        let matching = binary.matching.as_ref().ok_or(Refused::Unknown)?;
        let (fill_left, fill_right) = (matching.fill_left, matching.fill_right);
        if fill_left.is_none() && fill_right.is_none() && (left.is_empty() || right.is_empty()) {
            return Ok(Vec::new());
        }
        let key = |element: &Element| grouped(&element.labels, &matching.labels, !matching.on);
        let mut keys: Vec<Labels> = left.iter().chain(right).map(key).collect();
        keys.sort();
        keys.dedup();
        let mut out = Vec::new();
        for key_labels in keys {
            let many: Vec<&Element> = left.iter().filter(|l| key(l) == key_labels).collect();
            let one: Vec<&Element> = right.iter().filter(|r| key(r) == key_labels).collect();
            let one_to_one = matching.cardinality == Cardinality::OneToOne;
            if one.len() > 1 || (one_to_one && many.len() > 1 && (!one.is_empty() || fill_right.is_some())) {
                return Err(Refused::Error);
            }
            let mut pairs: Vec<(Option<&Element>, Option<&Element>)> =
                many.iter().map(|many| (Some(*many), one.first().copied())).collect();
            if pairs.is_empty() {
                pairs.push((None, one.first().copied()));
            }
            for (many, one) in pairs {
                let a = many.map(|e| e.value).or(fill_left.map(Value::Float));
                let b = one.map(|e| e.value).or(fill_right.map(Value::Float));
                let (Some(Value::Float(a)), Some(Value::Float(b))) = (a, b) else { continue };
                let (value, keeps) = operate(binary.op, a, b);
                if !keeps {
                    continue;
                }
                let base = many.map_or(&key_labels, |many| &many.labels);
                let listed = |name: &str| matching.labels.iter().any(|known| known == name);
                let labels = without(base, |name| {
                    (!binary.op.is_comparison() && name == METRIC_NAME) || (one_to_one && listed(name) != matching.on)
                });
                out.push(Element { labels, drop_name: false, value: Value::Float(value) });
            }
        }
        Ok(out)
    }
}

fn operate(op: BinaryOp, a: f64, b: f64) -> (f64, bool) {
    match op {
        BinaryOp::Add => (a + b, true),
        BinaryOp::Sub => (a - b, true),
        BinaryOp::Mul => (a * b, true),
        BinaryOp::Gt => (a, a > b),
        BinaryOp::Eq => (a, a == b),
        _ => panic!("{op:?} is not generated"),
    }
}

fn quantile(q: f64, mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = q * (values.len() - 1) as f64;
    let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
    low + (high - low) * rank.fract()
}

fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64
}

fn aggregated(
    op: AggregateOp,
    param: Option<&Expr>,
    grouping: &[String],
    without_them: bool,
    input: Vec<Element>,
) -> Result<Vec<Element>> {
    let mut groups: Vec<(Labels, Vec<Element>)> = Vec::new();
    for element in input {
        let key = grouped(&element.labels, grouping, without_them);
        match groups.iter_mut().find(|(labels, _)| *labels == key) {
            Some((_, members)) => members.push(element),
            None => groups.push((key, vec![element])),
        }
    }
    let number = match param {
        Some(Expr::Number(value, ..)) => *value,
        _ => 0.0,
    };
    let mut out = Vec::new();
    for (labels, mut members) in groups {
        if matches!(op, AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk) {
            if op != AggregateOp::Limitk {
                members.retain(|member| matches!(member.value, Value::Float(_)));
                let sign = if op == AggregateOp::Topk { -1.0 } else { 1.0 };
                members.sort_by(|a, b| (sign * a.value.size()).total_cmp(&(sign * b.value.size())));
            }
            members.truncate(number as usize);
            out.extend(members);
            continue;
        }
        if let (AggregateOp::CountValues, Some(Expr::String(label, _))) = (op, param) {
            let mut counts: BTreeMap<String, f64> = BTreeMap::new();
            members.iter().for_each(|member| *counts.entry(member.value.size().to_string()).or_default() += 1.0);
            for (text, count) in counts {
                let pairs = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                let labels = pairs.chain([(label.clone(), text)]).collect();
                out.push(Element { labels, drop_name: false, value: Value::Float(count) });
            }
            continue;
        }
        if let Some(value) = folded(op, number, &members) {
            out.push(Element { labels, drop_name: false, value });
        }
    }
    Ok(out)
}

fn folded(op: AggregateOp, number: f64, members: &[Element]) -> Option<Value> {
    let count = members.len() as f64;
    match op {
        AggregateOp::Count => return Some(Value::Float(count)),
        AggregateOp::Group => return Some(Value::Float(1.0)),
        AggregateOp::Sum | AggregateOp::Avg => {
            let mut values = members.iter().map(|member| member.value);
            let first = values.next()?;
            let sum = values.try_fold(first, |sum, value| sum.zip(value, |a, b| a + b))?;
            return Some(if op == AggregateOp::Avg { sum.map(|value| value / count) } else { sum });
        }
        _ => {}
    }
    let floats = members.iter().filter(|member| matches!(member.value, Value::Float(_)));
    let values: Vec<f64> = floats.map(|member| member.value.size()).collect();
    if values.is_empty() {
        return None;
    }
    Some(Value::Float(match op {
        AggregateOp::Min => values.into_iter().fold(f64::INFINITY, f64::min),
        AggregateOp::Max => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
        AggregateOp::Stddev => variance(&values).sqrt(),
        AggregateOp::Stdvar => variance(&values),
        AggregateOp::Quantile => quantile(number, values),
        op => panic!("{op:?} is not generated"),
    }))
}

/// Whether a counter was reset between two samples: it fell, or started anew after the first.
fn is_reset(before: Point, now: Point) -> bool {
    let known = now.start != 0 && now.start < now.time;
    let before_known = before.start != 0 && before.start < before.time;
    now.value.size() < before.value.size()
        || (known && (now.start > before.time || (now.start == before.time && before_known)))
}

/// Prometheus's extrapolation, window by window.
fn increase(window: &Window, counter: bool, per_second: bool) -> Option<Value> {
    let points = &window.points;
    let (first, last) = (*points.first()?, *points.last()?);
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let mut result = last.value.zip(first.value, |a, b| a - b)?;
    for pair in points.windows(2).filter(|pair| counter && is_reset(pair[0], pair[1])) {
        result = result.zip(pair[0].value, |a, b| a + b)?;
    }
    let start = Some(first.start).filter(|start| counter && *start > window.from && *start < first.time && *start != 0);
    let mut sampled = seconds(last.time - first.time);
    let average = if points.len() > 1 { sampled / (points.len() - 1) as f64 } else { 0.0 };
    let (mut to_start, mut to_end) = (seconds(first.time - window.from), seconds(window.to - last.time));
    if let Some(start) = start {
        result = result.zip(first.value, |a, b| a + b)?;
        sampled = seconds(last.time - start);
        to_start = 0.0;
    } else if points.len() < 2 {
        return None;
    } else {
        if to_start >= average * 1.1 {
            to_start = average / 2.0;
        }
        if counter && result.size() > 0.0 && first.value.size() >= 0.0 {
            to_start = to_start.min(sampled * (first.value.size() / result.size()));
        }
    }
    if to_end >= average * 1.1 {
        to_end = average / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if per_second {
        factor /= seconds(window.to - window.from);
    }
    Some(result.map(|value| value * factor))
}

/// Slope and value at a moment of the least-squares line.
fn line(points: &[Point], at: i64) -> (f64, f64) {
    let n = points.len() as f64;
    let x = |point: &Point| (point.time - at) as f64 / 1000.0;
    let mean_x = points.iter().map(x).sum::<f64>() / n;
    let mean_y = points.iter().map(|point| point.value.size()).sum::<f64>() / n;
    let both: f64 = points.iter().map(|point| (x(point) - mean_x) * (point.value.size() - mean_y)).sum();
    let squares: f64 = points.iter().map(|point| (x(point) - mean_x).powi(2)).sum();
    let slope = both / squares;
    (slope, mean_y - slope * mean_x)
}

fn over_time(name: &str, window: &Window, param: f64, time: i64) -> Result<Option<Value>> {
    let points = &window.points;
    let (first, last) = (points[0], points[points.len() - 1]);
    let values: Vec<f64> = points.iter().map(|point| point.value.size()).collect();
    let count = points.len();
    match name {
        "rate" | "increase" => return Ok(increase(window, true, name == "rate")),
        "delta" => return Ok(increase(window, false, false)),
        "last_over_time" => return Ok(Some(last.value)),
        "first_over_time" => return Ok(Some(first.value)),
        "sum_over_time" | "avg_over_time" => {
            let sum = points[1..].iter().try_fold(first.value, |sum, point| sum.zip(point.value, |a, b| a + b));
            let divisor = if name == "avg_over_time" { count as f64 } else { 1.0 };
            return Ok(sum.map(|sum| sum.map(|value| value / divisor)));
        }
        _ => {}
    }
    let pairs = || points.windows(2).map(|pair| (pair[0], pair[1]));
    let last_pair = (count > 1).then(|| (points[count - 2], last));
    Ok(Some(Value::Float(match name {
        "count_over_time" => count as f64,
        "present_over_time" => 1.0,
        _ if matches!(first.value, Value::Histogram { .. }) => return Err(Refused::Unknown),
        "min_over_time" => values.into_iter().fold(f64::INFINITY, f64::min),
        "max_over_time" => values.into_iter().fold(f64::NEG_INFINITY, f64::max),
        "stddev_over_time" => variance(&values).sqrt(),
        "stdvar_over_time" => variance(&values),
        "quantile_over_time" => quantile(param, values),
        "mad_over_time" => {
            let median = quantile(0.5, values.clone());
            quantile(0.5, values.iter().map(|value| (value - median).abs()).collect())
        }
        "changes" => pairs().filter(|(a, b)| a.value != b.value).count() as f64,
        "resets" => pairs().filter(|(a, b)| is_reset(*a, *b)).count() as f64,
        "ts_of_first_over_time" => first.time as f64 / 1000.0,
        "ts_of_last_over_time" => last.time as f64 / 1000.0,
        "deriv" if count > 1 => line(points, first.time).0,
        "predict_linear" if count > 1 => {
            let (slope, now) = line(points, time);
            now + slope * param
        }
        "irate" | "idelta" => {
            let Some((before, now)) = last_pair else { return Ok(None) };
            let reset = name == "irate" && is_reset(before, now);
            let difference = now.value.size() - if reset { 0.0 } else { before.value.size() };
            if name == "irate" { difference / ((now.time - before.time) as f64 / 1000.0) } else { difference }
        }
        "deriv" | "predict_linear" => return Ok(None),
        _ => return Err(Refused::Unknown),
    })))
}
