//! Files of segments that no catalog names.
//!
//! Most are what a crash left of a flush, a merge or a removal: their rows are elsewhere, and they are deleted. But when the
//! catalog was restored from an old backup, newer segments look just the same, and they hold the only copy. So a file goes
//! only if the log and the catalog prove that its rows are elsewhere:
//!
//! - its newest row is not newer than the checkpoint, or the log still has every record from the checkpoint up to it;
//! - and, if it came from a merge, every segment that the catalog names has its file: then so have the inputs.
//!
//! Everything else is moved to the folder `orphans`, where nothing ever deletes it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt64Type;
use catalog::{SegmentRow, SegmentState};
use column::{ColumnError, Projection, Reader, Source};
use model::field;
use segment::SegmentMeta;

use crate::home::{Home, ORPHANS_DIR};
use crate::store::lsn_of_row;
use crate::{StoreError, shelf};

/// What a start knows about where rows are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    /// The checkpoint: records up to this one are in segments.
    pub(crate) flushed_lsn: u64,
    /// First and last record of the log; `None` when it is empty, or damaged so that records in between may be missing.
    pub(crate) log: Option<(u64, u64)>,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Cleared {
    /// Files deleted.
    pub(crate) deleted: u64,
    /// Segments moved to the folder `orphans`.
    pub(crate) moved: Vec<String>,
}

/// Deletes the files that nobody misses, and moves the others that no catalog names out of the way.
pub(crate) fn clear(home: &Home, known: &[SegmentRow], evidence: Evidence) -> Result<Cleared, StoreError> {
    let mut cleared = Cleared::default();
    let mut keys_of: HashMap<&str, Option<[String; 2]>> = HashMap::new();
    for row in known {
        let meta = serde_json::from_str::<SegmentMeta>(&row.meta);
        keys_of.insert(&row.id, meta.ok().map(|meta| meta.keys()));
    }
    let mut unknown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in home.segments.list("")? {
        let id = key.split_once('.').map_or(key.as_str(), |(id, _)| id);
        match keys_of.get(id) {
            None => unknown.entry(id.to_owned()).or_default().push(key),
            Some(Some(keys)) if !keys.contains(&key) && key[id.len()..].starts_with(".idx") => {
                // An index of before or after a repair: the segment has another, or can have one built.
                cleared.deleted += u64::from(home.segments.delete(&key)?);
            }
            Some(_) => {}
        }
    }
    let whole = unknown.is_empty() || catalog_is_whole(home, known)?;
    for (id, keys) in unknown {
        if is_spare(home, &id, &keys, evidence, whole)? {
            shelf::remove(&home.segments, &keys)?;
            cleared.deleted += keys.len() as u64;
        } else {
            keep(home, &keys)?;
            cleared.moved.push(id);
        }
    }
    Ok(cleared)
}

/// Whether the files of all segments in use are there.
fn catalog_is_whole(home: &Home, known: &[SegmentRow]) -> Result<bool, StoreError> {
    for row in known.iter().filter(|row| row.state == SegmentState::Live) {
        if !home.segments.exists(&format!("{}.parquet", row.id))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the rows of a segment are surely elsewhere, or gone for good.
fn is_spare(home: &Home, id: &str, keys: &[String], evidence: Evidence, whole: bool) -> Result<bool, StoreError> {
    let Some(columns) = keys.iter().find(|key| key.ends_with(".parquet")) else {
        // An index without columns: the columns went before it did.
        return Ok(keys.iter().all(|key| key[id.len()..].starts_with(".idx")));
    };
    let level = id.split_once('-').and_then(|(level, _)| level.parse::<u32>().ok());
    let newest = newest_row(home, columns)?;
    let (Some(level), Some(newest)) = (level, newest) else { return Ok(false) };
    let lsn = lsn_of_row(newest);
    let in_log = evidence.log.is_some_and(|(first, last)| first <= evidence.flushed_lsn + 1 && lsn <= last);
    Ok((lsn <= evidence.flushed_lsn || in_log) && (level == 0 || whole))
}

/// The highest row id of a column file; `None` when it cannot be read.
fn newest_row(home: &Home, key: &str) -> Result<Option<u64>, StoreError> {
    let path = home.segments.path(key)?;
    let source = Source::file(home.segments.open_file(key)?);
    let source = source.map_err(|source| StoreError::Io { action: "read", path, source })?;
    match highest_id(source) {
        Ok(id) => Ok(id),
        Err(ColumnError::Io(source)) => Err(StoreError::Io { action: "read", path: home.segments.path(key)?, source }),
        Err(_) => Ok(None),
    }
}

fn highest_id(source: Source) -> Result<Option<u64>, ColumnError> {
    let mut highest = None;
    for batch in Reader::open(source)?.read(&Projection::Fields(vec![field::ID.to_owned()]), None)? {
        let batch = batch?;
        let ids = batch.column_by_name(field::ID).and_then(|array| array.as_primitive_opt::<UInt64Type>());
        let Some(ids) = ids else { return Ok(None) };
        highest = highest.max(ids.values().iter().max().copied());
    }
    Ok(highest)
}

/// Moves files to the folder of orphans.
fn keep(home: &Home, keys: &[String]) -> Result<(), StoreError> {
    let to = home.dir.join(ORPHANS_DIR);
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { action, path, source }
    };
    std::fs::create_dir_all(&to).map_err(io("create", &to))?;
    for key in keys {
        let from = home.segments.path(key)?;
        std::fs::rename(&from, to.join(key)).map_err(io("move", &from))?;
    }
    for dir in [&*to, home.segments.root(), &home.dir] {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(io("sync", dir))?;
    }
    Ok(())
}
