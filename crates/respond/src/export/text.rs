//! Text of others in Markdown: escaped, spanned or fenced.

/// What means something in running Markdown, GitHub's extensions included.
const SPECIAL: &str = "\\`*_{}[]()<>#|~&$!@:";

/// Text within a line: one line, and nothing in it means anything. `@` and `:` are followed by a joiner that shows nothing, or a
/// log line could call people and become a link.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || is_invisible(c) {
            space = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut space) {
            out.push(' ');
        }
        match c {
            '@' => out.push_str("@\u{2060}"),
            // `https:` is a link only when slashes follow it directly.
            '/' if out.ends_with(':') => out.push_str("\u{2060}/"),
            ':' => out.push(':'),
            c if SPECIAL.contains(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.replace("www.", "www\u{2060}.")
}

/// Text as code within a line, outside of tables.
pub(super) fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    let ticks = "`".repeat(longest_run(text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// Text as a block of code.
pub(super) fn fenced(text: &str, bytes_max: usize) -> String {
    let kept = cut(text, bytes_max);
    let clean: String = kept.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').collect();
    let fence = "`".repeat((longest_run(&clean, '`') + 1).max(3));
    let rest = text.len() - kept.len();
    let note = if rest > 0 { format!("\n... {rest} bytes more") } else { String::new() };
    format!("{fence}text\n{}{note}\n{fence}\n", clean.trim_end_matches('\n'))
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Characters that turn the direction of text or hide in it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A duration in the two units that matter: `1 h 5 min`.
pub(super) fn span(ns: i64) -> String {
    let secs = ns.max(0) / 1_000_000_000;
    let (days, hours, minutes) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, _) => format!("{minutes} min {} s", secs % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
