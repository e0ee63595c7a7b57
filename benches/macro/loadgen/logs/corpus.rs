//! The lines that are amplified: real ones from a folder, or the built-in ones.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::template::Template;
use super::{needles, synthetic};

/// Services with their lines.
#[derive(Debug)]
pub(crate) struct Corpus {
    /// Where the lines came from, for the manifest.
    pub(crate) origin: String,
    /// At least one, each with at least one template.
    pub(crate) services: Vec<Service>,
}

/// What one kind of system writes.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) templates: Vec<Template>,
}

impl Corpus {
    /// Reads `folder/SERVICE/*.log`, or says that it is missing and takes the built-in lines.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        if folder.is_dir() {
            return Self::from_folder(folder);
        }
        eprintln!("{} is missing: amplifying the built-in lines instead of real ones", folder.display());
        let services = synthetic::SERVICES.iter().map(|(name, lines)| Service::new(name, lines.lines())).collect();
        Ok(Self { origin: "built-in".to_owned(), services })
    }

    fn from_folder(folder: &Path) -> Result<Self> {
        let mut services = Vec::new();
        for path in glob::glob(&folder.join("*/*.log").to_string_lossy())? {
            let path = path?;
            let parent = path.parent().and_then(Path::file_name).unwrap_or_default();
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            let text = String::from_utf8_lossy(&bytes);
            needles::ensure_absent(&text).with_context(|| path.display().to_string())?;
            services.push(Service::new(&parent.to_string_lossy().to_lowercase(), text.lines()));
        }
        ensure!(!services.is_empty(), "{} has no */*.log", folder.display());
        Ok(Self { origin: "real lines".to_owned(), services })
    }

    /// Share of the lines that speak of something that went wrong, services weighing the same.
    pub(crate) fn bad_share(&self) -> f64 {
        let of = |service: &Service| {
            let bad = service.templates.iter().filter(|template| template.bad).count();
            bad as f64 / service.templates.len() as f64
        };
        self.services.iter().map(of).sum::<f64>() / self.services.len() as f64
    }
}

impl Service {
    fn new<'a>(name: &str, lines: impl Iterator<Item = &'a str>) -> Self {
        let templates = lines.map(str::trim_end).filter(|line| !line.is_empty()).map(Template::new).collect();
        Self { name: name.to_owned(), templates }
    }
}
