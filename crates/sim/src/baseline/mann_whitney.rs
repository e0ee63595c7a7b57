//! The Mann-Whitney U test as Kayenta uses it: an interval and an estimate of how far one sample lies above another.
//!
//! From `spinnaker/kayenta`: `kayenta-mannwhitney/.../MannWhitney.scala`. The ends of the interval are the shifts at which the test's
//! standardised statistic, with correction for continuity and ties, crosses the normal quantile; the estimate is where it crosses
//! zero. Kayenta finds the crossings with Brent's method, here they are found by bisection: the statistic only falls.

/// Steps of the bisection: the range of the data divided by 2 to this power is far below any measured difference.
const BISECTIONS: u32 = 40;
/// Quantile of the normal distribution for a two-sided confidence of 98 %.
const QUANTILE_98: f64 = 2.326_347_874_040_841;

/// How far a sample lies above another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// Lower end of the interval of 98 % confidence.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// The estimate (Hodges and Lehmann's, but for the correction for continuity).
    pub estimate: f64,
}

/// How far `experiment` lies above `control`. Nothing when a sample is empty or all values are the same.
pub fn shift(experiment: &[f64], control: &[f64]) -> Option<Shift> {
    let (low, high) = (least(experiment)? - most(control)?, most(experiment)? - least(control)?);
    let mut work = Vec::with_capacity(experiment.len() + control.len());
    let mut root = |quantile: f64| {
        let mut value = |mu: f64| statistic(experiment, control, mu, &mut work).map(|z| z - quantile);
        if value(low)? <= 0.0 {
            return Some(low);
        }
        if value(high)? >= 0.0 {
            return Some(high);
        }
        let (mut below, mut above) = (low, high);
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(below, above);
            if value(middle)? > 0.0 { below = middle } else { above = middle }
        }
        Some(f64::midpoint(below, above))
    };
    Some(Shift { low: root(QUANTILE_98)?, high: root(-QUANTILE_98)?, estimate: root(0.0)? })
}

fn least(values: &[f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}

fn most(values: &[f64]) -> Option<f64> {
    values.iter().copied().max_by(f64::total_cmp)
}

/// The standardised statistic of `experiment` moved down by `mu`. Nothing when all values are tied.
fn statistic(experiment: &[f64], control: &[f64], mu: f64, work: &mut Vec<(f64, bool)>) -> Option<f64> {
    work.clear();
    work.extend(experiment.iter().map(|value| (value - mu, true)));
    work.extend(control.iter().map(|value| (*value, false)));
    work.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    let (m, n) = (experiment.len() as f64, control.len() as f64);
    let (mut ranks, mut ties, mut start) = (0.0, 0.0, 0);
    while start < work.len() {
        let same = work[start..].iter().take_while(|(value, _)| *value == work[start].0).count();
        let rank = start as f64 + (same as f64 + 1.0) / 2.0;
        ranks += rank * work[start..start + same].iter().filter(|(_, ours)| *ours).count() as f64;
        ties += (same as f64).powi(3) - same as f64;
        start += same;
    }
    let distance = ranks - m * (m + 1.0) / 2.0 - m * n / 2.0;
    let total = m + n;
    let sigma = (m * n / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)))).sqrt();
    let correction = if distance == 0.0 { 0.0 } else { distance.signum() * 0.5 };
    (sigma > 0.0).then(|| (distance - correction) / sigma)
}
