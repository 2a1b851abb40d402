//! What is signalled here, and whom it is for.

use std::os::fd::OwnedFd;

use super::super::Standing;
use super::super::job::{Order, Reach};
use super::super::sys::{self, Signal};
use super::Relay;

impl Relay {
    pub(super) fn take_signals(&mut self, signals: &OwnedFd) {
        while let Some(Signal { number, by_kernel }) = sys::next_signal(signals) {
            match number {
                libc::SIGCHLD => self.notice_front(),
                libc::SIGWINCH => self.tell_window(),
                libc::SIGCONT => {
                    let wants = self.raw || self.scene.eager && !self.is_editors_turn();
                    self.resume(wants);
                }
                // To whoever leads the session its terminal's end comes through its terminal. Anybody else gets the signal
                // because the leader has ended.
                libc::SIGHUP if by_kernel && self.scene.standing == Standing::Leader && self.hub.is_some() => {
                    self.hang_up();
                }
                // Meant for the editor, whose process group this is.
                _ if self.is_editors_turn() => {}
                number => {
                    if let Some(reach) = self.reach_of(number) {
                        Order::Signal(number, reach).send(&self.monitor);
                    }
                }
            }
        }
    }

    /// A key has made this signal on the command's terminal: on the caller's own it would have reached others, too.
    pub(super) fn share_key(&mut self, signal: i32) {
        match self.scene.standing {
            // Keys are the line editor's only while nothing runs.
            _ if self.editor.is_some() => {}
            Standing::Job => {
                sys::signal_own_group(signal);
                if let Some(witness) = &self.witness {
                    witness.had(signal);
                }
            }
            Standing::Leader | Standing::Guest if !self.scene.controlling => {
                if let Some(front) = sys::front_above(&self.scene.tty) {
                    sys::signal_group(front, signal);
                }
            }
            _ => {}
        }
    }

    /// Whom a signal that came here is for: was it sent to the caller's whole process group? `None` if it got there.
    fn reach_of(&mut self, signal: i32) -> Option<Reach> {
        sys::await_group();
        if let Some(at) = self.early.iter().position(|early| *early == signal) {
            self.early.swap_remove(at);
            return Some(Reach::Group);
        }
        match &self.witness {
            None if self.scene.monitor_leads => Some(Reach::Group),
            None => Some(Reach::AsHere),
            Some(witness) => match witness.had(signal) {
                Some(false) => Some(Reach::Command),
                _ if self.scene.standing == Standing::Guest => None,
                _ => Some(Reach::Group),
            },
        }
    }
}
