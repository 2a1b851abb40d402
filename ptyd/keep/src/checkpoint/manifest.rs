use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use agentsh_protocol::Bytes;
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Location};
use super::{CheckpointError, Problem};
use crate::fs::Time;
use crate::{Id, Kind};

/// The format that is written; others are refused.
const FORMAT: u32 = 1;

/// The first line of a manifest: what `list` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub(crate) format: u32,
    pub id: Id,
    /// What a person or the policy called it.
    pub label: Option<String>,
    pub workspace: Bytes,
    pub started: Time,
    pub finished: Time,
    /// Names in it, the workspace itself included.
    pub entries: u64,
    /// Bytes of all regular files.
    pub bytes: u64,
    /// Paths that changed while they were read, and still did after retries.
    pub unstable: Vec<Bytes>,
    /// What could not be read, and what is another file system.
    pub problems: Vec<Problem>,
    /// Paths left out because they hold kept files themselves.
    pub excluded: Vec<Bytes>,
    /// The packs that its contents are in.
    pub(crate) packs: Vec<Id>,
}

/// A checkpoint: the header and a line for each name, in order of their bytes (so that a folder
/// stands before what is in it), as JSON lines under zstd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub header: Header,
    pub entries: Vec<Entry>,
}

impl Manifest {
    /// Puts a finished walk in order: sorts, numbers the objects that have several names, and keeps
    /// only the packs that are used.
    pub(crate) fn assemble(label: Option<&str>, workspace: &Path, started: Time, mut entries: Vec<Entry>) -> Manifest {
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let mut groups = HashMap::new();
        for entry in &mut entries {
            entry.group = (entry.kind != Kind::Dir && entry.links > 1).then(|| {
                let next = groups.len() as u32;
                *groups.entry((entry.dev, entry.ino)).or_insert(next)
            });
        }
        let bytes = entries
            .iter()
            .filter(|entry| entry.kind == Kind::File)
            .map(|entry| entry.size)
            .sum();
        let header = Header {
            format: FORMAT,
            id: Id::new(),
            label: label.map(str::to_owned),
            workspace: Bytes::from(workspace),
            started,
            finished: started,
            entries: entries.len() as u64,
            bytes,
            unstable: Vec::new(),
            problems: Vec::new(),
            excluded: Vec::new(),
            packs: Vec::new(),
        };
        Manifest { header, entries }
    }

    /// Names the packs that the entries use, out of `all`, and renumbers the entries' locations.
    pub(crate) fn settle_packs(&mut self, all: &[Id]) {
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        let mut used = Vec::new();
        for contents in self.entries.iter_mut().filter_map(|entry| entry.contents.as_mut()) {
            let Some(Location(pack, _)) = &mut contents.at else {
                continue;
            };
            let Some(id) = all.get(*pack as usize) else { continue };
            *pack = *numbers.entry(*pack).or_insert_with(|| {
                used.push(*id);
                used.len() as u32 - 1
            });
        }
        self.header.packs = used;
    }

    /// The entry of a path.
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        let found = self.entries.binary_search_by(|entry| entry.path.0.as_slice().cmp(path));
        found.ok().and_then(|index| self.entries.get(index))
    }

    /// Writes the manifest beside `path` and then to its name: it is there whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let unfinished = path.with_extension("unfinished");
        let mut encoder = zstd::Encoder::new(File::create(&unfinished)?, 1)?;
        encoder.include_checksum(true)?;
        let mut lines = BufWriter::with_capacity(1 << 18, encoder);
        serde_json::to_writer(&mut lines, &self.header)?;
        lines.write_all(b"\n")?;
        for entry in &self.entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.write_all(b"\n")?;
        }
        lines
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?
            .finish()?;
        std::fs::rename(unfinished, path)
    }

    /// Reads a manifest, all of it.
    pub(crate) fn read(path: &Path) -> Result<Manifest, CheckpointError> {
        let damaged = |problem: String| CheckpointError::Damaged {
            file: path.to_owned(),
            problem,
        };
        let (header, mut lines) = open(path)?;
        let mut entries = Vec::with_capacity(usize::try_from(header.entries).unwrap_or(0).min(1 << 20));
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .map_err(|error| damaged(error.to_string()))?
            > 0
        {
            entries.push(serde_json::from_slice::<Entry>(&line).map_err(|error| damaged(error.to_string()))?);
            line.clear();
        }
        if entries.len() as u64 != header.entries {
            return Err(damaged(format!("{} of {} entries", entries.len(), header.entries)));
        }
        if !entries.is_sorted_by(|a, b| a.path < b.path) {
            return Err(damaged("not in order".to_owned()));
        }
        if let Some(entry) = entries.iter().find(|entry| !is_below(&entry.path.0)) {
            return Err(damaged(format!("{:?} leads out of the workspace", entry.path)));
        }
        Ok(Manifest { header, entries })
    }

    /// Reads the header only.
    pub(crate) fn read_header(path: &Path) -> Result<Header, CheckpointError> {
        open(path).map(|(header, _)| header)
    }
}

type Lines = BufReader<zstd::Decoder<'static, BufReader<File>>>;

fn open(path: &Path) -> Result<(Header, Lines), CheckpointError> {
    let damaged = |error: std::io::Error| CheckpointError::Damaged {
        file: PathBuf::from(path),
        problem: error.to_string(),
    };
    let file = File::options()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32) // a FIFO waits for its writer
        .open(path)
        .map_err(damaged)?;
    let mut lines = BufReader::with_capacity(1 << 18, zstd::Decoder::new(file).map_err(damaged)?);
    let mut first = Vec::new();
    lines.read_until(b'\n', &mut first).map_err(damaged)?;
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    let version: Versioned = serde_json::from_slice(&first).map_err(|error| damaged(error.into()))?;
    if version.format != FORMAT {
        return Err(CheckpointError::Format {
            file: path.to_owned(),
            format: version.format,
        });
    }
    let header = serde_json::from_slice(&first).map_err(|error| damaged(error.into()))?;
    Ok((header, lines))
}

/// Whether a relative path stays below where it starts.
fn is_below(path: &[u8]) -> bool {
    path.is_empty()
        || path
            .split(|byte| *byte == b'/')
            .all(|name| !matches!(name, b"" | b"." | b"..") && !name.contains(&0))
}
