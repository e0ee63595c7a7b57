//! Memory of the whole process against what it may have: queries are the part that can wait or end.
//!
//! A thread looks at the memory of the control group, or of the machine when there is no limit. Above the soft level queries
//! that may hold much wait at admission; above the hard level the running query that holds most is stopped, one at a look,
//! until there is room again. Both are errors with the name of the limit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::watch;

use crate::QueryLimits;
use crate::registry::Registry;

/// How often memory is looked at. A scan that reads at full speed takes some hundred megabytes in that time.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A query that holds less is not stopped: that would free nothing.
const HELD_BYTES_MIN: u64 = 8 << 20;

/// Memory in use and how much there may be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) used: u64,
    pub(crate) limit: u64,
}

/// Where the numbers come from.
pub(crate) trait Gauge: Send {
    /// The numbers of now; `None` when they cannot be had, and then nothing is governed.
    fn memory(&mut self) -> Option<Memory>;
}

/// How short memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pressure {
    None,
    /// Nothing large is started.
    Soft,
    /// Something large is stopped.
    Hard,
}

/// What the thread looks after.
pub(crate) struct Governor {
    registry: Arc<Registry>,
    pressure: watch::Sender<Pressure>,
    soft_percent: u64,
    hard_percent: u64,
}

impl Governor {
    pub(crate) fn new(registry: Arc<Registry>, limits: &QueryLimits) -> (Self, watch::Receiver<Pressure>) {
        let (pressure, seen) = watch::channel(Pressure::None);
        let (soft_percent, hard_percent) = (limits.memory_soft_percent, limits.memory_hard_percent);
        (Self { registry, pressure, soft_percent, hard_percent }, seen)
    }

    /// Looks until the other end of `stop` is dropped.
    pub(crate) fn run(self, mut gauge: impl Gauge, stop: &Receiver<()>) {
        while stop.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            self.look(gauge.memory());
        }
    }

    /// One look.
    pub(crate) fn look(&self, memory: Option<Memory>) {
        let pressure = memory.map_or(Pressure::None, |memory| self.judge(memory));
        self.pressure.send_if_modified(|known| std::mem::replace(known, pressure) != pressure);
        let (Pressure::Hard, Some(Memory { used, limit })) = (pressure, memory) else { return };
        let stopped = self.registry.stop_largest(HELD_BYTES_MIN, &|held| {
            format!("{used} of {limit} bytes are in use, and this query held {held}, the most of all")
        });
        if let Some(id) = stopped {
            tracing::warn!(query = id, used, limit, "a query was stopped because memory is short");
        }
    }

    fn judge(&self, memory: Memory) -> Pressure {
        let percent = u128::from(memory.used) * 100;
        let level = |share: u64| u128::from(memory.limit) * u128::from(share);
        if percent >= level(self.hard_percent) {
            Pressure::Hard
        } else if percent >= level(self.soft_percent) {
            Pressure::Soft
        } else {
            Pressure::None
        }
    }
}

/// The numbers of the control group that this process is in, version 2 or 1, and of the machine.
#[derive(Debug)]
pub(crate) struct SystemGauge {
    proc: PathBuf,
    group: Option<Group>,
}

#[derive(Debug)]
struct Group {
    dir: PathBuf,
    max: &'static str,
    used: &'static str,
    /// The line of `memory.stat` with the memory that the kernel takes back by itself.
    reclaimable: &'static str,
}

impl SystemGauge {
    /// Finds the files.
    pub(crate) fn new() -> Self {
        Self::under(Path::new("/"))
    }

    fn under(root: &Path) -> Self {
        let (proc, groups) = (root.join("proc"), root.join("sys/fs/cgroup"));
        let lines = std::fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
        // "0::/path" for version 2, "4:memory:/path" for version 1.
        let path = |of: &dyn Fn(&str) -> bool| {
            lines.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let controllers = parts.next()?;
                let path = parts.next()?;
                of(controllers).then(|| path.trim_start_matches('/').to_owned())
            })
        };
        let v1 = path(&|controllers| controllers.split(',').any(|name| name == "memory"));
        let v2 = path(&|controllers| controllers.is_empty());
        let candidates = [
            v1.map(|path| {
                (groups.join("memory"), path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            }),
            v2.map(|path| (groups, path, "memory.max", "memory.current", "inactive_file")),
        ];
        let group = candidates.into_iter().flatten().find_map(|(base, path, max, used, reclaimable)| {
            // Inside a container the group's own path may not be visible, and the base is the group.
            let dirs = [base.join(path), base];
            let dir = dirs.into_iter().find(|dir| dir.join(used).exists())?;
            Some(Group { dir, max, used, reclaimable })
        });
        Self { proc, group }
    }

    fn machine(&self) -> Option<Memory> {
        let text = std::fs::read_to_string(self.proc.join("meminfo")).ok()?;
        let kib = |name: &str| stat(&text, name).map(|kib| kib * 1024);
        let limit = kib("MemTotal:")?;
        Some(Memory { used: limit.saturating_sub(kib("MemAvailable:")?), limit })
    }
}

impl Gauge for SystemGauge {
    fn memory(&mut self) -> Option<Memory> {
        let machine = self.machine();
        let Some(group) = &self.group else { return machine };
        let number = |name: &str| std::fs::read_to_string(group.dir.join(name)).ok()?.trim().parse::<u64>().ok();
        // "max", and a number beyond the machine's memory, mean no limit.
        let limit = number(group.max).filter(|limit| machine.is_none_or(|machine| *limit < machine.limit));
        let Some(limit) = limit else { return machine };
        let stats = std::fs::read_to_string(group.dir.join("memory.stat")).unwrap_or_default();
        let used = number(group.used)?.saturating_sub(stat(&stats, group.reclaimable).unwrap_or(0));
        Some(Memory { used, limit })
    }
}

/// The number behind a name at the start of a line.
fn stat(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use exec::Control;
    use model::TenantId;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 5 kB\nMemAvailable: 400 kB\n");

    #[track_caller]
    fn check(files: &[(&str, &str)], want: Option<Memory>) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), files);
        assert_eq!(SystemGauge::under(dir.path()).memory(), want);
    }

    #[test]
    fn the_numbers_of_both_versions() {
        let v2 = [
            MEMINFO,
            ("proc/self/cgroup", "0::/app\n"),
            ("sys/fs/cgroup/app/memory.max", "500000\n"),
            ("sys/fs/cgroup/app/memory.current", "300000\n"),
            ("sys/fs/cgroup/app/memory.stat", "anon 1\ninactive_file 100000\n"),
        ];
        check(&v2, Some(Memory { used: 200_000, limit: 500_000 }));
        let v1 = [
            MEMINFO,
            ("proc/self/cgroup", "4:memory:/hidden\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "500000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "300000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 50000\n"),
        ];
        check(&v1, Some(Memory { used: 250_000, limit: 500_000 }));
    }

    #[test]
    fn without_a_limit_the_machine_counts() {
        let machine = Some(Memory { used: 600 * 1024, limit: 1000 * 1024 });
        let unlimited = [
            MEMINFO,
            ("proc/self/cgroup", "0::/app\n"),
            ("sys/fs/cgroup/app/memory.max", "max\n"),
            ("sys/fs/cgroup/app/memory.current", "300000\n"),
        ];
        check(&unlimited, machine);
        check(&[MEMINFO], machine);
        check(&[], None);
    }

    #[test]
    fn pressure_follows_the_numbers_and_the_largest_goes() {
        let registry = Arc::<Registry>::default();
        let limits = QueryLimits { memory_soft_percent: 80, memory_hard_percent: 90, ..QueryLimits::default() };
        let (governor, seen) = Governor::new(Arc::clone(&registry), &limits);
        let add = |held: u64| {
            let control = Arc::new(Control::new(false));
            control.hold(held);
            registry.add(&TenantId::default(), "*", control)
        };
        let (small, large) = (add(HELD_BYTES_MIN), add(HELD_BYTES_MIN * 4));
        for (used, want) in [(79, Pressure::None), (80, Pressure::Soft), (89, Pressure::Soft)] {
            governor.look(Some(Memory { used, limit: 100 }));
            assert_eq!(*seen.borrow(), want, "{used} of 100");
        }
        assert!(!large.entry.control.is_canceled());
        governor.look(Some(Memory { used: 95, limit: 100 }));
        assert_eq!(*seen.borrow(), Pressure::Hard);
        assert!(large.entry.control.stopped_for().is_some_and(|why| why.contains("95 of 100 bytes")));
        assert!(!small.entry.control.is_canceled());
        governor.look(Some(Memory { used: 95, limit: 100 }));
        assert!(small.entry.control.is_canceled(), "the next largest goes at the next look");
        governor.look(None);
        assert_eq!(*seen.borrow(), Pressure::None);
    }
}
