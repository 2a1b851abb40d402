use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::cast::Lost;

/// A run of bytes that is not UTF-8 is at most three bytes long; anything longer is a broken file.
const MAX_RUN: u64 = 16;

/// The side log of a recording: for each U+FFFD that stands in the output text for bytes that were not
/// UTF-8, what those bytes were. Created when the first is met.
///
/// Format: entries of LEB128 distance (bytes of output text since the end of the previous stand-in),
/// LEB128 length, bytes. A cut file is a valid prefix.
pub(super) struct SideLog {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    after: u64,
}

impl SideLog {
    pub(super) fn new(path: PathBuf) -> Self {
        SideLog {
            path,
            file: None,
            after: 0,
        }
    }

    /// Appends entries and returns how many bytes they took.
    pub(super) fn write(&mut self, lost: &[Lost]) -> io::Result<u64> {
        if lost.is_empty() {
            return Ok(0);
        }
        let mut bytes = Vec::with_capacity(lost.len() * 4);
        for lost in lost {
            leb128(&mut bytes, lost.offset.saturating_sub(self.after));
            leb128(&mut bytes, lost.bytes.len() as u64);
            bytes.extend_from_slice(&lost.bytes);
            self.after = lost.offset + char::REPLACEMENT_CHARACTER.len_utf8() as u64;
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(super::core::create(&self.path)?)),
        };
        file.write_all(&bytes)?;
        Ok(bytes.len() as u64)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }

    /// The log's path, if it was needed.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|_| self.path.as_path())
    }
}

fn leb128(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Why a side log could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SideError {
    /// The bytes could not be read.
    #[error("cannot read the recording's side log: {0}")]
    Io(#[from] io::Error),
    /// An entry is impossible.
    #[error("the recording's side log is broken")]
    Broken,
}

/// Reads a side log back.
pub struct SideReader<R> {
    input: R,
    after: u64,
}

impl SideReader<Box<dyn BufRead + Send>> {
    /// The side log of the cast at `cast`, if there is one: `NAME.raw`, or `NAME.raw.zst`.
    pub fn beside(cast: &Path) -> Result<Option<Self>, SideError> {
        let name = cast
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let stem = name.trim_end_matches(".zst").trim_end_matches(".cast");
        let plain = cast.with_file_name(format!("{stem}.raw"));
        let packed = cast.with_file_name(format!("{stem}.raw.zst"));
        let input: Box<dyn BufRead + Send> = match (File::open(&plain), File::open(&packed)) {
            (Ok(file), _) => Box::new(BufReader::new(file)),
            (_, Ok(file)) => Box::new(BufReader::new(zstd::Decoder::new(file)?)),
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            (Err(error), _) => return Err(error.into()),
        };
        Ok(Some(SideReader::new(input)))
    }
}

impl<R: Read> SideReader<R> {
    /// Reads from `input`, which should be buffered.
    pub fn new(input: R) -> Self {
        SideReader { input, after: 0 }
    }

    fn number(&mut self) -> Result<u64, SideError> {
        let mut number = 0u64;
        for shift in (0..63).step_by(7) {
            let mut byte = [0];
            self.input.read_exact(&mut byte)?;
            number |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(number);
            }
        }
        Err(SideError::Broken)
    }

    fn entry(&mut self) -> Result<Lost, SideError> {
        let distance = self.number()?;
        let length = self.number()?;
        if length == 0 || length > MAX_RUN {
            return Err(SideError::Broken);
        }
        let mut bytes = vec![0; length as usize];
        self.input.read_exact(&mut bytes)?;
        let offset = self.after.checked_add(distance).ok_or(SideError::Broken)?;
        self.after = offset.checked_add(3).ok_or(SideError::Broken)?;
        Ok(Lost { offset, bytes })
    }
}

impl<R: Read> Iterator for SideReader<R> {
    type Item = Result<Lost, SideError>;

    /// The next entry; a cut one ends the log quietly, as a crash leaves it.
    fn next(&mut self) -> Option<Self::Item> {
        match self.entry() {
            Err(SideError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            other => Some(other),
        }
    }
}
