//! Texts that are said piece by piece, each searched as one, whatever frames its pieces came in.

use std::collections::{HashMap, VecDeque};

use agentsh_redact::{Patterns, Piece, Stream, replacement};

use crate::dlp::Counts;

/// A piece whose fate is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settled {
    /// The number that it was given.
    pub piece: u64,
    /// Its text now, if it is another.
    pub text: Option<Vec<u8>>,
}

/// One text.
struct Channel {
    stream: Stream,
    /// Pieces that are not settled, oldest first.
    open: VecDeque<Open>,
}

struct Open {
    piece: u64,
    /// Bytes that are not decided yet.
    left: usize,
    text: Vec<u8>,
    changed: bool,
}

/// All texts of a stream.
pub(super) struct Channels {
    patterns: Patterns,
    all: HashMap<String, Channel>,
}

/// Most texts at a time.
const MOST: usize = 512;

impl Channels {
    pub(super) fn new(patterns: Patterns) -> Channels {
        Channels {
            patterns,
            all: HashMap::new(),
        }
    }

    /// Takes a piece of the text `name`; whatever is settled by it is added to `settled`.
    pub(super) fn push(
        &mut self,
        name: &str,
        piece: u64,
        text: &[u8],
        counts: &mut Counts,
        settled: &mut Vec<Settled>,
    ) {
        if self.all.len() >= MOST && !self.all.contains_key(name) {
            self.end(|_| true, counts, settled);
        }
        let channel = self.all.entry(name.to_owned()).or_insert_with(|| Channel {
            stream: Stream::new(self.patterns.clone()),
            open: VecDeque::new(),
        });
        if text.is_empty() {
            settled.push(Settled { piece, text: None });
            return;
        }
        channel.open.push_back(Open {
            piece,
            left: text.len(),
            text: Vec::with_capacity(text.len()),
            changed: false,
        });
        let Channel { stream, open } = channel;
        stream.push(text, &mut |part| decide(part, open, &self.patterns, counts, settled));
    }

    /// Ends the texts whose names fit.
    pub(super) fn end(&mut self, fits: impl Fn(&str) -> bool, counts: &mut Counts, settled: &mut Vec<Settled>) {
        let patterns = &self.patterns;
        self.all.retain(|name, channel| {
            let over = fits(name);
            if over {
                let Channel { stream, open } = channel;
                stream.finish(&mut |part| decide(part, open, patterns, counts, settled));
            }
            !over
        });
    }
}

/// Hands a decided part to the pieces that it came in.
fn decide(
    part: Piece<'_>,
    open: &mut VecDeque<Open>,
    patterns: &Patterns,
    counts: &mut Counts,
    settled: &mut Vec<Settled>,
) {
    let mut bytes = match part {
        Piece::Plain(bytes) => bytes,
        Piece::Found { rule, bytes } => {
            let kind = patterns.name(rule);
            counts.add(kind);
            if let Some(first) = open.front_mut() {
                first.text.extend_from_slice(replacement(kind).as_bytes());
            }
            bytes
        }
    };
    while let Some(first) = open.front_mut().filter(|_| !bytes.is_empty()) {
        let (now, later) = bytes.split_at(first.left.min(bytes.len()));
        match part {
            Piece::Plain(_) => first.text.extend_from_slice(now),
            Piece::Found { .. } => first.changed = true,
        }
        first.left -= now.len();
        bytes = later;
        if first.left == 0
            && let Some(done) = open.pop_front()
        {
            settled.push(Settled {
                piece: done.piece,
                text: done.changed.then_some(done.text),
            });
        }
    }
}
