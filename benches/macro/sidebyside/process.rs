//! A server as a process: started, watched through `/proc`, ended by its id.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to end after it was asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// A server is idle when it used less than this share of a core in each of so many periods.
const IDLE_SHARE: f64 = 0.03;
const IDLE_PERIODS: u32 = 3;
const IDLE_PERIOD: Duration = Duration::from_millis(500);
/// Longest wait for a server to become idle.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1800);

/// A running server. It is ended when this goes.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command`; what it prints goes to the file `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("starting {:?}", command.get_program()))?;
        Ok(Self { child })
    }

    /// Fails if the server has ended by itself.
    pub(crate) fn ensure_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the server ended by itself: {status}"),
        }
    }

    /// CPU seconds used so far, of all threads that are or were, user and system, to the nanosecond.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(self.child.id().cast_signed()))?;
        Ok(Duration::from(nix::time::clock_gettime(clock)?).as_secs_f64())
    }

    /// Largest resident memory so far.
    pub(crate) fn peak_bytes(&self) -> Result<u64> {
        self.status_bytes("VmHWM:")
    }

    /// Resident memory at this moment.
    #[allow(dead_code, reason = "the bench of a million series shares this file and uses it")]
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        self.status_bytes("VmRSS:")
    }

    fn status_bytes(&self, field: &str) -> Result<u64> {
        let status = self.proc_file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("/proc/PID/status")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    /// Bytes that were written towards the disk so far.
    pub(crate) fn written_bytes(&self) -> Result<u64> {
        let io = self.proc_file("io")?;
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:")).context("/proc/PID/io")?;
        Ok(line.trim().parse()?)
    }

    /// Waits until the server does nothing any more.
    pub(crate) fn wait_idle(&mut self) -> Result<()> {
        let began = Instant::now();
        let mut quiet = 0;
        let mut before = self.cpu_seconds()?;
        while quiet < IDLE_PERIODS {
            if began.elapsed() > IDLE_TIMEOUT {
                bail!("the server was still busy after {} s", IDLE_TIMEOUT.as_secs());
            }
            std::thread::sleep(IDLE_PERIOD);
            self.ensure_alive()?;
            let now = self.cpu_seconds()?;
            quiet = if now - before < IDLE_SHARE * IDLE_PERIOD.as_secs_f64() { quiet + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }

    /// Asks the server to end and waits for it; past the time, ends it.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM);
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > STOP_TIMEOUT {
                bail!("the server did not end within {} s", STOP_TIMEOUT.as_secs());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It fails only when the process has gone already.
            let _ = kill_process(pid, signal);
        }
    }

    fn proc_file(&self, name: &str) -> Result<String> {
        let path = format!("/proc/{}/{name}", self.child.id());
        std::fs::read_to_string(&path).with_context(|| path)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A port of the loopback address that nobody listens on at this moment.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Sizes of all files under `dir`.
pub(crate) fn disk_bytes(dir: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        let about = entry.metadata()?;
        total += if about.is_dir() { disk_bytes(&entry.path())? } else { about.len() };
    }
    Ok(total)
}
