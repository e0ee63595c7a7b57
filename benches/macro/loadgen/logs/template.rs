//! A line with blanks, and how blanks are filled.

use rand::Rng;
use rand::rngs::SmallRng;

/// Shortest number that gets a fresh value: shorter ones are codes, counts and parts of clock times, which repeat in reality.
const DIGITS_MIN: usize = 4;
/// Shortest hexadecimal string that gets a fresh value.
const HEX_MIN: usize = 6;
/// Digits of the groups of a UUID.
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// One line of the corpus.
#[derive(Debug)]
pub(crate) struct Template {
    before: Vec<Piece>,
    after: Vec<Piece>,
    /// Whether the line speaks of something that went wrong.
    pub(crate) bad: bool,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Digits(usize),
    Hex { digits: usize, upper: bool },
    Address,
}

impl Template {
    /// Finds the blanks of a line, and the space near its middle where a needle goes.
    pub(crate) fn new(line: &str) -> Self {
        let middle = line.len() / 2;
        let spaces = line.match_indices(' ').map(|(at, _)| at);
        let cut = spaces.min_by_key(|at| at.abs_diff(middle)).unwrap_or(line.len());
        let lower = line.to_lowercase();
        let bad = ["error", "fail", "fatal", "exception"].iter().any(|word| lower.contains(word));
        Self { before: pieces(&line[..cut]), after: pieces(&line[cut..]), bad }
    }

    /// Appends the line with fresh values and with `needles` at its middle.
    pub(crate) fn fill(&self, needles: &[&str], rng: &mut SmallRng, out: &mut String) {
        self.before.iter().for_each(|piece| piece.fill(rng, out));
        for needle in needles {
            out.push(' ');
            out.push_str(needle);
        }
        self.after.iter().for_each(|piece| piece.fill(rng, out));
    }
}

impl Piece {
    fn fill(&self, rng: &mut SmallRng, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Digits(digits) => push_digits(*digits, 10, false, rng, out),
            Self::Hex { digits, upper } => push_digits(*digits, 16, *upper, rng, out),
            Self::Address => {
                let [a, b, c, d] = rng.random::<u32>().to_be_bytes();
                out.push_str(&format!("{}.{b}.{c}.{}", a.max(1), d.max(1)));
            }
        }
    }
}

/// Appends a random number; its first digit is not 0.
fn push_digits(digits: usize, base: u32, upper: bool, rng: &mut SmallRng, out: &mut String) {
    for place in 0..digits {
        let value = rng.random_range(u32::from(place == 0)..base);
        let digit = char::from_digit(value, base).unwrap_or('0');
        out.push(if upper { digit.to_ascii_uppercase() } else { digit });
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Pieces::default();
    let mut rest = text;
    let mut inside_word = false;
    while let Some(first) = rest.chars().next() {
        let special = if inside_word { None } else { address(rest).or_else(|| uuid(rest)) };
        let taken = if let Some((taken, pieces)) = special {
            pieces.into_iter().for_each(|piece| found.push(piece));
            taken
        } else if first.is_ascii_alphanumeric() {
            let len = run(rest, |c| c.is_ascii_alphanumeric());
            word(&rest[..len], &mut found);
            len
        } else {
            found.text(&rest[..first.len_utf8()]);
            first.len_utf8()
        };
        inside_word = rest[..taken].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
        rest = &rest[taken..];
    }
    found.0
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn text(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.0.push(Piece::Text(text.to_owned())),
        }
    }

    fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Text(text) => self.text(&text),
            other => self.0.push(other),
        }
    }
}

fn run(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is(c)).unwrap_or(text.len())
}

/// Four numbers with dots between them.
fn address(text: &str) -> Option<(usize, Vec<Piece>)> {
    let len = run(text, |c| c.is_ascii_digit() || c == '.');
    let candidate = text[..len].trim_end_matches('.');
    let numbers: Vec<&str> = candidate.split('.').collect();
    let is_octet = |number: &&str| number.len() <= 3 && number.parse::<u8>().is_ok();
    let is_address = numbers.len() == 4 && numbers.iter().all(is_octet);
    is_address.then(|| (candidate.len(), vec![Piece::Address]))
}

fn uuid(text: &str) -> Option<(usize, Vec<Piece>)> {
    let len = run(text, |c| c.is_ascii_hexdigit() || c == '-');
    let candidate = &text[..len];
    let groups: Vec<usize> = candidate.split('-').map(str::len).collect();
    if groups != UUID_GROUPS {
        return None;
    }
    let upper = candidate.contains(|c: char| c.is_ascii_uppercase());
    let mut pieces = Vec::new();
    for digits in groups {
        pieces.push(Piece::Hex { digits, upper });
        pieces.push(Piece::Text("-".to_owned()));
    }
    pieces.pop();
    Some((len, pieces))
}

/// A run of letters and digits: all of it a hexadecimal string, or with long numbers in it, or text.
fn word(word: &str, found: &mut Pieces) {
    let (prefix, digits) = word.strip_prefix("0x").map_or(("", word), |digits| ("0x", digits));
    let has = |is: fn(&char) -> bool| digits.chars().any(|c| is(&c));
    let mixed = has(char::is_ascii_digit) && has(char::is_ascii_alphabetic) && digits.len() >= HEX_MIN;
    let marked = prefix == "0x" && digits.len() >= DIGITS_MIN;
    if (mixed || marked) && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        found.text(prefix);
        found.push(Piece::Hex { digits: digits.len(), upper: has(char::is_ascii_uppercase) });
    } else {
        numbers(word, found);
    }
}

fn numbers(word: &str, found: &mut Pieces) {
    let mut rest = word;
    while !rest.is_empty() {
        let digits = run(rest, |c| c.is_ascii_digit());
        let len = if digits > 0 { digits } else { run(rest, |c| !c.is_ascii_digit()) };
        if digits >= DIGITS_MIN && !is_year(&rest[..len]) {
            found.push(Piece::Digits(len));
        } else {
            found.text(&rest[..len]);
        }
        rest = &rest[len..];
    }
}

/// Years stay: a log has one or two of them, not thousands.
fn is_year(digits: &str) -> bool {
    digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blanks(line: &str) -> String {
        let shown = |piece: Piece| match piece {
            Piece::Text(text) => text,
            Piece::Digits(digits) => format!("<{digits} digits>"),
            Piece::Hex { digits, .. } => format!("<{digits} hex>"),
            Piece::Address => "<address>".to_owned(),
        };
        pieces(line).into_iter().map(shown).collect()
    }

    #[test]
    fn blanks_are_what_is_random() {
        for (line, expected) in [
            ("blk_-6952295868487656571 done", "blk_-<19 digits> done"),
            ("from 10.251.73.220:50010 to 1.2.3", "from <address>:<5 digits> to 1.2.3"),
            ("2015-10-18 18:01:47,978 pid 312", "2015-10-18 18:01:47,978 pid 312"),
            ("stack @0x7fed806eb5d, 0xff", "stack @0x<11 hex>, 0xff"),
            ("id 6f9619ff-8b86-d011-b42d-00cf4fc964ff.", "id <8 hex>-<4 hex>-<4 hex>-<4 hex>-<12 hex>."),
            ("node wcp76011 version 7.6.0.1.2", "node wcp<5 digits> version 7.6.0.1.2"),
        ] {
            assert_eq!(blanks(line), expected);
        }
    }
}
