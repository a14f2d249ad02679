//! The processor time that processes used, from the kernel.

use std::time::Duration;

use anyhow::Context;

/// Ticks of `/proc/<pid>/stat` a second (`USER_HZ`, the same on every Linux).
const TICKS: u64 = 100;

/// What `/proc/<pid>/stat` tells.
struct Stat {
    parent: u32,
    own: u64,
    /// Of children that ended.
    ended: u64,
}

fn stat(pid: u32) -> anyhow::Result<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold anything, also blanks; what follows its last parenthesis does not.
    let (_, rest) = text.rsplit_once(')').context("a stat line")?;
    let field = |n: usize| rest.split_ascii_whitespace().nth(n).and_then(|text| text.parse::<u64>().ok()).context("a number");
    Ok(Stat { parent: u32::try_from(field(1)?)?, own: field(11)? + field(12)?, ended: field(13)? + field(14)? })
}

/// Of a process.
pub fn of(pid: u32) -> anyhow::Result<Duration> {
    Ok(Duration::from_millis(stat(pid)?.own * 1000 / TICKS))
}

/// Of a process and its children, those that ended too.
pub fn of_family(pid: u32) -> anyhow::Result<Duration> {
    let first = stat(pid)?;
    let mut ticks = first.own + first.ended;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended meanwhile.
        let Ok(child) = stat(child) else { continue };
        if child.parent == pid {
            ticks += child.own;
        }
    }
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}
