//! A recording as it lies on the disk: its events, and the very bytes that were printed.

use std::path::{Path, PathBuf};

use crate::cast::{CastError, Event, Header, Reader};
use crate::recorder::{SideError, SideReader};

/// A whole recording in memory.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// What it says about itself.
    pub header: Header,
    /// In the order in which they happened.
    pub events: Vec<Event>,
}

/// Why a recording could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub source: CastError,
}

impl Recording {
    /// Reads a cast of version 2 or 3, plain or compressed.
    pub fn open(path: &Path) -> Result<Recording, OpenError> {
        let read = || {
            let reader = Reader::open(path)?;
            let header = reader.header().clone();
            let events = reader.collect::<Result<_, _>>()?;
            Ok(Recording { header, events })
        };
        read().map_err(|source| OpenError {
            path: path.to_owned(),
            source,
        })
    }

    /// The bytes that the command printed, exactly (save what was redacted): where the cast has a
    /// stand-in, the bytes of the side log of `path` are put back.
    pub fn raw_output(&self, path: &Path) -> Result<Vec<u8>, SideError> {
        let mut side = match SideReader::beside(path)? {
            Some(side) => Some(side).into_iter().flatten(),
            None => None.into_iter().flatten(),
        };
        let mut bytes = Vec::new();
        let mut offset = 0u64;
        let mut next = side.next().transpose()?;
        for text in self.events.iter().filter_map(Event::output) {
            let mut text = text.as_bytes();
            while let Some(lost) = next.take_if(|lost| lost.offset < offset + text.len() as u64) {
                let before = usize::try_from(lost.offset.checked_sub(offset).ok_or(SideError::Broken)?);
                let (kept, rest) = text
                    .split_at_checked(before.unwrap_or(usize::MAX))
                    .ok_or(SideError::Broken)?;
                let after = rest.strip_prefix("\u{fffd}".as_bytes()).ok_or(SideError::Broken)?;
                bytes.extend_from_slice(kept);
                bytes.extend_from_slice(&lost.bytes);
                offset += (text.len() - after.len()) as u64;
                text = after;
                next = side.next().transpose()?;
            }
            bytes.extend_from_slice(text);
            offset += text.len() as u64;
        }
        Ok(bytes)
    }
}
