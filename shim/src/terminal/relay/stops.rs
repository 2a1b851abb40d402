//! The job stops with the command, and goes on with it.

use agentsh_protocol::terminal::FromClient;

use super::super::job::{Order, Reach};
use super::super::sys::{self, Tty};
use super::super::turns::Editor;
use super::super::witness::Witness;
use super::Relay;

impl Relay {
    /// The command is stopped: so is the whole job, unless it only wants the terminal that it can have.
    pub(super) fn stopped(&mut self, signal: i32, left: Option<Tty>) {
        if is_want(signal) && !self.raw && self.scene.in_front() {
            return self.resume(true);
        }
        self.stopping = Some(signal);
        if !self.raw {
            return self.stop();
        }
        // The caller finds its terminal as the command left it, as if that had been the command's own.
        if let (Some(left), None) = (left, &self.editor) {
            self.before = left;
        }
        self.drain(false);
    }

    /// Asks to hear when everything that was printed so far is on the terminal.
    pub(super) fn drain(&mut self, unread: bool) {
        match &self.hub {
            None => self.drained(&[]),
            Some(_) => {
                self.draining += 1;
                self.tell(&FromClient::Drain(unread));
            }
        }
    }

    /// Everything is; what waited for that is done, if it was the last question.
    pub(super) fn drained(&mut self, unread: &[u8]) {
        if let Some(editor) = self.editor.as_mut().filter(|editor| editor.waits) {
            editor.unread.extend_from_slice(unread);
        }
        if self.draining > 0 {
            return;
        }
        if self.editor.as_ref().is_some_and(|editor| editor.waits) {
            self.restore();
            self.editor.iter_mut().for_each(Editor::given);
        }
        self.stop();
    }

    /// Stops the job along with the command, if that is still to be done.
    fn stop(&mut self) {
        let Some(signal) = self.stopping.take() else { return };
        if self.ended.is_some() || sys::is_readable(&self.monitor) || sys::is_pending(libc::SIGCONT) {
            // It is not stopped any more.
            return;
        }
        self.restore();
        let was_stopped = sys::stop(signal, self.scene.standing);
        if is_want(signal) && !was_stopped && !self.scene.in_front() {
            // Nobody could ever continue it: the kernel hangs such jobs up.
            Order::Signal(libc::SIGHUP, Reach::Group).send(&self.monitor);
        }
        let wants = match &self.editor {
            Some(editor) => editor.commands_turn,
            None => self.scene.eager || signal == libc::SIGTSTP,
        };
        self.resume(wants);
    }

    /// Goes on, in front if the caller's job is there.
    pub(super) fn resume(&mut self, wants: bool) {
        self.stopping = None;
        self.witness.iter().for_each(Witness::go_on);
        let front = wants && self.scene.in_front();
        let taken = front && self.take_terminal() && self.editor.is_none();
        // It is set as whoever brought the job to the front has set it. Between two turns of an editor the command stays in
        // front of its own terminal.
        Order::Continue(front || self.editor.is_some(), taken.then_some(self.before)).send(&self.monitor);
    }

    /// From now on what is typed is the command's; whether it was not before.
    pub(super) fn take_terminal(&mut self) -> bool {
        if self.raw || self.hub.is_none() || self.hung_up {
            return false;
        }
        if let Ok(now) = Tty::of(&self.scene.tty) {
            self.before = now;
        }
        let relayed = self.before.relayed();
        self.shown = relayed.modes();
        self.raw = relayed.apply(&self.scene.tty);
        let raw = self.raw;
        self.tell(&FromClient::Raw(raw));
        self.tell_window();
        raw
    }
}

/// Whether a program is stopped so that wants the terminal from the background.
fn is_want(signal: i32) -> bool {
    matches!(signal, libc::SIGTTIN | libc::SIGTTOU)
}
