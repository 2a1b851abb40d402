//! Stays with the command until it has ended: its streams, signals for it, and the clock.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::capture::{Kept, Stream};
use crate::sys::{self, End, Watch};

/// How long streams are read on after the command itself has ended. A descendant that lives on keeps them open for as
/// long as it likes: it is not waited for.
const GRACE: Duration = Duration::from_millis(100);

/// The end of a command.
#[derive(Debug)]
pub struct Outcome {
    pub end: End,
    pub timed_out: bool,
    pub duration: Duration,
    pub stdout: Option<Kept>,
    pub stderr: Option<Kept>,
}

/// What is watched beside the process itself.
#[derive(Debug)]
pub struct Running {
    pub child: Child,
    pub started: Instant,
    pub streams: [Option<Stream>; 2],
    pub timeout: Option<Duration>,
}

impl Running {
    /// Waits for the command's end. When the time is up `kill` is called once, to end the command with its descendants.
    ///
    /// # Errors
    /// Those of the system calls, and of the file of a stream's overflow.
    pub fn wait(mut self, signals: &Watch, kill: impl FnOnce()) -> io::Result<Outcome> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let mut kill = Some(kill);
        let mut timed_out = false;
        while !self.poll(&[pidfd.as_fd(), signals.as_fd()], self.time_left(timed_out))? {
            while let Some(signal) = signals.next()? {
                if let Some(signal) = Signal::from_named_raw(signal as i32) {
                    let _ = pidfd_send_signal(&pidfd, signal);
                }
            }
            if self.time_left(timed_out).is_some_and(|left| left.is_zero()) {
                timed_out = true;
                if let Some(kill) = kill.take() {
                    kill();
                }
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            }
        }
        let end = sys::wait(self.child.id())?;
        let duration = self.started.elapsed();
        self.read_out()?;
        let [stdout, stderr] = self.streams.map(|stream| stream.map(Stream::into_kept));
        Ok(Outcome {
            end,
            timed_out,
            duration,
            stdout,
            stderr,
        })
    }

    fn time_left(&self, timed_out: bool) -> Option<Duration> {
        let timeout = self.timeout.filter(|_| !timed_out)?;
        Some(timeout.saturating_sub(self.started.elapsed()))
    }

    /// Waits until something happens, reads what the streams have, and answers whether the first of `fds` is ready.
    fn poll(&mut self, fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<bool> {
        let pipes = self.streams.iter().flatten().filter_map(Stream::pipe).map(AsFd::as_fd);
        let mut polled: Vec<PollFd<'_>> = fds
            .iter()
            .copied()
            .chain(pipes)
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready = !fds.is_empty() && polled.first().is_some_and(|fd| !fd.revents().is_empty());
        self.streams.iter_mut().flatten().try_for_each(Stream::drain)?;
        Ok(ready)
    }

    fn read_out(&mut self) -> io::Result<()> {
        let until = Instant::now() + GRACE;
        while self.streams.iter().flatten().any(|stream| stream.pipe().is_some()) && Instant::now() < until {
            self.poll(&[], Some(until.saturating_duration_since(Instant::now())))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn run(script: &str, timeout: Option<Duration>) -> io::Result<Outcome> {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdout = child
            .stdout
            .take()
            .map(|pipe| Stream::new(pipe.into(), folder.path().join("out")))
            .transpose()?;
        let stderr = child
            .stderr
            .take()
            .map(|pipe| Stream::new(pipe.into(), folder.path().join("err")))
            .transpose()?;
        let running = Running {
            child,
            started: Instant::now(),
            streams: [stdout, stderr],
            timeout,
        };
        running.wait(&Watch::start()?, || {})
    }

    fn said(kept: Option<Kept>) -> Vec<u8> {
        kept.map(|kept| kept.head).unwrap_or_default()
    }

    #[test]
    fn both_streams_and_the_status_are_taken() -> io::Result<()> {
        let outcome = run("printf out; printf err >&2; exit 7", None)?;
        assert_eq!((outcome.end.exit_code, outcome.timed_out), (Some(7), false));
        assert_eq!(
            (said(outcome.stdout), said(outcome.stderr)),
            (b"out".to_vec(), b"err".to_vec())
        );
        Ok(())
    }

    #[test]
    fn a_long_output_is_read_to_its_end() -> io::Result<()> {
        let outcome = run("head -c 3000000 /dev/zero", None)?;
        assert_eq!(
            outcome.stdout.map(|kept| (kept.bytes, kept.head.len())),
            Some((3_000_000, 1 << 20))
        );
        Ok(())
    }

    #[test]
    fn a_background_job_that_holds_the_streams_is_not_waited_for() -> io::Result<()> {
        let started = Instant::now();
        let outcome = run("sleep 20 & echo started $!", None)?;
        assert!(started.elapsed() < Duration::from_secs(10));
        let text = String::from_utf8_lossy(&said(outcome.stdout)).into_owned();
        let pid = text
            .strip_prefix("started ")
            .and_then(|pid| pid.trim().parse().ok())
            .and_then(Pid::from_raw);
        pid.map(|pid| rustix::process::kill_process(pid, Signal::KILL))
            .transpose()?;
        assert!(pid.is_some());
        Ok(())
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() -> io::Result<()> {
        let outcome = run("exec sleep 20", Some(Duration::from_millis(50)))?;
        assert!(outcome.timed_out && outcome.end.signal == Some(libc::SIGKILL));
        Ok(())
    }
}
