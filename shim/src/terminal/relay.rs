//! The relay: the caller's terminal, its signals, and its job control.

use std::os::fd::OwnedFd;

use agentsh_protocol::terminal::{Decoder, FromClient, FromHub, Modes};

use super::job::{Order, Report};
use super::sys::{self, OURS, Ready, Signal, Tty};
use super::{Scene, Standing};

/// How long the last output before a stop may be on its way to the caller's terminal, in milliseconds.
const SETTLED: i32 = 20;

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
    /// For the hub, and not yet taken.
    waiting: Vec<u8>,
    monitor: OwnedFd,
    monitor_pid: i32,
    ended: Option<(i32, Option<Tty>)>,
    /// The command's last output is on the terminal.
    delivered: bool,
    hung_up: bool,
}

impl Relay {
    pub(super) fn new(scene: Scene, before: Tty, raw: bool, hub: OwnedFd, monitor: OwnedFd, monitor_pid: i32) -> Relay {
        Relay {
            shown: before.relayed().modes(),
            scene,
            before,
            raw,
            hub: Some(hub),
            decoder: Decoder::default(),
            waiting: Vec::new(),
            monitor,
            monitor_pid,
            ended: None,
            delivered: false,
            hung_up: false,
        }
    }

    /// Relays until the command has ended; ends as it did.
    pub(super) fn run(mut self) -> ! {
        // Whoever waits for the end of the caller's pipes must not wait for this process.
        let kept: Vec<&OwnedFd> = [&self.scene.tty, &self.monitor].into_iter().chain(&self.hub).collect();
        sys::keep_only(&kept);
        let Ok(signals) = sys::all_signals() else {
            self.restore();
            sys::end(126)
        };
        while !self.is_over() {
            let typing = self.raw && self.waiting.is_empty() && !self.hung_up;
            let tty = (!self.hung_up).then_some(&self.scene.tty);
            let monitor = self.ended.is_none().then_some(&self.monitor);
            let writes = !self.waiting.is_empty();
            let ready = sys::wait(&signals, monitor, (self.hub.as_ref(), writes), (tty, typing));
            if ready.hub {
                self.hear_hub();
            }
            if ready.monitor {
                self.hear_monitor();
            }
            if ready.signals {
                self.take_signals(&signals);
            }
            self.read_terminal(&ready, typing);
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
                Ok(Some(FromHub::Output(bytes) | FromHub::Redraw(bytes))) => sys::write_all(&self.scene.tty, &bytes),
                Ok(Some(FromHub::Modes(modes))) => self.show(modes),
                Ok(Some(FromHub::Exit(_) | FromHub::Leave(_))) => self.delivered = true,
                Ok(Some(FromHub::Window(_) | FromHub::Typing(_))) => {}
                Ok(None) => return,
                Err(_) => return self.lose_hub(),
            }
        }
    }

    fn hear_monitor(&mut self) {
        match Report::receive(&self.monitor) {
            Some(Report::Stopped(signal)) => self.stopped(signal),
            Some(Report::Ended(status, settings)) => self.ended = Some((status, settings)),
            None => {
                // Somebody killed it, and with that the session on the new terminal.
                self.restore();
                self.hub = None;
                self.ended = Some((libc::SIGKILL, None));
            }
        }
    }

    /// The command is stopped: so is the whole job, unless it only wants the terminal that it can have.
    fn stopped(&mut self, signal: i32) {
        let wants = matches!(signal, libc::SIGTTIN | libc::SIGTTOU);
        if wants && !self.raw && self.scene.in_front() {
            return self.resume(true);
        }
        // Nobody can tell when a terminal has passed on what a stopped program wrote before.
        if self.raw
            && self.hub.is_some()
            && (sys::heard_within(&self.monitor, SETTLED) || sys::is_pending(libc::SIGCONT))
        {
            // It is not stopped any more.
            return;
        }
        self.restore();
        let was_stopped = sys::stop(signal, self.scene.standing);
        if wants && !was_stopped && !self.scene.in_front() {
            // Nobody could ever continue it: the kernel hangs such jobs up.
            Order::Signal(libc::SIGHUP).send(&self.monitor);
        }
        self.resume(self.scene.eager || signal == libc::SIGTSTP);
    }

    /// Goes on, in front if the caller's job is there.
    fn resume(&mut self, wants: bool) {
        let front = wants && self.scene.in_front();
        if front && !self.raw && self.hub.is_some() && !self.hung_up {
            if let Ok(now) = Tty::of(&self.scene.tty) {
                self.before = now;
            }
            let relayed = self.before.relayed();
            self.shown = relayed.modes();
            self.raw = relayed.apply(&self.scene.tty);
            let raw = self.raw;
            self.tell(&FromClient::Raw(raw));
            self.tell_window();
        }
        Order::Continue(front).send(&self.monitor);
    }

    fn tell_window(&mut self) {
        if let Some(window) = sys::window(&self.scene.tty) {
            self.tell(&FromClient::Window(window));
        }
    }

    fn take_signals(&mut self, signals: &OwnedFd) {
        while let Some(Signal { number, by_kernel }) = sys::next_signal(signals) {
            match number {
                libc::SIGCHLD => {}
                libc::SIGWINCH => self.tell_window(),
                libc::SIGCONT => {
                    let wants = self.raw || self.scene.eager;
                    self.resume(wants);
                }
                // The terminal's own end comes to the command through its terminal.
                libc::SIGHUP if by_kernel && self.hub.is_some() => self.hang_up(),
                // Guests are in the caller's process group, and have what was sent to it.
                _ if self.scene.standing == Standing::Guest && !by_kernel => {}
                number => Order::Signal(number).send(&self.monitor),
            }
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
            let mut buffer = [0; 4096];
            let typed = match sys::read_typed(&self.scene.tty, &mut buffer) {
                Some([]) => vec![self.before.end_key()],
                Some(bytes) => bytes.to_vec(),
                None => return,
            };
            self.tell(&FromClient::Input(typed));
        }
    }

    /// The command has set its terminal: the caller's shows that too, to whoever looks at it from the other side.
    fn show(&mut self, modes: Modes) {
        if let (true, Ok(now)) = (self.raw, Tty::of(&self.scene.tty)) {
            let relayed = now.with(modes).relayed();
            self.shown = relayed.modes();
            relayed.apply(&self.scene.tty);
        }
    }

    /// Somebody else has set the caller's terminal: that was meant for the command.
    fn notice_modes(&mut self) {
        let Ok(now) = Tty::of(&self.scene.tty) else { return };
        let now = now.modes();
        if now == self.shown {
            return;
        }
        self.shown = now;
        let before = self.before.modes();
        self.tell(&FromClient::Modes(Modes {
            input: now.input & !OURS.input | before.input & OURS.input,
            output: now.output & !OURS.output | before.output & OURS.output,
            local: now.local & !OURS.local,
        }));
    }

    fn restore(&mut self) {
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
        if self.raw {
            self.before.apply(&self.scene.tty);
        }
        sys::reap(self.monitor_pid);
        sys::end_as(status)
    }
}
