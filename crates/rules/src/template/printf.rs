//! Go's `printf`, `print` and `println`.

use super::data::Datum;
use super::go_format as go;

/// Widest field and longest fraction that a verb may ask for.
const WIDTH_MAX: usize = 200;

/// The flags, width and precision between `%` and a verb.
struct Spec {
    minus: bool,
    plus: bool,
    space: bool,
    sharp: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

impl Spec {
    fn read(text: &str) -> Spec {
        let flags_end = text.find(|c: char| !"-+ 0#".contains(c)).unwrap_or(text.len());
        let (flags, rest) = text.split_at(flags_end);
        let (width, precision) = rest.split_once('.').map_or((rest, None), |(width, digits)| (width, Some(digits)));
        let number = |digits: &str| digits.parse().unwrap_or(0usize).min(WIDTH_MAX);
        let has = |flag: char| flags.contains(flag);
        Spec {
            minus: has('-'),
            plus: has('+'),
            space: has(' '),
            sharp: has('#'),
            zero: has('0'),
            width: number(width),
            precision: precision.map(number),
        }
    }

    fn pad(&self, text: String, is_number: bool) -> String {
        let missing = self.width.saturating_sub(text.chars().count());
        if self.minus {
            return format!("{text}{}", " ".repeat(missing));
        }
        if !self.zero || !is_number {
            return format!("{}{text}", " ".repeat(missing));
        }
        let sign = if text.starts_with(['-', '+']) { &text[..1] } else { "" };
        format!("{sign}{}{}", "0".repeat(missing), &text[sign.len()..])
    }

    fn sign(&self, text: String) -> String {
        match text.starts_with(['-', '+']) {
            true => text,
            false if self.plus => format!("+{text}"),
            false if self.space => format!(" {text}"),
            false => text,
        }
    }
}

/// Formats; what does not fit is said in the text, as Go does.
pub(super) fn printf(format: &str, args: &[Datum]) -> String {
    let mut left = args.iter();
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let verb_at = rest.find(|c: char| !(c.is_ascii_digit() || "-+ #.".contains(c))).unwrap_or(rest.len());
        let (spec, verb) = (Spec::read(&rest[..verb_at]), rest[verb_at..].chars().next());
        rest = rest.get(verb_at + verb.map_or(0, char::len_utf8)..).unwrap_or("");
        match verb {
            Some('%') => out.push('%'),
            Some(verb) => match left.next() {
                Some(arg) => out.push_str(&shown(verb, &spec, arg)),
                None => out.push_str(&format!("%!{verb}(MISSING)")),
            },
            None => out.push_str("%!(NOVERB)"),
        }
    }
    out.push_str(rest);
    let extra: Vec<String> = left.map(|arg| format!("{}={}", arg.kind(), arg.show())).collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn shown(verb: char, spec: &Spec, arg: &Datum) -> String {
    let bad = || format!("%!{verb}({}={})", arg.kind(), arg.show());
    match (verb, arg) {
        ('v' | 'd' | 's' | 'q', Datum::Number(n)) if verb == 'v' => {
            let text = spec.precision.map_or_else(|| go::go_value(*n), |digits| go::go_general(*n, digits));
            spec.pad(spec.sign(text), true)
        }
        ('g' | 'G', Datum::Number(n)) => {
            let text = spec.precision.map_or_else(|| go::go_value(*n), |digits| go::go_general(*n, digits));
            spec.pad(spec.sign(if verb == 'G' { text.to_uppercase() } else { text }), true)
        }
        ('f' | 'F', Datum::Number(n)) => spec.pad(spec.sign(go::go_fixed(*n, spec.precision.unwrap_or(6))), true),
        ('e' | 'E', Datum::Number(n)) => {
            let text = go::go_scientific(*n, spec.precision.unwrap_or(6));
            spec.pad(spec.sign(if verb == 'E' { text.to_uppercase() } else { text }), true)
        }
        ('d' | 'v', Datum::Int(n)) => spec.pad(spec.sign(n.to_string()), true),
        ('x', Datum::Int(n)) => spec.pad(format!("{}{n:x}", if spec.sharp { "0x" } else { "" }), true),
        ('X', Datum::Int(n)) => spec.pad(format!("{n:X}"), true),
        ('o', Datum::Int(n)) => spec.pad(format!("{n:o}"), true),
        ('b', Datum::Int(n)) => spec.pad(format!("{n:b}"), true),
        ('c', Datum::Int(n)) => {
            let c = u32::try_from(*n).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            spec.pad(c.to_string(), false)
        }
        ('t' | 'v', Datum::Bool(bool)) => spec.pad(bool.to_string(), false),
        ('q', Datum::Text(text)) => spec.pad(format!("{text:?}"), false),
        ('s' | 'v', Datum::Text(text)) => {
            let text = spec.precision.map_or_else(|| text.clone(), |most| text.chars().take(most).collect());
            spec.pad(text, false)
        }
        ('x', Datum::Text(text)) => spec.pad(text.bytes().map(|byte| format!("{byte:02x}")).collect(), false),
        ('s' | 'v', Datum::Int(_) | Datum::Number(_) | Datum::Bool(_)) => bad(),
        ('T', arg) => spec.pad(arg.kind().to_owned(), false),
        ('s' | 'v', arg) => spec.pad(arg.show(), false),
        _ => bad(),
    }
}

/// Go's `fmt.Sprint`: blanks between two values that are both no texts.
pub(super) fn print(args: &[Datum]) -> String {
    let mut out = String::new();
    for (at, arg) in args.iter().enumerate() {
        let texts = matches!(arg, Datum::Text(_)) || (at > 0 && matches!(args[at - 1], Datum::Text(_)));
        if at > 0 && !texts {
            out.push(' ');
        }
        out.push_str(&arg.show());
    }
    out
}

/// Go's `fmt.Sprintln`.
pub(super) fn println(args: &[Datum]) -> String {
    let shown: Vec<String> = args.iter().map(Datum::show).collect();
    format!("{}\n", shown.join(" "))
}
