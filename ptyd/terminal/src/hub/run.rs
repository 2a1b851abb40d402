//! The thread.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::client::again;
use super::config::{Event, Gone};
use super::core::{Core, Exit};
use super::handle::Command;

/// Read from the terminal at a time.
const CHUNK: usize = 64 << 10;
/// After the command's end the terminal is drained once a read finds nothing (the kernel delivers first), or after
/// so long, if something else goes on printing.
const DRAIN: Duration = Duration::from_millis(500);
/// Clients have so long to take the last output of a terminal that is closed.
const LINGER: Duration = Duration::from_secs(5);

/// What the next poll waits for.
struct Ready {
    master: PollFlags,
    clients: Vec<(bool, bool)>,
}

impl Core {
    /// Runs until the terminal is closed, the command's end told, and everything delivered.
    pub(super) fn run(mut self) {
        let mut buffer = vec![0; CHUNK];
        let mut closed: Option<Instant> = None;
        loop {
            self.bury();
            let frame = self.redraw();
            if self.master.is_none() && matches!(self.exit, Exit::Told { .. } | Exit::Unknown) {
                self.recorder = None;
                let since = *closed.get_or_insert_with(Instant::now);
                if self.farewell() || since.elapsed() > LINGER {
                    break;
                }
            }
            let reads = self.may_read();
            let Ok(ready) = self.wait(reads, self.timeout(reads, frame, closed)) else {
                break;
            };
            // Who joined before something was printed sees it, and may have said before what its terminal is set to.
            if self.obey() {
                continue;
            }
            // Before the terminal is read: what is printed after the caller's terminal was set is for that setting.
            self.serve(&ready.clients);
            let mut dry = false;
            let ending = matches!(self.exit, Exit::Draining { .. });
            let draining = ending || self.drain.reads();
            if (draining || ready.master.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)) && reads {
                dry = self.read_terminal(&mut buffer);
            }
            self.tell_drained();
            if !self.typed.is_empty() {
                self.flush_typed();
            }
            self.look_at_modes();
            self.watch_exit(ending && dry, reads);
        }
        for client in &mut self.clients {
            client.gone = Some(Gone::Closed);
        }
        self.bury();
        (self.events)(Event::Closed);
    }

    /// Does what the owner asks; whether somebody has joined.
    fn obey(&mut self) -> bool {
        self.waker.clear();
        let mut joined = false;
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Attach(id, joining) => {
                    self.join(id, *joining);
                    joined = true;
                }
                Command::Detach(id) => self.dismiss(id, Gone::Left),
                Command::Mark(marker) => self.mark(marker),
                Command::Finish(status) => {
                    self.exit = Exit::Draining {
                        status,
                        since: Instant::now(),
                    }
                }
                Command::HangUp => self.master = None,
                Command::Abandon if matches!(self.exit, Exit::Running) => self.exit = Exit::Unknown,
                Command::Abandon => {}
                Command::Look(reply) => drop(reply.send(self.screen.text())),
            }
        }
        joined
    }

    /// Whether the command may go on printing: its own client and the recorder keep up.
    fn may_read(&mut self) -> bool {
        let room = self.recorder.as_ref().is_none_or(|recorder| recorder.has_room());
        self.stalled = match room {
            true => None,
            false => Some(self.stalled.unwrap_or_else(Instant::now)),
        };
        if self.stalled.is_some_and(|since| since.elapsed() >= self.patience) {
            if let Some(recorder) = self.recorder.take() {
                recorder.abandon();
                (self.events)(Event::RecordingStalled);
            }
            self.stalled = None;
        }
        self.stalled.is_none() && !self.clients.iter().any(|client| client.holds_up())
    }

    fn timeout(&self, reads: bool, frame: Option<Duration>, closed: Option<Instant>) -> Option<Duration> {
        let until = |start: Instant, span: Duration| span.saturating_sub(start.elapsed());
        let draining = (matches!(self.exit, Exit::Draining { .. }) || self.drain.reads()) && reads;
        [
            frame,
            self.stalled
                .filter(|_| self.patience < Duration::MAX)
                .map(|since| until(since, self.patience)),
            draining.then_some(Duration::ZERO),
            self.mirror.due().filter(|_| self.master.is_some()),
            closed.map(|since| until(since, LINGER)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn wait(&self, reads: bool, timeout: Option<Duration>) -> io::Result<Ready> {
        let mut set = vec![PollFd::from_borrowed_fd(self.waker.fd(), PollFlags::IN)];
        let mut master = PollFlags::empty();
        master.set(PollFlags::IN, reads);
        master.set(PollFlags::OUT, !self.typed.is_empty());
        // Not polled for nothing: a hang-up is reported whether it is asked for or not.
        let polled = self.master.as_ref().filter(|_| !master.is_empty());
        set.extend(polled.map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), master)));
        let typing = self.takes_typing();
        let mut slots = Vec::new();
        for client in &self.clients {
            let reads = client.readable().filter(|_| typing || Some(client.id) != self.typist);
            let writes = client.writable().filter(|_| !client.idle());
            slots.push((reads.is_some(), writes.is_some()));
            set.extend(reads.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            set.extend(writes.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        }
        let timeout = timeout.map(|span| Timespec {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: span.subsec_nanos().into(),
        });
        match poll(&mut set, timeout.as_ref()) {
            Ok(_) => {}
            Err(error) if again(error) => {}
            Err(error) => return Err(error.into()),
        }
        let mut seen = set.iter().skip(1).map(PollFd::revents);
        let master = polled.and_then(|_| seen.next()).unwrap_or(PollFlags::empty());
        let mut hit = |asked: bool| asked && seen.next().is_some_and(|flags| !flags.is_empty());
        let clients = slots
            .iter()
            .map(|(reads, writes)| (hit(*reads), hit(*writes)))
            .collect();
        Ok(Ready { master, clients })
    }

    /// Takes what the command printed, up to a chunk: the kernel hands out a page at a time.
    /// Whether everything that was printed so far is read.
    fn read_terminal(&mut self, buffer: &mut [u8]) -> bool {
        let Some(master) = &self.master else { return true };
        let mut filled = 0;
        let mut ended = false;
        let mut dry = false;
        while filled < buffer.len() {
            match rustix::io::read(master, &mut buffer[filled..]) {
                Ok(0) => ended = true,
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(error) if again(error) => dry = true,
                // EIO: the last slave is closed and everything is read.
                Err(_) => ended = true,
            }
            break;
        }
        if filled > 0 {
            self.output(&buffer[..filled]);
            self.stirred();
        }
        if ended {
            self.look_at_window();
            self.master = None;
        }
        self.drain_read(filled, dry || ended);
        dry || ended
    }

    /// Does what ready clients say and writes what they take.
    fn serve(&mut self, ready: &[(bool, bool)]) {
        let ready: Vec<_> = self
            .clients
            .iter()
            .map(|client| client.id)
            .zip(ready.iter().copied())
            .collect();
        for (id, (reads, writes)) in ready {
            let Some(client) = self.client(id) else { continue };
            if writes {
                client.flush();
            }
            if reads {
                for what in client.read() {
                    self.said(id, what);
                }
            }
        }
    }

    fn watch_exit(&mut self, drained: bool, reads: bool) {
        if let Exit::Draining { since, .. } = self.exit {
            // A client that does not take what is printed is waited for.
            if self.master.is_none() || drained || reads && since.elapsed() >= DRAIN {
                self.end_drain();
            }
        }
    }
}
