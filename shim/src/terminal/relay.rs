//! The relay: between the caller's terminal, the hub and the monitor.

mod settings;
mod shown;
mod signals;
mod stops;

use std::os::fd::OwnedFd;

use agentsh_protocol::terminal::{Cooked, Decoder, FromClient, FromHub, Modes};

use super::Scene;
use super::front::Front;
use super::job::{Order, Reach, Report};
use super::looks::Looks;
use super::sys::{self, Ready, Tty};
use super::turns::{Editor, Turn};
use super::watch::Watch;
use super::witness::Witness;
use shown::Command;

pub(super) struct Relay {
    scene: Scene,
    /// What the caller's terminal was set to.
    before: Tty,
    /// The flags that it was given last.
    shown: Modes,
    raw: bool,
    /// `None` once it is gone.
    hub: Option<OwnedFd>,
    decoder: Decoder,
    /// For a terminal that is not raw.
    cooked: Cooked,
    /// For the hub, and not yet taken.
    waiting: Vec<u8>,
    monitor: OwnedFd,
    monitor_pid: i32,
    ended: Option<(i32, Option<Tty>)>,
    /// The command's last output is on the terminal.
    delivered: bool,
    /// What is printed later is not printed here.
    left: bool,
    hung_up: bool,
    editor: Option<Editor>,
    /// The command is stopped by this signal, and its job is once its last output is on the terminal.
    stopping: Option<i32>,
    /// Questions to the hub that are not answered yet.
    draining: usize,
    /// The same, of how the terminal was set by somebody else.
    setting: usize,
    /// Tells what was sent to the caller's job, where the monitor is not in it.
    witness: Option<Witness>,
    /// Signals that came before anybody could tell so.
    early: Vec<i32>,
    /// The command, once it is known which process that is.
    command: Option<Command>,
    looks: Looks,
    /// What stands for a job in front of the command's terminal.
    front: Option<Front>,
}

impl Relay {
    pub(super) fn new(
        scene: Scene,
        (before, raw): (Tty, bool),
        (hub, decoder): (OwnedFd, Decoder),
        (monitor, monitor_pid): (OwnedFd, i32),
        editor: Option<Editor>,
    ) -> Relay {
        Relay {
            shown: before.relayed().modes(),
            scene,
            before,
            raw,
            hub: Some(hub),
            decoder,
            cooked: Cooked::default(),
            waiting: Vec::new(),
            monitor,
            monitor_pid,
            ended: None,
            delivered: false,
            left: false,
            hung_up: false,
            editor,
            stopping: None,
            draining: 0,
            setting: 0,
            witness: None,
            early: Vec::new(),
            command: None,
            looks: Looks::default(),
            front: None,
        }
    }

    /// Relays until the command has ended; ends as it did.
    pub(super) fn run(mut self) -> ! {
        // Our children's numbers stay theirs until they are reaped.
        sys::stop_ignoring_children();
        if self.scene.monitor_leads {
            self.witness = Witness::start();
        }
        self.early = sys::pending_signals();
        // Whoever waits for the end of the caller's pipes must not wait for this process.
        let editor = self.editor.iter().map(|editor| &editor.socket);
        let witness = self.witness.iter().map(Witness::socket);
        let kept = [&self.scene.tty, &self.monitor].into_iter().chain(&self.hub);
        let kept: Vec<&OwnedFd> = kept.chain(editor).chain(witness).collect();
        sys::keep_only(&kept);
        let Ok(signals) = sys::all_signals() else {
            self.restore();
            sys::end(126)
        };
        let mut watch = Watch::new(&self.scene.tty);
        while !self.is_over() {
            // What comes after the command's end is for whoever has the terminal next.
            let wanted = self.ended.is_none() && !self.hung_up;
            let typing = self.raw && self.waiting.is_empty() && wanted;
            let reads = typing && self.front.as_ref().is_none_or(|front| !front.reads);
            let tty = (!self.hung_up).then_some(&self.scene.tty);
            let monitor = self.ended.is_none().then_some(&self.monitor);
            let writes = !self.waiting.is_empty();
            let editor = self.editor.as_ref().map(|editor| &editor.socket);
            let ready = sys::wait(
                (&signals, monitor, editor),
                (self.hub.as_ref(), writes),
                (tty, reads),
                (self.front.as_ref().map(Front::socket), self.looks.due()),
                watch.due(typing),
            );
            if ready.hub {
                self.hear_hub();
            }
            if ready.monitor {
                self.hear_monitor();
            }
            if ready.editor {
                self.hear_editor();
            }
            if ready.signals {
                self.take_signals(&signals);
            }
            if ready.front {
                self.hear_front();
            }
            if ready.changed {
                watch.take();
                self.looks.stir();
                self.look();
                if self.raw && self.scene.in_front() {
                    self.notice_modes();
                }
            }
            self.read_terminal(&ready, reads);
            if self.looks.take() {
                self.look();
            }
            self.flush();
        }
        self.end()
    }

    fn is_over(&self) -> bool {
        self.ended.is_some() && (self.delivered || self.hub.is_none())
    }

    fn tell(&mut self, what: &FromClient) {
        what.encode(&mut self.waiting);
        self.flush();
    }

    fn flush(&mut self) {
        match &self.hub {
            None => self.waiting.clear(),
            Some(hub) => match sys::send_some(hub, &self.waiting) {
                Some(count) => drop(self.waiting.drain(..count)),
                None => self.lose_hub(),
            },
        }
    }

    /// The supervisor is gone: the terminal is given back while the command ends.
    fn lose_hub(&mut self) {
        self.hub = None;
        self.restore();
        self.draining = 0;
        self.drained(&[]);
    }

    fn hear_hub(&mut self) {
        let Some(hub) = &self.hub else { return };
        let mut buffer = [0; 16 << 10];
        match sys::receive_some(hub, &mut buffer) {
            Some([]) => return,
            Some(bytes) => self.decoder.push(bytes),
            None => return self.lose_hub(),
        }
        loop {
            match self.decoder.from_hub() {
                Ok(Some(FromHub::Output(bytes) | FromHub::Redraw(bytes))) => self.print(&bytes),
                Ok(Some(FromHub::Modes(modes))) => self.show(modes),
                Ok(Some(FromHub::Set(modes))) => {
                    self.setting = self.setting.saturating_sub(1);
                    self.show(modes);
                }
                Ok(Some(FromHub::Exit(_))) => self.delivered = true,
                Ok(Some(FromHub::Leave(_))) => (self.delivered, self.left) = (true, true),
                Ok(Some(FromHub::Drained(unread))) => {
                    self.draining = self.draining.saturating_sub(1);
                    self.drained(&unread);
                }
                Ok(Some(FromHub::Sized(window))) => sys::set_window(&self.scene.tty, window),
                Ok(Some(FromHub::Window(_) | FromHub::Typing(_))) => {}
                Ok(None) => return,
                Err(_) => return self.lose_hub(),
            }
        }
    }

    /// Where the hub cannot reach the terminal.
    fn print(&mut self, bytes: &[u8]) {
        match self.raw {
            true => sys::write_all(&self.scene.tty, bytes),
            false => sys::write_all(&self.scene.tty, &self.cooked.undo(bytes)),
        }
    }

    fn hear_monitor(&mut self) {
        match Report::receive(&self.monitor) {
            Some(Report::Begun(pid)) => {
                self.command = Some(Command::new(pid));
                self.looks.stir();
            }
            Some(Report::Stopped(signal, left)) => self.stopped(signal, left),
            Some(Report::Ended(status, settings)) => self.ended = Some((status, settings)),
            Some(Report::Set) => self.tell(&FromClient::Look),
            Some(Report::Key(signal)) => self.share_key(signal),
            None => {
                // Somebody killed it, and with that the session on the new terminal.
                self.restore();
                self.hub = None;
                self.ended = Some((libc::SIGKILL, None));
            }
        }
    }

    fn is_editors_turn(&self) -> bool {
        self.editor.as_ref().is_some_and(|editor| !editor.commands_turn)
    }

    fn hear_editor(&mut self) {
        let Some(editor) = &mut self.editor else { return };
        match editor.hear() {
            Turn::Command(shown) => {
                editor.commands_turn = true;
                self.tell(&FromClient::Shown(shown));
                let _ = self.take_terminal();
                self.editor.iter().for_each(Editor::taken);
            }
            Turn::Editor => {
                editor.waits = true;
                self.drain(true);
            }
            Turn::Gone => {
                self.editor = None;
                self.restore();
                // An editor that was killed has left it as it needed it.
                self.before.apply(&self.scene.tty);
                self.hang_up();
                Order::Signal(libc::SIGHUP, Reach::Group).send(&self.monitor);
            }
        }
    }

    fn tell_window(&mut self) {
        if let Some(window) = sys::window(&self.scene.tty) {
            self.tell(&FromClient::Window(window));
        }
    }

    fn hang_up(&mut self) {
        if !std::mem::replace(&mut self.hung_up, true) {
            self.raw = false;
            self.tell(&FromClient::HangUp);
        }
    }

    fn read_terminal(&mut self, ready: &Ready, typing: bool) {
        if ready.hung_up {
            self.hang_up();
        } else if ready.typed && typing {
            if !self.scene.in_front() {
                // Somebody else has it now, as it is.
                self.raw = false;
                return self.tell(&FromClient::Raw(false));
            }
            self.notice_modes();
            match &mut self.front {
                Some(front) if self.scene.stand_in.is_some() => front.read(),
                _ => {
                    let mut buffer = [0; 4096];
                    if let Some(typed) = sys::read_typed(&self.scene.tty, &mut buffer) {
                        self.typed(typed);
                    }
                }
            }
        }
    }

    fn restore(&mut self) {
        self.step_back();
        if std::mem::replace(&mut self.raw, false) {
            self.before.apply(&self.scene.tty);
            self.tell(&FromClient::Raw(false));
        }
    }

    fn end(mut self) -> ! {
        let (status, left) = self.ended.take().unwrap_or((libc::SIGKILL, None));
        // What the command set is what the caller finds, as if it had been its own terminal.
        if let Some(left) = left {
            self.before = left;
        }
        if std::mem::take(&mut self.raw) {
            self.before.apply(&self.scene.tty);
        }
        sys::reap(self.monitor_pid);
        self.lose_front();
        if let Some(witness) = self.witness.take() {
            witness.end();
        }
        if !self.left && self.hub.is_some() && sys::fork().is_ok_and(|child| child == 0) {
            self.follow()
        }
        sys::end_as(status)
    }

    /// What the command has left behind goes on printing, and only this side can reach the terminal: it is printed as
    /// long as somebody does, while the caller has its end.
    fn follow(mut self) -> ! {
        while let (Some(hub), false) = (&self.hub, self.left) {
            sys::heard_within(hub, -1);
            self.hear_hub();
        }
        sys::end(0)
    }
}
