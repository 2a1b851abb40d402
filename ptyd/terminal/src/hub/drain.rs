//! The primary asks when everything that was printed is on its terminal: before it stops, or takes its terminal back.
//!
//! A read of the master that finds nothing has waited for what the kernel still had to pass on (`n_tty_read` flushes the
//! buffer's work first), so nothing that was written before is missing.

use std::os::fd::AsFd as _;

use agentsh_protocol::terminal::FromHub;

use super::Role;
use super::client::Client;
use super::core::Core;
use crate::pty;

/// More than a terminal holds between the writer's side and ours: after so much nothing is left of what was written
/// before, whatever goes on being printed.
const IN_FLIGHT: usize = 64 << 10;

/// Questions that wait for their answers.
#[derive(Default)]
pub(super) struct Drain {
    asked: usize,
    /// Whether what was typed and not read is to be given back.
    unread: bool,
    /// How much was read since the last question.
    read: usize,
    /// Everything older than the last question is read; the primary's terminal has it once so much was written there.
    until: Option<u64>,
}

impl Drain {
    /// Whether the terminal is to be read on.
    pub(super) fn reads(&self) -> bool {
        self.asked > 0 && self.until.is_none()
    }
}

impl Core {
    /// The primary asks.
    pub(super) fn ask_drained(&mut self, unread: bool) {
        self.drain.asked += 1;
        self.drain.unread |= unread;
        self.drain.read = 0;
        self.drain.until = None;
        if self.master.is_none() {
            self.drain_read(0, true);
        }
    }

    /// So much was read of the terminal; nothing was left if it is `dry`.
    pub(super) fn drain_read(&mut self, count: usize, dry: bool) {
        self.drain.read += count;
        if self.drain.reads() && (dry || self.drain.read >= IN_FLIGHT) {
            match self.primary().map(Client::written_then) {
                Some(until) => self.drain.until = Some(until),
                None => self.drain = Drain::default(),
            }
        }
    }

    /// Answers if everything is read, and its terminal has it.
    pub(super) fn tell_drained(&mut self) {
        let Some(until) = self.drain.until else { return };
        let Some(primary) = self.clients.iter_mut().find(|client| client.role == Role::Primary) else {
            // Nobody is left to be told.
            self.drain = Drain::default();
            return;
        };
        if primary.written < until {
            return;
        }
        let Drain { asked, unread, .. } = std::mem::take(&mut self.drain);
        let mut given = match &self.master {
            // A terminal that closes in this moment has nothing to give back.
            Some(master) if unread => pty::take_unread(master.as_fd()).unwrap_or_default(),
            _ => Vec::new(),
        };
        if unread {
            given.append(&mut self.typed);
        }
        for _ in 0..asked {
            primary.tell_relay(&FromHub::Drained(std::mem::take(&mut given)));
        }
    }
}
