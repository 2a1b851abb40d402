use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt as _, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::lock;
use crate::store::open_plain;

/// `events.jsonl`, written by position: a batch that was written in part is simply written again. It is locked against
/// every other writer as long as this lives.
pub(super) struct Log(File);

impl Log {
    pub(super) fn open(path: &Path) -> io::Result<Log> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits() as i32);
        let file = options.open(path)?;
        lock::take(&file)?;
        Ok(Log(file))
    }

    /// Opens it for reading only, beside its writer.
    pub(super) fn reader(path: &Path) -> io::Result<Log> {
        Ok(Log(open_plain(path)?))
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    /// Whether somebody has removed it: what is written there is on no record.
    pub(super) fn is_removed(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.nlink() == 0)
    }

    /// Up to `len` bytes from `offset`; fewer at the end of the file.
    pub(super) fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match self.0.read_at(&mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// The line that ends at `end`, without its line feed; empty if none does.
    pub(super) fn line_before(&self, end: u64) -> io::Result<Vec<u8>> {
        let mut len = 4096;
        loop {
            let start = end.saturating_sub(len);
            let bytes = self.read_at(start, (end - start) as usize)?;
            let Some(text) = bytes.strip_suffix(b"\n") else {
                return Ok(Vec::new());
            };
            match text.iter().rposition(|byte| *byte == b'\n') {
                Some(feed) => return Ok(text[feed + 1..].to_vec()),
                None if start == 0 => return Ok(text.to_vec()),
                None => len *= 8,
            }
        }
    }

    pub(super) fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    /// fdatasync(2).
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
