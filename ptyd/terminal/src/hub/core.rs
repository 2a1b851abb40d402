use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use agentsh_protocol::terminal::{FromHub, Window};
use rustix::termios::{Winsize, tcsetwinsize};

use super::client::Client;
use super::config::{Event, Gone};
use super::drain::Drain;
use super::handle::Command;
use super::mirror::Mirror;
use super::size::{Sized, choose};
use super::waker::Waker;
use super::{ClientId, Joining, Role, SizeRule};
use crate::escape::Tokens;
use crate::marker::Marker;
use crate::recorder::RecorderHandle;
use crate::screen::{Screen, Size};

/// Everything that the hub's thread owns.
pub(super) struct Core {
    /// `None` once the terminal is closed.
    pub(super) master: Option<OwnedFd>,
    pub(super) waker: Waker,
    pub(super) commands: Receiver<Command>,
    pub(super) events: Box<dyn FnMut(Event) + Send>,
    pub(super) clients: Vec<Client>,
    pub(super) screen: Screen,
    pub(super) window: Window,
    /// The rule as long as no client asks for another.
    pub(super) size_rule: SizeRule,
    pub(super) recorder: Option<RecorderHandle>,
    pub(super) patience: Duration,
    pub(super) started: Instant,
    /// Since when the recorder has had no room.
    pub(super) stalled: Option<Instant>,
    /// Finds queries, where some clients must not see them.
    pub(super) tokens: Tokens,
    /// Who has taken typing over.
    pub(super) taken: Option<ClientId>,
    pub(super) typist: Option<ClientId>,
    /// The record says already that what is typed now is not in it.
    pub(super) noted: bool,
    /// Typed, and not yet taken by the terminal.
    pub(super) typed: Vec<u8>,
    pub(super) activity: u64,
    pub(super) last_frame: Instant,
    pub(super) mirror: Mirror,
    pub(super) drain: Drain,
    pub(super) exit: Exit,
}

/// Where the command stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Exit {
    Running,
    /// It has ended; its last output is still awaited.
    Draining {
        status: i32,
        since: Instant,
    },
    Told {
        status: i32,
    },
    /// Its end will never be told: the owner of the hub is gone.
    Unknown,
}

impl Core {
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn join(&mut self, id: ClientId, joining: Joining) {
        let take = joining.take;
        let role = joining.role;
        let primary_there = self.clients.iter().any(|client| client.role == Role::Primary);
        let client = match Client::new(id, joining) {
            Ok(client) if !(role == Role::Primary && primary_there) => client,
            _ => return (self.events)(Event::Detached(id, Gone::Broken)),
        };
        let fresh = !client.behind;
        self.clients.push(client);
        (self.events)(Event::Attached(id));
        self.touch(id);
        if take && role != Role::Watcher {
            self.taken = Some(id);
        }
        self.fit();
        self.choose_typist();
        if fresh {
            self.introduce(id);
        }
    }

    /// Tells a client how things stand; a redraw does the same.
    pub(super) fn introduce(&mut self, id: ClientId) {
        let (window, typing, exit) = (self.window, self.typist == Some(id), self.exit);
        if let Some(client) = self.client(id) {
            client.message(&FromHub::Window(window));
            client.message(&FromHub::Typing(typing));
            if let Exit::Told { status } = exit {
                client.message(&FromHub::Exit(status));
            }
        }
    }

    pub(super) fn client(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.id == id)
    }

    pub(super) fn primary(&self) -> Option<&Client> {
        self.clients.iter().find(|client| client.role == Role::Primary)
    }

    pub(super) fn primary_mut(&mut self) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.role == Role::Primary)
    }

    /// The client did something: it is the latest.
    pub(super) fn touch(&mut self, id: ClientId) {
        self.activity += 1;
        let activity = self.activity;
        if let Some(client) = self.client(id) {
            client.active = activity;
        }
    }

    /// A client leaves: its terminal is put in order, unless it is the one whose terminal this is.
    pub(super) fn dismiss(&mut self, id: ClientId, why: Gone) {
        let leave = self.screen.leave();
        if let Some(client) = self.client(id) {
            if why != Gone::Lost {
                let bytes = if client.role == Role::Primary {
                    Vec::new()
                } else {
                    leave
                };
                client.message(&FromHub::Leave(bytes));
                client.flush();
            }
            client.gone = Some(why);
        }
    }

    /// Removes the clients that are gone.
    pub(super) fn bury(&mut self) {
        let gone: Vec<(ClientId, Gone)> = self
            .clients
            .iter()
            .filter_map(|client| Some((client.id, client.gone?)))
            .collect();
        if gone.is_empty() {
            return;
        }
        self.clients.retain(|client| client.gone.is_none());
        for (id, why) in gone {
            (self.events)(Event::Detached(id, why));
            self.taken = self.taken.filter(|taken| *taken != id);
        }
        self.fit();
        self.choose_typist();
    }

    /// Gives the terminal the window that the rule asks for.
    pub(super) fn fit(&mut self) {
        let counted = self.clients.iter().filter(|client| client.role != Role::Watcher);
        let asked = counted
            .clone()
            .filter_map(|client| client.size_rule)
            .max_by_key(|(when, _)| *when);
        let rule = asked.map_or(self.size_rule, |(_, rule)| rule);
        let sized = counted.filter_map(|client| {
            let primary = client.role == Role::Primary;
            Some(Sized {
                window: client.window?,
                primary,
                active: client.active,
            })
        });
        let window = choose(rule, self.window, sized);
        if window == self.window {
            return;
        }
        let size = Winsize {
            ws_col: window.cols,
            ws_row: window.rows,
            ws_xpixel: window.width,
            ws_ypixel: window.height,
        };
        if let Some(master) = &self.master {
            // A terminal that is closed in this moment has no size to set.
            let _ = tcsetwinsize(master, size);
        }
        self.resized(window);
    }

    /// The terminal has this window now.
    pub(super) fn resized(&mut self, window: Window) {
        let before = std::mem::replace(&mut self.window, window);
        if (window.cols, window.rows) == (before.cols, before.rows) {
            return;
        }
        let size = Size::new(window.cols, window.rows);
        self.screen.resize(size);
        let now = self.now();
        if let Some(recorder) = &self.recorder {
            recorder.resize(now, size.cols, size.rows);
        }
        (self.events)(Event::Resized {
            cols: window.cols,
            rows: window.rows,
        });
        for client in &mut self.clients {
            client.tell(&FromHub::Window(window));
            // A terminal that was resized along with this one is redrawn by its program, as without us.
            client.behind |= client.role != Role::Primary || !client.fits(window) || client.frame.is_some();
        }
    }

    pub(super) fn mark(&mut self, marker: Marker) {
        if let Some(recorder) = &self.recorder {
            recorder.marker(self.now(), marker);
        }
    }

    /// The terminal is closed: who has seen everything is told to leave. Whether all have gone.
    pub(super) fn farewell(&mut self) -> bool {
        let order = self.screen.leave();
        let ready = self.clients.iter_mut().filter(|client| !client.behind);
        ready.for_each(|client| client.leave(&order));
        self.clients.iter().all(|client| client.left && client.idle())
    }

    /// The command's last output is there: its end is told.
    pub(super) fn end_drain(&mut self) {
        let Exit::Draining { status, .. } = self.exit else {
            return;
        };
        // The command may have changed it last.
        self.look_at_window();
        self.exit = Exit::Told { status };
        let ended = <std::process::ExitStatus as std::os::unix::process::ExitStatusExt>::from_raw(status);
        let signal = std::os::unix::process::ExitStatusExt::signal(&ended);
        let code = ended.code().unwrap_or(128 + signal.unwrap_or(0));
        if let Some(recorder) = &self.recorder {
            recorder.exit(self.now(), code);
        }
        let closed = self.master.is_none();
        for client in &mut self.clients {
            client.end(status, closed);
        }
    }

    /// A screen for this window.
    pub(super) fn blank(window: Window, scrollback: usize) -> io::Result<Screen> {
        Screen::new(Size::new(window.cols, window.rows), scrollback).map_err(io::Error::other)
    }
}
