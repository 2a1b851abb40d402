//! What executable files were when they were looked at last.
//!
//! A program that is started a thousand times is opened and understood once. A file is known by its inode, size
//! and time of change; while it is being executed nobody can write to it, and one that has just been changed is
//! not remembered, since its next change could have the same time.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use rustix::fs::Stat;
use rustix::time::ClockId;

use super::header::Header;
use crate::kernel;

/// Files from which on all are forgotten.
const REMEMBERED: usize = 1024;

/// How long ago a file must have been changed, in seconds.
const SETTLED: i64 = 2;

/// Where loaders lie that a session cannot put anything else at: only links and files of the system lead there.
const LOADER_FOLDERS: [&[u8]; 4] = [b"/lib/", b"/lib64/", b"/usr/lib/", b"/usr/lib64/"];

/// One state of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Version {
    device: u64,
    inode: u64,
    size: i64,
    changed: (i64, i64),
}

impl Version {
    /// `None`: it may change once more without being told apart.
    fn of(stat: &Stat) -> Option<Self> {
        let now = rustix::time::clock_gettime(ClockId::RealtimeCoarse).tv_sec;
        // These kernels let a file be written while it is executed.
        let writable = matches!(kernel::release(), (6, 11 | 12));
        let settled = !writable && stat.st_ctime.saturating_add(SETTLED) < now;
        settled.then_some(Version {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
        })
    }
}

/// What is remembered.
#[derive(Default)]
pub struct Headers(Mutex<Known>);

#[derive(Default)]
struct Known {
    files: HashMap<Version, Header, RandomState>,
    loaders: HashMap<CString, Version, RandomState>,
}

impl Headers {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file with these attributes was, if it is still the same.
    pub fn get(&self, stat: &Stat) -> Option<Header> {
        self.known().files.get(&Version::of(stat)?).cloned()
    }

    /// Remembers what it is.
    pub fn learn(&self, stat: &Stat, header: &Header) {
        let Some(version) = Version::of(stat) else { return };
        let mut known = self.known();
        if known.files.len() >= REMEMBERED {
            *known = Known::default();
        }
        known.files.insert(version, header.clone());
    }

    /// Whether `path` was found to be a loader of the system and leads to the same file still.
    pub fn is_loader(&self, path: &CStr) -> bool {
        let Some(expected) = self.known().loaders.get(path).copied() else {
            return false;
        };
        rustix::fs::stat(path).is_ok_and(|stat| Version::of(&stat) == Some(expected))
    }

    /// Remembers that `path` leads to a loader with these attributes.
    pub fn learn_loader(&self, path: &CStr, stat: &Stat) {
        let text = path.to_bytes();
        let of_the_system = LOADER_FOLDERS.iter().any(|folder| text.starts_with(folder));
        if of_the_system
            && !text.windows(2).any(|two| two == b"..")
            && let Some(version) = Version::of(stat)
        {
            self.known().loaders.insert(path.to_owned(), version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_just_changed_is_not_remembered() -> std::io::Result<()> {
        let file = std::env::temp_dir().join(format!("headers-{}", std::process::id()));
        std::fs::write(&file, "#!/bin/sh\n")?;
        let stat = rustix::fs::stat(&file)?;
        let headers = Headers::default();
        headers.learn(&stat, &Header::Other);
        assert_eq!(headers.get(&stat), None);
        std::fs::remove_file(&file)
    }

    #[test]
    fn a_file_at_rest_is_remembered_until_it_changes() -> Result<(), rustix::io::Errno> {
        let mut stat = rustix::fs::stat("/bin/sh")?;
        let headers = Headers::default();
        headers.learn(&stat, &Header::Other);
        assert_eq!(headers.get(&stat), Some(Header::Other));
        stat.st_ctime_nsec += 1;
        assert_eq!(headers.get(&stat), None);
        Ok(())
    }

    #[test]
    fn only_a_loader_of_the_system_is_believed_by_its_path() -> Result<(), rustix::io::Errno> {
        let stat = rustix::fs::stat("/bin/sh")?;
        let headers = Headers::default();
        headers.learn_loader(c"/bin/sh", &stat);
        headers.learn_loader(c"/lib/../bin/sh", &stat);
        assert!(!headers.is_loader(c"/bin/sh"));
        assert!(!headers.is_loader(c"/lib/../bin/sh"));
        Ok(())
    }
}
