//! Where buckets begin and end.

/// The lowest resolution: each bucket is 65536 times as wide as the one before.
pub const EXPONENTIAL_SCHEMA_MIN: i32 = -4;
/// The highest resolution: 256 buckets between a number and its double.
pub const EXPONENTIAL_SCHEMA_MAX: i32 = 8;
/// The schema of histograms with custom bounds.
pub const CUSTOM_SCHEMA: i32 = -53;

/// How far Prometheus's published bounds between 0.5 and 1 at schema 8 lie from the nearest number to `2^(k/256)/2`, in units of
/// 2^-53: a digit minus 4. Clients compare bounds as text, so the last digit must be the same as everywhere else.
const PUBLISHED: &[u8; 256] = b"\
    4444443444344444443244333333333344344434433344334433453344334433\
    4444443333223423443444344443444444434544342244334333443434223333\
    3434332233233433333333232322232244334434332234223322343323223323\
    3312332322122212222222111100120133233222231133222312332222012211";

/// `fraction * 2^exponent` without an overflow on the way.
fn load_exponent(fraction: f64, exponent: i64) -> f64 {
    let exponent = i32::try_from(exponent.clamp(-2200, 2200)).unwrap_or(0);
    let half = exponent / 2;
    fraction * 2f64.powi(half) * 2f64.powi(exponent - half)
}

/// The upper bound of a bucket with an exponential schema; the lower one is that of the bucket before.
///
/// The last bucket of regular numbers ends at the largest number, so that the one after it holds infinity alone.
pub fn upper_bound(index: i32, schema: i32) -> f64 {
    let index = i64::from(index);
    let (fraction, exponent) = if schema < 0 {
        (0.5, index.saturating_mul(1 << (-schema).min(8)) + 1)
    } else {
        let schema = schema.min(EXPONENTIAL_SCHEMA_MAX);
        let place = (index & ((1 << schema) - 1)) << (EXPONENTIAL_SCHEMA_MAX - schema);
        (published_fraction(place as usize), (index >> schema) + 1)
    };
    if fraction == 0.5 && exponent == 1025 { f64::MAX } else { load_exponent(fraction, exponent) }
}

/// Bound `place` of 256 in `[0.5, 1)`.
fn published_fraction(place: usize) -> f64 {
    let exact = (place as f64 / 256.0).exp2() / 2.0;
    let units = f64::from(i32::from(PUBLISHED[place]) - i32::from(b'4'));
    exact + units * 2f64.powi(-53)
}

/// The bucket of a lower resolution that holds a bucket of a higher one.
pub(super) fn coarser_index(index: i32, from: i32, to: i32) -> i32 {
    ((index - 1) >> (from - to)) + 1
}

/// The bound of a bucket by schema; `-1` ends at minus infinity with custom bounds.
pub(super) fn bound(index: i32, schema: i32, custom_values: &[f64]) -> f64 {
    if schema != CUSTOM_SCHEMA {
        return upper_bound(index, schema);
    }
    match usize::try_from(index) {
        Ok(index) => custom_values.get(index).copied().unwrap_or(f64::INFINITY),
        Err(_) => f64::NEG_INFINITY,
    }
}
