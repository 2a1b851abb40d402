//! What a terminal's hub and its clients say to each other: the shim of the command, `agentsh attach`.
//!
//! A frame is one byte of kind, four bytes of length (little-endian), and that many bytes. Output is
//! the command's bytes as they are; a client that is not of the terminal's size gets redraws only.

mod cooked;

pub use cooked::Cooked;

/// The longest payload; longer output is cut into several frames by the sender.
pub const MAX_PAYLOAD: usize = 1 << 20;

const HEAD: usize = 5;

/// A terminal's window: cells, and pixels if known (else 0), as `struct winsize` has them (ioctl_tty(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Columns.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
    /// Width in pixels, or 0.
    pub width: u16,
    /// Height in pixels, or 0.
    pub height: u16,
}

/// The flags of a terminal's settings (termios(3)), as far as two terminals are to agree on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Modes {
    /// `c_iflag`.
    pub input: u32,
    /// `c_oflag`.
    pub output: u32,
    /// `c_lflag`.
    pub local: u32,
}

impl Modes {
    /// The flags in which two differ.
    pub fn changed(self, other: Modes) -> Modes {
        self.each(other, |one, other| one ^ other)
    }

    /// The same, with `changed` as in `now`.
    pub fn with(self, changed: Modes, now: Modes) -> Modes {
        let kept = self.each(changed, |flags, changed| flags & !changed);
        kept.each(now.each(changed, |flags, changed| flags & changed), |one, other| {
            one | other
        })
    }

    fn each(self, other: Modes, of: impl Fn(u32, u32) -> u32) -> Modes {
        Modes {
            input: of(self.input, other.input),
            output: of(self.output, other.output),
            local: of(self.local, other.local),
        }
    }
}

/// Which window the terminal has when its clients differ. A client that only looks never counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SizeRule {
    /// That of the terminal's own client; without one it stays as it is.
    #[default]
    Fixed,
    /// That of the client which typed or resized last.
    Latest,
    /// The least columns and rows of all.
    Smallest,
    /// The most columns and rows of all.
    Largest,
}

impl SizeRule {
    const ALL: [SizeRule; 4] = [SizeRule::Fixed, SizeRule::Latest, SizeRule::Smallest, SizeRule::Largest];
}

/// Client to hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromClient {
    /// Bytes that were typed.
    Input(Vec<u8>),
    /// Of the terminal's own client: bytes that were typed before it was there, and whether they were shown then.
    Ahead(bool, Vec<u8>),
    /// The client's own terminal has this size.
    Window(Window),
    /// Ask to be the one who types.
    Take,
    /// Give typing back.
    Release,
    /// Leave.
    Detach,
    /// Of the terminal's own client: whether its terminal is raw now, so that it changes no byte of output.
    Raw(bool),
    /// Of the terminal's own client: somebody else has set these flags of its terminal so, and so they are here. To be
    /// answered by [`FromHub::Set`].
    Modes {
        /// The flags that were changed.
        changed: Modes,
        /// How they are now.
        now: Modes,
    },
    /// Of the terminal's own client: its terminal hung up, and so does this one.
    HangUp,
    /// Somebody has set the command's terminal (the primary).
    Look,
    /// Of the terminal's own client: to be answered by [`FromHub::Drained`]; with `true` what was typed and nobody has
    /// read is given back.
    Drain(bool),
    /// Of the terminal's own client: it has put these bytes on its terminal itself.
    Shown(Vec<u8>),
    /// As long as this client is there, and does not only look, the terminal's size follows this rule.
    Size(SizeRule),
}

/// Hub to client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromHub {
    /// Bytes for the client's terminal.
    Output(Vec<u8>),
    /// Bytes that bring the client's terminal to the present state, whatever it showed.
    Redraw(Vec<u8>),
    /// The terminal has this size.
    Window(Window),
    /// Whether this client is the one who types.
    Typing(bool),
    /// To the terminal's own client: the command has set the terminal so.
    Modes(Modes),
    /// To the terminal's own client: how the terminal is after [`FromClient::Modes`].
    Set(Modes),
    /// To the terminal's own client: the command has given the terminal this size.
    Sized(Window),
    /// The command ended with this wait status (wait(2)).
    Exit(i32),
    /// Nothing more will come; bytes that put the client's terminal in order before it is left.
    Leave(Vec<u8>),
    /// Everything that was printed before [`FromClient::Drain`] is on the client's terminal; with what is given back.
    Drained(Vec<u8>),
}

/// A frame that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TerminalFrameError {
    /// Its length is beyond [`MAX_PAYLOAD`].
    #[error("terminal frame of {0} bytes is too long")]
    TooLong(usize),
    /// Its kind or payload is unknown here.
    #[error("terminal frame of kind {0:#04x} is not understood")]
    Unknown(u8),
}

/// Splits a byte stream into frames.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    at: usize,
}

impl Decoder {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame's kind and payload.
    fn next(&mut self) -> Result<Option<(u8, &[u8])>, TerminalFrameError> {
        let rest = &self.bytes[self.at..];
        let Some((head, body)) = rest.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if length > MAX_PAYLOAD {
            return Err(TerminalFrameError::TooLong(length));
        }
        let Some(payload) = body.get(..length) else {
            return Ok(None);
        };
        self.at += HEAD + length;
        Ok(Some((head[0], payload)))
    }

    /// The next frame of a client.
    pub fn from_client(&mut self) -> Result<Option<FromClient>, TerminalFrameError> {
        let Some((kind, payload)) = self.next()? else {
            return Ok(None);
        };
        let frame = match (kind, payload) {
            (b'i', _) => FromClient::Input(payload.to_vec()),
            (b'a', [shown @ (0 | 1), typed @ ..]) => FromClient::Ahead(*shown == 1, typed.to_vec()),
            (b'w', _) => FromClient::Window(window(payload).ok_or(TerminalFrameError::Unknown(kind))?),
            (b't', []) => FromClient::Take,
            (b'g', []) => FromClient::Release,
            (b'd', []) => FromClient::Detach,
            (b'm', [raw @ (0 | 1)]) => FromClient::Raw(*raw == 1),
            (b's', _) => both_modes(payload).ok_or(TerminalFrameError::Unknown(kind))?,
            (b'h', []) => FromClient::HangUp,
            (b'l', []) => FromClient::Look,
            (b'e', [unread @ (0 | 1)]) => FromClient::Drain(*unread == 1),
            (b'p', _) => FromClient::Shown(payload.to_vec()),
            (b'z', [rule]) => {
                let rule = SizeRule::ALL.get(usize::from(*rule));
                FromClient::Size(*rule.ok_or(TerminalFrameError::Unknown(kind))?)
            }
            _ => return Err(TerminalFrameError::Unknown(kind)),
        };
        Ok(Some(frame))
    }

    /// The next frame of a hub.
    pub fn from_hub(&mut self) -> Result<Option<FromHub>, TerminalFrameError> {
        let Some((kind, payload)) = self.next()? else {
            return Ok(None);
        };
        let frame = match (kind, payload) {
            (b'o', _) => FromHub::Output(payload.to_vec()),
            (b'r', _) => FromHub::Redraw(payload.to_vec()),
            (b'w', _) => FromHub::Window(window(payload).ok_or(TerminalFrameError::Unknown(kind))?),
            (b't', [typing @ (0 | 1)]) => FromHub::Typing(*typing == 1),
            (b's', _) => FromHub::Modes(modes(payload).ok_or(TerminalFrameError::Unknown(kind))?),
            (b'a', _) => FromHub::Set(modes(payload).ok_or(TerminalFrameError::Unknown(kind))?),
            (b'z', _) => FromHub::Sized(window(payload).ok_or(TerminalFrameError::Unknown(kind))?),
            (b'x', [a, b, c, d]) => FromHub::Exit(i32::from_le_bytes([*a, *b, *c, *d])),
            (b'l', _) => FromHub::Leave(payload.to_vec()),
            (b'e', _) => FromHub::Drained(payload.to_vec()),
            _ => return Err(TerminalFrameError::Unknown(kind)),
        };
        Ok(Some(frame))
    }
}

fn window(payload: &[u8]) -> Option<Window> {
    let bytes: &[u8; 8] = payload.try_into().ok()?;
    let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    Some(Window {
        cols: number(0),
        rows: number(2),
        width: number(4),
        height: number(6),
    })
}

fn window_bytes(window: &Window) -> [u8; 8] {
    let [cols, rows, width, height] = [window.cols, window.rows, window.width, window.height].map(u16::to_le_bytes);
    [
        cols[0], cols[1], rows[0], rows[1], width[0], width[1], height[0], height[1],
    ]
}

fn modes(payload: &[u8]) -> Option<Modes> {
    let bytes: &[u8; 12] = payload.try_into().ok()?;
    let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    Some(Modes {
        input: number(0),
        output: number(4),
        local: number(8),
    })
}

fn modes_bytes(modes: &Modes) -> Vec<u8> {
    [modes.input, modes.output, modes.local].map(u32::to_le_bytes).concat()
}

fn both_modes(payload: &[u8]) -> Option<FromClient> {
    let (changed, now) = payload.split_at_checked(payload.len() / 2)?;
    Some(FromClient::Modes {
        changed: modes(changed)?,
        now: modes(now)?,
    })
}

/// Appends one frame, or several if `payload` is longer than [`MAX_PAYLOAD`].
fn frame(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    let mut rest = payload;
    loop {
        let (part, after) = rest.split_at(rest.len().min(MAX_PAYLOAD));
        out.push(kind);
        out.extend_from_slice(&(part.len() as u32).to_le_bytes());
        out.extend_from_slice(part);
        rest = after;
        if rest.is_empty() {
            return;
        }
    }
}

impl FromClient {
    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            FromClient::Input(bytes) => frame(out, b'i', bytes),
            FromClient::Ahead(shown, bytes) => frame(out, b'a', &[&[u8::from(*shown)], &bytes[..]].concat()),
            FromClient::Window(window) => frame(out, b'w', &window_bytes(window)),
            FromClient::Take => frame(out, b't', &[]),
            FromClient::Release => frame(out, b'g', &[]),
            FromClient::Detach => frame(out, b'd', &[]),
            FromClient::Raw(raw) => frame(out, b'm', &[u8::from(*raw)]),
            FromClient::Modes { changed, now } => frame(out, b's', &[changed, now].map(modes_bytes).concat()),
            FromClient::HangUp => frame(out, b'h', &[]),
            FromClient::Look => frame(out, b'l', &[]),
            FromClient::Drain(unread) => frame(out, b'e', &[u8::from(*unread)]),
            FromClient::Shown(bytes) => frame(out, b'p', bytes),
            FromClient::Size(rule) => frame(out, b'z', &[*rule as u8]),
        }
    }
}

impl FromHub {
    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            FromHub::Output(bytes) => frame(out, b'o', bytes),
            FromHub::Redraw(bytes) => frame(out, b'r', bytes),
            FromHub::Window(window) => frame(out, b'w', &window_bytes(window)),
            FromHub::Typing(typing) => frame(out, b't', &[u8::from(*typing)]),
            FromHub::Modes(modes) => frame(out, b's', &modes_bytes(modes)),
            FromHub::Set(modes) => frame(out, b'a', &modes_bytes(modes)),
            FromHub::Sized(window) => frame(out, b'z', &window_bytes(window)),
            FromHub::Exit(status) => frame(out, b'x', &status.to_le_bytes()),
            FromHub::Leave(bytes) => frame(out, b'l', bytes),
            FromHub::Drained(bytes) => frame(out, b'e', bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MODES: Modes = Modes {
        input: 1,
        output: u32::MAX,
        local: 1 << 16,
    };

    #[test]
    fn every_frame_is_read_back_in_any_pieces() -> Result<(), TerminalFrameError> {
        let window = Window {
            cols: 300,
            rows: 2,
            width: 3,
            height: 65535,
        };
        let clients = [
            FromClient::Input(vec![0, 255]),
            FromClient::Ahead(true, vec![4]),
            FromClient::Window(window),
            FromClient::Take,
            FromClient::Release,
            FromClient::Detach,
            FromClient::Raw(true),
            FromClient::Modes {
                changed: MODES,
                now: Modes::default(),
            },
            FromClient::HangUp,
            FromClient::Look,
            FromClient::Drain(true),
            FromClient::Shown(vec![b'$']),
            FromClient::Size(SizeRule::Fixed),
            FromClient::Size(SizeRule::Largest),
        ];
        let hubs = [
            FromHub::Output(vec![7; 300]),
            FromHub::Redraw(Vec::new()),
            FromHub::Window(window),
            FromHub::Typing(true),
            FromHub::Modes(MODES),
            FromHub::Set(MODES),
            FromHub::Sized(window),
            FromHub::Exit(-1),
            FromHub::Leave(vec![1]),
            FromHub::Drained(b"typed ahead".to_vec()),
        ];
        let (mut client_bytes, mut hub_bytes) = (Vec::new(), Vec::new());
        clients.iter().for_each(|frame| frame.encode(&mut client_bytes));
        hubs.iter().for_each(|frame| frame.encode(&mut hub_bytes));
        let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
        for byte in client_bytes {
            decoder.push(&[byte]);
            seen.extend(decoder.from_client()?);
        }
        assert_eq!(seen, clients);
        let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
        for bytes in hub_bytes.chunks(7) {
            decoder.push(bytes);
            while let Some(frame) = decoder.from_hub()? {
                seen.push(frame);
            }
        }
        assert_eq!(seen, hubs);
        Ok(())
    }

    #[test]
    fn flags_that_are_not_changed_stay() {
        let flags = |local| Modes {
            local,
            ..Modes::default()
        };
        assert_eq!(flags(0b1100).changed(flags(0b1010)), flags(0b0110));
        assert_eq!(flags(0b1100).with(flags(0b0110), flags(0b0011)), flags(0b1010));
    }

    #[test]
    fn output_beyond_the_limit_is_cut_into_frames() -> Result<(), TerminalFrameError> {
        let mut bytes = Vec::new();
        FromHub::Output(vec![1; MAX_PAYLOAD + 1]).encode(&mut bytes);
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        assert_eq!(decoder.from_hub()?, Some(FromHub::Output(vec![1; MAX_PAYLOAD])));
        assert_eq!(decoder.from_hub()?, Some(FromHub::Output(vec![1])));
        Ok(())
    }

    #[test]
    fn a_frame_too_long_or_unknown_is_an_error() {
        let mut decoder = Decoder::default();
        decoder.push(&[b'i', 0, 0, 0, 1]);
        assert_eq!(decoder.from_client(), Err(TerminalFrameError::TooLong(1 << 24)));
        for bytes in [[b'?', 0, 0, 0, 0], [b'w', 0, 0, 0, 0], [b'z', 0, 0, 0, 0]] {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            assert_eq!(decoder.from_client(), Err(TerminalFrameError::Unknown(bytes[0])));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            for hub in [true, false] {
                let mut decoder = Decoder::default();
                decoder.push(&bytes);
                while match hub {
                    true => decoder.from_hub().is_ok_and(|frame| frame.is_some()),
                    false => decoder.from_client().is_ok_and(|frame| frame.is_some()),
                } {}
            }
        }
    }
}
