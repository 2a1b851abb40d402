//! A process in front of the caller's terminal, in the place of the job that is in front of the command's: with a process
//! group of its own, as that job has beside its shell's. Whoever asks the terminal which program is there finds that one's
//! likeness, and signals to the terminal's foreground reach the job. The relay is in the background meanwhile, so what is
//! typed is read here.

use std::os::fd::OwnedFd;

use super::likeness::Likeness;
use super::sys::{self, Change, Signal};

/// More than is typed at a time.
const LONGEST: usize = 4096 + 1;

/// The relay's side.
pub(super) struct Front {
    socket: OwnedFd,
    pid: i32,
    /// It was asked to read, and has not answered.
    pub reads: bool,
}

/// What it has to say.
pub(super) enum Said {
    /// This was typed; nothing at all if that was the key that ends input.
    Typed(Vec<u8>),
    /// Nothing could be read.
    Nothing,
    /// This signal was sent to the terminal's foreground.
    Signal(i32),
}

impl Front {
    /// Starts it, in the background; all signals are held back here, and so there.
    pub(super) fn start(tty: &OwnedFd) -> Option<Front> {
        let (socket, far) = sys::pair().ok()?;
        match sys::fork() {
            Err(_) => None,
            Ok(0) => {
                drop(socket);
                stand(tty, &far)
            }
            Ok(pid) => {
                sys::give_group(pid);
                let reads = false;
                Some(Front { socket, pid, reads })
            }
        }
    }

    pub(super) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// It is to look like this job of the command's.
    pub(super) fn show(&self, job: i32) {
        sys::send(&self.socket, &job.to_ne_bytes());
    }

    /// It is to read what was typed.
    pub(super) fn read(&mut self) {
        self.reads = sys::send(&self.socket, b"r");
    }

    /// `None` if it is gone.
    pub(super) fn hear(&mut self) -> Option<Said> {
        let mut buffer = [0; LONGEST];
        match sys::receive(&self.socket, &mut buffer)? {
            [b's', signal] => Some(Said::Signal(i32::from(*signal))),
            [b't', typed @ ..] => {
                self.reads = false;
                Some(Said::Typed(typed.to_vec()))
            }
            _ => {
                self.reads = false;
                Some(Said::Nothing)
            }
        }
    }

    /// The signal that stopped or ended it, which nobody can hold back; it goes on, or is gone.
    pub(super) fn struck(&self) -> Option<i32> {
        match sys::change_of(self.pid) {
            Change::Stopped(signal) => {
                sys::signal_process(self.pid, libc::SIGCONT);
                Some(signal)
            }
            Change::Ended => Some(libc::SIGKILL),
            Change::None | Change::Continued => None,
        }
    }

    pub(super) fn end(self) {
        sys::signal_process(self.pid, libc::SIGKILL);
        sys::reap(self.pid);
    }
}

/// In the process itself, for as long as there is a relay.
fn stand(tty: &OwnedFd, relay: &OwnedFd) -> ! {
    sys::lead_group(None);
    sys::keep_only(&[tty, relay]);
    let Ok(signals) = sys::all_signals() else { sys::end(126) };
    let mut likeness = Likeness::of(0);
    loop {
        sys::wait_readable(&signals, Some(relay), (None, -1));
        while let Some(Signal { number, by_kernel }) = sys::next_signal(&signals) {
            // A terminal's end is told to who leads its session.
            if let (Ok(number), false) = (u8::try_from(number), by_kernel && number == libc::SIGHUP) {
                sys::send(relay, &[b's', number]);
            }
        }
        while sys::is_readable(relay) {
            match sys::receive(relay, &mut [0; 8]) {
                None => sys::end(0),
                Some(b"r") => {
                    let mut said = [b't'; LONGEST];
                    let typed = sys::read_typed(tty, &mut said[1..]).map(<[u8]>::len);
                    sys::send(relay, typed.map_or(b"n", |count| &said[..=count]));
                }
                Some(job) => {
                    if let Ok(job) = job.try_into() {
                        likeness.turn_to(i32::from_ne_bytes(job));
                        likeness.look();
                    }
                }
            }
        }
    }
}
