//! What was typed before the relay began: it has been through the caller's line discipline, and been echoed. So it goes past
//! that of the new terminal, line by line, before anybody reads there.

use std::os::fd::OwnedFd;

use agentsh_protocol::terminal::{Decoder, FromClient, FromHub};

use super::sys::{self, END, LITERAL, Tty};

/// More than a terminal holds.
const MOST: usize = 4096;

/// How long the hub may take, in milliseconds.
const PATIENCE: i32 = 1000;

/// Bytes as they are typed into a terminal that is set for them.
pub(super) struct Ahead(Vec<u8>);

impl Ahead {
    /// Takes the lines that are whole, as long as the caller's terminal still keeps them apart.
    pub(super) fn lines(tty: &OwnedFd, before: &Tty) -> Ahead {
        let mut ahead = Ahead(Vec::new());
        let mut line = [0; MOST];
        // What comes beyond that is typed while this reads.
        for _ in 0..MOST {
            if !before.keeps_lines() || !sys::has_typed(tty) {
                break;
            }
            match sys::read_typed(tty, &mut line) {
                None => break,
                // One that was ended without a line feed, or nothing at all: by the key that ends input.
                Some(text) => ahead.push(text, true),
            }
        }
        ahead
    }

    /// Adds a line, or what was typed of one.
    fn push(&mut self, text: &[u8], ended: bool) {
        let (text, end): (&[u8], &[u8]) = match text.split_last() {
            Some((b'\n', line)) => (line, b"\n"),
            _ if ended => (text, &[END]),
            _ => (text, &[]),
        };
        for byte in text {
            if [b'\n', END, LITERAL].contains(byte) {
                self.0.push(LITERAL);
            }
            self.0.push(*byte);
        }
        self.0.extend_from_slice(end);
    }

    /// Types it, with what was typed since, into the new terminal.
    pub(super) fn hand_over(
        mut self,
        tty: &OwnedFd,
        before: &Tty,
        slave: &OwnedFd,
        (hub, decoder): (&OwnedFd, &mut Decoder),
    ) {
        let mut rest = [0; MOST];
        if sys::waiting(tty) > 0
            && let Some(typed) = sys::read_typed(tty, &mut rest)
        {
            match before.keeps_lines() {
                true => self.push(typed, false),
                false => self.0.extend_from_slice(typed),
            }
        }
        if self.0.is_empty() {
            return;
        }
        before.for_typed_ahead().apply(slave);
        let mut frames = Vec::new();
        let typed = match before.keeps_lines() {
            true => FromClient::Ahead(before.echoes(), self.0),
            false => FromClient::Input(self.0),
        };
        typed.encode(&mut frames);
        // Answered once that is done.
        FromClient::Drain(false).encode(&mut frames);
        sys::send_some(hub, &frames);
        await_drained(hub, decoder);
        // Whoever polls a terminal waits until everything has been dealt with as it is set (`n_tty_poll`).
        sys::is_readable(slave);
        before.apply(slave);
    }
}

fn await_drained(hub: &OwnedFd, decoder: &mut Decoder) {
    let mut buffer = [0; MOST];
    while sys::heard_within(hub, PATIENCE) {
        match sys::receive_some(hub, &mut buffer) {
            Some(bytes) => decoder.push(bytes),
            None => return,
        }
        while let Ok(Some(frame)) = decoder.from_hub() {
            if matches!(frame, FromHub::Drained(_)) {
                return;
            }
        }
    }
}
