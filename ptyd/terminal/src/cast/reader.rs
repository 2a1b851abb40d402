use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use super::{Data, Event, Header, v2, v3};

/// Lines longer than this are refused: no writer makes them.
const MAX_LINE: u64 = 64 << 20;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Why a recording could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CastError {
    /// The bytes could not be read or decompressed.
    #[error("cannot read the recording: {0}")]
    Io(#[from] io::Error),
    /// The first line is not a header.
    #[error("not an asciicast recording: {0}")]
    Header(serde_json::Error),
    /// The header is of another version.
    #[error("asciicast version {0} is not known here (2 and 3 are)")]
    Version(u64),
    /// More than is held in memory.
    #[error("the recording is longer than {limit} bytes")]
    TooLong {
        /// In bytes.
        limit: usize,
    },
    /// A line inside the file is broken; the last line of a cut file is not an error.
    #[error("line {line} of the recording is not an event")]
    Event {
        /// Counted from 1, the header included.
        line: usize,
    },
}

/// Reads the events of a recording, one after another, in bounded memory.
pub struct Reader<R> {
    input: R,
    header: Header,
    version: u64,
    time: Duration,
    line: usize,
    text: Vec<u8>,
}

#[derive(serde::Deserialize)]
struct Probe {
    version: u64,
}

impl Reader<Box<dyn BufRead + Send>> {
    /// Opens a file, plain or compressed by zstd (RFC 8878).
    pub fn open(path: &Path) -> Result<Self, CastError> {
        let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
        let packed = file.fill_buf()?.starts_with(&ZSTD_MAGIC);
        let input: Box<dyn BufRead + Send> = match packed {
            true => Box::new(BufReader::with_capacity(1 << 16, zstd::Decoder::with_buffer(file)?)),
            false => Box::new(file),
        };
        Reader::new(input)
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    pub fn new(mut input: R) -> Result<Self, CastError> {
        let mut text = Vec::new();
        (&mut input).take(MAX_LINE).read_until(b'\n', &mut text)?;
        let probe: Probe = serde_json::from_slice(&text).map_err(CastError::Header)?;
        let header = match probe.version {
            2 => serde_json::from_slice::<v2::Head>(&text)
                .map_err(CastError::Header)?
                .into(),
            3 => serde_json::from_slice::<v3::Head>(&text)
                .map_err(CastError::Header)?
                .into(),
            other => return Err(CastError::Version(other)),
        };
        Ok(Reader {
            input,
            header,
            version: probe.version,
            time: Duration::ZERO,
            line: 1,
            text,
        })
    }

    /// What the recording says about itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    fn parse(&mut self) -> Option<Event> {
        let (number, code, text): (f64, char, Cow<'_, str>) = serde_json::from_slice(&self.text).ok()?;
        self.time = match self.version {
            2 => v2::time(number)?,
            _ => v3::time(self.time, number)?,
        };
        Some(Event::new(self.time, Data::decode(code, text.into_owned())?))
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Event, CastError>;

    /// The next event. A last line without its end, or a compressed file that stops in the middle, is
    /// what a crash leaves, and ends the recording quietly.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.text.clear();
            self.line += 1;
            match (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut self.text) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
                Err(error) => return Some(Err(error.into())),
            }
            let comment = self.version == 3 && self.text.starts_with(b"#");
            if comment || self.text.trim_ascii().is_empty() {
                continue;
            }
            return match self.parse() {
                Some(event) => Some(Ok(event)),
                None if !self.text.ends_with(b"\n") => None,
                None => Some(Err(CastError::Event { line: self.line })),
            };
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
