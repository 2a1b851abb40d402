//! The most frequent call of all, an open that can only read, answered from what is known of the folder.
//!
//! Where the verdict lets the call be continued, all that is missing is which object the last component is.
//! Neither the caller's rights nor its identity play a part: the kernel checks them when it goes on.
//! Whatever is not this common case is left to the careful way.

use std::borrow::Cow;
use std::ffi::{CString, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, StatxFlags};
use rustix::io::Errno;

use super::{Flags, UNUSUAL, VALID};
use crate::caller::Caller;
use crate::files::engine::FileEngine;
use crate::files::folders::Start;
use crate::files::judge::{Question, Verdict};
use crate::files::operation::Operation;
use crate::files::record::{Effect, FileRecord};
use crate::outcome::Outcome;

/// Longer paths go the careful way.
const PATH: usize = 1024;

/// What is read of the caller's memory at once; a longer path goes the careful way.
pub const READ: usize = 256;

/// How many links to other names in the same folder are followed here: libraries have some.
const LINKS: usize = 3;

/// There is nothing. The kernel says so to the caller itself, and nothing is recorded.
const MISSING: Operation = Operation::Access;

/// A path of ours that is being put together.
struct Text {
    bytes: [u8; PATH],
    length: usize,
}

/// `None`: look carefully.
pub fn quick(engine: &FileEngine, caller: &Caller<'_>) -> Option<Outcome> {
    let (folder, path, flags) = match caller.notification().nr {
        libc::SYS_openat => (caller.arg_i32(0), 1, caller.arg_u32(2)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open => (libc::AT_FDCWD, 0, caller.arg_u32(1)),
        _ => return None,
    };
    let flags = Flags(flags & VALID);
    if !flags.observes() || flags.has(libc::O_PATH) || flags.0 & UNUSUAL != 0 {
        return None;
    }
    let process = caller.process().filter(|process| process.common.at_our_root())?;
    let mut buffer = [0; READ];
    let text = caller.read_short(caller.arg(path), &mut buffer)?;
    let (name, last) = split(text)?;
    let start = match text.first() {
        Some(b'/') => None,
        _ => Some(Start::of(&engine.host, caller, folder)?),
    };
    let mut target = Text {
        bytes: [0; PATH],
        length: 0,
    };
    let operation = match (
        engine
            .folders
            .find(&engine.host, start.as_ref(), name, &mut target.bytes),
        last,
    ) {
        (Ok(length), None) => {
            target.length = length;
            Operation::List
        }
        (Ok(length), Some(last)) => {
            target.length = length;
            let held = start.as_ref().and_then(Start::held).filter(|_| name.is_empty());
            match target.last(held, last, flags.follows())? {
                Some(FileType::RegularFile) => Operation::Read,
                Some(FileType::Directory) => Operation::List,
                None => MISSING,
                _ => return None,
            }
        }
        // Not even the folder is there.
        (Err(Errno::NOENT), _) if start.is_none() => {
            target.push(&text[1..])?;
            MISSING
        }
        _ => return None,
    };
    let missing = operation == MISSING;
    if missing && engine.parts.judge.redirects() {
        return None;
    }
    let question = Question {
        operation: if missing { Operation::Read } else { operation },
        path: target.path(),
        tid: caller.tid(),
        tgid: process.tgid,
        content: None,
    };
    let judgement = engine.parts.judge.judge(&question);
    if judgement.verdict != Verdict::Continue {
        return None;
    }
    if caller.answer(Outcome::Continue) && !missing {
        engine.parts.recorder.record(&FileRecord {
            tid: question.tid,
            tgid: question.tgid,
            operation,
            path: question.path,
            second: None,
            judgement: &judgement,
            approved: None,
            effect: Effect::Continued,
            result: Ok(()),
            kept: None,
            why: None,
        });
    }
    Some(Outcome::Answered)
}

/// The folder's name with its slash, and the last component if it is a name.
pub fn split(path: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if path.is_empty() {
        return None;
    }
    let behind = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    match &path[behind..] {
        b"" | b"." | b".." => Some((path, None)),
        last => Some((&path[..behind], Some(last))),
    }
}

/// What lies at a path; links are not followed.
fn kind(folder: BorrowedFd<'_>, path: &Path) -> Result<FileType, Errno> {
    let statx = rustix::fs::statx(
        folder,
        path,
        AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT,
        StatxFlags::TYPE,
    )?;
    Ok(FileType::from_raw_mode(statx.stx_mode.into()))
}

/// The name in the same folder that a link leads to; none if it leads elsewhere.
fn neighbour(folder: BorrowedFd<'_>, link: &Path) -> Option<CString> {
    let name = rustix::fs::readlinkat(folder, link, Vec::new()).ok()?;
    let plain = !matches!(name.as_bytes(), b"" | b"." | b"..") && !name.as_bytes().contains(&b'/');
    plain.then_some(name)
}

impl Text {
    /// Puts `last` behind the folder, or what it is a link to there, and tells what that is; nothing where there is
    /// nothing. `held`: the folder, if it is in hand. None: look carefully.
    fn last(&mut self, held: Option<BorrowedFd<'_>>, last: &[u8], follow: bool) -> Option<Option<FileType>> {
        let folder = self.length;
        let mut name = Cow::Borrowed(last);
        for links in 0..=LINKS {
            self.push(&name)?;
            let (at, path) = match held {
                Some(folder) => (folder, Path::new(OsStr::from_bytes(&name))),
                None => (CWD, self.path()),
            };
            match kind(at, path) {
                Ok(FileType::Symlink) if follow => {
                    name = Cow::Owned(neighbour(at, path)?.into_bytes());
                    self.length = folder;
                }
                Ok(kind) => return Some(Some(kind)),
                // The name of a link that leads nowhere is there.
                Err(Errno::NOENT) if links == 0 => return Some(None),
                Err(_) => return None,
            }
        }
        None
    }

    fn push(&mut self, name: &[u8]) -> Option<()> {
        let slash = usize::from(self.bytes[..self.length].last() != Some(&b'/'));
        let end = self.length + slash + name.len();
        let place = self.bytes.get_mut(self.length..end)?;
        place[..slash].fill(b'/');
        place[slash..].copy_from_slice(name);
        self.length = end;
        Some(())
    }

    fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.bytes[..self.length]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_component_is_taken_off_only_if_it_is_a_name() {
        assert_eq!(
            split(b"/usr/lib/libc.so"),
            Some((&b"/usr/lib/"[..], Some(&b"libc.so"[..])))
        );
        assert_eq!(split(b"file"), Some((&b""[..], Some(&b"file"[..]))));
        assert_eq!(split(b"a/.."), Some((&b"a/.."[..], None)));
        assert_eq!(split(b"a/"), Some((&b"a/"[..], None)));
        assert_eq!(split(b"."), Some((&b"."[..], None)));
        assert_eq!(split(b"/"), Some((&b"/"[..], None)));
        assert_eq!(split(b""), None);
    }
}
