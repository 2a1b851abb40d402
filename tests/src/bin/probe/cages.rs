//! Sandboxes of somebody else's, around a program.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use crate::{report, sys};

/// The rights of Landlock's first version (`landlock(7)`): all of them, and those to look and execute.
const ALL: u64 = (1 << 13) - 1;
const LOOK: u64 = 0b1101;
/// Rights that a rule for a folder of devices and sockets gives.
const PLACES: [(&str, u64); 4] = [("/", LOOK), ("/tmp", ALL), ("/dev", ALL), ("/run", ALL)];

/// Runs a program in a Landlock domain in which only `/tmp`, `/dev` and `/run` can be changed.
pub fn under_landlock(words: &[Vec<u8>]) -> i32 {
    run(words, landlock)
}

/// Runs a program under a filter that refuses to make folders.
pub fn under_filter(words: &[Vec<u8>]) -> i32 {
    run(words, sys::filter_mkdir)
}

pub(crate) fn run(words: &[Vec<u8>], enter: impl FnOnce() -> io::Result<()>) -> i32 {
    let words: Vec<CString> = words.iter().flat_map(|word| CString::new(word.clone())).collect();
    let error = match enter() {
        Ok(()) if !words.is_empty() => sys::exec(&words),
        Ok(()) => return 2,
        Err(error) => error,
    };
    report(&error.to_string());
    125
}

/// Runs a program under a supervisor that lets every open go on and looks at nothing: what being asked costs at least.
pub fn under_nobody(words: &[Vec<u8>]) -> i32 {
    let supervised = || {
        let (mut ours, mut theirs) = UnixStream::pair()?;
        let enter = || {
            sys::no_new_privs()?;
            let listener = sys::listener_for_openat()?;
            theirs.write_all(&listener.as_raw_fd().to_ne_bytes())?;
            theirs.read_exact(&mut [0])
        };
        let child = sys::fork(|| run(words, enter))?;
        let mut number = [0; 4];
        ours.read_exact(&mut number)?;
        let listener = sys::take(child, i32::from_ne_bytes(number))?;
        std::thread::spawn(move || sys::continue_all(&listener));
        ours.write_all(b"g")?;
        Ok(sys::wait(child))
    };
    supervised().unwrap_or_else(|error: io::Error| {
        report(&error.to_string());
        125
    })
}

fn landlock() -> io::Result<()> {
    let handled = ALL;
    let attributes = [&raw const handled as usize, size_of::<u64>(), 0, 0, 0, 0];
    let ruleset = sys::call(libc::SYS_landlock_create_ruleset, attributes)?;
    for (place, rights) in PLACES {
        let folder = File::open(place)?;
        // struct landlock_path_beneath_attr is packed: 64 bits of rights, 32 of a descriptor.
        let mut rule = [0u8; 12];
        rule[..8].copy_from_slice(&rights.to_ne_bytes());
        rule[8..].copy_from_slice(&folder.as_raw_fd().to_ne_bytes());
        sys::call(
            libc::SYS_landlock_add_rule,
            [ruleset, 1, rule.as_ptr() as usize, 0, 0, 0],
        )?;
    }
    sys::no_new_privs()?;
    sys::call(libc::SYS_landlock_restrict_self, [ruleset, 0, 0, 0, 0, 0]).map(drop)
}
