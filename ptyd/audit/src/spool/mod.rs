//! The spool: a ring of records in a file that is mapped shared.
//!
//! To append is a copy to memory, yet what was appended outlives every process, because the memory is the page cache's.
//! A power failure is another matter: only what is in the record and synced survives that.
//!
//! Layout: a page of words (magic, capacity, salt, tail, lost, active base, two bases), then the ring. Positions count
//! bytes from the spool's creation and never go back; a record at position *p* lies at *p* modulo the capacity.

mod base;
pub(crate) mod record;
mod sys;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;

use rustix::fs::FallocateFlags;

pub(crate) use base::Base;
use sys::Map;

const MAGIC: u64 = u64::from_le_bytes(*b"agshspl1");
const HEADER: usize = 4096;
const CAPACITY: usize = 1;
const SALT: usize = 2;
const TAIL: usize = 4;
const LOST: usize = 5;
const ACTIVE: usize = 6;
const BASES: [usize; 2] = [8, 8 + base::WORDS];

/// The smallest ring: two of the longest records.
pub(crate) const MIN_CAPACITY: u64 = 2 * record::MAX as u64;

/// An open spool. Its opener holds the lock of the record, so there is one at a time.
pub(crate) struct Spool {
    map: Map,
    path: PathBuf,
    capacity: u64,
}

/// What lies where a spool should be.
pub(crate) enum Found {
    Spool(Spool),
    Nothing,
    /// It is no spool, or a torn one.
    Damaged,
}

impl Spool {
    /// Makes a spool of `capacity` bytes with all its blocks allocated, starting at `base`.
    pub(crate) fn create(path: &Path, capacity: u64, base: Base) -> io::Result<Spool> {
        let capacity = capacity.max(MIN_CAPACITY).next_multiple_of(HEADER as u64);
        // Under another name until it is whole, so that a death here leaves nothing that looks like a spool.
        let fresh = path.with_extension("new");
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = options().create_new(true).open(&fresh)?;
        allocate(&file, HEADER as u64 + capacity).inspect_err(|_| {
            let _ = std::fs::remove_file(&fresh); // on a full disk every block counts
        })?;
        let map = Map::new(file.as_fd(), HEADER + capacity as usize)?;
        map.word(CAPACITY).store(capacity, SeqCst);
        for index in [SALT, SALT + 1] {
            map.word(index).store(random()?, SeqCst);
        }
        map.word(TAIL).store(base.drained, SeqCst);
        let spool = Spool {
            map,
            path: path.to_owned(),
            capacity,
        };
        spool.set_base(base);
        spool.map.word(0).store(MAGIC, SeqCst);
        std::fs::rename(&fresh, path)?;
        Ok(spool)
    }

    /// Opens the spool at `path`.
    pub(crate) fn open(path: &Path) -> io::Result<Found> {
        let file = match options().open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        let len = file.metadata()?.len();
        let ring = len.saturating_sub(HEADER as u64);
        if !(MIN_CAPACITY..1 << 32).contains(&ring) {
            return Ok(Found::Damaged);
        }
        let map = Map::new(file.as_fd(), len as usize)?;
        if map.word(0).load(SeqCst) != MAGIC || map.word(CAPACITY).load(SeqCst) != ring {
            return Ok(Found::Damaged);
        }
        let spool = Spool {
            map,
            path: path.to_owned(),
            capacity: ring,
        };
        Ok(match spool.base() {
            Some(base) if spool.fits(base) => Found::Spool(spool),
            _ => Found::Damaged,
        })
    }

    fn fits(&self, base: Base) -> bool {
        let tail = self.tail();
        base.drained <= base.batch_end && base.batch_end <= tail && tail - base.drained <= self.capacity
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Random bytes of this spool, from which the ids of its records are made.
    pub(crate) fn salt(&self) -> [u8; 16] {
        let mut salt = [0; 16];
        for (half, index) in salt.chunks_exact_mut(8).zip([SALT, SALT + 1]) {
            half.copy_from_slice(&self.map.word(index).load(SeqCst).to_le_bytes());
        }
        salt
    }

    /// The position behind the last record.
    pub(crate) fn tail(&self) -> u64 {
        self.map.word(TAIL).load(SeqCst)
    }

    /// Stores a placed record at the tail and makes it count. The caller is the only one that appends, and has seen
    /// that there is room.
    pub(crate) fn append(&self, record: &[u8]) {
        let tail = self.tail();
        let offset = (tail % self.capacity) as usize;
        let first = record.len().min(self.capacity as usize - offset);
        self.map.copy_in(HEADER + offset, &record[..first]);
        self.map.copy_in(HEADER, &record[first..]);
        // From here on it is accepted; a death before leaves no trace of it.
        self.map.word(TAIL).store(tail + record.len() as u64, SeqCst);
    }

    /// The records from `start`, whole, up to `end` or about `limit` bytes (at least one), and where they end.
    /// They must be appended and not drained.
    pub(crate) fn read(&self, start: u64, end: u64, limit: usize) -> (Vec<u8>, u64) {
        let mut bytes = Vec::new();
        let mut at = start;
        while at < end && bytes.len() < limit {
            let mut word = Vec::with_capacity(8);
            self.copy(at, 8, &mut word);
            let len = word.try_into().map_or(0, record::length) as u64;
            if len == 0 || len > end - at {
                break; // damaged: the caller sees that the end is not reached
            }
            self.copy(at, len as usize, &mut bytes);
            at += len;
        }
        (bytes, at)
    }

    fn copy(&self, position: u64, len: usize, out: &mut Vec<u8>) {
        let offset = (position % self.capacity) as usize;
        let first = len.min(self.capacity as usize - offset);
        self.map.copy_out(HEADER + offset, first, out);
        self.map.copy_out(HEADER, len - first, out);
    }

    /// Where the drain stands; `None` if the page is torn.
    pub(crate) fn base(&self) -> Option<Base> {
        let start = *BASES.get(self.map.word(ACTIVE).load(SeqCst) as usize)?;
        let mut words = [0; base::WORDS];
        for (index, word) in words.iter_mut().enumerate() {
            *word = self.map.word(start + index).load(SeqCst);
        }
        Base::from_words(words)
    }

    /// Stores the base in the slot that is not in use, then makes it the one in use: a death leaves the old or the new.
    pub(crate) fn set_base(&self, base: Base) {
        let other = usize::from(self.map.word(ACTIVE).load(SeqCst) == 0);
        for (index, word) in base.to_words().into_iter().enumerate() {
            self.map.word(BASES[other] + index).store(word, SeqCst);
        }
        self.map.word(ACTIVE).store(other as u64, SeqCst);
    }

    /// Counts `count` dropped observations.
    pub(crate) fn add_lost(&self, count: u64) {
        self.map.word(LOST).fetch_add(count, SeqCst);
    }

    /// Takes back what was reported.
    pub(crate) fn sub_lost(&self, count: u64) {
        self.map.word(LOST).fetch_sub(count, SeqCst);
    }

    pub(crate) fn lost(&self) -> u64 {
        self.map.word(LOST).load(SeqCst)
    }

    /// Removes the file; the spool has been drained.
    pub(crate) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options.custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC).bits() as i32);
    options
}

/// Gives the file its blocks now, so that no store into the mapping can meet a full disk.
fn allocate(file: &File, len: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len) {
        Err(rustix::io::Errno::OPNOTSUPP) => {
            // File systems without fallocate(2) get their blocks by being written.
            let zeros = vec![0; 64 << 10];
            let mut at = 0;
            while at < len {
                let part = zeros.len().min((len - at) as usize);
                std::os::unix::fs::FileExt::write_all_at(file, &zeros[..part], at)?;
                at += part as u64;
            }
            Ok(())
        }
        other => Ok(other?),
    }
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    if filled < bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(u64::from_le_bytes(bytes))
}
