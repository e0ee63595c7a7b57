//! A disk that fails where a test says, and that forgets what was not synced, as a power cut does.

use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Disk, LocalDisk, LogFile};

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct FaultPlan {
    /// The operation that fails, counted from 1; 0 for none.
    pub fail_at: u64,
    /// Whether every later one fails too.
    pub sticky: bool,
    /// The error.
    pub error: io::ErrorKind,
    /// A failing write or sync lets some 512-byte blocks of what is not yet synced through, chosen by this seed.
    pub torn_seed: Option<u64>,
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self { fail_at: 0, sticky: false, error: io::ErrorKind::Other, torn_seed: None }
    }
}

/// The disk. Writes reach the file only with a sync.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    plan: FaultPlan,
    operations: u64,
}

/// Blocks that a disk writes as a whole.
const BLOCK_BYTES: usize = 512;

impl FaultyDisk {
    /// A disk with a plan.
    pub fn new(plan: FaultPlan) -> Self {
        Self(Arc::new(Mutex::new(State { plan, operations: 0 })))
    }

    /// Changes the plan; operations are counted from 0 again.
    pub fn set_plan(&self, plan: FaultPlan) {
        *self.0.lock() = State { plan, operations: 0 };
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    fn step(&self) -> Result<(), (io::Error, Option<u64>)> {
        let mut state = self.0.lock();
        state.operations += 1;
        let plan = state.plan;
        let hit =
            plan.fail_at != 0 && (state.operations == plan.fail_at || plan.sticky && state.operations > plan.fail_at);
        if hit { Err((io::Error::new(plan.error, "injected fault"), plan.torn_seed)) } else { Ok(()) }
    }

    fn plain_step(&self) -> io::Result<()> {
        self.step().map_err(|(error, _)| error)
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path, bytes: u64) -> io::Result<Box<dyn LogFile>> {
        self.plain_step()?;
        let file = LocalDisk.create(path, bytes)?;
        Ok(Box::new(FaultyFile { disk: self.clone(), file, pending: Vec::new() }))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.plain_step()?;
        LocalDisk.sync_dir(dir)
    }

    fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.plain_step()?;
        LocalDisk.truncate(path, bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.plain_step()?;
        LocalDisk.remove(path)
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    file: Box<dyn LogFile>,
    pending: Vec<(u64, Vec<u8>)>,
}

impl FaultyFile {
    fn step(&mut self) -> io::Result<()> {
        let Err((error, torn_seed)) = self.disk.step() else { return Ok(()) };
        if let Some(seed) = torn_seed {
            self.tear(seed)?;
        }
        Err(error)
    }

    fn tear(&mut self, mut seed: u64) -> io::Result<()> {
        for (offset, bytes) in std::mem::take(&mut self.pending) {
            for (i, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if seed >> 63 == 1 {
                    self.file.write_at(offset + (i * BLOCK_BYTES) as u64, block)?;
                }
            }
        }
        Ok(())
    }
}

impl LogFile for FaultyFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.pending.push((offset, bytes.to_vec()));
        self.step()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.step()?;
        for (offset, bytes) in std::mem::take(&mut self.pending) {
            self.file.write_at(offset, &bytes)?;
        }
        self.file.sync()
    }
}
