//! What the caller's terminal, and the process that its caller started, show of the command.

use agentsh_protocol::terminal::FromClient;

use super::super::front::{Front, Said};
use super::super::job::{Order, Reach};
use super::super::likeness::Likeness;
use super::super::{Standing, sys};
use super::Relay;

/// The command, as others are to see it here.
pub(super) struct Command {
    pid: i32,
    likeness: Likeness,
}

impl Command {
    pub(super) fn new(pid: i32) -> Command {
        let likeness = Likeness::of(pid);
        Command { pid, likeness }
    }
}

impl Relay {
    /// The caller's terminal shows which program is in front of the command's.
    pub(super) fn look(&mut self) {
        let Some(command) = &mut self.command else { return };
        if self.ended.is_some() {
            return;
        }
        command.likeness.look();
        let groups = sys::groups_of(command.pid);
        let job = groups.filter(|(own, front)| *front > 0 && front != own);
        // Only who leads the session can be sure that nobody else deals with its terminal's foreground.
        let leads = self.scene.standing == Standing::Leader && self.scene.controlling && self.raw;
        match job {
            Some((_, job)) if leads => {
                if self.front.is_none() {
                    self.front = Front::start(&self.scene.tty);
                }
                let Some(front) = &self.front else { return };
                front.show(job);
                if self.scene.stand_in.is_none() {
                    self.scene.stand_in = Some(front.pid());
                    sys::set_foreground(&self.scene.tty, front.pid());
                }
            }
            _ => self.step_back(),
        }
    }

    /// Nobody stands in front for a job.
    pub(super) fn step_back(&mut self) {
        if self.scene.stand_in.take().is_some() {
            sys::set_foreground(&self.scene.tty, sys::own_group());
        }
    }

    pub(super) fn hear_front(&mut self) {
        let Some(front) = &mut self.front else { return };
        match front.hear() {
            Some(Said::Typed(bytes)) => self.typed(&bytes),
            Some(Said::Signal(libc::SIGWINCH)) => self.tell_window(),
            Some(Said::Signal(signal)) => self.signal_job(signal),
            Some(Said::Nothing) => {}
            None => self.lose_front(),
        }
    }

    /// A signal that nobody can hold back was sent to what stands for the job.
    pub(super) fn notice_front(&mut self) {
        if let Some(signal) = self.front.as_ref().and_then(Front::struck) {
            self.signal_job(signal);
            if signal == libc::SIGKILL {
                self.lose_front();
            }
        }
    }

    pub(super) fn lose_front(&mut self) {
        self.step_back();
        if let Some(front) = self.front.take() {
            front.end();
        }
    }

    /// A signal for whoever is in front of the command's terminal now.
    pub(super) fn signal_job(&mut self, signal: i32) {
        let Some(command) = &self.command else { return };
        match sys::groups_of(command.pid) {
            Some((own, job)) if job > 0 && job != own => sys::signal_group(job, signal),
            _ => Order::Signal(signal, Reach::Group).send(&self.monitor),
        }
    }

    /// The key that ends input, alone, comes as nothing.
    pub(super) fn typed(&mut self, bytes: &[u8]) {
        let typed = match bytes {
            [] => vec![self.before.end_key()],
            bytes => bytes.to_vec(),
        };
        self.tell(&FromClient::Input(typed));
        self.looks.stir();
    }
}
