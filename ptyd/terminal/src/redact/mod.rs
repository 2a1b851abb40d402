//! Redaction: secrets are masked before a byte reaches the disk.
//!
//! Masked bytes become `*` one for one (line ends stay), so that columns, offsets and times stay true; the
//! length of a secret is therefore visible.
//!
//! Patterns see the bytes as the terminal printed them: a secret with escape sequences inside it is not
//! recognised.

pub use agentsh_redact::{MAX_SECRET, PatternError, Patterns};
use agentsh_redact::{Piece, Stream};

/// Masks the secrets of one stream.
pub struct Redactor {
    stream: Stream,
    masked: u64,
}

impl Redactor {
    /// A redactor at the start of a stream.
    pub fn new(patterns: Patterns) -> Self {
        Redactor {
            stream: Stream::new(patterns),
            masked: 0,
        }
    }

    /// Takes a piece of the stream and appends to `out` all bytes that are decided by now.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let masked = &mut self.masked;
        self.stream.push(piece, &mut |piece| append(piece, out, masked));
    }

    /// The stream has ended: the rest is appended to `out`.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let masked = &mut self.masked;
        self.stream.finish(&mut |piece| append(piece, out, masked));
    }

    /// How many bytes are held back.
    pub fn held(&self) -> usize {
        self.stream.held()
    }

    /// How many secrets have been masked.
    pub fn masked(&self) -> u64 {
        self.masked
    }
}

/// A short text (a command line, a label) with its secrets masked.
pub fn text(patterns: &Patterns, text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut redactor = Redactor::new(patterns.clone());
    redactor.push(text.as_bytes(), &mut bytes);
    redactor.finish(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn append(piece: Piece<'_>, out: &mut Vec<u8>, masked: &mut u64) {
    match piece {
        Piece::Plain(bytes) => out.extend_from_slice(bytes),
        Piece::Found { bytes, .. } => {
            out.extend(bytes.iter().map(|byte| mask(*byte)));
            *masked += 1;
        }
    }
}

fn mask(byte: u8) -> u8 {
    match byte {
        b'\n' | b'\r' => byte,
        _ => b'*',
    }
}

#[cfg(test)]
mod tests;
