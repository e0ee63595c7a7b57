//! Regular expressions as Prometheus has them: those of Go, which are RE2's.
//!
//! The engine is Rust's, which knows nearly the same language; but nearly is not enough for texts that people bring along. So a
//! pattern is read by Go's rules, refused in Go's words where Go refuses it, and written down again in a form that means the same to
//! Rust's engine whatever Rust would make of the original: `[a&&b]` is three characters to Go, `\<` a sign, `\d` ten digits.
//!
//! Sources: the documentation of Go's `regexp/syntax` and the behaviour of Go 1.26. The names of scripts that have several words are
//! unknown there, and so here. Differences that remain: characters of newer Unicode versions than Go's,
//! and the limits on size, which are lower.

mod class;
mod names;
mod translate;

use model::Recent;
use model::prometheus::{Group, expand_template};
use regex::{Captures, Regex, RegexBuilder};

use translate::{Start, Translated, translate};

/// Bytes of a compiled expression, which is what the index of series takes too. Go's limit is 128 MiB.
pub const REGEXP_BYTES_MAX: usize = 10 << 20;
/// Bytes of all compiled expressions of a query, each counted as the next larger of three sizes.
pub const REGEXPS_BYTES_MAX: usize = 64 << 20;
const SIZES: [usize; 3] = [128 << 10, 1 << 20, REGEXP_BYTES_MAX];
/// Nesting up to which the caller's stack is enough to compile an expression.
const CALLERS_STACK_NESTING_MAX: usize = 40;
/// Stack for compiling a deeper one, up to Go's limit of 1,000.
const COMPILE_STACK_BYTES: usize = 32 << 20;

/// Small expressions of matchers that are compiled, which takes longer than many a query with one.
static COMPILED: Recent<String, (Regexp, String)> = Recent::new(64);

/// A compiled expression that must match the whole text.
#[derive(Clone, Debug)]
pub(crate) struct Regexp {
    regex: Regex,
    /// The names of groups; the first is the whole.
    names: Vec<Option<String>>,
}

impl Regexp {
    /// The expression of a matcher, and how Rust's engine writes it, without anchors. The error is Go's. `room_bytes` is what the
    /// compiled form may take, and becomes less by it.
    pub(crate) fn matcher(pattern: &str, room_bytes: &mut usize) -> Result<(Self, String), String> {
        if *room_bytes >= SIZES[0]
            && let Some(known) = COMPILED.get(pattern)
        {
            *room_bytes -= SIZES[0];
            return Ok(known);
        }
        let read = translate(pattern, Start::DotMatchesNewline)?;
        let room_before = *room_bytes;
        let compiled = compile(&format!("^(?s:{})$", read.pattern), &read, pattern, room_bytes)?;
        let is_small = room_before - *room_bytes == SIZES[0] && pattern.len() <= SIZES[0];
        let compiled = (compiled, read.pattern);
        if is_small {
            COMPILED.keep(pattern.to_owned(), compiled.clone());
        }
        Ok(compiled)
    }

    /// The expression of `label_replace`, which Prometheus puts between anchors before it is read.
    pub(crate) fn label_replace(pattern: &str) -> Result<Self, String> {
        let whole = format!("^(?s:{pattern})$");
        let read = translate(&whole, Start::Plain)?;
        compile(&read.pattern, &read, &whole, &mut REGEXP_BYTES_MAX.clone())
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What Go's template yields for a text: `$1`, `$name`, `${name}`, `$$`; `None` if the expression does not match.
    pub(crate) fn expand(&self, template: &str, text: &str) -> Option<String> {
        let captures = self.regex.captures(text)?;
        Some(expand_template(template, |group| match group {
            Group::Number(number) => captures.get(number).map(|found| found.as_str()),
            Group::Name(name) => self.named(&captures, name),
        }))
    }

    /// What the first group of a name matched that matched anything.
    fn named<'t>(&self, captures: &Captures<'t>, name: &str) -> Option<&'t str> {
        let named = |at: &usize| self.names[*at].as_deref() == Some(name);
        let mut groups = (0..self.names.len()).filter(named);
        groups.find_map(|at| captures.get(at)).map(|found| found.as_str())
    }
}

/// `text` is what Rust's engine reads, `pattern` what was asked for; `room_bytes` becomes less by what the result may take.
fn compile(text: &str, read: &Translated, pattern: &str, room_bytes: &mut usize) -> Result<Regexp, String> {
    // The engine does not say how much it took, only whether it was more than that.
    for size in SIZES.into_iter().filter(|size| size <= room_bytes) {
        let build = || {
            let mut builder = RegexBuilder::new(text);
            // Each level may be written as several.
            builder.size_limit(size).nest_limit(8 * translate::HEIGHT_MAX as u32).build()
        };
        let built = if read.height <= CALLERS_STACK_NESTING_MAX {
            build()
        } else {
            crate::stack::with_stack(COMPILE_STACK_BYTES, build).map_err(|error| format!("no thread: {error}"))?
        };
        match built {
            Ok(regex) => {
                *room_bytes -= size;
                return Ok(Regexp { regex, names: read.names.clone() });
            }
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                return class::fault(last, pattern);
            }
        }
    }
    class::fault("expression too large", pattern)
}
