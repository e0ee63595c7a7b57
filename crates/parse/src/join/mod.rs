//! Lines that belong together, a stack trace above all, become one record.
//!
//! A [`Joiner`] holds the last record of each stream until the next line shows that it is over, a limit is reached, or nothing came
//! for the rule's time. It never loses, doubles or reorders a line of a stream: the lines that go in come out, joined by line ends.
//! Time is an argument; whoever owns the joiner calls [`Joiner::flush_due`] now and then, and [`Joiner::flush`] at the end.

mod trace;

use std::collections::HashMap;
use std::sync::Arc;

use model::Timestamp;
use regex::Regex;

pub use trace::Language;
use trace::State;

/// Most lines of a record unless the rule says otherwise.
pub const JOIN_LINES_MAX_DEFAULT: usize = 1000;
/// Most bytes of a record unless the rule says otherwise.
pub const JOIN_BYTES_MAX_DEFAULT: usize = 256 * 1024;
/// Most lines that a rule may allow.
pub const JOIN_LINES_MAX: usize = 100_000;
/// Most bytes that a rule may allow: a record is a message like others.
pub const JOIN_BYTES_MAX: usize = crate::TEXT_BYTES_MAX;
/// How long a stream may be silent before its record is over, in nanoseconds, unless the rule says otherwise.
pub const JOIN_TIMEOUT_NS_DEFAULT: i64 = 1_000_000_000;
/// Longest time that a rule may allow, in nanoseconds.
pub const JOIN_TIMEOUT_NS_MAX: i64 = 60_000_000_000;
/// Most streams with a record that is held; with more, the one that was silent longest is given out.
pub const JOIN_STREAMS_MAX: usize = 10_000;

/// How lines are told to belong together.
#[derive(Debug)]
pub enum Kind {
    /// Stack traces of these languages.
    Traces(Vec<Language>),
    /// A line that matches begins a record; all others go on.
    Start(Regex),
    /// A line that matches goes on; all others begin a record.
    Continue(Regex),
}

/// A rule of joining.
#[derive(Debug)]
pub struct JoinRule {
    /// Its name.
    pub name: String,
    /// How lines are told to belong together.
    pub kind: Kind,
    /// Most lines of a record.
    pub lines_max: usize,
    /// Most bytes of a record.
    pub bytes_max: usize,
    /// How long a stream may be silent.
    pub timeout_ns: i64,
}

/// Lines that became one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined<T> {
    /// What came with the first line.
    pub first: T,
    /// The lines with line ends between them; exactly the line when there is one.
    pub text: String,
    /// How many.
    pub lines: usize,
}

/// The record of a stream that may go on.
#[derive(Debug)]
struct Held<T> {
    rule: usize,
    joined: Joined<T>,
    state: State,
    last: Timestamp,
}

/// Joins the lines of streams.
#[derive(Debug)]
pub struct Joiner<T> {
    rules: Arc<[JoinRule]>,
    held: HashMap<String, Held<T>>,
}

impl<T> Joiner<T> {
    /// A joiner that holds nothing yet.
    pub fn new(rules: Arc<[JoinRule]>) -> Self {
        Self { rules, held: HashMap::new() }
    }

    /// Takes a line of a stream, which follows the rule of that number, and gives out what it ended. `at` is the time of receipt.
    pub fn push(&mut self, stream: &str, rule: usize, line: &str, at: Timestamp, item: T, out: &mut Vec<Joined<T>>) {
        let all = Arc::clone(&self.rules);
        let Some(rules) = all.get(rule) else {
            // A rule that is not there joins nothing.
            self.flush_stream(stream, out);
            out.push(Joined { first: item, text: line.to_owned(), lines: 1 });
            return;
        };
        let first_line = || first_state(&rules.kind, line);
        let Some(held) = self.held.get_mut(stream) else {
            self.make_room(out);
            let joined = Joined { first: item, text: line.to_owned(), lines: 1 };
            self.held.insert(stream.to_owned(), Held { rule, joined, state: first_line(), last: at });
            return;
        };
        let in_time = at.0.saturating_sub(held.last.0) < rules.timeout_ns;
        let next =
            if in_time && held.rule == rule { goes_on(&rules.kind, &held.state, &held.joined, line) } else { None };
        let fits = held.joined.lines < rules.lines_max && held.joined.text.len() + 1 + line.len() <= rules.bytes_max;
        held.last = at;
        match next {
            Some(state) if fits => {
                held.joined.text.push('\n');
                held.joined.text.push_str(line);
                held.joined.lines += 1;
                held.state = state;
            }
            // Over a limit the rest of a trace is a record of its own, and still one.
            over => {
                let state = over.unwrap_or_else(first_line);
                let joined = Joined { first: item, text: line.to_owned(), lines: 1 };
                out.push(std::mem::replace(&mut held.joined, joined));
                (held.state, held.rule) = (state, rule);
            }
        }
    }

    /// Gives out the record of a stream: a line of it came that no rule joins, or it ended.
    pub fn flush_stream(&mut self, stream: &str, out: &mut Vec<Joined<T>>) {
        out.extend(self.held.remove(stream).map(|held| held.joined));
    }

    /// Gives out the records of streams that were silent for their rule's time.
    pub fn flush_due(&mut self, now: Timestamp, out: &mut Vec<Joined<T>>) {
        let rules = Arc::clone(&self.rules);
        let is_due = |held: &Held<T>| now.0.saturating_sub(held.last.0) >= rules[held.rule].timeout_ns;
        self.take(is_due, out);
    }

    /// Gives out everything.
    pub fn flush(&mut self, out: &mut Vec<Joined<T>>) {
        self.take(|_| true, out);
    }

    /// When [`Joiner::flush_due`] has something to do next; `None` while nothing is held.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.held.values().map(|held| held.last.saturating_add_ns(self.rules[held.rule].timeout_ns)).min()
    }

    /// How many streams have a record that is held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes out records, the longest silent first, so that the order does not depend on how streams hash.
    fn take(&mut self, wanted: impl Fn(&Held<T>) -> bool, out: &mut Vec<Joined<T>>) {
        let mut taken: Vec<(String, Held<T>)> = self.held.extract_if(|_, held| wanted(held)).collect();
        taken.sort_by(|(a, left), (b, right)| (left.last, a).cmp(&(right.last, b)));
        out.extend(taken.into_iter().map(|(_, held)| held.joined));
    }

    fn make_room(&mut self, out: &mut Vec<Joined<T>>) {
        if self.held.len() < JOIN_STREAMS_MAX {
            return;
        }
        let oldest = self.held.iter().min_by_key(|(name, held)| (held.last, *name)).map(|(name, _)| name.clone());
        if let Some(oldest) = oldest {
            self.flush_stream(&oldest, out);
        }
    }
}

fn first_state(kind: &Kind, line: &str) -> State {
    match kind {
        Kind::Traces(languages) => trace::first(languages, line),
        Kind::Start(_) | Kind::Continue(_) => State::Plain,
    }
}

/// The state behind a line that goes on with the record that is held; `None` when the line begins one.
fn goes_on<T>(kind: &Kind, state: &State, held: &Joined<T>, line: &str) -> Option<State> {
    match kind {
        Kind::Traces(languages) => trace::next(languages, state, &held.text, held.lines, line),
        Kind::Start(regex) => (!regex.is_match(line)).then_some(State::Plain),
        Kind::Continue(regex) => regex.is_match(line).then_some(State::Plain),
    }
}

#[cfg(test)]
mod tests;
