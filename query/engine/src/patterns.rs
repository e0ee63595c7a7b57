//! What is known of the templates of each tenant's log lines: learned as queries ask, kept over restarts, so that an id means the same
//! lines in every answer.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exec::Template;
use model::TenantId;
use parking_lot::Mutex;
use pattern::{Limits, Miner, State};

/// The templates of all tenants.
pub(crate) struct PatternBook {
    dir: PathBuf,
    miners: Mutex<HashMap<TenantId, Arc<Kept>>>,
}

struct Kept {
    miner: Mutex<Miner>,
    path: PathBuf,
    /// Held while the file is written, by one at a time; who asks for templates meanwhile does not wait.
    saving: Mutex<()>,
}

impl Kept {
    /// Writes what is known now. Whoever comes second finds the first one's file and writes a newer one.
    fn save(&self) {
        let _saving = self.saving.lock();
        let state = self.miner.lock().state();
        if let Err(error) = save(&self.path, &state) {
            // The answer is right all the same; only a restart would number the new ones anew.
            tracing::warn!(path = %self.path.display(), %error, "cannot keep the patterns of log lines");
        }
    }
}

impl PatternBook {
    /// With a directory of its own, which is made when there is something to keep.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, miners: Mutex::default() }
    }

    /// The templates of texts, each with its number of rows. Texts of kinds that were never seen are learned.
    pub(crate) fn templates(&self, tenant: &TenantId, texts: &[(&str, u64)]) -> Vec<Option<Template>> {
        let kept = self.of_tenant(tenant);
        let mut miner = kept.miner.lock();
        let unknown: Vec<&(&str, u64)> = texts.iter().filter(|(text, _)| miner.find(text).is_none()).collect();
        let learned = !unknown.is_empty();
        if learned {
            for (text, rows) in unknown {
                miner.learn(text, *rows);
            }
            miner.refine();
        }
        let template = |text: &str| {
            let pattern = miner.pattern(miner.find(text)?)?;
            Some(Template { id: pattern.id.to_string(), text: pattern.template })
        };
        let templates = texts.iter().map(|(text, _)| template(text)).collect();
        drop(miner);
        if learned {
            kept.save();
        }
        templates
    }

    /// The id that a template goes by now; the same when it was never replaced.
    pub(crate) fn resolve(&self, tenant: &TenantId, id: &str) -> String {
        let resolved = id.parse().ok().and_then(|id| self.of_tenant(tenant).miner.lock().resolve(id));
        resolved.map_or_else(|| id.to_owned(), |id| id.to_string())
    }

    fn of_tenant(&self, tenant: &TenantId) -> Arc<Kept> {
        if let Some(known) = self.miners.lock().get(tenant) {
            return Arc::clone(known);
        }
        // Read without the lock; if two do it at once, the first one stays.
        let name: String = tenant.as_str().bytes().map(|byte| format!("{byte:02x}")).collect();
        let path = self.dir.join(format!("{name}.json"));
        let miner = load(&path).unwrap_or_else(|| Miner::new(Limits::default()));
        let kept = Arc::new(Kept { miner: Mutex::new(miner), path, saving: Mutex::new(()) });
        Arc::clone(self.miners.lock().entry(tenant.clone()).or_insert(kept))
    }
}

/// What was kept; nothing when there is no file, or a damaged one, which is said and learned again.
fn load(path: &Path) -> Option<Miner> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot read the patterns of log lines");
            return None;
        }
    };
    let state = serde_json::from_slice::<State>(&text).map_err(|error| error.to_string());
    let restored = state.and_then(|state| Miner::restore(Limits::default(), &state).map_err(|error| error.to_string()));
    restored.inspect_err(|error| tracing::warn!(path = %path.display(), error, "the patterns are learned again")).ok()
}

/// Writes durably: temporary file, fsync, rename.
fn save(path: &Path, state: &State) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_over_a_restart_and_as_more_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (book, tenant) = (PatternBook::new(dir.path().join("patterns")), TenantId::default());
        let ids = |book: &PatternBook, texts: &[&str]| {
            let texts: Vec<(&str, u64)> = texts.iter().map(|text| (*text, 1)).collect();
            let ids = book.templates(&tenant, &texts).into_iter().map(|template| template.unwrap().id);
            ids.collect::<Vec<String>>()
        };
        let lines = ["user 17 logged in", "user 18 logged in", "disk full on /var"];
        let first = ids(&book, &lines);
        assert_eq!(first[0], first[1]);
        assert_ne!(first[0], first[2]);
        assert_eq!(ids(&book, &["user 99 logged in"]), first[..1]);
        assert_eq!(ids(&PatternBook::new(dir.path().join("patterns")), &lines), first);
        let path = fs::read_dir(dir.path().join("patterns")).unwrap().next().unwrap().unwrap().path();
        fs::write(&path, b"{}").unwrap();
        assert_eq!(ids(&PatternBook::new(dir.path().join("patterns")), &lines), first, "learned again");
    }
}
