//! Moving a stream on, with a copy of it taken beside.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice, tee};

use super::copy::Copy;

/// Moved at a time: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// Carries until the last writer is gone or nobody reads any more; then both ends are closed.
pub(super) fn carry(from: &OwnedFd, to: &OwnedFd, copy: &mut Copy) -> io::Result<()> {
    let (mut beside, into) = {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        (File::from(reader), writer)
    };
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut set = [PollFd::new(from, PollFlags::IN), PollFd::new(to, PollFlags::empty())];
        match poll(&mut set, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        // Nobody reads: the command is to notice when it writes, or looks.
        if set[1].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return Ok(());
        }
        let ready = set[0].revents();
        if ready.is_empty() {
            continue;
        }
        if !copy.keeps() {
            match forward(from, to, CHUNK)? {
                0 => return Ok(()),
                _ => continue,
            }
        }
        let count = tee(from, &into, CHUNK, SpliceFlags::NONBLOCK).or_else(idle)?;
        if count == 0 && ready.contains(PollFlags::HUP) {
            return Ok(());
        }
        // If a transport has begun meanwhile these may be its bytes.
        let keeps = copy.keeps();
        forward(from, to, count)?;
        let (taken, _) = buffer.split_at_mut(count);
        beside.read_exact(taken)?;
        if keeps {
            copy.take(taken);
        }
    }
}

fn idle(errno: Errno) -> Result<usize, Errno> {
    match errno {
        Errno::AGAIN | Errno::INTR => Ok(0),
        errno => Err(errno),
    }
}

/// Moves what was copied, all of it; where nothing is copied, what there is.
fn forward(from: &OwnedFd, to: &OwnedFd, count: usize) -> io::Result<usize> {
    let mut moved = 0;
    while moved < count {
        match splice(from, None, to, None, count - moved, SpliceFlags::MOVE) {
            Ok(0) => break,
            Ok(some) => {
                moved += some;
                if count == CHUNK && moved < count {
                    // A short chunk may be all there is, and nothing must wait for more.
                    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
                    let mut set = [PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN)];
                    if poll(&mut set, Some(&now))? == 0 {
                        break;
                    }
                }
            }
            Err(Errno::INTR) => {}
            // The caller's end does not block: its reader is waited for.
            Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(to, PollFlags::OUT)], None)?),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(moved)
}
