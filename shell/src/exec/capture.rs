//! One captured stream: kept in memory up to a limit, and whole on disk if it is longer.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::OFlags;

/// Bytes of a stream that the JSON object holds at most.
pub const LIMIT: usize = 1 << 20;

/// What is read at a time, and how often in a row, so that a flood cannot keep the watcher from signals and clock.
const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 16;

/// A pipe that the command writes into.
#[derive(Debug)]
pub struct Stream {
    pipe: Option<File>,
    kept: Kept,
}

/// What a stream said.
#[derive(Debug)]
pub struct Kept {
    /// The first [`LIMIT`] bytes.
    pub head: Vec<u8>,
    /// All of its bytes, counted.
    pub bytes: u64,
    spill: Spill,
}

#[derive(Debug)]
enum Spill {
    /// The file to make if the limit is exceeded.
    To(PathBuf),
    File(File),
    /// What the file would have held is lost; the command goes on.
    Lost(io::Error),
}

impl Kept {
    fn new(spill: PathBuf) -> Kept {
        Kept {
            head: Vec::new(),
            bytes: 0,
            spill: Spill::To(spill),
        }
    }

    /// Whether there was more than [`Kept::head`] holds.
    pub fn truncated(&self) -> bool {
        self.bytes > self.head.len() as u64
    }

    /// What the JSON object holds: a character that the limit cuts is left out, or all of a text would not be UTF-8.
    pub fn shown(&self) -> &[u8] {
        match std::str::from_utf8(&self.head) {
            Err(error) if self.truncated() && error.error_len().is_none() => &self.head[..error.valid_up_to()],
            _ => &self.head,
        }
    }

    /// Why the overflow is not on disk, if it is not.
    pub fn lost(&self) -> Option<&io::Error> {
        match &self.spill {
            Spill::Lost(error) => Some(error),
            _ => None,
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        let room = (LIMIT - self.head.len()).min(chunk.len());
        if let Err(error) = self.spill(chunk, room < chunk.len()) {
            self.spill = Spill::Lost(error);
        }
        self.head.extend_from_slice(&chunk[..room]);
        self.bytes += chunk.len() as u64;
    }

    fn spill(&mut self, chunk: &[u8], overflows: bool) -> io::Result<()> {
        match &mut self.spill {
            Spill::To(path) if overflows => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                let mut file = File::create_new(path)?;
                file.write_all(&self.head)?;
                file.write_all(chunk)?;
                self.spill = Spill::File(file);
            }
            Spill::File(file) => file.write_all(chunk)?,
            Spill::To(_) | Spill::Lost(_) => {}
        }
        Ok(())
    }
}

impl Stream {
    /// Reads `pipe` without blocking; beyond the limit everything goes to the file `spill`.
    ///
    /// # Errors
    /// Those of fcntl(2).
    pub fn new(pipe: OwnedFd, spill: PathBuf) -> io::Result<Stream> {
        let flags = rustix::fs::fcntl_getfl(&pipe)?;
        rustix::fs::fcntl_setfl(&pipe, flags | OFlags::NONBLOCK)?;
        Ok(Stream {
            pipe: Some(File::from(pipe)),
            kept: Kept::new(spill),
        })
    }

    /// The pipe, until its end was read.
    pub fn pipe(&self) -> Option<&File> {
        self.pipe.as_ref()
    }

    /// Takes in what is there now.
    ///
    /// # Errors
    /// Those of read(2).
    pub fn drain(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        for _ in 0..CHUNKS {
            let Some(pipe) = &mut self.pipe else { return Ok(()) };
            match pipe.read(&mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(length) => self.kept.take(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub fn into_kept(self) -> Kept {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_the_limit_nothing_is_written_to_disk() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("output/c.stdout");
        let mut kept = Kept::new(path.clone());
        kept.take(&vec![1; LIMIT]);
        assert!(!kept.truncated() && !path.exists());
        Ok(())
    }

    #[test]
    fn beyond_the_limit_the_whole_stream_is_on_disk() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("output/c.stdout");
        let mut kept = Kept::new(path.clone());
        let bytes: Vec<u8> = (0..LIMIT + 70_000).map(|n| (n % 251) as u8).collect();
        for chunk in bytes.chunks(CHUNK) {
            kept.take(chunk);
        }
        assert!(kept.truncated() && kept.head == bytes[..LIMIT] && kept.bytes == bytes.len() as u64);
        assert!(std::fs::read(path)? == bytes);
        Ok(())
    }

    #[test]
    fn a_text_is_not_cut_within_a_character() {
        let taken = |bytes: &[u8]| {
            let mut kept = Kept::new("/dev/null/c.stdout".into());
            kept.take(bytes);
            kept
        };
        let kept = taken(format!("x{}", "é".repeat(LIMIT)).as_bytes());
        assert!(std::str::from_utf8(kept.shown()).is_ok_and(|text| text.len() == LIMIT - 1));
        assert_eq!(kept.head.len(), LIMIT);
        // What is no text stays as it is, and so does what ends so by itself.
        assert_eq!(taken(&vec![0xff; LIMIT + 1]).shown().len(), LIMIT);
        assert_eq!(taken(b"x\xc3").shown(), b"x\xc3");
    }

    #[test]
    fn an_existing_file_is_never_written_over() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("c.stdout");
        std::fs::write(&path, "mine")?;
        let mut kept = Kept::new(path.clone());
        kept.take(&vec![1; LIMIT + 1]);
        assert!(kept.truncated() && kept.lost().is_some());
        assert_eq!(std::fs::read(path)?, b"mine");
        Ok(())
    }
}
