//! Reading the text of a link, answered from what is known of its folder.
//!
//! No wall looks at such a text. Where no rule cares for it either, the call is notified only because links of
//! procfs are read for the caller; all others the kernel reads itself.

use rustix::io::Errno;

use super::open::{READ, split};
use crate::caller::Caller;
use crate::files::engine::FileEngine;
use crate::files::folders::Start;
use crate::outcome::Outcome;

/// Room for the canonical path of a folder, which nobody looks at.
const ROOM: usize = 1024;

/// `None`: look carefully.
pub fn quick(engine: &FileEngine, caller: &Caller<'_>) -> Option<Outcome> {
    let (folder, path) = match caller.notification().nr {
        libc::SYS_readlinkat => (caller.arg_i32(0), 1),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_readlink => (libc::AT_FDCWD, 0),
        _ => return None,
    };
    caller.process().filter(|process| process.common.at_our_root())?;
    if engine.parts.judge.link_texts_matter() {
        return None;
    }
    let mut buffer = [0; READ];
    let text = caller.read_short(caller.arg(path), &mut buffer)?;
    let (name, _) = split(text)?;
    let start = match text.first() {
        Some(b'/') => None,
        _ => Some(Start::of(&engine.host, caller, folder)?),
    };
    // A folder of procfs is not found here.
    match engine.folders.find(&engine.host, start.as_ref(), name, &mut [0; ROOM]) {
        Ok(_) => Some(Outcome::Continue),
        Err(Errno::NOENT) if start.is_none() => Some(Outcome::Continue),
        Err(_) => None,
    }
}
