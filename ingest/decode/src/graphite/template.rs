//! Templates, as Telegraf and InfluxDB have them: what the parts of a path are.
//!
//! `[FILTER] TEMPLATE [tag=value,...]`: of the paths that the filter matches (`servers.*.cpu`, parts of `*` match any; it may be shorter
//! than the path), the parts of the template that are `measurement` make the metric's name, `measurement*` takes all parts that are left, an
//! empty part and `*` skip one, and any other word is the name of a label. The first template whose filter matches counts.

use crate::prom_name;

/// Templates that a receiver takes.
const TEMPLATES_MAX: usize = 1000;

/// Templates in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates(Vec<Template>);

/// A template that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Template {
    filter: Vec<String>,
    parts: Vec<Part>,
    tags: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name,
    /// All parts from here on.
    NameRest,
    Label(String),
    Skip,
}

impl Templates {
    /// Reads templates.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, TemplateError> {
        if texts.len() > TEMPLATES_MAX {
            return Err(TemplateError(format!("there are {} templates, {TEMPLATES_MAX} are allowed", texts.len())));
        }
        texts.iter().map(|text| Template::parse(text.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// Name and labels of a path; nothing when no template is for it.
    #[allow(clippy::type_complexity, reason = "a name, if anything of it is left, and labels")]
    pub(super) fn apply(&self, path: &str) -> Option<(Option<String>, Vec<(String, String)>)> {
        let parts: Vec<&str> = path.split('.').collect();
        let template = self.0.iter().find(|template| template.matches(&parts))?;
        Some(template.apply(&parts))
    }
}

impl Template {
    fn parse(text: &str) -> Result<Self, TemplateError> {
        let fault = |what: &str| TemplateError(format!("{what}: write it as `servers.* .host.measurement* region=eu`"));
        let words: Vec<&str> = text.split_whitespace().collect();
        let (filter, template, tags) = match words[..] {
            [template] => ("", template, ""),
            [template, tags] if tags.contains('=') => ("", template, tags),
            [filter, template] => (filter, template, ""),
            [filter, template, tags] => (filter, template, tags),
            _ => return Err(fault("a template has one to three words")),
        };
        let parts: Vec<Part> =
            template.split('.').map(Part::parse).collect::<Result<_, _>>().map_err(|what| fault(&what))?;
        if !parts.iter().any(|part| matches!(part, Part::Name | Part::NameRest)) {
            return Err(fault("the template has no `measurement`"));
        }
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            Some((prom_name::label_name(name)?, value.to_owned()))
        };
        let tags = tags.split(',').filter(|tag| !tag.is_empty()).map(pair).collect::<Option<_>>();
        let tags = tags.ok_or_else(|| fault("a tag is not written name=value"))?;
        let filter = filter.split('.').filter(|_| !filter.is_empty()).map(str::to_owned).collect();
        Ok(Self { filter, parts, tags })
    }

    fn matches(&self, parts: &[&str]) -> bool {
        self.filter.len() <= parts.len()
            && self.filter.iter().zip(parts).all(|(pattern, part)| part_matches(pattern, part))
    }

    fn apply(&self, parts: &[&str]) -> (Option<String>, Vec<(String, String)>) {
        let (mut name, mut labels): (Vec<&str>, Vec<(String, String)>) = (Vec::new(), self.tags.clone());
        for (at, part) in self.parts.iter().enumerate() {
            let Some(text) = parts.get(at) else { break };
            match part {
                Part::Name => name.push(text),
                Part::NameRest => {
                    name.extend(&parts[at..]);
                    break;
                }
                Part::Label(label) => {
                    let known = labels.iter_mut().find(|(known, _)| known == label);
                    match known {
                        // Several parts of one name are one value, as in Telegraf.
                        Some((_, value)) => *value = format!("{value}.{text}"),
                        None => labels.push((label.clone(), (*text).to_owned())),
                    }
                }
                Part::Skip => {}
            }
        }
        (prom_name::metric_name(name), labels)
    }
}

impl Part {
    fn parse(word: &str) -> Result<Self, String> {
        Ok(match word {
            "" | "*" | "_" => Self::Skip,
            "measurement" | "field" => Self::Name,
            "measurement*" | "field*" => Self::NameRest,
            label => {
                let name = prom_name::label_name(label).filter(|_| !label.contains('*'));
                Self::Label(name.ok_or_else(|| format!("{label:?} is no name of a label"))?)
            }
        })
    }
}

/// Whether a part matches a pattern in which `*` stands for any characters.
fn part_matches(pattern: &str, part: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == part };
    let Some(mut text) = part.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}
