//! What a process has used, from Linux's `/proc`.

use std::fs;
use std::io;

/// What a process has used since it began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time, in seconds, in steps of 0.01.
    pub(crate) cpu: f64,
    /// Most memory resident at once, in bytes.
    pub(crate) peak: u64,
    /// Memory resident now, in bytes.
    pub(crate) resident: u64,
}

/// Clock ticks a second in `/proc`: `USER_HZ`, 100 on every Linux that Rust supports.
const TICKS: f64 = 100.0;

/// Reads a living process.
pub(crate) fn usage(pid: u32) -> io::Result<Usage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(Usage { cpu: cpu(pid)?.0, peak: kilobytes(&status, "VmHWM:"), resident: kilobytes(&status, "VmRSS:") })
}

/// CPU seconds, and whether it has ended. Works until it is waited for.
pub(crate) fn cpu(pid: u32) -> io::Result<(f64, bool)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat"))?)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/pid/stat has another form"))
}

fn parse_stat(stat: &str) -> Option<(f64, bool)> {
    // the second field is a name in brackets, which may hold anything
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    // fields 14 and 15 of proc(5)
    Some(((ticks(11)? + ticks(12)?) / TICKS, *fields.first()? == "Z"))
}

fn kilobytes(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_strange_names() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 100 1000 10";
        assert_eq!(parse_stat(stat), Some((2.0, false)));
        assert_eq!(parse_stat("nothing"), None);
    }

    #[test]
    fn this_process_is_readable() {
        let usage = usage(std::process::id()).expect("/proc");
        assert!(usage.peak >= usage.resident && usage.resident > 0);
    }
}
