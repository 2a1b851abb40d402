//! A stream of a model's answer: learnt from, searched, and passed on frame by frame.
//!
//! A frame waits only while the end of its text may be the beginning of a finding; frames behind it wait
//! with it, so that their order stays. A frame in which nothing was found is passed on as it came.

use std::collections::VecDeque;
use std::ops::Range;

use serde_json::Value;

use super::channels::{Channels, Settled};
use super::frames::{Frames, Framing, Payload};
use super::json;
use super::provider::ProviderKind;
use super::roles::{Ends, Role, ends, role};
use super::usage::Learnt;
use crate::dlp::{Counts, Dlp, Mode, Searcher};

/// Most bytes that wait.
const MAX_WAITING: usize = 32 << 20;

/// Why a stream does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// Something was found that must not pass.
    Blocked,
    /// It cannot be searched.
    Broken(String),
}

/// One stream.
pub(super) struct Filter {
    kind: ProviderKind,
    framing: Framing,
    frames: Frames,
    /// Whether frames wait for what is found in them.
    holds: bool,
    /// Whether it cannot be read any further.
    blind: bool,
    blocks: bool,
    search: Option<(Searcher, Channels)>,
    waiting: VecDeque<Waiting>,
    bytes_waiting: usize,
    /// The number of the first piece of the first frame that waits.
    first: u64,
    next: u64,
    /// Bytes of text that were said.
    pub(super) said: u64,
    pub(super) learnt: Learnt,
    pub(super) found: Counts,
}

/// A frame whose fate is not known, or that stands behind one.
struct Waiting {
    raw: Vec<u8>,
    payload: Payload,
    /// Its pieces: where each stands, and whether and how it is settled.
    pieces: Vec<(Range<usize>, Fate)>,
    /// Texts that were replaced at once.
    changes: Vec<(Range<usize>, String)>,
    /// A document that is no JSON, with replacements.
    other: Option<Vec<u8>>,
}

/// What became of a piece of text.
enum Fate {
    Unknown,
    Same,
    Other(Vec<u8>),
}

impl Filter {
    pub(super) fn new(kind: ProviderKind, framing: Framing, dlp: &Dlp) -> Filter {
        let search = dlp.searcher().zip(dlp.patterns.clone().map(Channels::new));
        Filter {
            kind,
            framing,
            frames: Frames::new(framing),
            holds: search.is_some() && dlp.mode != Mode::Audit,
            blind: false,
            blocks: dlp.mode == Mode::Block,
            search,
            waiting: VecDeque::new(),
            bytes_waiting: 0,
            first: 0,
            next: 0,
            said: 0,
            learnt: Learnt::default(),
            found: Counts::default(),
        }
    }

    /// Takes bytes as they come; `out` gets what may pass by now.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Stop> {
        if !self.holds {
            out.extend_from_slice(bytes);
        }
        if self.blind {
            return Ok(());
        }
        if let Err(error) = self.frames.push(bytes) {
            // What passes anyway goes on unread.
            self.blind = !self.holds;
            self.frames = Frames::new(self.framing);
            return match self.holds {
                true => Err(Stop::Broken(error.to_string())),
                false => Ok(()),
            };
        }
        while let Some(frame) = self.frames.next() {
            self.frame(frame, out)?;
        }
        Ok(())
    }

    /// The end; `out` gets the rest.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Stop> {
        if let Some(frame) = self.frames.rest() {
            self.frame(frame, out)?;
        }
        let mut settled = Vec::new();
        if let Some((_, channels)) = &mut self.search {
            channels.end(|_| true, &mut self.found, &mut settled);
        }
        self.settle(settled, out)
    }

    fn frame(&mut self, raw: Vec<u8>, out: &mut Vec<u8>) -> Result<(), Stop> {
        let payload = Payload::of(self.framing, &raw);
        let mut frame = Waiting {
            raw,
            payload,
            pieces: Vec::new(),
            changes: Vec::new(),
            other: None,
        };
        let mut settled = Vec::new();
        self.read(&mut frame, &mut settled);
        if self.holds {
            self.bytes_waiting += frame.raw.len();
            if self.bytes_waiting > MAX_WAITING {
                return Err(Stop::Broken("too much of the stream waits to be searched".to_owned()));
            }
            self.waiting.push_back(frame);
        } else {
            settled.clear();
        }
        self.settle(settled, out)
    }

    /// Learns from a frame, and searches it.
    fn read(&mut self, frame: &mut Waiting, settled: &mut Vec<Settled>) {
        let Some(document) = frame.payload.document(&frame.raw) else {
            return;
        };
        let value: Option<Value> = serde_json::from_slice(document).ok();
        let texts = value.as_ref().and_then(|value| Some((value, json::texts(document)?)));
        let Some((value, texts)) = texts else {
            if let Some((searcher, channels)) = &mut self.search {
                // How OpenAI ends a stream. Anything else may stand between two pieces of one text.
                if document == b"[DONE]" {
                    channels.end(|_| true, &mut self.found, settled);
                }
                frame.other = searcher.whole(document, &mut self.found);
            }
            return;
        };
        self.learnt.take(self.kind, value);
        for text in texts {
            let role = role(self.kind, value, &text);
            if role == Role::Word {
                continue;
            }
            let Some(said) = text.decode(document) else {
                continue;
            };
            if matches!(role, Role::Piece(_)) {
                self.said += said.len() as u64;
            }
            let Some((searcher, channels)) = &mut self.search else {
                continue;
            };
            match role {
                Role::Piece(name) => {
                    frame.pieces.push((text.at, Fate::Unknown));
                    channels.push(&name, self.next, said.as_bytes(), &mut self.found, settled);
                    self.next += 1;
                }
                _ => {
                    if let Some(other) = searcher.whole(said.as_bytes(), &mut self.found) {
                        frame
                            .changes
                            .push((text.at, String::from_utf8_lossy(&other).into_owned()));
                    }
                }
            }
        }
        if let Some((_, channels)) = &mut self.search {
            match ends(self.kind, value) {
                Ends::Nothing => {}
                Ends::Some(names) => {
                    let fits = |name: &str| names.iter().any(|begin| name.starts_with(begin.as_str()));
                    channels.end(fits, &mut self.found, settled);
                }
                Ends::All => channels.end(|_| true, &mut self.found, settled),
            }
        }
    }

    /// Notes the fate of pieces, and passes on the frames at the front that have theirs.
    fn settle(&mut self, settled: Vec<Settled>, out: &mut Vec<u8>) -> Result<(), Stop> {
        for one in settled {
            let mut at = (one.piece - self.first) as usize;
            for frame in &mut self.waiting {
                if let Some(piece) = frame.pieces.get_mut(at) {
                    piece.1 = one.text.map_or(Fate::Same, Fate::Other);
                    break;
                }
                at -= frame.pieces.len();
            }
        }
        while let Some(frame) = self.waiting.front() {
            let known = frame.pieces.iter().all(|(_, fate)| !matches!(fate, Fate::Unknown));
            if self.blocks && (!self.found.is_empty() && (frame.is_changed() || !known)) {
                return Err(Stop::Blocked);
            }
            if !known {
                break;
            }
            if let Some(frame) = self.waiting.pop_front() {
                self.first += frame.pieces.len() as u64;
                self.bytes_waiting -= frame.raw.len();
                frame.write(out);
            }
        }
        Ok(())
    }
}

impl Waiting {
    fn is_changed(&self) -> bool {
        !self.changes.is_empty()
            || self.other.is_some()
            || self.pieces.iter().any(|(_, fate)| matches!(fate, Fate::Other(_)))
    }

    fn write(mut self, out: &mut Vec<u8>) {
        if !self.is_changed() {
            out.extend_from_slice(&self.raw);
            return;
        }
        let document = match (self.other.take(), self.payload.document(&self.raw)) {
            (Some(other), _) => other,
            (None, Some(document)) => {
                for (at, fate) in self.pieces {
                    if let Fate::Other(text) = fate {
                        self.changes.push((at, String::from_utf8_lossy(&text).into_owned()));
                    }
                }
                self.changes.sort_by_key(|(at, _)| at.start);
                json::replace(document, &self.changes)
            }
            (None, None) => Vec::new(),
        };
        out.extend_from_slice(&self.payload.put(&self.raw, &document));
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
