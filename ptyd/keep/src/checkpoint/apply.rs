use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::Problem;
use super::plan::{Step, parent};
use super::stage::{Stage, numbered};
use crate::fs::{Attributes, Kind, apply, open_beneath, stat, stat_fd, unique_name};

/// Something that keeps coming back into a place is moved away at most so many times.
const TRIES: usize = 100;

/// Does the steps of a rollback, those that were done before included. What cannot be done is
/// noted, and the rest is done.
pub(crate) fn run(root: BorrowedFd, stage: &Stage, steps: &[Step]) -> Vec<Problem> {
    let mut at = Cursor { root, folder: None };
    let mut problems = Vec::new();
    for step in steps {
        let (path, result) = match step {
            Step::Away { path, number } => (path, away(&mut at, stage, &path.0, &numbered(*number))),
            Step::Folder { path } => (path, folder(&mut at, stage, &path.0)),
            Step::In { number, path } => (path, bring(&mut at, stage, &path.0, &numbered(*number))),
            Step::Attributes { path, ino, attr } => (path, attributes(&mut at, &path.0, *ino, attr, &mut problems)),
        };
        if let Err(errno) = result {
            problems.push(Problem::errno(&path.0, errno));
        }
    }
    problems
}

/// The folder of the last path: neighbours are common.
struct Cursor<'a> {
    root: BorrowedFd<'a>,
    folder: Option<(Vec<u8>, OwnedFd)>,
}

impl Cursor<'_> {
    fn folder(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>, Errno> {
        if self.folder.as_ref().is_none_or(|(open, _)| open != path) {
            let opened = match open_beneath(self.root, path) {
                Err(Errno::ACCESS) => {
                    open_up(self.root, path)?;
                    open_beneath(self.root, path)
                }
                opened => opened,
            };
            self.folder = Some((path.to_vec(), opened?));
        }
        self.folder.as_ref().map(|(_, fd)| fd.as_fd()).ok_or(Errno::NOENT)
    }

    /// Opens the parent, gives it to `act`, and once more with write permission if it lacks that.
    /// The plan's last steps set the permissions right.
    fn within<T>(&mut self, path: &[u8], act: impl Fn(BorrowedFd, &CStr) -> Result<T, Errno>) -> Result<T, Errno> {
        let above = parent(path);
        let name = path
            .strip_prefix(above)
            .map(|rest| rest.strip_prefix(b"/").unwrap_or(rest));
        let name = CString::new(name.unwrap_or(path)).map_err(|_| Errno::INVAL)?;
        let dir = self.folder(above)?;
        match act(dir, &name) {
            Err(Errno::ACCESS) => {
                rustix::fs::fchmod(dir, Mode::RWXU)?;
                act(dir, &name)
            }
            result => result,
        }
    }
}

/// Makes the folders of a path such that their owner may enter them. One that was closed after the checkpoint differs
/// from it in mode, and the plan's last steps close or open it as it was.
fn open_up(root: BorrowedFd, path: &[u8]) -> Result<(), Errno> {
    let mut dir = open_beneath(root, b"")?;
    for name in path.split(|byte| *byte == b'/') {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inner = rustix::fs::openat(&dir, name, flags, Mode::empty())?;
        let found = stat_fd(&inner)?;
        if found.mount != stat_fd(&dir)?.mount {
            return Err(Errno::XDEV);
        }
        // Others are not touched: nothing would set them right again.
        if found.mode & 0o500 != 0o500 {
            let itself = format!("/proc/self/fd/{}", inner.as_raw_fd());
            rustix::fs::chmod(itself.as_str(), Mode::RWXU)?;
        }
        dir = inner;
    }
    Ok(())
}

/// What is at the path goes to `old/NUMBER`. If nothing is there a folder takes the number, so that
/// the step is known as done: at the path may be something new by the time it is done again.
fn away(at: &mut Cursor, stage: &Stage, path: &[u8], number: &CStr) -> Result<(), Errno> {
    at.folder = None; // it may be the folder itself that moves
    if stat(&stage.old, number).is_ok() {
        return Ok(());
    }
    let moved = at.within(path, |dir, name| move_away(dir, name, stage, number));
    match moved {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => rustix::fs::mkdirat(&stage.old, number, Mode::RWXU),
        moved => moved,
    }
}

fn move_away(dir: BorrowedFd, name: &CStr, stage: &Stage, to: &CStr) -> Result<(), Errno> {
    let rename = || rustix::fs::renameat_with(dir, name, &stage.old, to, RenameFlags::NOREPLACE);
    match rename() {
        // A folder without write permission cannot change its parent.
        Err(Errno::ACCESS) if stat(dir, name)?.kind == Kind::Dir => {
            rustix::fs::chmodat(dir, name, Mode::RWXU, AtFlags::empty())?;
            rename()
        }
        result => result,
    }
}

fn folder(at: &mut Cursor, stage: &Stage, path: &[u8]) -> Result<(), Errno> {
    insist(at, stage, path, |dir, name| {
        match rustix::fs::mkdirat(dir, name, Mode::RWXU) {
            Err(Errno::EXIST) if stat(dir, name)?.kind == Kind::Dir => Ok(()),
            made => made,
        }
    })
}

fn bring(at: &mut Cursor, stage: &Stage, path: &[u8], number: &CStr) -> Result<(), Errno> {
    if stat(&stage.new, number).is_err() {
        return Ok(()); // it is there already
    }
    insist(at, stage, path, |dir, name| {
        rustix::fs::renameat_with(&stage.new, number, dir, name, RenameFlags::NOREPLACE)
    })
}

/// Does something that needs the path free; what a command of the session puts there meanwhile goes
/// to `old/` under a name of its own, from where it is kept.
fn insist(
    at: &mut Cursor,
    stage: &Stage,
    path: &[u8],
    act: impl Fn(BorrowedFd, &CStr) -> Result<(), Errno>,
) -> Result<(), Errno> {
    at.within(path, |dir, name| {
        for _ in 0..TRIES {
            match act(dir, name) {
                Err(Errno::EXIST) => match move_away(dir, name, stage, &unique_name()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                },
                done => return done,
            }
        }
        Err(Errno::EXIST)
    })
}

fn attributes(
    at: &mut Cursor,
    path: &[u8],
    ino: Option<u64>,
    wanted: &Attributes,
    problems: &mut Vec<Problem>,
) -> Result<(), Errno> {
    let missing = if path.is_empty() {
        apply(at.root, wanted)?
    } else {
        at.within(path, |dir, name| {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let object = rustix::fs::openat(dir, name, flags, Mode::empty())?;
            let found = stat_fd(&object)?;
            if found.kind != Kind::Dir && ino != Some(found.ino) {
                return Err(Errno::STALE);
            }
            apply(object.as_fd(), wanted)
        })?
    };
    problems.extend(
        missing
            .into_iter()
            .map(|what| Problem::new(path, format!("may not be set: {what}"))),
    );
    Ok(())
}
