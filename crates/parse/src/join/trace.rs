//! How stack traces of languages go on, line by line. Without regular expressions: each question is about the beginning or the end
//! of a line, and every line of a stream is asked.

/// A language whose stack traces are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Java, Kotlin, Scala: `Caused by:`, `Suppressed:`, `... 12 more`.
    Java,
    /// Python: `Traceback`, chained exceptions, groups.
    Python,
    /// Go: panics and fatal errors with their goroutines.
    Go,
    /// Node.js: errors with their source line, causes and properties.
    Nodejs,
    /// C# and others of .NET: inner exceptions, asynchronous parts.
    Dotnet,
    /// Ruby: both orders of traces.
    Ruby,
}

impl Language {
    /// The names in files of rules.
    pub const NAMES: [&str; 6] = ["java", "python", "go", "nodejs", "dotnet", "ruby"];

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        use Language::{Dotnet, Go, Java, Nodejs, Python, Ruby};
        let at = Self::NAMES.iter().position(|known| *known == name)?;
        [Java, Python, Go, Nodejs, Dotnet, Ruby].get(at).copied()
    }
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// An ordinary line.
    Plain,
    /// Behind the line that names an error, before its frames.
    Head(Language),
    /// Among frames.
    Frames(Language),
    /// Python: behind the line that names the exception. Go: behind a function, before its file.
    Closing(Language),
    /// Between two parts of a chain: an empty line, or a sentence that says that more follows.
    Between(Language),
    /// Node.js: among the properties of an error, in braces.
    Braces(Language),
}

/// The state behind the first line of a record.
pub(super) fn first(languages: &[Language], line: &str) -> State {
    languages.iter().find_map(|language| head(*language, line)).unwrap_or(State::Plain)
}

/// The state behind a line that goes on with a record; `None` when it begins one.
pub(super) fn next(languages: &[Language], state: &State, held: &str, lines: usize, line: &str) -> Option<State> {
    let line = line.trim_end_matches('\r');
    match *state {
        // Old Rubies begin a trace with Python's words.
        State::Frames(Language::Python) if languages.contains(&Language::Ruby) && is_ruby_from(line) => {
            Some(State::Frames(Language::Ruby))
        }
        State::Plain => languages.iter().find_map(|language| after_plain(*language, held, lines, line)),
        State::Head(language)
        | State::Frames(language)
        | State::Closing(language)
        | State::Between(language)
        | State::Braces(language) => inside(language, *state, line),
    }
}

/// A line that names an error, and is the first of a record.
fn head(language: Language, line: &str) -> Option<State> {
    let is_head = match language {
        Language::Java => is_java_head(line),
        Language::Python => {
            if line.ends_with("Traceback (most recent call last):") {
                return Some(State::Frames(Language::Python));
            }
            false
        }
        Language::Go => {
            if is_goroutine(line) {
                return Some(State::Frames(Language::Go));
            }
            is_go_panic(line)
        }
        Language::Nodejs => is_node_head(line) || is_node_place(line),
        Language::Dotnet => is_dotnet_head(line),
        Language::Ruby => is_ruby_head(line) || line.ends_with("Traceback (most recent call last):"),
    };
    is_head.then_some(State::Head(language))
}

/// What follows an ordinary line and belongs to it: a frame, since the line before then names the error in its own words; and a
/// line that names an error, when the one before is a single line that says that something failed.
fn after_plain(language: Language, held: &str, lines: usize, line: &str) -> Option<State> {
    if is_frame(language, line) || (language == Language::Go && is_goroutine(line) && held.contains("panic")) {
        return Some(State::Frames(language));
    }
    head(language, line).filter(|_| lines == 1 && says_failure(held))
}

/// Whether a line is logged as an error.
fn says_failure(line: &str) -> bool {
    // In capitals as loggers write levels; in small letters only where they can be nothing else.
    const WORDS: [&str; 13] = [
        "ERROR",
        "FATAL",
        "SEVERE",
        "CRITICAL",
        "WARN",
        "Error",
        "Exception",
        "fail: ",
        "crit: ",
        "error: ",
        "level=error",
        "[error]",
        "\"error\"",
    ];
    WORDS.iter().any(|word| line.contains(word))
}

/// A line that is a frame of a trace wherever it stands.
fn is_frame(language: Language, line: &str) -> bool {
    match language {
        Language::Java => is_java_frame(line),
        Language::Nodejs => is_node_frame(line),
        Language::Dotnet => is_dotnet_frame(line),
        Language::Ruby => is_ruby_from(line),
        Language::Python | Language::Go => false,
    }
}

fn inside(language: Language, state: State, line: &str) -> Option<State> {
    match language {
        Language::Java => java(state, line),
        Language::Python => python(state, line),
        Language::Go => go(state, line),
        Language::Nodejs => node(state, line),
        Language::Dotnet => dotnet(line),
        Language::Ruby => ruby(state, line),
    }
}

fn is_indented(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}

/// `java.lang.IllegalStateException: message`: a dotted name whose last part says that it is an error, then a colon or nothing.
fn is_error_name(text: &str, ends: &[&str]) -> bool {
    let name = &text[..text.find([':', ' ']).unwrap_or(text.len())];
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '$');
    !name.is_empty()
        && name.chars().all(is_name)
        && name.starts_with(char::is_alphabetic)
        && ends.iter().any(|end| name.ends_with(end))
        && matches!(text.as_bytes().get(name.len()), None | Some(b':'))
}

const JAVA_ERRORS: &[&str] = &["Exception", "Error", "Throwable", "Failure", "Fault", "Interrupt"];

fn is_java_head(line: &str) -> bool {
    if let Some(rest) = line.strip_prefix("Exception in thread \"") {
        return rest.contains("\" ");
    }
    line.contains('.') && is_error_name(line, JAVA_ERRORS)
}

/// `    at com.example.Shop.pay(Shop.java:42)`.
fn is_java_frame(line: &str) -> bool {
    let Some(call) = line.trim_start().strip_prefix("at ") else { return false };
    let Some((name, place)) = call.split_once('(') else { return false };
    is_indented(line)
        && name.contains('.')
        && !name.contains(' ')
        && place.contains(')')
        && (place.contains(".java")
            || place.contains(".kt")
            || place.contains(".scala")
            || place.contains(".groovy")
            || place.starts_with("Native Method")
            || place.starts_with("Unknown Source")
            || place.starts_with("<generated>"))
}

fn java(state: State, line: &str) -> Option<State> {
    let text = line.trim_start();
    let more = || text.starts_with("... ") && (text.ends_with(" more") || text.ends_with(" omitted"));
    let cause = || {
        ["Caused by: ", "Suppressed: ", "Wrapped by: ", "[CIRCULAR REFERENCE"]
            .iter()
            .any(|start| text.starts_with(start))
    };
    if is_java_frame(line) || more() || cause() {
        return Some(State::Frames(Language::Java));
    }
    // A message of several lines is mostly indented; so are locks in a dump of threads.
    (is_indented(line) && (state == State::Head(Language::Java) || text.starts_with("- ") || text.starts_with("at ")))
        .then_some(state)
}

const PYTHON_CHAINS: [&str; 2] = [
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
];

fn python(state: State, line: &str) -> Option<State> {
    const FRAMES: State = State::Frames(Language::Python);
    let chain = || PYTHON_CHAINS.iter().any(|sentence| line.trim_start().starts_with(sentence));
    match state {
        State::Frames(_) if is_indented(line) => Some(FRAMES),
        State::Frames(_) if is_python_exception(line) => Some(State::Closing(Language::Python)),
        State::Closing(_) if is_indented(line) => Some(state),
        State::Closing(_) | State::Frames(_) if line.is_empty() => Some(State::Between(Language::Python)),
        State::Closing(_) | State::Between(_) if chain() => Some(State::Between(Language::Python)),
        State::Between(_) if line.is_empty() => Some(state),
        State::Between(_) if line.ends_with("Traceback (most recent call last):") => Some(FRAMES),
        _ => None,
    }
}

/// `ValueError: message`, `KeyboardInterrupt`, `app.errors.Declined: message`: a name, then a colon or nothing.
fn is_python_exception(line: &str) -> bool {
    let name = &line[..line.find(": ").unwrap_or(line.len())];
    let name = name.strip_suffix(':').unwrap_or(name);
    !name.is_empty()
        && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_'))
}

fn is_goroutine(line: &str) -> bool {
    line.strip_prefix("goroutine ")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.ends_with(':'))
}

fn is_go_panic(line: &str) -> bool {
    ["panic: ", "fatal error: ", "unexpected fault address ", "SIGABRT: ", "SIGQUIT: ", "SIGSEGV: "]
        .iter()
        .any(|start| line.starts_with(start))
}

fn go(state: State, line: &str) -> Option<State> {
    const FRAMES: State = State::Frames(Language::Go);
    let registers = || line.starts_with('r') && line[..line.len().min(8)].contains(' ') && line.contains(" 0x");
    let own_words = ["[signal ", "\tpanic: ", "created by ", "runtime: ", "...additional frames elided", "[recovered]"];
    if is_goroutine(line) || own_words.iter().any(|start| line.starts_with(start)) {
        return Some(FRAMES);
    }
    match state {
        // `panic: ` may be followed by more lines of its value.
        State::Head(_) if line.is_empty() || is_indented(line) => Some(state),
        State::Head(_) if is_go_panic(line) => Some(state),
        State::Frames(_) if line.is_empty() || line.starts_with('\t') => Some(FRAMES),
        State::Frames(_) if is_go_function(line) => Some(State::Closing(Language::Go)),
        State::Frames(_) if line.starts_with("exit status ") || registers() => Some(FRAMES),
        State::Closing(_) if line.starts_with('\t') => Some(FRAMES),
        _ => None,
    }
}

/// `net/http.(*conn).serve(0xc000180000)`.
fn is_go_function(line: &str) -> bool {
    let name = &line[..line.find(' ').unwrap_or(line.len())];
    !is_indented(line)
        && line.ends_with(')')
        && name.contains('(')
        && (name.contains('.') || name.starts_with("panic("))
}

const NODE_ERRORS: &[&str] = &["Error", "Exception", "Rejection"];

fn is_node_head(line: &str) -> bool {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let name = &line[..line.find([':', ' ']).unwrap_or(line.len())];
    // `Error [ERR_X]: message`, `AssertionError [ERR_ASSERTION]: ...`.
    let coded = line[name.len()..].starts_with(" [") && line.contains("]:");
    is_error_name(line, NODE_ERRORS) || coded && is_error_name(name, NODE_ERRORS)
}

/// `/app/shop.js:12`, which Node prints before the source line.
fn is_node_place(line: &str) -> bool {
    let Some((file, number)) = line.rsplit_once(':') else { return false };
    let is_file = [".js", ".mjs", ".cjs", ".ts"].iter().any(|end| file.ends_with(end)) || file.starts_with("node:");
    is_file && !file.contains(' ') && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// `    at pay (/app/shop.js:12:5)`, `    at async Promise.all (index 0)`, `    at node:internal/main:22:47`.
fn is_node_frame(line: &str) -> bool {
    let Some(call) = line.trim_start().strip_prefix("at ") else { return false };
    let place = call.trim_end_matches(" {").trim_end_matches(')');
    let number = place.rsplit(':').next().unwrap_or("");
    let placed =
        place.matches(':').count() >= 2 && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_indented(line)
        && (placed || call.starts_with("async ") || call.contains("(native)") || call.contains("<anonymous>"))
}

fn node(state: State, line: &str) -> Option<State> {
    const FRAMES: State = State::Frames(Language::Nodejs);
    const BRACES: State = State::Braces(Language::Nodejs);
    let open = line.ends_with('{');
    match state {
        State::Head(_) if is_node_frame(line) => Some(if open { BRACES } else { FRAMES }),
        // The source line, the mark below it and an empty line stand before the name of the error.
        State::Head(_) if line.is_empty() || is_indented(line) || is_node_head(line) => Some(state),
        State::Frames(_) if is_indented(line) => Some(if open { BRACES } else { FRAMES }),
        State::Frames(_) if line.is_empty() => Some(State::Between(Language::Nodejs)),
        State::Between(_) if line.starts_with("Node.js v") => Some(FRAMES),
        State::Braces(_) if is_indented(line) => Some(BRACES),
        State::Braces(_) if line.starts_with('}') => Some(FRAMES),
        _ => None,
    }
}

fn is_dotnet_head(line: &str) -> bool {
    let line = line
        .strip_prefix("Unhandled exception. ")
        .or_else(|| line.strip_prefix("Unhandled Exception: "))
        .unwrap_or(line);
    line.contains('.') && is_error_name(line, &["Exception"])
}

/// `   at Shop.Pay(Int32 id) in /src/Shop.cs:line 12`.
fn is_dotnet_frame(line: &str) -> bool {
    let Some(call) = line.trim_start().strip_prefix("at ") else { return false };
    let named = call.split_once('(').is_some_and(|(name, _)| name.contains('.') && !name.contains(' '));
    is_indented(line) && named && (call.ends_with(')') || call.contains(") in ") && call.contains(":line "))
}

fn dotnet(line: &str) -> Option<State> {
    let text = line.trim_start();
    let own_words = ["---> ", "--- End of ", "Inner exception"].iter().any(|start| text.starts_with(start));
    let goes_on = is_dotnet_frame(line) || own_words || is_indented(line);
    goes_on.then_some(State::Frames(Language::Dotnet))
}

/// `shop.rb:12:in 'Shop#pay': message (ShopError)`.
fn is_ruby_head(line: &str) -> bool {
    is_ruby_place(line) && line.ends_with(')') && line.contains("': ")
}

fn is_ruby_place(line: &str) -> bool {
    let Some((place, _)) = line.split_once(":in ") else { return false };
    let Some((file, number)) = place.rsplit_once(':') else { return false };
    let known = [".rb", ".erb", ".rake", ".ru", ">"].iter().any(|end| file.ends_with(end)) || file.contains("/bin/");
    known && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// `    from shop.rb:3:in '<main>'`, and `    2: from ...` of the order with the newest last.
fn is_ruby_from(line: &str) -> bool {
    let text = line.trim_start();
    let text = text.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(": ");
    is_indented(line) && text.strip_prefix("from ").is_some_and(is_ruby_place)
}

fn ruby(state: State, line: &str) -> Option<State> {
    const FRAMES: State = State::Frames(Language::Ruby);
    let own_words = || line.trim_start().starts_with("... ") && line.ends_with("levels...");
    if is_ruby_from(line) || own_words() {
        return Some(FRAMES);
    }
    // The cause of an error stands behind its frames, and Rails' frames have no `from`.
    let placed = is_ruby_place(line.trim_start());
    (placed || state == State::Head(Language::Ruby) && line.is_empty()).then_some(FRAMES)
}
