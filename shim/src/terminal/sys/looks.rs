//! How a process looks to others: proc(5).

use std::os::fd::{AsRawFd, OwnedFd};

/// Gives this process another name (`comm`).
pub(in super::super) fn set_name(name: &[u8]) {
    // The kernel takes fifteen bytes of it.
    let mut text = [0u8; 16];
    for (to, from) in text.iter_mut().zip(name).take(15) {
        *to = *from;
    }
    // SAFETY: a string that ends, and lives through the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, text.as_ptr()) };
}

/// Gives this process other arguments to show (`cmdline`): as many as there is room for where its own are. A first one
/// that is longer than that goes on over the environment's place, as `setproctitle(3)` has it.
pub(in super::super) fn set_arguments(arguments: &[u8]) {
    let Some([start, end, environment]) = own_strings() else {
        return;
    };
    let within = |room: usize| &arguments[..room.min(arguments.len())];
    let mut text = match within(end - start).iter().rposition(|byte| *byte == 0) {
        Some(last) => {
            let mut whole = arguments[..=last].to_vec();
            whole.resize(end - start, 0);
            whole
        }
        None => {
            let first = arguments.iter().position(|byte| *byte == 0);
            within(first.map_or(0, |first| first + 1).min(environment - start)).to_vec()
        }
    };
    if let Some(last) = text.last_mut() {
        *last = 0;
    }
    let place = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the kernel put its strings there, on the stack of this process, which is writable, and there is so much room.
    // Nobody reads them any more: this process only relays.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), place, text.len()) };
}

/// Where this process's arguments begin and end, and where its environment, which follows, does.
fn own_strings() -> Option<[usize; 3]> {
    let stat = std::fs::read("/proc/self/stat").ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let number = |field: usize| stat_field(&stat, field)?.parse::<usize>().ok();
    let [start, end, next, environment] = [number(48)?, number(49)?, number(50)?, number(51)?];
    (start < end && end <= next && next <= environment).then_some([start, end, environment])
}

/// The process group in front of a terminal that does not control this process, as the nearest of those above it whom it
/// controls has it.
pub(in super::super) fn front_above(terminal: &OwnedFd) -> Option<i32> {
    let device = super::terminal_device(terminal.as_raw_fd())?;
    let (major, minor) = (libc::major(device), libc::minor(device));
    // As proc_pid_stat(5) writes it.
    let device = i64::from(minor & 0xff | major << 8 | (minor & !0xff) << 12);
    let mut above = super::parent();
    while above > 1 {
        let stat = std::fs::read(format!("/proc/{above}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let number = |field: usize| stat_field(&stat, field)?.parse::<i64>().ok();
        if number(7)? == device {
            return i32::try_from(number(8)?).ok().filter(|group| *group > 0);
        }
        above = i32::try_from(number(4)?).ok()?;
    }
    None
}

/// The process group that a process is in, and the one in front of the terminal that controls it.
pub(in super::super) fn groups_of(pid: i32) -> Option<(i32, i32)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let number = |field: usize| stat_field(&stat, field)?.parse::<i32>().ok();
    Some((number(5)?, number(8)?))
}

/// A field of a stat file, counted from one; the second is a name in parentheses, and may have anything in it.
fn stat_field(stat: &str, field: usize) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(field - 3)
}
