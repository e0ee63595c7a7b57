//! Expressions as a part of docs/query-language.md.

use std::fmt::Write as _;

use super::{FAMILIES, FunctionSpec};

const INTRODUCTION: &str = r#"## Expressions

`eval` computes columns, and conditions test what is computed:

```
* | eval percent = errors / total * 100, kind = if(status >= 500, "server", "other")
* | where len(body) > 100 and errors / total > 0.1
error expr(ip_in(client.address, "10.0.0.0/8"))
```

- **Values**: numbers (`5`, `2.5`, `1e3`, `0xff`), durations (`5m`, `1h30m`: nanoseconds), sizes (`10MiB`: bytes), texts in `"..."`
  or `'...'`, `true`, `false`, `null`. A bare name is a field; one that holds other signs than letters, digits, `_` and `.` is
  written in backticks: `` `user-agent` ``.
- **Operators**, loosest first: `or`; `and`; `not`; `== != < <= > >=`, `in (...)`, `not in (...)`, `=~ "regex"`, `!~ "regex"`; `+ -`;
  `* / %`; `-x`. `=` is `==` and `<>` is `!=`.
- **Numbers and texts**: a text that is a number counts as that number where one is needed; whole numbers keep all their digits up
  to 64 bits. A text and a number are equal when the numbers are, two texts when they read the same. Numbers are compared as
  numbers, texts by their bytes; a number and a text that is none do not compare.
- **Times**: a time and a duration make a time, two times a duration. A text is made a time by `to_time`.
- **Missing values**: nothing fails. What can not be computed (a number of a word, a division by zero) is missing, and what is made of
  a missing value is missing. Compared for equality it is the empty text, as in filters; it is neither below nor above anything;
  `and`, `or`, `not`, `if` and `where` take it for false.

**Conditions.** `expr(...)` is an expression wherever a filter may stand. In `where` a comparison needs no `expr` when a function is
called in it, its parenthesis right behind its name, or when it has arithmetic between spaces: `where took > limit * 2`. A comparison of two bare
names is a filter: `where a > b` compares `a` with the text `b`, and `where expr(a > b)` compares the two fields.

"#;

/// Expressions as docs/query-language.md has them, in Markdown: how they are written, and every function with its meaning and
/// examples, a table for each family.
pub fn expressions_markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    for (family, functions) in FAMILIES {
        let _ = write!(out, "### {family}\n\n| function | makes | what it does |\n|---|---|---|\n");
        for spec in functions {
            let _ = writeln!(out, "| `{}` | {} | {} |", cell(&spec.signature()), spec.returns.as_str(), what(spec));
        }
        out.push('\n');
    }
    out
}

/// What a function does, its other names and its examples.
fn what(spec: &FunctionSpec) -> String {
    let mut out = spec.summary.to_owned();
    if !spec.doc.is_empty() {
        let _ = write!(out, " {}", spec.doc);
    }
    if !spec.aliases.is_empty() {
        let names: Vec<String> = spec.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let _ = write!(out, " Also {}.", names.join(", "));
    }
    for (example, result) in spec.examples {
        let _ = write!(out, " `{example}` is `{result}`.");
    }
    cell(&out)
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_line_of_three_cells() {
        let page = expressions_markdown();
        let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(lines.len(), super::super::FUNCTIONS.len());
        for line in lines {
            assert_eq!(line.replace("\\|", "").matches('|').count(), 4, "{line}");
        }
        let round = page.lines().find(|line| line.contains("`substr(")).unwrap_or_default();
        assert_eq!(
            round,
            "| `substr(text, start[, length])` | text | A part of a text: from a place on, so many characters or up to the \
             end. The first character is 1; a negative start counts from the end. Also `substring`, `mid`. \
             `substr(\"checkout\", 1, 5)` is `check`. `substr(\"checkout\", -3)` is `out`. |"
        );
    }

    #[test]
    fn examples_of_the_introduction_are_in_order() {
        let block = INTRODUCTION.split("```").nth(1).unwrap_or_default();
        assert_eq!(block.trim().lines().count(), 3);
        for query in block.trim().lines().chain(["* | where took > limit * 2", "* | where expr(a > b)"]) {
            assert_eq!(crate::parse(query, model::Timestamp(0)).1, [], "{query}");
        }
    }
}
