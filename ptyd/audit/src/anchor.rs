//! The anchor: where a record's head stood at the last sync, kept outside of the session's folder, so that a record cut
//! short does not pass for a whole one. When the session ends the anchor is sealed: the record ends there.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use agentsh_protocol::api::SCHEMA_VERSION;
use serde::{Deserialize, Serialize};

use crate::spool::Base;
use crate::store::read_plain;
use crate::time;

/// Bytes of an anchor file: written in place as a whole, within one sector, so that a full disk cannot stop it.
const SIZE: usize = 512;

/// Contents of `heads/<session>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub schema_version: u32,
    pub session_id: String,
    /// `seq` of the last line that was synced.
    pub seq: u64,
    /// `hash` of that line.
    pub hash: String,
    /// Length of the record with that line, in bytes.
    pub length: u64,
    /// Whether the record is closed and ends there.
    pub sealed: bool,
    /// When this was written, RFC 3339.
    pub ts: String,
}

impl Anchor {
    pub(crate) fn at(session_id: &str, base: Base, sealed: bool) -> Anchor {
        Anchor {
            schema_version: SCHEMA_VERSION,
            session_id: session_id.to_owned(),
            seq: base.seq,
            hash: base.head.to_hex().to_string(),
            length: base.log_len,
            sealed,
            ts: time::now_rfc3339(),
        }
    }

    /// Reads an anchor; `None` if there is none.
    pub fn read(path: &Path) -> io::Result<Option<Anchor>> {
        match read_plain(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => Ok(Some(serde_json::from_slice(&other?)?)),
        }
    }
}

/// The anchor as its session's recorder writes it.
pub(crate) struct AnchorFile(File);

impl AnchorFile {
    pub(crate) fn open(path: &Path) -> io::Result<AnchorFile> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC).bits() as i32);
        Ok(AnchorFile(options.open(path)?))
    }

    pub(crate) fn write(&self, anchor: &Anchor) -> io::Result<()> {
        let mut text = serde_json::to_vec(anchor)?;
        text.resize(text.len().max(SIZE - 1), b' ');
        text.push(b'\n');
        self.0.write_all_at(&text, 0)?;
        if anchor.sealed {
            self.0.sync_data()?;
        }
        Ok(())
    }
}
