//! The text of a query in SQL: one `SELECT`, checked before anything is planned.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query, Select, SelectItem,
    SetExpr, Statement, TableAlias, TableFactor, Value, ValueWithSpan, VisitMut as _, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Span as Place, Token, TokenWithSpan, Tokenizer, Word};
use lang::{Diagnostic, Input, Promql, Source, Span};
use model::{Timestamp, field};

use super::errors::{self, place_of};

/// Most operators (`and`, `or`, `=`, `+`, `in`, `union`, `join`, ...) and calls of one query: each may be a level of the tree, and
/// trees are walked.
pub const SQL_OPERATORS_MAX: usize = 500;

/// Deepest nesting of `case`, `not`, `cast(...)`, `floor(...)` and others that a parser may have to read twice at each level.
pub const SQL_NESTED_MAX: usize = 8;

/// Most tables that one query may read, queries in FROM among them. One that is named twice counts twice, and a query that WITH names
/// counts at each of its places as many times as it reads tables itself.
pub const SQL_TABLES_MAX: usize = 16;

/// Deepest nesting of one query: of parentheses, and of queries in queries.
pub const SQL_DEPTH_MAX: usize = 50;

/// The name of the condition that is a filter of the native language: `search('error service.name:checkout')`.
pub(super) const SEARCH: &str = "search";

/// The name of the table that is the answer of a PromQL query.
const PROMQL: &str = "promql";

/// A query in SQL that was read.
#[derive(Clone, Debug)]
pub struct Sql {
    pub(super) text: String,
    pub(super) statement: Statement,
    explain: Option<bool>,
    inputs: Vec<SqlInput>,
    /// Table name or alias -> place among the inputs.
    pub(super) aliases: Vec<(String, usize)>,
    /// Every name that may be a column's.
    pub(super) mentioned: BTreeSet<String>,
    /// Whether all columns are asked for.
    pub(super) wildcard: bool,
}

/// A table that a query in SQL reads.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlInput {
    /// What tells it from the others.
    pub(super) key: String,
    /// What it is.
    pub input: Input,
}

impl Sql {
    /// Reads a query. What is wrong with it is said with its place.
    pub fn parse(text: &str) -> Result<Sql, Vec<Diagnostic>> {
        read(text).map_err(|diagnostic| vec![diagnostic])
    }

    /// The tables that it reads, each once.
    pub fn inputs(&self) -> &[SqlInput] {
        &self.inputs
    }

    /// Whether the plan is asked for in place of the rows, and whether the query is to be run for it (`explain analyze`).
    pub fn explain(&self) -> Option<bool> {
        self.explain
    }
}

fn read(text: &str) -> Result<Sql, Diagnostic> {
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| syntax(text, &error.to_string()))?;
    check_operators(text, &tokens)?;
    let tokens = with_dotted_names(tokens);
    let mut parser = Parser::new(&dialect).with_recursion_limit(SQL_DEPTH_MAX).with_tokens_with_locations(tokens);
    let mut statements = parser.parse_statements().map_err(|error| match error {
        ParserError::RecursionLimitExceeded => {
            limit(text, "SQL_DEPTH_MAX", SQL_DEPTH_MAX, "the query is nested deeper")
        }
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => syntax(text, &message),
    })?;
    let statement = statements.pop().filter(|_| statements.is_empty());
    let whole = 0..text.len();
    let statement = statement.ok_or_else(|| {
        Diagnostic::error(whole.clone(), "a query is one statement")
            .hint("write one SELECT, without others before or after")
    })?;
    let (mut statement, explain) = unwrap_explain(statement, &whole)?;
    let mut names = Names {
        text,
        aliases: Vec::new(),
        inputs: Vec::new(),
        tables: 0,
        names: Vec::new(),
        bodies: HashMap::new(),
        weights: HashMap::new(),
        open: Vec::new(),
        wrong: None,
    };
    let _ = statement.visit(&mut names);
    if let Some(wrong) = names.wrong {
        return Err(wrong);
    }
    let Names { aliases, inputs, names, .. } = names;
    let mut scope: BTreeSet<String> = aliases.iter().map(|(name, _)| name.clone()).collect();
    scope.extend(names);
    let keys: BTreeMap<String, String> =
        aliases.iter().map(|(alias, at)| (alias.clone(), inputs[*at].key.clone())).collect();
    let mut columns = Columns { text, scope, keys, mentioned: BTreeSet::new(), wildcard: false, wrong: None };
    let _ = statement.visit(&mut columns);
    let Columns { mentioned, wildcard, wrong, .. } = columns;
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    Ok(Sql { text: text.to_owned(), statement, explain, inputs, aliases, mentioned, wildcard })
}

fn syntax(text: &str, message: &str) -> Diagnostic {
    let (message, span) = place_of(text, message);
    Diagnostic::error(span, message)
        .hint("the syntax is that of SELECT in PostgreSQL; names with a dash or a space stand in \"double quotes\"")
}

fn limit(text: &str, name: &str, max: usize, what: &str) -> Diagnostic {
    Diagnostic::error(0..text.len(), format!("{what} than the limit {name} = {max} allows"))
        .hint("split the query, or write a list of values as `x in (...)`")
}

/// Words of the grammar that make no level of a tree.
const FLAT: [Keyword; 12] = [
    Keyword::NoKeyword,
    Keyword::SELECT,
    Keyword::FROM,
    Keyword::WHERE,
    Keyword::AS,
    Keyword::BY,
    Keyword::NULL,
    Keyword::TRUE,
    Keyword::FALSE,
    Keyword::DESC,
    Keyword::ASC,
    Keyword::DISTINCT,
];

/// Words before a parenthesis that the parser reads twice when what is inside is wrong: as a construct, then as a function.
const READ_TWICE: [Keyword; 24] = [
    Keyword::FLOOR,
    Keyword::CEIL,
    Keyword::CAST,
    Keyword::TRY_CAST,
    Keyword::SAFE_CAST,
    Keyword::CONVERT,
    Keyword::TRY_CONVERT,
    Keyword::EXTRACT,
    Keyword::POSITION,
    Keyword::SUBSTR,
    Keyword::SUBSTRING,
    Keyword::OVERLAY,
    Keyword::TRIM,
    Keyword::ARRAY,
    Keyword::MAP,
    Keyword::STRUCT,
    Keyword::MATCH,
    Keyword::EXISTS,
    Keyword::CURRENT_TIMESTAMP,
    Keyword::CURRENT_TIME,
    Keyword::CURRENT_DATE,
    Keyword::LOCALTIME,
    Keyword::LOCALTIMESTAMP,
    Keyword::LAMBDA,
];

fn keyword(token: &TokenWithSpan) -> Option<Keyword> {
    match &token.token {
        Token::Word(word) => Some(word.keyword),
        _ => None,
    }
}

/// Bounds how deep the tree of a text may be, and how often the parser may have to go back, before there is a tree.
fn check_operators(text: &str, tokens: &[TokenWithSpan]) -> Result<(), Diagnostic> {
    let (mut operators, mut cases) = (0, 0usize);
    // Of each open parenthesis: whether what is before it is read twice, and the `not`s that are open in it.
    let mut open = vec![(0usize, 0usize)];
    let mut before: Option<&TokenWithSpan> = None;
    for token in tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF)) {
        let word = keyword(token);
        match (&token.token, word) {
            (Token::LParen, _) => {
                let called = before.and_then(keyword);
                operators += usize::from(called.is_some());
                open.push((usize::from(called.is_some_and(|word| READ_TWICE.contains(&word))), 0));
            }
            (Token::RParen, _) if open.len() > 1 => drop(open.pop()),
            (Token::Comma, _) | (_, Some(Keyword::AND | Keyword::OR)) => {
                operators += usize::from(word.is_some());
                open.last_mut().into_iter().for_each(|(_, nots)| *nots = 0);
            }
            (_, Some(Keyword::NOT)) => {
                operators += 1;
                open.last_mut().into_iter().for_each(|(_, nots)| *nots += 1);
            }
            (_, Some(Keyword::CASE)) => {
                operators += 1;
                cases += 1;
            }
            (_, Some(Keyword::END)) => cases = cases.saturating_sub(1),
            (_, Some(word)) => operators += usize::from(!FLAT.contains(&word)),
            (
                Token::RParen | Token::Number(..) | Token::SingleQuotedString(_) | Token::Period | Token::SemiColon,
                _,
            ) => {}
            _ => operators += 1,
        }
        if operators > SQL_OPERATORS_MAX {
            return Err(limit(text, "SQL_OPERATORS_MAX", SQL_OPERATORS_MAX, "the query has more operators and calls"));
        }
        if cases + open.iter().map(|(twice, nots)| twice + nots).sum::<usize>() > SQL_NESTED_MAX {
            let what = "`case`, `not`, `cast(`, `floor(` and their like are nested deeper";
            return Err(limit(text, "SQL_NESTED_MAX", SQL_NESTED_MAX, what));
        }
        before = Some(token);
    }
    Ok(())
}

/// Marks a name that was written with dots and may begin with the name of a table.
const DOTTED: Option<char> = Some('`');

/// Names with dots as one word each, so that `user.id` and `order.id` are names, whatever SQL takes `user` and `order` for.
fn with_dotted_names(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let Token::Word(word) = &token.token else {
            out.push(token);
            continue;
        };
        let (mut value, mut span, mut dotted, mut pushed) = (word.value.clone(), token.span, false, false);
        while tokens.peek().is_some_and(|next| next.token == Token::Period) {
            let Some(period) = tokens.next() else { break };
            match tokens.next_if(|next| matches!(next.token, Token::Word(_))) {
                Some(TokenWithSpan { token: Token::Word(next), span: end }) => {
                    value = format!("{value}.{}", next.value);
                    span = span.union(&end);
                    dotted = true;
                }
                // `t.*`
                _ => {
                    out.push(word_token(&token, &value, span, dotted));
                    out.push(period);
                    pushed = true;
                    break;
                }
            }
        }
        if !pushed {
            out.push(word_token(&token, &value, span, dotted));
        }
    }
    out
}

fn word_token(first: &TokenWithSpan, value: &str, span: Place, dotted: bool) -> TokenWithSpan {
    let quote_style = match (&first.token, dotted) {
        (_, true) => DOTTED,
        // A name that was quoted so is one name, whatever dots it has.
        (Token::Word(word), false) if word.quote_style == DOTTED => Some('"'),
        _ => return first.clone(),
    };
    let word = Word { value: value.to_owned(), quote_style, keyword: Keyword::NoKeyword };
    TokenWithSpan { token: Token::Word(word), span }
}

/// The query inside `EXPLAIN`, and whether it is to be run.
fn unwrap_explain(
    statement: Statement,
    whole: &std::ops::Range<usize>,
) -> Result<(Statement, Option<bool>), Diagnostic> {
    let only = |what: String| {
        Diagnostic::error(whole.clone(), format!("{what} is not a query"))
            .hint("SQL here reads and changes nothing: SELECT, WITH ... SELECT, VALUES, EXPLAIN [ANALYZE] SELECT")
    };
    match statement {
        Statement::Query(_) => Ok((statement, None)),
        Statement::Explain { analyze, statement, .. } => match *statement {
            inner @ Statement::Query(_) => Ok((inner, Some(analyze))),
            other => Err(only(first_word(&other))),
        },
        other => Err(only(first_word(&other))),
    }
}

fn first_word(statement: &Statement) -> String {
    let text = statement.to_string();
    text.split_whitespace().next().unwrap_or("this").to_owned()
}

/// Collects what the query reads, and refuses what is more than reading.
struct Names<'t> {
    text: &'t str,
    aliases: Vec<(String, usize)>,
    inputs: Vec<SqlInput>,
    tables: usize,
    /// Names of queries: of WITH, and aliases of those in FROM.
    names: Vec<String>,
    /// The queries of WITH, by where they are, with their names.
    bodies: HashMap<usize, String>,
    /// How many tables the queries of WITH read that were seen whole.
    weights: HashMap<String, usize>,
    /// How many tables there were when each open query began.
    open: Vec<usize>,
    wrong: Option<Diagnostic>,
}

impl Names<'_> {
    fn refuse(&mut self, span: std::ops::Range<usize>, message: String, hint: String) -> ControlFlow<()> {
        self.wrong.get_or_insert(Diagnostic::error(span, message).hint(hint));
        ControlFlow::Break(())
    }

    fn whole(&self) -> std::ops::Range<usize> {
        0..self.text.len()
    }

    /// Counts tables.
    fn count(&mut self, tables: usize) -> ControlFlow<()> {
        self.tables = self.tables.saturating_add(tables);
        if self.tables > SQL_TABLES_MAX {
            let wrong = limit(self.text, "SQL_TABLES_MAX", SQL_TABLES_MAX, "the query reads more tables");
            return self.refuse(self.whole(), wrong.message, "read fewer tables".to_owned());
        }
        ControlFlow::Continue(())
    }

    fn add(&mut self, key: String, input: Input, name: &str, alias: Option<&TableAlias>) -> ControlFlow<()> {
        self.count(1)?;
        let at = self.inputs.iter().position(|known| known.key == key).unwrap_or_else(|| {
            self.inputs.push(SqlInput { key, input });
            self.inputs.len() - 1
        });
        let alias = alias.map_or(name, |alias| alias.name.value.as_str());
        self.aliases.push((alias.to_owned(), at));
        ControlFlow::Continue(())
    }

    fn table(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> ControlFlow<()> {
        let span = name.0.first().and_then(|part| part.as_ident()).map(|ident| errors::span_of(self.text, ident.span));
        let span = span.unwrap_or_else(|| self.whole());
        let [part] = &name.0[..] else {
            let hint = format!("the tables are {}", table_names());
            return self.refuse(span, format!("there is no table {name}"), hint);
        };
        let Some(ident) = part.as_ident() else { return ControlFlow::Continue(()) };
        if let Some(weight) = self.weights.get(&ident.value).copied() {
            self.names.extend(alias.map(|alias| alias.name.value.clone()));
            return self.count(weight);
        }
        match Source::parse(&ident.value) {
            Some(source) => self.add(ident.value.clone(), Input::Table(source), &ident.value, alias),
            None => {
                let near = lang::nearest(&ident.value, Source::ALL.iter().map(|source| source.as_str()));
                let hint = match near {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("the tables are {}", table_names()),
                };
                self.refuse(span, format!("there is no table {}", ident.value), hint)
            }
        }
    }

    /// ``promql('rate(x[5m])')`` or ``promql('rate(x[5m])', '1m')`` as a table.
    fn function(&mut self, name: &ObjectName, args: &[FunctionArg], alias: Option<&TableAlias>) -> ControlFlow<()> {
        let hint = "promql('rate(x[5m])') or promql('rate(x[5m])', '1m') is the one function that is a table";
        let texts: Option<Vec<(&str, std::ops::Range<usize>)>> =
            args.iter().map(|arg| text_argument(self.text, arg)).collect();
        let called = name.to_string();
        match (called == PROMQL, texts.as_deref()) {
            (true, Some([(text, span)])) => self.promql(text, span, None, alias),
            (true, Some([(text, span), (step, step_span)])) => match step_ns(step) {
                Some(step_ns) => self.promql(text, span, Some(step_ns), alias),
                None => self.refuse(
                    step_span.clone(),
                    format!("{step:?} is no step"),
                    "write one as in '30s' or '5m'".to_owned(),
                ),
            },
            _ => self.refuse(self.whole(), format!("{called}(...) is not a table"), hint.to_owned()),
        }
    }

    fn promql(
        &mut self,
        text: &str,
        span: &std::ops::Range<usize>,
        step_ns: Option<i64>,
        alias: Option<&TableAlias>,
    ) -> ControlFlow<()> {
        let promql = Promql { text: text.to_owned(), span: Span(span.clone()), step_ns };
        self.add(promql_key(text, step_ns), Input::Promql(promql), PROMQL, alias)
    }
}

/// A step, as the native language reads it.
fn step_ns(step: &str) -> Option<i64> {
    let plain = step.chars().all(|c| c.is_ascii_alphanumeric());
    let (query, wrong) = lang::parse(&format!("from promql(`x`, step {step})"), Timestamp(0));
    match query.input {
        Input::Promql(promql) if plain && wrong.is_empty() => promql.step_ns,
        _ => None,
    }
}

/// How the table of a PromQL query is known.
fn promql_key(text: &str, step_ns: Option<i64>) -> String {
    format!("{PROMQL} {} {text}", step_ns.unwrap_or(0))
}

/// The same, by the arguments of the call.
pub(super) fn promql_key_of(args: &[&str]) -> Option<String> {
    match args {
        [text] => Some(promql_key(text, None)),
        [text, step] => Some(promql_key(text, Some(step_ns(step)?))),
        _ => None,
    }
}

/// The text and place of an argument that is a text.
fn text_argument<'a>(text: &str, arg: &'a FunctionArg) -> Option<(&'a str, std::ops::Range<usize>)> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(value),
            span,
        }))) => Some((value.as_str(), errors::span_of(text, *span))),
        _ => None,
    }
}

fn table_names() -> String {
    let names: Vec<&str> = Source::ALL.iter().map(|source| source.as_str()).collect();
    names.join(", ")
}

impl VisitorMut for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            if with.recursive {
                let hint = "write the steps out, or use a pipe of the native language".to_owned();
                return self.refuse(self.whole(), "WITH RECURSIVE is not allowed".to_owned(), hint);
            }
            for cte in &with.cte_tables {
                let name = &cte.alias.name.value;
                self.names.push(name.clone());
                self.bodies.insert(std::ptr::from_ref(&*cte.query).addr(), name.clone());
            }
        }
        self.open.push(self.tables);
        let changes =
            matches!(*query.body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_));
        if changes || !query.locks.is_empty() {
            return self.refuse(
                self.whole(),
                "SQL here changes and locks nothing".to_owned(),
                "write a SELECT".to_owned(),
            );
        }
        let foreign = query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty();
        if foreign {
            let hint = "the format of the answer is chosen by the request".to_owned();
            return self.refuse(
                self.whole(),
                "FOR, SETTINGS, FORMAT and pipes are not part of SQL here".to_owned(),
                hint,
            );
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let before = self.open.pop().unwrap_or_default();
        if let Some(name) = self.bodies.remove(&std::ptr::from_ref(query).addr()) {
            self.weights.insert(name, (self.tables - before).max(1));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        match &select.into {
            Some(_) => self.refuse(
                self.whole(),
                "SELECT INTO is not allowed".to_owned(),
                "SQL here changes nothing".to_owned(),
            ),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, alias, args: None, sample: None, version: None, .. } => {
                let (name, alias) = (name.clone(), alias.clone());
                self.table(&name, alias.as_ref())
            }
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                let (name, args, alias) = (name.clone(), args.args.clone(), alias.clone());
                self.function(&name, &args, alias.as_ref())
            }
            TableFactor::Function { name, args, alias, .. } => {
                let (name, args, alias) = (name.clone(), args.clone(), alias.clone());
                self.function(&name, &args, alias.as_ref())
            }
            TableFactor::Derived { alias, .. } | TableFactor::NestedJoin { alias, .. } => {
                self.names.extend(alias.as_ref().map(|alias| alias.name.value.clone()));
                self.count(1)
            }
            other => {
                let hint = format!("the tables are {}, and queries in parentheses", table_names());
                let message = format!("{other} is not a table");
                self.refuse(self.whole(), message, hint)
            }
        }
    }
}

/// Most columns of one CUBE, whose subsets are all grouped by.
const CUBE_COLUMNS_MAX: usize = 10;

/// Tells names of tables from names of fields, and collects the latter.
struct Columns<'t> {
    text: &'t str,
    /// Names and aliases of tables.
    scope: BTreeSet<String>,
    /// The tables behind the aliases, as they are known.
    keys: BTreeMap<String, String>,
    mentioned: BTreeSet<String>,
    wildcard: bool,
    wrong: Option<Diagnostic>,
}

impl Columns<'_> {
    fn refuse(&mut self, message: &str, hint: &str) -> ControlFlow<()> {
        self.wrong.get_or_insert(Diagnostic::error(0..self.text.len(), message).hint(hint));
        ControlFlow::Break(())
    }

    /// `search('...')` as a condition on a table: on the one that there is, or on the one of the alias that is its first argument.
    /// The row's id stands for the table: conditions on it go nowhere but to rows of the same table.
    fn anchor_search(&self, function: &mut Function) {
        let FunctionArguments::List(list) = &mut function.args else { return };
        let id = Ident::with_quote('"', field::ID);
        let expr = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
        let table = match &mut list.args[..] {
            [_] => {
                list.args.insert(0, expr(Expr::Identifier(id)));
                self.keys.values().next().filter(|_| self.keys.len() == 1)
            }
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(of @ Expr::Identifier(_))), _] => {
                let Expr::Identifier(table) = of else { return };
                let key = self.keys.get(&table.value);
                *of = Expr::CompoundIdentifier(vec![table.clone(), id]);
                key
            }
            _ => None,
        };
        let key = Value::SingleQuotedString(table.cloned().unwrap_or_default());
        list.args.push(expr(Expr::Value(key.with_empty_span())));
    }
}

impl VisitorMut for Columns<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.wildcard |= select
            .projection
            .iter()
            .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => {
                let split = ident.value.split_once('.').filter(|_| ident.quote_style == DOTTED);
                let qualified = split.filter(|(table, _)| self.scope.contains(*table));
                let name = qualified.map_or(ident.value.as_str(), |(_, name)| name);
                self.mentioned.insert(name.to_owned());
                if let Some((table, name)) = qualified {
                    let part =
                        |value: &str| Ident { value: value.to_owned(), quote_style: Some('"'), span: ident.span };
                    *expr = Expr::CompoundIdentifier(vec![part(table), part(name)]);
                }
            }
            Expr::CompoundIdentifier(parts) => self.mentioned.extend(parts.last().map(|part| part.value.clone())),
            Expr::Function(function) => {
                let name = function.name.to_string().to_ascii_lowercase();
                let arguments = match &function.args {
                    FunctionArguments::List(list) => list.args.len(),
                    _ => 0,
                };
                if name == "approx_percentile_cont" && arguments > 2 {
                    return self
                        .refuse("approx_percentile_cont takes a value and a share", "leave out the third argument");
                }
                if name == SEARCH {
                    self.anchor_search(function);
                }
            }
            Expr::Cube(sets) if sets.len() > CUBE_COLUMNS_MAX => {
                let hint = "CUBE_COLUMNS_MAX = 10; write the sets out with GROUPING SETS";
                return self.refuse("a CUBE of so many columns has too many groups", hint);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
