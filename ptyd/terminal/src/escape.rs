//! Splits a terminal's output into text and escape sequences, across any chunk borders.
//!
//! Grammar: ECMA-48 and Paul Williams' state machine (<https://vt100.net/emu/dec_ansi_parser>), by `vte`.
//! Text is passed over at memory speed; only whole sequences go through the parser.

use vte::{Params, Parser, Perform};

const ESC: u8 = 0x1b;
/// A longer sequence (an inline image, a clipboard) is handed on in parts; nothing we look for is longer.
const MAX_HELD: usize = 8192;
const MAX_PARAMS: usize = 16;

/// A piece of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// Bytes outside of any sequence (controls such as line feeds included).
    Text(&'a [u8]),
    /// The bytes of a whole sequence; [`read`] says what they mean.
    Sequence(&'a [u8]),
    /// A part of a sequence too long to be held.
    Part(&'a [u8]),
}

/// What a sequence says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sequence {
    /// `CSI marker params intermediate action`.
    Csi(Csi),
    /// Operating system command, its bytes between `ESC ]` and the terminator.
    Osc(Vec<u8>),
    /// Device control string, by its intermediate (0 if none) and final character.
    Dcs { intermediate: u8, action: char },
    /// `ESC intermediate byte`.
    Esc { intermediate: u8, byte: u8 },
}

/// A control sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Csi {
    /// `?`, `>`, `<`, `=` or 0.
    pub marker: u8,
    /// The intermediate before the final character, or 0.
    pub intermediate: u8,
    /// The final character.
    pub action: char,
    params: [u16; MAX_PARAMS],
    count: usize,
}

impl Csi {
    /// The parameters (of those with sub-parameters the first), at most 16.
    pub fn params(&self) -> &[u16] {
        &self.params[..self.count]
    }

    /// The parameter at `index`, 0 if absent.
    pub fn param(&self, index: usize) -> u16 {
        self.params().get(index).copied().unwrap_or(0)
    }
}

/// Finds the tokens of one stream.
#[derive(Default)]
pub struct Tokens {
    state: State,
    held: Vec<u8>,
    /// The sequence under way was too long and its first part has been handed on.
    broken: bool,
}

/// Where in a sequence the stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Ground,
    Escape,
    Csi,
    Osc,
    /// DCS, SOS, PM, APC.
    String,
    /// After an ESC inside a string: a backslash ends it.
    StringEnd,
}

impl State {
    fn after(self, byte: u8) -> State {
        match (self, byte) {
            (_, 0x18 | 0x1a) | (State::Osc, 0x07) | (State::StringEnd, b'\\') => State::Ground,
            (State::Osc | State::String, ESC) => State::StringEnd,
            (_, ESC) => State::Escape,
            (State::Escape | State::StringEnd, b'[') => State::Csi,
            (State::Escape | State::StringEnd, b']') => State::Osc,
            (State::Escape | State::StringEnd, b'P' | b'X' | b'^' | b'_') => State::String,
            (State::Escape | State::StringEnd, 0x30..=0x7e) | (State::Csi, 0x40..=0x7e) => State::Ground,
            (State::StringEnd, _) => State::Escape,
            (state, _) => state,
        }
    }
}

impl Tokens {
    /// Hands the tokens of the next piece of the stream to `each`, in order. A sequence that is cut by
    /// the piece's end is held until it is whole.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Token<'_>)) {
        while !bytes.is_empty() {
            if self.state == State::Ground {
                let start = memchr::memchr(ESC, bytes).unwrap_or(bytes.len());
                let (text, rest) = bytes.split_at(start);
                if !text.is_empty() {
                    each(Token::Text(text));
                }
                let Some((_, after)) = rest.split_first() else { return };
                self.state = State::Escape;
                self.hold(&[ESC], &mut each);
                bytes = after;
                continue;
            }
            let mut used = 0;
            while used < bytes.len() && self.state != State::Ground {
                self.state = self.state.after(bytes[used]);
                used += 1;
            }
            let (part, rest) = bytes.split_at(used);
            self.hold(part, &mut each);
            if self.state == State::Ground {
                self.end(&mut each);
            }
            bytes = rest;
        }
    }

    /// The bytes of the sequence that is under way, if any.
    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// What makes a terminal that has seen nothing of the sequence under way take its rest for a part of one: the sequence so
    /// far, or, of one too long to be held, the beginning of one that no terminal knows.
    pub fn beginning(&self) -> &[u8] {
        match self.state {
            _ if !self.broken => &self.held,
            State::Ground => b"",
            State::Osc => b"\x1b]",
            State::Escape | State::Csi => b"\x1b[:",
            State::String => b"\x1b_",
            State::StringEnd => b"\x1b_\x1b",
        }
    }

    fn end(&mut self, each: &mut impl FnMut(Token<'_>)) {
        if !std::mem::take(&mut self.broken) {
            each(Token::Sequence(&self.held));
        }
        self.held.clear();
    }

    fn hold(&mut self, part: &[u8], each: &mut impl FnMut(Token<'_>)) {
        self.held.extend_from_slice(part);
        if self.broken || self.held.len() > MAX_HELD {
            self.broken = true;
            each(Token::Part(&self.held));
            self.held.clear();
        }
    }
}

/// What a whole sequence says: nothing if it is not understood, more than one entry if one was broken
/// off by another.
pub fn read(sequence: &[u8]) -> Vec<Sequence> {
    let mut sink = Sink::default();
    Parser::new().advance(&mut sink, sequence);
    sink.seen
}

/// Collects what the parser dispatches.
#[derive(Default)]
struct Sink {
    seen: Vec<Sequence>,
}

impl Perform for Sink {
    fn hook(&mut self, _: &Params, intermediates: &[u8], _: bool, action: char) {
        let intermediate = intermediates.first().copied().unwrap_or(0);
        self.seen.push(Sequence::Dcs { intermediate, action });
    }

    fn osc_dispatch(&mut self, params: &[&[u8]], _: bool) {
        self.seen.push(Sequence::Osc(params.join(&b';')));
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: char) {
        if ignore {
            return;
        }
        let is_marker = |byte: &u8| (0x3c..=0x3f).contains(byte);
        let mut csi = Csi {
            marker: intermediates.first().copied().filter(is_marker).unwrap_or(0),
            intermediate: intermediates
                .last()
                .copied()
                .filter(|byte| !is_marker(byte))
                .unwrap_or(0),
            action,
            params: [0; MAX_PARAMS],
            count: params.len().min(MAX_PARAMS),
        };
        for (slot, param) in csi.params.iter_mut().zip(params.iter()) {
            *slot = param.first().copied().unwrap_or(0);
        }
        self.seen.push(Sequence::Csi(csi));
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _: bool, byte: u8) {
        // The terminator of a string says nothing of its own.
        if byte != b'\\' {
            self.seen.push(Sequence::Esc {
                intermediate: intermediates.first().copied().unwrap_or(0),
                byte,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each token's kind and bytes.
    fn tokens<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<Sequence>) {
        let (mut tokens, mut bytes, mut seen) = (Tokens::default(), Vec::new(), Vec::new());
        for piece in pieces {
            tokens.feed(piece, |token| match token {
                Token::Text(text) | Token::Part(text) => bytes.extend_from_slice(text),
                Token::Sequence(raw) => {
                    bytes.extend_from_slice(raw);
                    seen.extend(read(raw));
                }
            });
        }
        bytes.extend_from_slice(tokens.held());
        (bytes, seen)
    }

    #[test]
    fn sequences_are_told_apart_from_text() {
        let stream = b"a\x1b[1;31mb\x1b]133;A\x07c\x1b]2;t;u\x1b\\d\x1bP+q544e\x1b\\e\x1b[?2004h\x1b(Bf\x1b[>0q";
        let mut texts = Vec::new();
        let mut seen = Vec::new();
        Tokens::default().feed(stream, |token| match token {
            Token::Text(text) => texts.extend_from_slice(text),
            Token::Sequence(raw) => seen.extend(read(raw)),
            Token::Part(_) => {}
        });
        assert_eq!(texts, b"abcdef");
        assert!(matches!(&seen[0], Sequence::Csi(csi) if csi.params() == [1, 31] && csi.action == 'm'));
        assert_eq!(seen[1], Sequence::Osc(b"133;A".to_vec()));
        assert_eq!(seen[2], Sequence::Osc(b"2;t;u".to_vec()));
        assert_eq!(
            seen[3],
            Sequence::Dcs {
                intermediate: b'+',
                action: 'q'
            }
        );
        assert!(matches!(&seen[4], Sequence::Csi(csi) if csi.marker == b'?' && csi.param(0) == 2004));
        assert_eq!(
            seen[5],
            Sequence::Esc {
                intermediate: b'(',
                byte: b'B'
            }
        );
        assert!(matches!(&seen[6], Sequence::Csi(csi) if csi.marker == b'>' && csi.action == 'q'));
    }

    #[test]
    fn a_string_broken_off_by_a_sequence_hides_nothing() {
        let (_, seen) = tokens(std::iter::once(&b"\x1b]0;x\x1b[c"[..]));
        assert!(matches!(&seen[..], [Sequence::Osc(_), Sequence::Csi(csi)] if csi.action == 'c'));
    }

    #[test]
    fn a_huge_string_is_not_held() {
        let image = [&b"\x1b]1337;"[..], &[b'A'; 100_000], b"\x07after"].concat();
        let mut tokens = Tokens::default();
        let mut total = 0;
        for piece in image.chunks(1000) {
            tokens.feed(piece, |token| match token {
                Token::Text(bytes) | Token::Part(bytes) | Token::Sequence(bytes) => total += bytes.len(),
            });
            assert!(tokens.held().len() <= MAX_HELD);
            let beginning = tokens.beginning();
            assert!(beginning == tokens.held() || beginning == b"\x1b]", "{beginning:?}");
        }
        assert_eq!(total, image.len());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_chunks_make_no_difference(
            bytes in proptest::collection::vec(prop_oneof![
                any::<u8>(), proptest::sample::select(b"\x1b\x1b[]P\\;?0m\x07".to_vec())], 0..300),
            size in 1usize..20,
        ) {
            let (whole, seen) = tokens(std::iter::once(&bytes[..]));
            prop_assert_eq!(&whole, &bytes);
            let (pieces, seen_in_pieces) = tokens(bytes.chunks(size));
            prop_assert_eq!(&pieces, &bytes);
            prop_assert_eq!(seen, seen_in_pieces);
        }
    }
}
