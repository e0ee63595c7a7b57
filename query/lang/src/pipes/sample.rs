//! `sample 1/100`, `sample 10%`, `sample 500`: some rows, chosen by chance.

use crate::Sample;

/// The canonical text.
pub(super) fn print(sample: &Sample) -> String {
    match sample {
        Sample::OneIn(n) => format!("sample 1/{n}"),
        Sample::Percent(percent) => format!("sample {percent}%"),
        Sample::Rows(n) => format!("sample {n}"),
    }
}
