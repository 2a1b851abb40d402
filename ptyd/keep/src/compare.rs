//! Comparing two versions of an object, for people.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::fs::{Kind, open_beneath, reopen, stat_fd};

/// Files larger than this are compared by hash only.
const TEXT_LIMIT: u64 = 4 << 20;

/// How long a line-by-line comparison may take before it gets coarser.
const PATIENCE: Duration = Duration::from_secs(2);

/// How two versions differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diff {
    Same,
    /// A unified diff. Bytes that are not UTF-8 are shown replaced; never feed it to a terminal raw.
    Text(String),
    /// At least one side is no text, too large, or not there.
    Binary {
        kept: Digest,
        present: Digest,
    },
}

/// What is said of a side that is not shown as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    Absent,
    File { size: u64, hash: String },
    Symlink { target: Vec<u8> },
    Other(Kind),
}

/// One side of a comparison.
pub(crate) enum Side {
    Absent,
    Text { bytes: Vec<u8>, text: String },
    Hashed { size: u64, hash: blake3::Hash },
    Link(Vec<u8>),
    Other(Kind),
}

impl Side {
    /// Reads the object of a name, not followed.
    pub fn at(dir: BorrowedFd, name: &[u8]) -> Result<Side, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let object = rustix::fs::openat(dir, name, flags, Mode::empty())?;
        let found = stat_fd(&object)?;
        match found.kind {
            Kind::File => Side::read(reopen(&object)?, found.size),
            Kind::Symlink => Ok(Side::Link(
                rustix::fs::readlinkat(&object, c"", Vec::new())?.into_bytes(),
            )),
            other => Ok(Side::Other(other)),
        }
    }

    /// Reads the object of a path below `root`, with no symbolic link on the way.
    pub fn beneath(root: BorrowedFd, path: &[u8]) -> Result<Side, Errno> {
        let (folder, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&path[..at], &path[at + 1..]),
            None => (&path[..0], path),
        };
        Side::at(
            open_beneath(root, folder)?.as_fd(),
            if name.is_empty() { b"." } else { name },
        )
    }

    /// Reads a file, whole if it is text of moderate size.
    pub fn read(file: OwnedFd, size: u64) -> Result<Side, Errno> {
        let io = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let mut file = std::fs::File::from(file);
        if size > TEXT_LIMIT {
            let mut hasher = blake3::Hasher::new();
            let size = std::io::copy(&mut file, &mut hasher).map_err(io)?;
            return Ok(Side::Hashed {
                size,
                hash: hasher.finalize(),
            });
        }
        let mut bytes = Vec::new();
        file.take(TEXT_LIMIT).read_to_end(&mut bytes).map_err(io)?;
        Ok(Side::of(bytes))
    }

    /// Contents that were read before.
    pub fn of(bytes: Vec<u8>) -> Side {
        match std::str::from_utf8(&bytes) {
            Ok(text) if !bytes.contains(&0) => Side::Text {
                text: text.to_owned(),
                bytes,
            },
            _ => Side::Hashed {
                size: bytes.len() as u64,
                hash: blake3::hash(&bytes),
            },
        }
    }

    fn digest(self) -> Digest {
        match self {
            Side::Absent => Digest::Absent,
            Side::Text { bytes, .. } => Digest::File {
                size: bytes.len() as u64,
                hash: blake3::hash(&bytes).to_hex().to_string(),
            },
            Side::Hashed { size, hash } => Digest::File {
                size,
                hash: hash.to_hex().to_string(),
            },
            Side::Link(target) => Digest::Symlink { target },
            Side::Other(kind) => Digest::Other(kind),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Side::Text { text, .. } => Some(text),
            Side::Absent => Some(""),
            _ => None,
        }
    }
}

/// Compares; `path` names both sides in the headline.
pub(crate) fn diff(path: &[u8], kept: Side, present: Side) -> Diff {
    let both_absent = matches!((&kept, &present), (Side::Absent, Side::Absent));
    if let (Some(before), Some(after)) = (kept.text(), present.text())
        && !both_absent
    {
        let existence = matches!(kept, Side::Absent) != matches!(present, Side::Absent);
        if before == after && !existence {
            return Diff::Same;
        }
        if before != after {
            return Diff::Text(unified(path, before, after));
        }
    }
    match (kept.digest(), present.digest()) {
        (kept, present) if kept == present => Diff::Same,
        (kept, present) => Diff::Binary { kept, present },
    }
}

fn unified(path: &[u8], before: &str, after: &str) -> String {
    let name = path.escape_ascii().to_string();
    similar::TextDiff::configure()
        .deadline(Instant::now() + PATIENCE)
        .diff_lines(before, after)
        .unified_diff()
        .header(&format!("{name} (kept)"), &format!("{name} (present)"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_line_by_line() {
        let diff = diff(b"/a", Side::of(b"one\ntwo\n".to_vec()), Side::of(b"one\n2\n".to_vec()));
        let Diff::Text(text) = diff else {
            panic!("not a text: {diff:?}")
        };
        assert_eq!(
            text,
            "--- /a (kept)\n+++ /a (present)\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
        );
    }

    #[test]
    fn other_bytes_are_compared_by_size_and_hash() {
        let kept = Side::of(vec![0, 1]);
        let Diff::Binary {
            kept: Digest::File { size: 2, .. },
            present: Digest::Absent,
        } = diff(b"/a", kept, Side::Absent)
        else {
            panic!("not compared as bytes")
        };
    }

    #[test]
    fn an_empty_file_is_not_an_absent_one() {
        assert_eq!(diff(b"/a", Side::of(Vec::new()), Side::of(Vec::new())), Diff::Same);
        assert!(matches!(
            diff(b"/a", Side::of(Vec::new()), Side::Absent),
            Diff::Binary { .. }
        ));
    }

    #[test]
    fn two_links_are_the_same_by_their_targets() {
        assert_eq!(
            diff(b"/a", Side::Link(b"x".to_vec()), Side::Link(b"x".to_vec())),
            Diff::Same
        );
    }
}
