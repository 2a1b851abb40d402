use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};

use agentsh_protocol::Bytes;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Problem;
use super::entry::{Contents, Digest, Entry};
use super::pack::{LARGE, Writer, hash_file};
use super::walk::{Found, Walk};
use crate::fs::{Attributes, Kind, Stat, attributes, attributes_fd, join, names, open_beneath, stat, stat_fd};

/// A file that changes while it is read is read again so many times.
const TRIES: usize = 3;

/// The visit of one folder by one thread.
pub(super) struct Visit<'a, 'w> {
    pub walk: &'a Walk<'a>,
    pub mount: u64,
    pub writer: Option<&'a mut Writer<'w>>,
    pub found: &'a mut Found,
    /// Folders found in this one.
    pub inner: Vec<(Vec<u8>, Stat)>,
}

impl Visit<'_, '_> {
    /// Records a folder and what is in it. An error is one of the store, and ends the walk; what is
    /// wrong in the workspace is noted.
    pub fn folder(&mut self, path: &[u8], seen: &Stat) -> Result<(), Errno> {
        let dir = match open_beneath(self.walk.root, path) {
            Ok(dir) => dir,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return self.vanished(path),
            Err(errno) => {
                self.found.problems.push(Problem::errno(path, errno));
                self.found.entries.push(Entry::new(path, seen, bare(seen)));
                return Ok(());
            }
        };
        let before = stat_fd(&dir)?;
        let known = self.known(path, &before);
        let attr = match known {
            Some(entry) => entry.attr.clone(),
            None => self.told(path, &before, attributes_fd(dir.as_fd(), &before)),
        };
        self.found.entries.push(Entry::new(path, &before, attr));
        let found = match names(&dir) {
            Ok(found) => found,
            // Its names may be read and it may not be entered, or its disk is broken.
            Err(errno) => {
                self.found.problems.push(Problem::errno(path, errno));
                return Ok(());
            }
        };
        for name in found {
            let inner = join(path, &name);
            if self.walk.excluded.contains(&inner) {
                continue;
            }
            match stat(&dir, &name) {
                Ok(found) => self.name(dir.as_fd(), &name, inner, &found)?,
                Err(Errno::NOENT) => self.vanished(path)?,
                Err(errno) => self.found.problems.push(Problem::errno(&inner, errno)),
            }
        }
        if stat_fd(&dir)?.ctime != before.ctime {
            self.found.unstable.push(Bytes::from(path));
        }
        Ok(())
    }

    fn vanished(&mut self, path: &[u8]) -> Result<(), Errno> {
        self.found.unstable.push(Bytes::from(path));
        Ok(())
    }

    fn known(&self, path: &[u8], found: &Stat) -> Option<&Entry> {
        let entry = self.walk.prior.get(path)?;
        (entry.is_still(found) && entry.ctime < self.walk.trusted_before && !entry.is_blank()).then_some(*entry)
    }

    fn told(&mut self, path: &[u8], found: &Stat, told: Result<Attributes, Errno>) -> Attributes {
        told.unwrap_or_else(|errno| {
            self.found.problems.push(Problem::new(
                path,
                format!("extended attributes: {}", std::io::Error::from(errno)),
            ));
            bare(found)
        })
    }

    fn name(&mut self, dir: BorrowedFd, name: &CStr, path: Vec<u8>, found: &Stat) -> Result<(), Errno> {
        if found.mount != self.mount {
            self.found.problems.push(Problem::new(
                &path,
                "another file system is mounted here; it is not part of this",
            ));
            let entry = Entry {
                mounted: true,
                ..Entry::new(&path, found, bare(found))
            };
            self.found.entries.push(entry);
            return Ok(());
        }
        if found.kind == Kind::Dir {
            self.inner.push((path, *found));
            return Ok(());
        }
        if let Some(known) = self.known(&path, found) {
            let entry = Entry {
                dev: found.dev,
                links: found.nlink,
                ..known.clone()
            };
            self.found.entries.push(entry);
            return Ok(());
        }
        let told = attributes(dir, name, found);
        let attr = self.told(&path, found, told);
        let mut entry = Entry::new(&path, found, attr);
        match found.kind {
            Kind::File => return self.file(dir, name, entry),
            Kind::Symlink => match rustix::fs::readlinkat(dir, name, Vec::new()) {
                Ok(target) => entry.target = Some(Bytes(target.into_bytes())),
                Err(_) => return self.vanished(&path),
            },
            _ => {}
        }
        self.found.entries.push(entry);
        Ok(())
    }

    fn file(&mut self, dir: BorrowedFd, name: &CStr, mut entry: Entry) -> Result<(), Errno> {
        let path = entry.path.clone();
        for _ in 0..TRIES {
            let opened = open_file(dir, name).and_then(|file| Ok((stat_fd(&file)?, file)));
            let (before, file) = match opened {
                Ok((before, file)) if before.kind == Kind::File => (before, file),
                Ok(_) | Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return self.vanished(&path.0),
                Err(errno) => return self.blank(entry, errno),
            };
            let contents = match self.contents(&file, before.size) {
                Ok(contents) => contents,
                Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::ROFS)) => return Err(errno),
                Err(errno) => return self.blank(entry, errno),
            };
            let after = stat_fd(&file)?;
            let steady = contents.is_some() && before.ctime == after.ctime && before.ctime == entry.ctime;
            let attr = match steady {
                true => Attributes {
                    xattrs: entry.attr.xattrs,
                    ..bare(&after)
                },
                false => self.told(&path.0, &after, attributes_fd(file.as_fd(), &after)),
            };
            entry = Entry {
                contents,
                ..Entry::new(&path.0, &after, attr)
            };
            if steady {
                self.found.entries.push(entry);
                return Ok(());
            }
        }
        self.found.unstable.push(path);
        self.found.entries.push(entry);
        Ok(())
    }

    /// Records a file whose contents cannot be had.
    fn blank(&mut self, entry: Entry, errno: Errno) -> Result<(), Errno> {
        self.found.problems.push(Problem::errno(&entry.path.0, errno));
        self.found.entries.push(Entry {
            contents: None,
            ..entry
        });
        Ok(())
    }

    /// Stores or hashes what is in a file; none if it has become shorter or longer meanwhile.
    fn contents(&mut self, mut file: &File, size: u64) -> Result<Option<Contents>, Errno> {
        let io = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        if size >= LARGE {
            let contents = match &mut self.writer {
                Some(writer) => writer.add_large(file.as_fd(), size),
                None => hash_file(file).map(|hash| Contents { hash, at: None }),
            };
            return contents.map(Some).map_err(io);
        }
        let mut bytes = Vec::with_capacity(size as usize + 1);
        file.by_ref().take(size + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 != size {
            return Ok(None);
        }
        match &mut self.writer {
            Some(writer) => writer.add(&bytes).map(Some).map_err(io),
            None => Ok(Some(Contents {
                hash: Digest::of(&bytes),
                at: None,
            })),
        }
    }
}

/// Opens what was a regular file a moment ago: without waiting, should it be a fifo now.
fn open_file(dir: BorrowedFd, name: &CStr) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat(dir, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::openat(dir, name, flags, Mode::empty()), // another user's file
        opened => opened,
    };
    opened.map(File::from)
}

/// Attributes without the extended ones.
fn bare(found: &Stat) -> Attributes {
    Attributes {
        mode: found.mode,
        uid: found.uid,
        gid: found.gid,
        mtime: found.mtime,
        xattrs: Vec::new(),
    }
}
