//! A fleet of hosts as an exporter of machine metrics shows them: the same numbers at every run.
//!
//! Each host has 760 series with the habits of their kinds: processor seconds with two decimals, byte and packet counters,
//! memory in pages, loads, temperatures, buckets of latencies with their sums, durations that use every bit of a double, and much
//! that never changes. A host is scraped every 15 s at an offset of its own; one scrape in ten is some milliseconds late.

use std::sync::Arc;

/// The label that holds a metric's name.
const METRIC_NAME: &str = "__name__";

/// Time between two scrapes.
pub const STEP_MS: i64 = 15_000;
/// Series of one host.
pub const SERIES_PER_HOST: usize = 760;
/// Those of its processors: 16 of them in 8 modes.
pub const CPU_SERIES_PER_HOST: usize = 128;

/// Numbers that look random (splitmix64).
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Roughly normal, with a spread of about one.
    fn bell(&mut self) -> f64 {
        (0..4).map(|_| self.unit()).sum::<f64>() * 1.7 - 3.4
    }
}

/// How a series moves.
#[derive(Clone, Copy, Debug)]
enum Habit {
    /// Never changes.
    Constant(f64),
    /// Grows by about so much a step, in steps of a power of ten.
    Counter { rate: f64, decimals: i32 },
    /// Grows by something only now and then.
    Rare { one_in: u64 },
    /// Walks around, in steps of a size.
    Walk { base: f64, step: f64 },
    /// Any double around a level.
    Noise(f64),
    /// Grows by sums of any doubles.
    Sum(f64),
}

#[derive(Clone, Debug)]
struct Source {
    labels: Vec<(String, String)>,
    habit: Habit,
    value: f64,
    random: Random,
}

impl Source {
    fn next(&mut self) -> f64 {
        let random = &mut self.random;
        match self.habit {
            Habit::Constant(value) => self.value = value,
            Habit::Counter { rate, decimals } => {
                let scale = 10f64.powi(decimals);
                let grown = (rate * (1.0 + 0.3 * random.bell())).max(0.0);
                self.value = ((self.value + grown) * scale).round() / scale;
            }
            Habit::Rare { one_in } => {
                if random.below(one_in) == 0 {
                    self.value += 1.0 + random.below(4) as f64;
                }
            }
            Habit::Walk { base, step } => {
                let pull = (base - self.value) / step * 0.02;
                self.value = ((self.value / step + random.bell() * 2.0 + pull).round() * step).max(0.0);
                self.value = (self.value * 100.0).round() / 100.0;
            }
            Habit::Noise(level) => self.value = level * (1.0 + 0.2 * random.bell()),
            Habit::Sum(rate) => self.value += rate * random.unit(),
        }
        self.value
    }
}

/// Hosts that are scraped together.
#[derive(Debug)]
pub struct Fleet {
    hosts: Vec<Host>,
}

/// One host: what a scrape of it shows.
#[derive(Debug)]
pub struct Host {
    sources: Vec<Source>,
    offset_ms: i64,
    random: Random,
}

impl Fleet {
    /// So many hosts, each with [`SERIES_PER_HOST`] series.
    pub fn new(hosts: usize) -> Self {
        Self { hosts: (0..hosts).map(Host::new).collect() }
    }

    /// Series of all hosts.
    pub fn series(&self) -> usize {
        self.hosts.iter().map(|host| host.sources.len()).sum()
    }

    /// The hosts, for whoever gives each of them to another thread.
    pub fn into_hosts(self) -> Vec<Host> {
        self.hosts
    }

    /// The hosts, in the order of their numbers.
    pub fn hosts(&mut self) -> &mut [Host] {
        &mut self.hosts
    }
}

impl Host {
    fn new(number: usize) -> Self {
        let mut random = Random(number as u64 * 7919 + 1);
        let mut builder = Builder { instance: format!("host-{number:05}:9100").into(), sources: Vec::new(), number };
        builder.processors();
        builder.devices();
        builder.memory();
        builder.requests();
        builder.rest();
        Self { sources: builder.sources, offset_ms: random.below(STEP_MS as u64) as i64, random }
    }

    /// Labels of its series, each sorted by name.
    pub fn labels(&self) -> impl Iterator<Item = &[(String, String)]> {
        self.sources.iter().map(|source| source.labels.as_slice())
    }

    /// The time of its scrape at a step of a fleet that began at `start_ms`, and the values of its series. Steps are asked for in turn.
    pub fn scrape(&mut self, start_ms: i64, step: i64) -> (i64, impl Iterator<Item = f64>) {
        let late_ms = if self.random.below(10) == 0 { 1 + self.random.below(5) as i64 } else { 0 };
        (start_ms + step * STEP_MS + self.offset_ms + late_ms, self.sources.iter_mut().map(Source::next))
    }
}

struct Builder {
    instance: Arc<str>,
    sources: Vec<Source>,
    number: usize,
}

impl Builder {
    fn add(&mut self, name: &str, pairs: &[(&str, &str)], habit: Habit) {
        let own = [("job", "node"), ("region", ["eu-west-1", "us-east-1", "ap-south-1"][self.number % 3])];
        let all =
            [(METRIC_NAME, name), ("instance", &*self.instance)].into_iter().chain(own).chain(pairs.iter().copied());
        let mut labels: Vec<(String, String)> = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        labels.sort_unstable();
        let mut random = Random(self.number as u64 * 1_000_003 + self.sources.len() as u64);
        let value = match habit {
            Habit::Constant(value) => value,
            Habit::Counter { rate, .. } | Habit::Sum(rate) => (rate * random.below(400_000) as f64).round(),
            Habit::Rare { .. } => random.below(1000) as f64,
            Habit::Walk { base, step } => (base * (0.5 + random.unit()) / step).round() * step,
            Habit::Noise(level) => level,
        };
        self.sources.push(Source { labels, habit, value, random });
    }

    fn processors(&mut self) {
        let modes = [
            ("idle", 12.0),
            ("user", 1.6),
            ("system", 0.6),
            ("iowait", 0.08),
            ("irq", 0.0),
            ("softirq", 0.05),
            ("steal", 0.02),
            ("nice", 0.0),
        ];
        for cpu in 0..16 {
            for (mode, rate) in modes {
                let habit = if rate == 0.0 { Habit::Constant(0.0) } else { Habit::Counter { rate, decimals: 2 } };
                self.add("node_cpu_seconds_total", &[("cpu", &cpu.to_string()), ("mode", mode)], habit);
            }
        }
    }

    fn devices(&mut self) {
        for device in ["sda", "sdb", "nvme0n1", "nvme1n1"] {
            for (name, rate, decimals) in [
                ("read_bytes_total", 4.1e5, 0),
                ("written_bytes_total", 1.9e6, 0),
                ("reads_completed_total", 25.0, 0),
                ("writes_completed_total", 130.0, 0),
                ("io_time_seconds_total", 0.3, 3),
                ("read_time_seconds_total", 0.1, 3),
                ("write_time_seconds_total", 0.7, 3),
                ("io_time_weighted_seconds_total", 0.9, 3),
            ] {
                self.add(&format!("node_disk_{name}"), &[("device", device)], Habit::Counter { rate, decimals });
            }
            for name in ["discards_completed_total", "flush_requests_total", "io_now", "reads_merged_total"] {
                self.add(&format!("node_disk_{name}"), &[("device", device)], Habit::Rare { one_in: 6 });
            }
        }
        for device in ["lo", "eth0", "eth1", "docker0"] {
            for direction in ["receive", "transmit"] {
                for (name, rate) in [("bytes_total", 2.2e6), ("packets_total", 2400.0)] {
                    let name = format!("node_network_{direction}_{name}");
                    self.add(&name, &[("device", device)], Habit::Counter { rate, decimals: 0 });
                }
                for name in ["errs", "drop", "fifo", "frame", "compressed", "multicast", "colls", "carrier"] {
                    let name = format!("node_network_{direction}_{name}_total");
                    self.add(&name, &[("device", device)], Habit::Constant(0.0));
                }
            }
        }
        for mount in ["/", "/boot", "/var", "/home", "/srv", "/data", "/tmp", "/run"] {
            for (name, step) in [("avail_bytes", 4096.0), ("free_bytes", 4096.0), ("files_free", 1.0)] {
                let habit = Habit::Walk { base: 4e7 * step, step };
                self.add(&format!("node_filesystem_{name}"), &[("mountpoint", mount), ("fstype", "ext4")], habit);
            }
            for name in ["size_bytes", "files", "readonly"] {
                let habit = Habit::Constant(5.1e11);
                self.add(&format!("node_filesystem_{name}"), &[("mountpoint", mount), ("fstype", "ext4")], habit);
            }
        }
    }

    fn memory(&mut self) {
        for at in 0..50 {
            let habit = match at % 5 {
                0..3 => Habit::Walk { base: 3e9, step: 4096.0 },
                _ => Habit::Constant(f64::from(at) * 4096.0),
            };
            self.add(&format!("node_memory_part{at:02}_bytes"), &[], habit);
        }
        for at in 0..60 {
            let habit = match at % 3 {
                0 => Habit::Counter { rate: 10f64.powi(at / 12), decimals: 0 },
                1 => Habit::Rare { one_in: 10 },
                _ => Habit::Constant(0.0),
            };
            self.add(&format!("node_netstat_part{at:02}"), &[], habit);
        }
    }

    fn requests(&mut self) {
        const BOUNDS: [&str; 11] = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf"];
        for handler in ["/", "/login", "/cart", "/pay", "/search", "/item", "/api/a", "/api/b", "/api/c", "/health"] {
            for (nth, bound) in BOUNDS.into_iter().enumerate() {
                let habit = Habit::Counter { rate: 20.0 * (nth + 1) as f64, decimals: 0 };
                self.add("http_request_duration_seconds_bucket", &[("handler", handler), ("le", bound)], habit);
            }
            self.add("http_request_duration_seconds_sum", &[("handler", handler)], Habit::Sum(14.0));
            let habit = Habit::Counter { rate: 220.0, decimals: 0 };
            self.add("http_request_duration_seconds_count", &[("handler", handler)], habit);
        }
    }

    fn rest(&mut self) {
        for (load, step) in [("node_load1", 0.01), ("node_load5", 0.01), ("node_load15", 0.01)] {
            self.add(load, &[], Habit::Walk { base: 3.0, step });
        }
        for sensor in 0..20 {
            let habit = Habit::Walk { base: 45.0, step: 0.5 };
            self.add("node_hwmon_temp_celsius", &[("sensor", &format!("temp{sensor}"))], habit);
        }
        for collector in 0..40 {
            let collector = format!("collector{collector:02}");
            self.add("node_scrape_collector_success", &[("collector", &collector)], Habit::Constant(1.0));
            let habit = Habit::Noise(0.0005);
            self.add("node_scrape_collector_duration_seconds", &[("collector", &collector)], habit);
        }
        while self.sources.len() < SERIES_PER_HOST {
            let at = self.sources.len();
            let habit = match at % 4 {
                0 => Habit::Walk { base: 120.0, step: 1.0 },
                1 => Habit::Rare { one_in: 20 },
                _ => Habit::Constant(at as f64),
            };
            self.add(&format!("node_sockstat_part{at}"), &[], habit);
        }
    }
}
