use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::event::Event;
use crate::store::open_plain;

/// The longest line that is looked at, in bytes. An event came in one message, which is much shorter.
pub(crate) const LONGEST: usize = 64 << 20;

pub(crate) fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a line of more than 64 MiB")
}

/// One line of a record with its place.
#[derive(Debug)]
pub(crate) struct Line {
    /// From 1.
    pub number: u64,
    /// Without the line feed.
    pub bytes: Vec<u8>,
    /// Whether a line feed ends it; only the last line may lack it.
    pub whole: bool,
}

/// The lines of a record from its beginning.
pub(crate) struct Lines {
    reader: BufReader<File>,
    number: u64,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> io::Result<Lines> {
        Ok(Lines {
            reader: BufReader::with_capacity(64 << 10, open_plain(path)?),
            number: 0,
        })
    }
}

impl Iterator for Lines {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        let mut bytes = Vec::new();
        match (&mut self.reader).take(LONGEST as u64).read_until(b'\n', &mut bytes) {
            Err(error) => return Some(Err(error)),
            Ok(0) => return None,
            Ok(LONGEST) => return Some(Err(too_long())),
            Ok(_) => {}
        }
        self.number += 1;
        let whole = bytes.pop_if(|byte| *byte == b'\n').is_some();
        Some(Ok(Line {
            number: self.number,
            bytes,
            whole,
        }))
    }
}

/// The whole lines of a record from its end, each with its offset.
pub(crate) struct Backward {
    file: File,
    /// Where `rest` begins in the file.
    start: u64,
    /// Read and not yet given out; ends with a line feed, unless it is the torn end.
    rest: Vec<u8>,
}

const BLOCK: u64 = 64 << 10;

impl Backward {
    pub(crate) fn open(path: &Path) -> io::Result<Backward> {
        let mut file = open_plain(path)?;
        let start = file.seek(SeekFrom::End(0))?;
        let mut lines = Backward {
            file,
            start,
            rest: Vec::new(),
        };
        // What stands behind the last line feed is being written, or torn.
        while !lines.rest.contains(&b'\n') && lines.start > 0 {
            lines.fill()?;
        }
        let end = lines
            .rest
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        lines.rest.truncate(end);
        Ok(lines)
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.rest.len() > LONGEST {
            return Err(too_long());
        }
        // Growing steps: a line of megabytes is put together in few copies.
        let len = BLOCK.max(self.rest.len() as u64).min(self.start);
        let mut block = vec![0; len as usize];
        self.file.seek(SeekFrom::Start(self.start - len))?;
        self.file.read_exact(&mut block)?;
        block.extend_from_slice(&self.rest);
        self.rest = block;
        self.start -= len;
        Ok(())
    }

    /// The line before the one that was given out last, with its offset.
    pub(crate) fn previous(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        loop {
            let Some(text) = self.rest.strip_suffix(b"\n") else {
                if self.start == 0 {
                    return Ok(None);
                }
                self.fill()?;
                continue;
            };
            match text.iter().rposition(|byte| *byte == b'\n') {
                None if self.start > 0 => self.fill()?,
                found => {
                    let from = found.map_or(0, |at| at + 1);
                    let line = text[from..].to_vec();
                    self.rest.truncate(from);
                    return Ok(Some((self.start + from as u64, line)));
                }
            }
        }
    }
}

/// A place in a record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadProblem {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {problem}", path.display())]
    Malformed { path: PathBuf, line: u64, problem: String },
}

impl ReadProblem {
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> ReadProblem {
        let path = path.to_owned();
        move |source| ReadProblem::Io {
            path: path.clone(),
            source,
        }
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Event, String> {
    // serde_json's own place is within the line: "at line 1 column N" would only confuse.
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        let plain = text.split(" at line 1 column").next().unwrap_or(&text);
        format!("no event: {plain} (column {})", error.column())
    })
}

/// The number of the line that begins at `offset`.
pub(crate) fn line_number(path: &Path, offset: u64) -> io::Result<u64> {
    let mut reader = BufReader::with_capacity(64 << 10, open_plain(path)?.take(offset));
    let mut number = 1;
    loop {
        let block = reader.fill_buf()?;
        if block.is_empty() {
            return Ok(number);
        }
        number += block.iter().filter(|byte| **byte == b'\n').count() as u64;
        let len = block.len();
        reader.consume(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn backward_is_the_reverse_of_forward(lengths in prop::collection::vec(0..9000usize, 0..60), torn in 0..9usize) {
            let lines: Vec<String> = (b'a'..=b'z').cycle().zip(&lengths).map(|(letter, len)| char::from(letter).to_string().repeat(*len)).collect();
            let torn = "!".repeat(torn);
            let fail = |error: io::Error| TestCaseError::fail(error.to_string());
            let folder = tempfile::tempdir().map_err(fail)?;
            let path = folder.path().join("f");
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            std::fs::write(&path, text + &torn).map_err(fail)?;
            let mut backward = Backward::open(&path).map_err(fail)?;
            let mut found = Vec::new();
            while let Some((offset, line)) = backward.previous().map_err(fail)? {
                let number = line_number(&path, offset).map_err(fail)?;
                found.push((number, String::from_utf8_lossy(&line).into_owned()));
            }
            found.reverse();
            let expected: Vec<(u64, String)> = (1..).zip(lines).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
