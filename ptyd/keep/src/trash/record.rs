use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agentsh_protocol::Bytes;
use serde::{Deserialize, Serialize};

use crate::Id;
use crate::fs::{Attributes, Kind, Time};

/// Who deleted, and by which rule it was kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// What would have lost the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// unlink, rmdir, or the removal of a whole tree.
    Removed,
    /// Another object was renamed over it.
    Replaced,
    /// O_TRUNC, truncation to less, fallocate that punches, zeroes or collapses.
    Truncated,
    /// Unknown: the record was lost, the object was found.
    Recovered,
}

/// How the entry came into the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The object itself, by rename.
    Moved,
    /// The object itself, by a second name.
    Linked,
    /// A copy that shares blocks with the original.
    Reflinked,
    /// A copy.
    Copied,
    /// An empty folder, of which attributes are all there is.
    Described,
}

/// One entry of the trash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub id: Id,
    pub time: Time,
    /// Where it was; none if the record was lost.
    pub original: Option<Bytes>,
    #[serde(flatten)]
    pub meta: Meta,
    pub cause: Cause,
    pub how: How,
    pub kind: Kind,
    /// Size in bytes as the file system says it.
    pub size: u64,
    /// Bytes that count against `max_size`.
    pub charge: u64,
    /// Permission bits and owner when it was deleted.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    /// Names that the object had at that time; with more than one the bytes lived on elsewhere.
    pub links: u32,
}

impl Record {
    /// The original path.
    pub fn original(&self) -> Option<PathBuf> {
        self.original.as_ref().map(|bytes| PathBuf::from(bytes.as_os_str()))
    }

    pub(crate) fn attributes(&self, xattrs: Vec<(Bytes, Bytes)>) -> Attributes {
        Attributes {
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            mtime: self.mtime,
            xattrs,
        }
    }

    /// The record as a file of the trash specification of freedesktop.org (1.0). What that does not
    /// know stands in a key of our own. `DeletionDate` is in UTC.
    pub(crate) fn to_info(&self) -> Result<String, serde_json::Error> {
        let path = self
            .original
            .as_ref()
            .map(|bytes| percent(&bytes.0))
            .unwrap_or_default();
        let date = self.time.date_time();
        let json = serde_json::to_string(self)?;
        Ok(format!(
            "[Trash Info]\nPath={path}\nDeletionDate={date}\nX-Agentsh={json}\n"
        ))
    }

    /// Reads back what [`Record::to_info`] wrote; none if it is not whole.
    pub(crate) fn from_info(text: &[u8]) -> Option<Record> {
        let line = text
            .split(|byte| *byte == b'\n')
            .find_map(|line| line.strip_prefix(b"X-Agentsh="))?;
        serde_json::from_slice(line).ok()
    }
}

/// Percent-encoding as for a URL's path (RFC 2396).
fn percent(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// What is known of an entry before it is one.
pub(crate) struct Draft<'a> {
    pub original: &'a Path,
    pub meta: &'a Meta,
    pub cause: Cause,
}

impl Draft<'_> {
    pub fn record(&self, found: &crate::fs::Stat, how: How, charge: u64) -> Record {
        Record {
            id: Id::new(),
            time: Time::now(),
            original: Some(Bytes::from(self.original.as_os_str().as_bytes())),
            meta: self.meta.clone(),
            cause: self.cause,
            how,
            kind: found.kind,
            size: found.size,
            charge,
            mode: found.mode,
            uid: found.uid,
            gid: found.gid,
            mtime: found.mtime,
            links: found.nlink,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(path: &[u8]) -> Record {
        Record {
            id: Id::new(),
            time: Time(1_700_000_000, 7),
            original: Some(Bytes::from(path)),
            meta: Meta {
                session: Some("s".into()),
                command: None,
                rule: Some("keep\nall".into()),
            },
            cause: Cause::Removed,
            how: How::Moved,
            kind: Kind::File,
            size: 3,
            charge: 4096,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Time(1, 2),
            links: 1,
        }
    }

    #[test]
    fn the_record_has_the_three_lines_that_other_programs_read() -> Result<(), serde_json::Error> {
        let info = sample(b"/work/a b\n%\xff").to_info()?;
        assert!(info.starts_with("[Trash Info]\nPath=/work/a%20b%0A%25%FF\nDeletionDate=2023-11-14T22:13:20\n"));
        Ok(())
    }

    #[test]
    fn a_cut_record_is_no_record() -> Result<(), serde_json::Error> {
        let info = sample(b"/x").to_info()?;
        for length in 0..info.len() - 1 {
            assert_eq!(Record::from_info(&info.as_bytes()[..length]), None, "{length}");
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn every_path_survives_the_round_trip(path: Vec<u8>) {
            let record = sample(&path);
            let info = record.to_info().map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(Record::from_info(info.as_bytes()), Some(record));
        }
    }
}
