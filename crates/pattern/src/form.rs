//! A form: the tokens of a line with every sure value blank. Lines of one form are never told apart.

use shape::{Cutter, Hole};

use crate::limits::Limits;
use crate::scan::{Class, Kind, Token, scan};

/// A token of a form or a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    /// Whether a space stands before it.
    pub(crate) space: bool,
    /// What stands there; of a value its unit, if any.
    pub(crate) text: String,
}

impl Piece {
    pub(crate) fn is_value(&self) -> bool {
        matches!(self.kind, Kind::Value(_))
    }

    /// Whether the piece of a line can stand where this piece of a template stands.
    pub(crate) fn covers(&self, line: &Self) -> bool {
        let same = || !line.is_value() && self.text == line.text;
        self.space == line.space && if self.is_value() { line.kind != Kind::Mark } else { same() }
    }

    /// Takes up what is different in another piece at the same place.
    fn generalize(&mut self, other: &Self) {
        if self == other || (!self.is_value() && self.text == other.text) {
            return;
        }
        if self.kind != other.kind || !self.is_value() {
            self.kind = Kind::Value(Class::Any);
        }
        self.text.clear();
    }
}

/// Makes the template cover another form of the same length.
pub(crate) fn generalize(template: &mut [Piece], form: &[Piece]) {
    template.iter_mut().zip(form).for_each(|(piece, other)| piece.generalize(other));
}

/// Stand before a piece with and without a space.
const GAPS: [char; 2] = ['\u{1e}', '\u{1f}'];
/// Stand for the holes of a word, in the order of [`Hole`].
pub(crate) const HOLES: [char; 3] = ['\u{2}', '\u{3}', '\u{4}'];
/// Longest run of one mark that is told from longer ones.
const MARKS_MAX: usize = 3;

fn gap(space: bool) -> char {
    GAPS[usize::from(!space)]
}

/// What tells a form from others, as one text: values are all alike.
pub(crate) fn key(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for piece in pieces {
        out.push(gap(piece.space));
        out.push_str(if piece.is_value() { VALUE } else { &piece.text });
    }
    out
}

/// Stands for a value in a key.
const VALUE: &str = "\u{1}";

const KINDS: [(char, Kind); 9] = [
    ('m', Kind::Mark),
    ('w', Kind::Word),
    ('n', Kind::Named),
    ('D', Kind::Value(Class::Number)),
    ('A', Kind::Value(Class::Ip)),
    ('I', Kind::Value(Class::Id)),
    ('P', Kind::Value(Class::Path)),
    ('T', Kind::Value(Class::Time)),
    ('V', Kind::Value(Class::Any)),
];

/// A form as it is kept.
pub(crate) fn encode(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for piece in pieces {
        out.push(gap(piece.space));
        out.extend(KINDS.iter().find(|(_, kind)| *kind == piece.kind).map(|(sign, _)| *sign));
        out.push_str(&piece.text);
    }
    out
}

/// What [`encode`] wrote; `None` when it did not.
pub(crate) fn decode(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let space = first == GAPS[0];
        let body = rest.strip_prefix(GAPS)?;
        let end = body.find(GAPS).unwrap_or(body.len());
        let sign = body[..end].chars().next()?;
        let kind = KINDS.iter().find(|(known, _)| *known == sign)?.1;
        pieces.push(Piece { kind, space, text: body[sign.len_utf8()..end].to_owned() });
        rest = &body[end..];
    }
    Some(pieces)
}

/// A template as people read it.
pub(crate) fn show(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for piece in pieces {
        if piece.space {
            out.push(' ');
        }
        if let Kind::Value(class) = piece.kind {
            out.push_str(placeholder(class));
        }
        for part in piece.text.split_inclusive(HOLES) {
            match part.strip_suffix(HOLES) {
                Some(text) => out.extend([text, placeholder(Class::Number)]),
                None => out.push_str(part),
            }
        }
    }
    out
}

fn placeholder(class: Class) -> &'static str {
    match class {
        Class::Number => "<num>",
        Class::Ip => "<ip>",
        Class::Id => "<id>",
        Class::Path => "<path>",
        Class::Time => "<time>",
        Class::Any => "<*>",
    }
}

/// The words, as the index has them, that every line of a template holds.
pub(crate) fn required_words(pieces: &[Piece]) -> Vec<String> {
    let fixed = pieces.iter().filter(|piece| matches!(piece.kind, Kind::Word | Kind::Named));
    // A word with a hole has a digit: it is another word in every line.
    let parts = fixed.flat_map(|piece| {
        piece.text.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_' && !HOLES.contains(&c))
    });
    let mut words: Vec<String> = parts
        .filter(|part| !part.contains(HOLES))
        .flat_map(|part| shape::tokenize(part).map(|word| word.into_owned()))
        .collect();
    words.sort();
    words.dedup();
    words
}

/// Cuts lines; its buffers are used again and again.
#[derive(Default)]
pub(crate) struct Former {
    cutter: Cutter,
    raw: Vec<u8>,
    tokens: Vec<Token>,
    key: String,
}

impl Former {
    /// Cuts a text, or its shape as columns keep it ([`shape::marked`]): both give the same.
    pub(crate) fn cut(&mut self, text: &str, limits: &Limits) {
        let text = start(text, limits.text_bytes_max);
        match text.strip_prefix('\u{10}') {
            None if text.bytes().any(|byte| (0x11..=0x13).contains(&byte)) => shape::raw(text, &mut self.raw),
            whole => {
                self.cutter.cut(whole.unwrap_or(text));
                std::mem::swap(&mut self.raw, &mut self.cutter.shape);
            }
        }
        scan(&self.raw, limits.tokens_max, &mut self.tokens);
        self.key.clear();
        for token in &self.tokens {
            self.key.push(gap(token.space));
            match token.kind {
                Kind::Value(_) => self.key.push_str(VALUE),
                _ => spell(token.kind, &self.raw[token.at.clone()], &mut self.key),
            }
        }
    }

    /// What [`key`] gives for the pieces of the text that was cut last.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether the text that was cut last has values of other looks than a template of its form.
    pub(crate) fn is_news(&self, template: &[Piece]) -> bool {
        self.tokens.iter().zip(template).any(|(token, piece)| {
            let seen =
                piece.kind == Kind::Value(Class::Any) || piece.kind == token.kind && piece.text == self.unit(token);
            matches!(token.kind, Kind::Value(_)) && !seen
        })
    }

    /// The pieces of the text that was cut last.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        self.tokens.iter().map(|token| self.piece(token)).collect()
    }

    fn piece(&self, token: &Token) -> Piece {
        let mut text = String::new();
        match token.kind {
            Kind::Value(_) => text.push_str(self.unit(token)),
            _ => spell(token.kind, &self.raw[token.at.clone()], &mut text),
        }
        Piece { kind: token.kind, space: token.space, text }
    }

    /// The unit of a number, with its space.
    fn unit(&self, token: &Token) -> &str {
        if token.kind != Kind::Value(Class::Number) {
            return "";
        }
        let bytes = &self.raw[token.at.clone()];
        let letters = bytes.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let apart = usize::from(letters > 0 && bytes.get(bytes.len() - letters - 1) == Some(&b' '));
        str::from_utf8(&bytes[bytes.len() - letters - apart..]).unwrap_or_default()
    }
}

/// The beginning of a text.
fn start(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Writes a mark or a word of a shape as text.
fn spell(kind: Kind, bytes: &[u8], out: &mut String) {
    if kind == Kind::Mark {
        return out.extend(bytes.iter().take(MARKS_MAX).map(|byte| char::from(*byte)));
    }
    let from = out.len();
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| shape::is_hole(*byte)) {
        out.push_str(&String::from_utf8_lossy(&rest[..at]));
        out.push(HOLES[Hole::of(rest[at]).map_or(0, |hole| hole as usize)]);
        rest = &rest[at + 1..];
    }
    out.push_str(&String::from_utf8_lossy(rest));
    if rest.len() == bytes.len() {
        return;
    }
    let word = &out[from..];
    // A version is one number, however many points it has.
    if let Some(at) =
        word.find(HOLES).filter(|at| word[*at..].split('.').all(|part| part.strip_prefix(HOLES) == Some("")))
    {
        out.truncate(from + at + 1);
    }
    // A number may have a sign: `blk_-1` is no other word than `blk_1`.
    let sign = ["_-", ":-", ".-", "#-"].iter().find_map(|pair| out[from..].find(pair));
    if let Some(at) = sign {
        out.remove(from + at + 1);
    }
}
