//! Who writes a record: a lock of the open file description (fcntl(2), `F_OFD_SETLK`) on `events.jsonl`. It ends with
//! the last process that has the descriptor, and whether it is held can be asked without taking it.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Takes the lock; `WouldBlock` if another has it.
pub(crate) fn take(file: &File) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&whole_file())).map_err(|errno| match errno {
        // fcntl(2) allows either answer.
        nix::errno::Errno::EACCES => io::ErrorKind::WouldBlock.into(),
        other => io::Error::from(other),
    })?;
    Ok(())
}

/// Whether a running process holds the lock of the file at `path`.
pub(crate) fn is_held(path: &Path) -> bool {
    let mut answer = whole_file();
    File::options().write(true).read(true).open(path).is_ok_and(|file| {
        let asked = fcntl(&file, FcntlArg::F_OFD_GETLK(&mut answer));
        asked.is_ok() && i32::from(answer.l_type) != libc::F_UNLCK
    })
}

fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}
