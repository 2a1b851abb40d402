//! What the command prints, on its way to recorder, screen and clients.

use std::time::{Duration, Instant};

use agentsh_protocol::terminal::Window;

use super::ClientId;
use super::client::Client;
use super::core::Core;
use crate::escape::{Token, Tokens};
use crate::screen::{Size, query};

/// Between two redraws of a client of another size.
pub(super) const FRAME: Duration = Duration::from_millis(33);

impl Client {
    /// Whether it is of the terminal's size (or does not say), so that output can be passed on as it is.
    pub(super) fn fits(&self, window: Window) -> bool {
        self.window
            .is_none_or(|own| (own.cols, own.rows) == (window.cols, window.rows))
    }

    /// Whether output reaches it as it is.
    fn streams(&self, window: Window) -> bool {
        self.fits(window) && !self.behind
    }
}

impl Core {
    /// The client whose terminal sees the command's queries, and answers them.
    fn answerer(&self) -> Option<ClientId> {
        let typist = self.clients.iter().find(|client| Some(client.id) == self.typist)?;
        typist.streams(self.window).then_some(typist.id)
    }

    /// Passes on what the command printed.
    pub(super) fn output(&mut self, bytes: &[u8]) {
        if let Some(recorder) = &self.recorder {
            recorder.output(self.started.elapsed(), bytes);
        }
        let answerer = self.answerer();
        let window = self.window;
        let others = self
            .clients
            .iter()
            .any(|client| Some(client.id) != answerer && client.streams(window));
        let mut hidden = Vec::new();
        match answerer {
            Some(_) if !others => {
                self.tokens = Tokens::default();
                self.screen.push(bytes);
            }
            Some(_) => {
                self.screen.push(bytes);
                self.tokens.feed(bytes, |token| {
                    if let Some(raw) = harmless(token) {
                        hidden.extend_from_slice(raw);
                    }
                });
            }
            None => self.answer(bytes, &mut hidden),
        }
        for client in &mut self.clients {
            if !client.fits(window) {
                client.behind = true;
            } else if Some(client.id) == answerer {
                client.output(bytes);
            } else {
                client.output(&hidden);
            }
        }
    }

    /// The primary has put these bytes on its terminal itself: everybody else sees them too.
    pub(super) fn shown(&mut self, id: ClientId, bytes: &[u8]) {
        if let Some(recorder) = &self.recorder {
            recorder.output(self.started.elapsed(), bytes);
        }
        self.screen.push(bytes);
        let window = self.window;
        for client in self.clients.iter_mut().filter(|client| client.id != id) {
            match client.fits(window) {
                true => client.output(bytes),
                false => client.behind = true,
            }
        }
    }

    /// Nobody who types sees the queries: the hub answers them, each from the state at its place.
    fn answer(&mut self, bytes: &[u8], hidden: &mut Vec<u8>) {
        let Core { tokens, screen, .. } = self;
        let mut answers = Vec::new();
        // Where the next token begins, counted from the start of `bytes`: before it, if held back.
        let mut position = -(tokens.held().len() as isize);
        let mut pushed = 0;
        tokens.feed(bytes, |token| {
            let (Token::Text(raw) | Token::Part(raw) | Token::Sequence(raw)) = token;
            position += raw.len() as isize;
            match (harmless(token), token) {
                (Some(raw), _) => hidden.extend_from_slice(raw),
                (None, Token::Sequence(raw)) => {
                    let end = usize::try_from(position).unwrap_or(0);
                    screen.push(&bytes[pushed..end]);
                    pushed = end;
                    answers.extend(query::answer(raw, screen));
                }
                (None, _) => {}
            }
        });
        screen.push(&bytes[pushed..]);
        self.give_terminal(&answers);
    }

    /// Redraws the clients that need it and are ready for it; says when to try again.
    pub(super) fn redraw(&mut self) -> Option<Duration> {
        let wanted: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|c| c.behind && c.idle())
            .map(|c| c.id)
            .collect();
        let window = self.window;
        let mut again = None;
        for id in wanted {
            let Some(client) = self.clients.iter().find(|client| client.id == id) else {
                continue;
            };
            if client.fits(window) {
                self.introduce(id);
                // First out of whatever sequence was cut; then into the one that is, unless that is held back here and comes whole.
                let mut bytes = [&b"\x18"[..], &self.screen.redraw()].concat();
                if self.typist == Some(id) || self.tokens.beginning().is_empty() {
                    bytes.extend(self.screen.under_way());
                }
                if let Some(client) = self.client(id) {
                    client.frame = None;
                    client.redraw(bytes);
                }
            } else if self.master.is_some() && client.frame.is_some() && self.last_frame.elapsed() < FRAME {
                again = Some(FRAME.saturating_sub(self.last_frame.elapsed()));
            } else {
                self.frame(id);
            }
        }
        again
    }

    /// Draws the rows that changed on a client of another size.
    fn frame(&mut self, id: ClientId) {
        self.last_frame = Instant::now();
        let Some(own) = self.client(id).and_then(|client| client.window) else {
            return;
        };
        let (rows, cursor) = self.screen.frame(Size::new(own.cols, own.rows));
        let first = self.client(id).is_some_and(|client| client.frame.is_none());
        if first {
            self.introduce(id);
        }
        let Some(client) = self.client(id) else { return };
        let mut out = if first {
            b"\x18\x1b[?1047l\x1b[r\x1b[?6l\x1b[?7l\x1b[m\x1b[2J".to_vec()
        } else {
            Vec::new()
        };
        let before = client.frame.take().unwrap_or_default();
        for (number, row) in rows.iter().enumerate() {
            if before.get(number) != Some(row) {
                out.extend_from_slice(format!("\x1b[{};1H", number + 1).as_bytes());
                out.extend_from_slice(row);
                out.extend_from_slice(b"\x1b[K");
            }
        }
        out.extend_from_slice(&cursor);
        client.frame = Some(rows);
        client.redraw(out);
    }
}

/// The token's bytes, unless a terminal would answer them.
fn harmless(token: Token<'_>) -> Option<&[u8]> {
    match token {
        Token::Text(raw) | Token::Part(raw) => Some(raw),
        Token::Sequence(raw) => (!query::is_query(raw)).then_some(raw),
    }
}
