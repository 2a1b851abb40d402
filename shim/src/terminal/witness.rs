//! A process of the caller's job that only tells which signals it had. What reaches the relay and not it was sent to the
//! relay's number alone, and is for the command alone. (Where the monitor is in the caller's process group it knows itself.)

use std::os::fd::OwnedFd;

use super::sys;

/// How long it may take to answer, in milliseconds: somebody may have stopped it alone.
const PATIENCE: i32 = 200;

/// The relay's side.
pub(super) struct Witness {
    socket: OwnedFd,
    pid: i32,
}

impl Witness {
    /// Starts it; all signals are held back here, and so there.
    pub(super) fn start() -> Option<Witness> {
        let (socket, far) = sys::pair().ok()?;
        match sys::fork() {
            Err(_) => None,
            Ok(0) => {
                drop(socket);
                tell(&far)
            }
            Ok(pid) => Some(Witness { socket, pid }),
        }
    }

    pub(super) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Whether it had this signal too, since it was asked last; `None` if it does not say.
    pub(super) fn had(&self, signal: i32) -> Option<bool> {
        let asked = signal.to_ne_bytes();
        sys::send(&self.socket, &asked);
        while sys::heard_within(&self.socket, PATIENCE) {
            match sys::receive(&self.socket, &mut [0; 8])? {
                [had, answered @ ..] if *answered == asked => return Some(*had != 0),
                // To an earlier question, too late.
                _ => {}
            }
        }
        None
    }

    /// Whoever had the job go on meant it too.
    pub(super) fn go_on(&self) {
        sys::signal_process(self.pid, libc::SIGCONT);
    }

    pub(super) fn end(self) {
        sys::signal_process(self.pid, libc::SIGKILL);
        sys::reap(self.pid);
    }
}

/// In the process itself, for as long as there is a relay.
fn tell(relay: &OwnedFd) -> ! {
    sys::keep_only(&[relay]);
    while let Some(asked) = sys::receive(relay, &mut [0; 8]) {
        let had = asked
            .try_into()
            .is_ok_and(|number| sys::take_signal(i32::from_ne_bytes(number)));
        sys::send(relay, &[&[u8::from(had)], asked].concat());
    }
    sys::end(0)
}
