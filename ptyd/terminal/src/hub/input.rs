//! What clients say: keys, windows, who types.

use std::os::fd::AsFd;

use agentsh_protocol::terminal::{FromClient, FromHub};

use super::client::write;
use super::config::{Event, Gone};
use super::core::Core;
use super::{ClientId, Role};
use crate::marker::Marker;
use crate::pty::{Echo, echo};

/// Typed bytes that may wait for the terminal before no more are read from the client.
const MAX_TYPED: usize = 64 << 10;

impl Core {
    /// Does what a client says.
    pub(super) fn said(&mut self, id: ClientId, what: FromClient) {
        match what {
            FromClient::Input(bytes) if self.typist == Some(id) => {
                self.touch(id);
                self.fit();
                self.typed(id, &bytes);
            }
            // Keys of one who does not type are nobody's.
            FromClient::Input(_) => {}
            FromClient::Ahead(shown, bytes) => {
                if self.is_primary(id) {
                    self.put_on_record(&bytes, if shown { Echo::On } else { Echo::Hidden }, false);
                    self.give_terminal(&bytes);
                }
            }
            FromClient::Window(window) => {
                self.touch(id);
                let terminal = self.window;
                if let Some(client) = self.client(id) {
                    let fitted = client.fits(terminal);
                    client.window = Some(window);
                    client.frame = None;
                    client.behind |= client.role != Role::Primary || !fitted;
                }
                self.fit();
                let terminal = self.window;
                if let Some(client) = self.client(id) {
                    client.behind |= !client.fits(terminal);
                }
            }
            FromClient::Take => {
                if self.client(id).is_some_and(|client| client.role != Role::Watcher) {
                    self.taken = Some(id);
                }
                self.choose_typist();
            }
            FromClient::Release => {
                self.taken = self.taken.filter(|taken| *taken != id);
                self.choose_typist();
            }
            FromClient::Detach => self.dismiss(id, Gone::Left),
            FromClient::Raw(raw) => {
                if let Some(client) = self.client(id) {
                    client.set_raw(raw);
                }
            }
            FromClient::Modes { changed, now } => {
                if self.is_primary(id) {
                    self.set_modes(changed, now);
                }
            }
            FromClient::Look => {
                if self.is_primary(id) {
                    self.stirred();
                }
            }
            FromClient::HangUp => {
                if self.is_primary(id) {
                    self.master = None;
                }
            }
            FromClient::Drain(unread) => {
                if self.is_primary(id) {
                    self.ask_drained(unread);
                }
            }
            FromClient::Shown(bytes) => {
                if self.is_primary(id) {
                    self.shown(id, &bytes);
                }
            }
            FromClient::Size(rule) => {
                self.touch(id);
                let when = self.activity;
                if let Some(client) = self.client(id) {
                    client.size_rule = Some((when, rule));
                }
                self.fit();
            }
        }
    }

    fn is_primary(&self, id: ClientId) -> bool {
        self.primary().is_some_and(|client| client.id == id)
    }

    /// Who types: whoever took over, else the primary, else who does already, else the first who may.
    pub(super) fn choose_typist(&mut self) {
        let with = |role: Role| {
            self.clients
                .iter()
                .find(|client| client.role == role)
                .map(|client| client.id)
        };
        let there = |id: ClientId| self.clients.iter().any(|client| client.id == id);
        let present = self.typist.filter(|id| there(*id));
        let typist = self.taken.or(with(Role::Primary)).or(present).or(with(Role::Writer));
        if typist == self.typist {
            return;
        }
        self.typist = typist;
        self.noted = false;
        for client in &mut self.clients {
            client.tell(&FromHub::Typing(Some(client.id) == typist));
        }
        (self.events)(Event::Typing(typist));
    }

    /// Whether the terminal has taken most of what was typed.
    pub(super) fn takes_typing(&self) -> bool {
        self.typed.len() < MAX_TYPED
    }

    fn typed(&mut self, id: ClientId, bytes: &[u8]) {
        let person = self.taken == Some(id) && self.client(id).is_some_and(|client| client.role != Role::Primary);
        // A terminal that does not say counts as hiding what is typed.
        let echo = self
            .master
            .as_ref()
            .and_then(|master| echo(master.as_fd()).ok())
            .unwrap_or(Echo::Hidden);
        self.put_on_record(bytes, echo, person);
        self.give_terminal(bytes);
        self.stirred();
    }

    /// What was typed, if it was shown; else that something was.
    fn put_on_record(&mut self, bytes: &[u8], echo: Echo, person: bool) {
        let unseen = person || echo == Echo::Hidden;
        if unseen && !self.noted {
            self.mark(Marker::Typed);
            self.noted = true;
        } else if !unseen && echo == Echo::On {
            let now = self.now();
            if let Some(recorder) = &self.recorder {
                recorder.input(now, bytes);
            }
        }
        if !person && (!unseen || bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n'))) {
            // The next hidden line is another password.
            self.noted = false;
        }
    }

    /// Writes to the command's input.
    pub(super) fn give_terminal(&mut self, bytes: &[u8]) {
        self.typed.extend_from_slice(bytes);
        self.flush_typed();
    }

    pub(super) fn flush_typed(&mut self) {
        if let Some(master) = &self.master {
            // What a closing terminal does not take is lost, as keys are.
            let count = write(master.as_fd(), &self.typed).unwrap_or(self.typed.len());
            self.typed.drain(..count);
        }
    }
}
