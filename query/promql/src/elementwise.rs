//! Functions of one number: rows stream through them.

use crate::ast::{Call, Expr};
use crate::error::EvalError;
use crate::eval::{Evaluator, emit};
use crate::parallel::Out;
use crate::selector::Show;
use crate::tile::{ABSENT, Grid, Meta, Row, Sink, is_absent};

type Simple = fn(f64) -> f64;

/// Namespace of the table.
pub(crate) struct Elementwise;

impl Elementwise {
    /// Whether the function works row by row on its first argument.
    pub(crate) fn streams(call: &Call) -> bool {
        let name = call.function.name;
        simple(name).is_some()
            || matches!(name, "round" | "clamp" | "clamp_min" | "clamp_max" | "timestamp" | "start_timestamp")
    }
}

fn simple(name: &str) -> Option<Simple> {
    Some(match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "sqrt" => f64::sqrt,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sgn" => |v| {
            if v > 0.0 {
                1.0
            } else if v < 0.0 {
                -1.0
            } else {
                v
            }
        },
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => f64::asinh,
        "acosh" => f64::acosh,
        "atanh" => f64::atanh,
        "rad" => |v| v * std::f64::consts::PI / 180.0,
        "deg" => |v| v * 180.0 / std::f64::consts::PI,
        "minute" => |v| (seconds_of_day(v) / 60 % 60) as f64,
        "hour" => |v| (seconds_of_day(v) / 3600) as f64,
        "day_of_month" => |v| civil(v).2 as f64,
        "day_of_week" => |v| ((days(v) + 4).rem_euclid(7)) as f64,
        "day_of_year" => day_of_year,
        "days_in_month" => days_in_month,
        "month" => |v| civil(v).1 as f64,
        "year" => |v| civil(v).0 as f64,
        _ => return None,
    })
}

impl Evaluator<'_> {
    pub(crate) fn elementwise(&mut self, call: &Call, grid: Grid, sink: &mut Sink<'_>) -> Result<(), EvalError> {
        let name = call.function.name;
        let Some(vector) = call.args.first() else {
            // Date functions without an argument are about the time of the step.
            let Some(function) = simple(name) else { return Ok(()) };
            let values = (0..grid.steps).map(|step| function((grid.time(step) / 1000) as f64)).collect();
            return sink(Meta { labels: model::Labels::default(), drop_name: false }, &mut Row::of(values));
        };
        if name.ends_with("timestamp") {
            return self.timestamp(vector, name == "start_timestamp", grid, sink);
        }
        let mut params = Vec::new();
        for param in &call.args[1..] {
            params.push(self.scalar(param, grid)?);
        }
        self.rows(vector, grid, &mut |meta, row| {
            row.drop_histograms();
            match simple(name) {
                Some(function) => row.map(function, |_| {}),
                None => with_params(name, &mut row.values, &params),
            }
            emit(Meta { drop_name: true, ..meta }, row, sink)
        })
    }

    /// The time of the sample behind a selector's value; of anything else the time of the step. Only samples have a start time.
    fn timestamp(&mut self, vector: &Expr, start: bool, grid: Grid, sink: &mut Sink<'_>) -> Result<(), EvalError> {
        if let Expr::Vector(selector) = vector.unparen() {
            let show = if start { Show::StartTime } else { Show::Time };
            let mut nameless = |meta, row: &mut Row| sink(Meta { drop_name: true, ..meta }, row);
            return self.instant_rows(selector, grid, show, Out::Rows(&mut nameless));
        }
        self.rows(vector, grid, &mut |meta, row| {
            if start {
                return Ok(());
            }
            for (step, value) in row.values.iter_mut().enumerate().filter(|(_, value)| !is_absent(**value)) {
                *value = grid.time(step) as f64 / 1000.0;
            }
            row.histograms.clear();
            sink(Meta { drop_name: true, ..meta }, row)
        })
    }
}

fn with_params(name: &str, values: &mut [f64], params: &[Vec<f64>]) {
    for (step, value) in values.iter_mut().enumerate().filter(|(_, value)| !is_absent(**value)) {
        let param = |at: usize| params.get(at).map(|values| values[step]);
        *value = match name {
            "round" => {
                // Dividing by the inverse loses less.
                let inverse = 1.0 / param(0).unwrap_or(1.0);
                (*value * inverse + 0.5).floor() / inverse
            }
            "clamp_min" => go_max(*value, param(0).unwrap_or(f64::NAN)),
            "clamp_max" => go_min(*value, param(0).unwrap_or(f64::NAN)),
            _ => match (param(0), param(1)) {
                (Some(min), Some(max)) if max < min => ABSENT,
                (Some(min), Some(max)) => go_max(min, go_min(max, *value)),
                _ => *value,
            },
        };
    }
}

/// The larger one; NaN if either is, unless the other is infinite, which nothing exceeds.
pub(crate) fn go_max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// The smaller one; NaN if either is, unless the other is infinite below everything.
pub(crate) fn go_min(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

fn days(seconds: f64) -> i64 {
    (seconds as i64).div_euclid(86_400)
}

fn seconds_of_day(seconds: f64) -> i64 {
    (seconds as i64).rem_euclid(86_400)
}

/// Year, month and day; Howard Hinnant's `civil_from_days`, which no range of years limits.
fn civil(seconds: f64) -> (i64, i64, i64) {
    let shifted = days(seconds) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap(year)),
        _ => 31,
    }
}

fn days_in_month(seconds: f64) -> f64 {
    let (year, month, _) = civil(seconds);
    month_days(year, month) as f64
}

fn day_of_year(seconds: f64) -> f64 {
    let (year, month, day) = civil(seconds);
    ((1..month).map(|month| month_days(year, month)).sum::<i64>() + day) as f64
}
