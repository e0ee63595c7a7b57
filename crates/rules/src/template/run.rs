//! Fills templates in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Moment;
use super::data::Datum;
use super::functions;
use super::parse::{Arg, Command, Node, Pipeline, Program};

/// Longest result, in bytes.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// Most turns of loops in one template: loops over answers of queries can be nested.
const TURNS_MAX: usize = 100_000;

/// Deepest nesting of templates that call templates.
const CALLS_MAX: usize = 32;

/// How a list of nodes ended.
#[derive(PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// A template that is being filled in.
pub(super) struct Run<'a> {
    pub(super) moment: &'a Moment<'a>,
    program: &'a Program,
    variables: Vec<(String, Datum)>,
    dot: Datum,
    out: String,
    turns: usize,
    calls: usize,
}

/// Runs a program; the error says what failed.
pub(super) fn run(program: &Program, moment: &Moment<'_>) -> Result<String, String> {
    let labels = Datum::Labels(Arc::new(moment.labels.clone()));
    let value = match moment.histogram {
        Some(histogram) => Datum::Text(histogram.to_string()),
        None => Datum::Number(moment.value),
    };
    let external = Datum::Labels(Arc::new(moment.surroundings.external_labels.clone()));
    let url = Datum::Text(moment.surroundings.external_url.clone());
    let given = [("Labels", labels), ("Value", value), ("ExternalLabels", external), ("ExternalURL", url)];
    let variables = [("$labels", 0), ("$value", 1), ("$externalLabels", 2), ("$externalURL", 3)];
    let mut variables: Vec<(String, Datum)> =
        variables.iter().map(|(name, at)| ((*name).to_owned(), given[*at].1.clone())).collect();
    let root = Datum::Fields(Arc::new(given.into_iter().map(|(name, datum)| (name.to_owned(), datum)).collect()));
    variables.push(("$".to_owned(), root.clone()));
    let mut run = Run { moment, program, variables, dot: root, out: String::new(), turns: 0, calls: 0 };
    run.nodes(&program.nodes)?;
    Ok(run.out)
}

impl Run<'_> {
    fn nodes(&mut self, nodes: &[Node]) -> Result<Flow, String> {
        let scope = self.variables.len();
        for node in nodes {
            let flow = self.node(node)?;
            if flow != Flow::Next {
                self.variables.truncate(scope);
                return Ok(flow);
            }
        }
        self.variables.truncate(scope);
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &Node) -> Result<Flow, String> {
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Action(pipeline) => {
                let value = self.declaring(pipeline)?;
                if pipeline.set.is_empty() {
                    self.write(&value.show())?;
                }
            }
            Node::If { condition, then, otherwise } => {
                let scope = self.variables.len();
                let branch = if self.declaring(condition)?.truth() { then } else { otherwise };
                let flow = self.nodes(branch)?;
                self.variables.truncate(scope);
                return Ok(flow);
            }
            Node::With { value, then, otherwise } => {
                let scope = self.variables.len();
                let value = self.declaring(value)?;
                let flow = if value.truth() {
                    let outer = std::mem::replace(&mut self.dot, value);
                    let flow = self.nodes(then)?;
                    self.dot = outer;
                    flow
                } else {
                    self.nodes(otherwise)?
                };
                self.variables.truncate(scope);
                return Ok(flow);
            }
            Node::Range { over, body, otherwise } => return self.range(over, body, otherwise),
            Node::Call { name, with } => {
                let data = with.as_ref().map_or(Ok(Datum::Nil), |with| self.declaring(with))?;
                let text = self.call(name, data)?;
                self.write(&text)?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        if self.out.len() + text.len() > OUTPUT_BYTES_MAX {
            return Err(format!("the text has more than {OUTPUT_BYTES_MAX} bytes"));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn range(&mut self, over: &Pipeline, body: &[Node], otherwise: &[Node]) -> Result<Flow, String> {
        let scope = self.variables.len();
        let items = items(self.pipeline(over)?)?;
        if items.is_empty() {
            return self.nodes(otherwise);
        }
        let outer = self.dot.clone();
        for (key, item) in items {
            self.turns += 1;
            if self.turns > TURNS_MAX {
                return Err(format!("the loops take more than {TURNS_MAX} turns"));
            }
            match &over.set[..] {
                [value] => self.set(value, item.clone(), over.declares),
                [at, value, ..] => {
                    self.set(at, key, over.declares);
                    self.set(value, item.clone(), over.declares);
                }
                [] => {}
            }
            self.dot = item;
            let flow = self.nodes(body)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        self.dot = outer;
        Ok(Flow::Next)
    }

    /// What a template that the text defines makes of some data.
    pub(super) fn call(&mut self, name: &str, data: Datum) -> Result<String, String> {
        let nodes = self.program.defines.get(name).ok_or_else(|| format!("template {name:?} not defined"))?;
        if self.calls >= CALLS_MAX {
            return Err(format!("templates call each other deeper than {CALLS_MAX}"));
        }
        self.calls += 1;
        let variables = std::mem::replace(&mut self.variables, vec![("$".to_owned(), data.clone())]);
        let dot = std::mem::replace(&mut self.dot, data);
        let out = std::mem::take(&mut self.out);
        self.nodes(nodes)?;
        (self.variables, self.dot) = (variables, dot);
        self.calls -= 1;
        Ok(std::mem::replace(&mut self.out, out))
    }

    /// Runs a pipeline and sets the variable that it is for.
    fn declaring(&mut self, pipeline: &Pipeline) -> Result<Datum, String> {
        let value = self.pipeline(pipeline)?;
        if let Some(name) = pipeline.set.first() {
            self.set(name, value.clone(), pipeline.declares);
        }
        Ok(value)
    }

    fn set(&mut self, name: &str, value: Datum, declares: bool) {
        let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        match known {
            Some((_, slot)) if !declares => *slot = value,
            _ => self.variables.push((name.to_owned(), value)),
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Datum, String> {
        let mut piped = None;
        for command in &pipeline.commands {
            piped = Some(match command {
                Command::Value(arg) => self.arg(arg)?,
                Command::Function(function, args) => {
                    let mut values = Vec::with_capacity(args.len() + 1);
                    for arg in args {
                        let value = self.arg(arg)?;
                        // `and` and `or` ask no further than they must, so that `and $x (index $x 0)` is safe.
                        let decided = function.decided_by(&value);
                        values.push(value);
                        if decided {
                            break;
                        }
                    }
                    values.extend(piped.take());
                    let failed = |error| format!("error calling {}: {error}", function.name);
                    functions::apply(function, &values, self).map_err(failed)?
                }
            });
        }
        Ok(piped.unwrap_or(Datum::Nil))
    }

    fn arg(&mut self, arg: &Arg) -> Result<Datum, String> {
        match arg {
            Arg::Literal(datum) => Ok(datum.clone()),
            Arg::Dot => Ok(self.dot.clone()),
            Arg::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.map(|(_, value)| value.clone()).ok_or_else(|| format!("undefined variable: {name}"))
            }
            Arg::Pipeline(pipeline) => self.pipeline(pipeline),
            Arg::Path(inner, names) => {
                let mut value = self.arg(inner)?;
                let mut names = &names[..];
                while !names.is_empty() {
                    let (next, used) = value.field(names)?;
                    (value, names) = (next, &names[used..]);
                }
                Ok(value)
            }
        }
    }
}

fn items(over: Datum) -> Result<Vec<(Datum, Datum)>, String> {
    let map = |map: &BTreeMap<String, String>| {
        map.iter().map(|(name, value)| (Datum::Text(name.clone()), Datum::Text(value.clone()))).collect()
    };
    match over {
        Datum::Nil => Ok(Vec::new()),
        Datum::Vector(samples) => Ok((0..).map(Datum::Int).zip(samples.into_iter().map(Datum::Sample)).collect()),
        Datum::Labels(labels) => Ok(map(&labels)),
        Datum::Fields(fields) => {
            Ok(fields.iter().map(|(name, value)| (Datum::Text(name.clone()), value.clone())).collect())
        }
        Datum::Int(n) if usize::try_from(n).is_ok_and(|n| n <= TURNS_MAX) => {
            Ok((0..n).map(|at| (Datum::Int(at), Datum::Int(at))).collect())
        }
        other => Err(format!("range can't iterate over {}", other.show())),
    }
}
