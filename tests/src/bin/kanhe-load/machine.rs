//! The machine on which it was measured: without it the figures mean nothing.

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

/// Durable writes by which the disk is judged.
const PROBES: usize = 200;

/// What it is and how busy.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Processor.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory in GiB.
    pub memory_gib: f64,
    /// Linux.
    pub kernel: String,
    /// Median time of a durable write of 4 KiB, in microseconds.
    pub fdatasync_us: f64,
    /// Load of the last minute before the measurement.
    pub load_before: String,
}

impl Machine {
    /// This one; the disk is the one of a folder.
    pub fn here(dir: &Path) -> anyhow::Result<Self> {
        let line = |path: &str, name: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let found = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
            found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        let kib: f64 = line("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0);
        Ok(Self {
            processor: line("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: (kib / f64::from(1 << 20) * 10.0).round() / 10.0,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            fdatasync_us: fdatasync(dir)?.as_secs_f64() * 1e6,
            load_before: fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned(),
        })
    }
}

fn fdatasync(dir: &Path) -> anyhow::Result<Duration> {
    let path = dir.join("probe");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(PROBES);
    for _ in 0..PROBES {
        let began = Instant::now();
        file.rewind()?;
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    fs::remove_file(&path)?;
    times.sort_unstable();
    Ok(times[PROBES / 2])
}
