//! "Did you mean": the known name nearest to an unknown one.

/// The nearest name, when it is near enough to be a slip: one edit for a short word, a third of the letters for a long one.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const WORD_CHARS_MAX: usize = 64;
    let letters = word.chars().count();
    if letters > WORD_CHARS_MAX {
        return None;
    }
    let allowed = (letters / 3).max(1);
    let word = word.to_lowercase();
    names
        .into_iter()
        .map(|name| (edits(&word, &name.to_lowercase()), name))
        .filter(|(edits, name)| *edits <= allowed && *edits < name.chars().count())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Edits between two words: insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slips_are_corrected() {
        let names = ["stats", "sort", "limit", "fields"];
        assert_eq!(nearest("statz", names), Some("stats"));
        assert_eq!(nearest("lmiit", names), Some("limit"));
        assert_eq!(nearest("FIELD", names), Some("fields"));
        assert_eq!(nearest("banana", names), None);
        assert_eq!(nearest("x", ["y"]), None);
        assert_eq!(nearest(&"s".repeat(1_000_000), names), None);
    }
}
