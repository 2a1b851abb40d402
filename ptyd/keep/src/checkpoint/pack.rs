use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;

use super::entry::{Contents, Digest, Location};
use crate::Id;
use crate::fs::copy_contents;

/// Files of at least this size get a pack of their own, whose blocks are shared where the file
/// system can; smaller ones are appended to a common one.
pub(crate) const LARGE: u64 = 1 << 20;

/// The contents of one checkpoint in the making: those that earlier ones stored, and new packs.
pub(crate) struct Packs {
    folder: PathBuf,
    names: Mutex<Vec<Id>>,
    known: Mutex<HashMap<Digest, Location>>,
}

impl Packs {
    /// `names` and `known` are those of the checkpoint before.
    pub fn new(folder: PathBuf, names: Vec<Id>, known: HashMap<Digest, Location>) -> Packs {
        Packs {
            folder,
            names: Mutex::new(names),
            known: Mutex::new(known),
        }
    }

    /// All packs, in the order of their numbers.
    pub fn names(&self) -> Vec<Id> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn known(&self, hash: &Digest) -> Option<Location> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(hash)
            .copied()
    }

    fn learn(&self, hash: Digest, at: Location) -> Contents {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(hash, at);
        Contents { hash, at: Some(at) }
    }

    fn create(&self) -> std::io::Result<(u32, File, PathBuf)> {
        let id = Id::new();
        let path = pack_path(&self.folder, &id);
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.push(id);
        Ok((names.len() as u32 - 1, file, path))
    }
}

/// The file of a pack.
pub(crate) fn pack_path(folder: &Path, id: &Id) -> PathBuf {
    folder.join(format!("{id}.pack"))
}

/// One thread's way into the store.
pub(crate) struct Writer<'a> {
    packs: &'a Packs,
    current: Option<(u32, BufWriter<File>, u64)>,
}

impl<'a> Writer<'a> {
    pub fn new(packs: &'a Packs) -> Writer<'a> {
        Writer { packs, current: None }
    }

    /// Stores the contents of a small file.
    pub fn add(&mut self, bytes: &[u8]) -> std::io::Result<Contents> {
        let hash = Digest::of(bytes);
        if let Some(at) = self.packs.known(&hash) {
            return Ok(Contents { hash, at: Some(at) });
        }
        let (number, writer, end) = match &mut self.current {
            Some(current) => current,
            None => {
                let (number, file, _) = self.packs.create()?;
                self.current
                    .insert((number, BufWriter::with_capacity(1 << 20, file), 0))
            }
        };
        writer.write_all(bytes)?;
        let at = Location(*number, *end);
        *end += bytes.len() as u64;
        Ok(self.packs.learn(hash, at))
    }

    /// Stores a large file. The copy is what is hashed, so that a file that changes meanwhile is
    /// stored as something that it was.
    pub fn add_large(&mut self, file: BorrowedFd, size: u64) -> std::io::Result<Contents> {
        let (number, copy, path) = self.packs.create()?;
        copy_contents(file, copy.as_fd(), size, u64::MAX)?;
        let hash = hash_file(&copy)?;
        if let Some(at) = self.packs.known(&hash) {
            std::fs::remove_file(path)?;
            return Ok(Contents { hash, at: Some(at) });
        }
        Ok(self.packs.learn(hash, Location(number, 0)))
    }

    /// Writes out what is still in memory.
    pub fn finish(self) -> std::io::Result<()> {
        match self.current {
            Some((_, mut writer, _)) => writer.flush(),
            None => Ok(()),
        }
    }
}

/// The hash of a file from its start.
pub(crate) fn hash_file(file: &File) -> std::io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 17];
    let mut at = 0;
    loop {
        match file.read_at(&mut buffer, at)? {
            0 => return Ok(Digest(*hasher.finalize().as_bytes())),
            read => {
                hasher.update(&buffer[..read]);
                at += read as u64;
            }
        }
    }
}

/// Reads contents back, and checks them.
pub(crate) struct Reader<'a> {
    folder: PathBuf,
    names: &'a [Id],
    open: HashMap<u32, File>,
}

impl<'a> Reader<'a> {
    pub fn new(folder: PathBuf, names: &'a [Id]) -> Reader<'a> {
        Reader {
            folder,
            names,
            open: HashMap::new(),
        }
    }

    fn pack(&mut self, number: u32) -> Result<&File, Errno> {
        let id = self.names.get(number as usize).ok_or(Errno::NOENT)?;
        match self.open.entry(number) {
            std::collections::hash_map::Entry::Occupied(open) => Ok(open.into_mut()),
            std::collections::hash_map::Entry::Vacant(free) => {
                let file = File::open(pack_path(&self.folder, id)).map_err(errno)?;
                Ok(free.insert(file))
            }
        }
    }

    /// Fills the empty file `to`. EBADMSG: what the store holds is not what was stored.
    pub fn fill(&mut self, contents: &Contents, size: u64, to: &File) -> Result<(), Errno> {
        let Location(number, offset) = contents.at.ok_or(Errno::NODATA)?;
        let pack = self.pack(number)?;
        let written = if size >= LARGE {
            copy_contents(pack, to, size, u64::MAX)?;
            hash_file(to).map_err(errno)?
        } else {
            let mut bytes = vec![0; usize::try_from(size).map_err(|_| Errno::FBIG)?];
            pack.read_exact_at(&mut bytes, offset).map_err(|_| Errno::BADMSG)?;
            to.write_all_at(&bytes, 0).map_err(errno)?;
            Digest::of(&bytes)
        };
        match written == contents.hash {
            true => Ok(()),
            false => Err(Errno::BADMSG),
        }
    }
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
