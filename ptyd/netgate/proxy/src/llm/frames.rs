//! A stream's frames: events of `text/event-stream` (WHATWG HTML, section 9.2), or lines of JSON.

use std::ops::Range;

/// How a stream is cut into frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Server-sent events.
    Events,
    /// A document a line.
    Lines,
}

/// Most bytes of one frame.
const MAX_FRAME: usize = 16 << 20;

/// A frame is too large.
#[derive(Debug, thiserror::Error)]
#[error("an event of the stream is larger than {MAX_FRAME} bytes")]
pub(super) struct TooLarge;

/// Cuts a stream.
pub(super) struct Frames {
    framing: Framing,
    bytes: Vec<u8>,
    /// Up to here no end of a frame was seen.
    seen: usize,
    /// Where the line begins that is being looked at.
    line: usize,
}

impl Frames {
    pub(super) fn new(framing: Framing) -> Frames {
        Frames {
            framing,
            bytes: Vec::new(),
            seen: 0,
            line: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > MAX_FRAME {
            Err(TooLarge)
        } else {
            Ok(())
        }
    }

    /// The next whole frame, with its end.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        while let Some(end) = memchr(&self.bytes, self.seen) {
            self.seen = end + 1;
            let line = &self.bytes[self.line..end];
            let blank = line.is_empty() || line == b"\r";
            self.line = self.seen;
            if blank || self.framing == Framing::Lines {
                return Some(self.cut());
            }
        }
        self.seen = self.bytes.len();
        None
    }

    fn cut(&mut self) -> Vec<u8> {
        let rest = self.bytes.split_off(self.seen);
        (self.seen, self.line) = (0, 0);
        std::mem::replace(&mut self.bytes, rest)
    }

    /// What is left when the stream ends.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        self.seen = self.bytes.len();
        (!self.bytes.is_empty()).then(|| self.cut())
    }
}

fn memchr(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.iter().position(|byte| *byte == b'\n').map(|at| from + at)
}

/// The document in a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// It stands there.
    At(Range<usize>),
    /// It is put together from several lines.
    Joined(Vec<u8>),
    /// There is none.
    None,
}

impl Payload {
    pub(super) fn of(framing: Framing, frame: &[u8]) -> Payload {
        let end = frame.len()
            - frame
                .iter()
                .rev()
                .take_while(|byte| matches!(byte, b'\n' | b'\r'))
                .count();
        if framing == Framing::Lines {
            return if end == 0 { Payload::None } else { Payload::At(0..end) };
        }
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        for line in frame.split_inclusive(|byte| *byte == b'\n') {
            let bare = line.trim_ascii_end();
            if let Some(value) = bare.strip_prefix(b"data:") {
                let skip = 5 + usize::from(value.first() == Some(&b' '));
                found.push(start + skip.min(bare.len())..start + bare.len());
            }
            start += line.len();
        }
        match found.as_slice() {
            [] => Payload::None,
            [one] => Payload::At(one.clone()),
            several => Payload::Joined(
                several
                    .iter()
                    .map(|at| &frame[at.clone()])
                    .collect::<Vec<_>>()
                    .join(&b'\n'),
            ),
        }
    }

    pub(super) fn document<'f>(&'f self, frame: &'f [u8]) -> Option<&'f [u8]> {
        match self {
            Payload::At(at) => frame.get(at.clone()),
            Payload::Joined(document) => Some(document),
            Payload::None => None,
        }
    }

    /// The frame with another document.
    pub(super) fn put(&self, frame: &[u8], document: &[u8]) -> Vec<u8> {
        match self {
            Payload::At(at) => [&frame[..at.start], document, &frame[at.end..]].concat(),
            Payload::Joined(_) => {
                let others = frame
                    .split_inclusive(|byte| *byte == b'\n')
                    .filter(|line| !line.starts_with(b"data:"));
                let mut lines: Vec<&[u8]> = others.filter(|line| !line.trim_ascii().is_empty()).collect();
                for line in document.split(|byte| *byte == b'\n') {
                    lines.extend([b"data: ".as_slice(), line, b"\n"]);
                }
                lines.push(b"\n");
                lines.concat()
            }
            Payload::None => frame.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(framing: Framing, text: &[u8], size: usize) -> Result<Vec<Vec<u8>>, TooLarge> {
        let (mut frames, mut found) = (Frames::new(framing), Vec::new());
        for piece in text.chunks(size) {
            frames.push(piece)?;
            found.extend(std::iter::from_fn(|| frames.next()));
        }
        found.extend(frames.rest());
        Ok(found)
    }

    #[test]
    fn frames_do_not_depend_on_how_the_stream_is_cut() -> Result<(), TooLarge> {
        let text = b"event: a\r\ndata: 1\r\n\r\n: ping\n\ndata: 2\ndata: 3\n\n\ndata: 4";
        let expected: Vec<&[u8]> = vec![
            b"event: a\r\ndata: 1\r\n\r\n",
            b": ping\n\n",
            b"data: 2\ndata: 3\n\n",
            b"\n",
            b"data: 4",
        ];
        for size in 1..text.len() {
            assert_eq!(cut(Framing::Events, text, size)?, expected, "{size}");
        }
        assert_eq!(cut(Framing::Lines, b"{}\n\n{}", 2)?, [b"{}\n".as_slice(), b"\n", b"{}"]);
        Ok(())
    }

    #[test]
    fn documents_are_found_and_replaced() {
        let frame = b"event: x\ndata: {\"a\":1}\r\n\r\n";
        let payload = Payload::of(Framing::Events, frame);
        assert_eq!(payload.document(frame), Some(b"{\"a\":1}".as_slice()));
        assert_eq!(payload.put(frame, b"[]"), b"event: x\ndata: []\r\n\r\n");
        let frame = b"data: {\nid: 7\ndata:}\n\n";
        let payload = Payload::of(Framing::Events, frame);
        assert_eq!(payload, Payload::Joined(b"{\n}".to_vec()));
        assert_eq!(payload.put(frame, b"[\n]"), b"id: 7\ndata: [\ndata: ]\n\n");
        assert_eq!(Payload::of(Framing::Events, b": ping\n\n"), Payload::None);
    }
}
