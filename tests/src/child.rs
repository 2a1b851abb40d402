//! A started description: waiting with a deadline, signals, what it wrote.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsFd, OwnedFd};

use crate::shell::{Ended, Outcome, Shell, Subject};
use crate::spawn::{Ends, command, setup};
use crate::sys::Setup;
use crate::world::World;
use crate::{Result, fail};

/// A process started by the tests.
pub struct Child {
    process: std::process::Child,
    pidfd: OwnedFd,
    ends: Ends,
    ended: Option<Ended>,
}

impl Child {
    pub(crate) fn start_on(
        shell: &Shell,
        world: &World,
        subject: &Subject,
        terminal: Option<OwnedFd>,
    ) -> Result<Child> {
        let (setup, ends) = setup(shell, world, terminal)?;
        Child::start(shell, world, subject, setup, ends)
    }

    /// Starts with a last change to what the child gets.
    pub(crate) fn start_with(
        shell: &Shell,
        world: &World,
        subject: &Subject,
        change: impl FnOnce(&mut Setup),
    ) -> Result<Child> {
        let (mut setup, ends) = setup(shell, world, None)?;
        change(&mut setup);
        Child::start(shell, world, subject, setup, ends)
    }

    fn start(shell: &Shell, world: &World, subject: &Subject, setup: Setup, ends: Ends) -> Result<Child> {
        let process = crate::sys::spawn(command(shell, world, subject), setup)
            .map_err(|error| fail(format!("{shell} with {subject:?}: {error}")))?;
        let pidfd = crate::sys::pidfd(process.id() as i32)?;
        Ok(Child {
            process,
            pidfd,
            ends,
            ended: None,
        })
    }

    pub fn pid(&self) -> i32 {
        self.process.id() as i32
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: i32) -> Result {
        Ok(crate::sys::kill(self.pid(), signal)?)
    }

    /// Sends a signal to the process group that the process leads.
    pub fn signal_group(&self, signal: i32) -> Result {
        Ok(crate::sys::kill(-self.pid(), signal)?)
    }

    /// Waits for the process itself, not for the streams that its descendants may keep open.
    pub fn wait(&mut self, patience: Duration) -> Result<Ended> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        let timeout = PollTimeout::try_from(patience.as_millis())?;
        let mut fds = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, timeout)? == 0 {
            return Err(fail(format!("it still runs after {patience:?}")));
        }
        let status = self.process.wait()?;
        let ended = match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Exit(code),
            (_, Some(number)) => Ended::Signal {
                number,
                core: status.core_dumped(),
            },
            _ => return Err(fail(format!("an end of no kind: {status:?}"))),
        };
        self.ends.held.clear();
        self.ended = Some(ended);
        Ok(ended)
    }

    /// Waits for the process and the ends of its streams; past the deadline everything is killed and it is an error.
    pub fn finish(mut self, patience: Duration) -> Result<Outcome> {
        let deadline = Instant::now() + patience;
        let ended = match self.wait(patience) {
            Ok(ended) => ended,
            Err(error) => {
                self.process.kill()?;
                self.process.wait()?;
                let streams = self.streams(Instant::now() + Duration::from_millis(200));
                return Err(fail(format!("{error}; output so far: {streams:?}")));
            }
        };
        let mut streams = self.streams(deadline)?;
        if let Some((number, mut file)) = self.ends.appended.take() {
            let mut bytes = Vec::new();
            file.rewind()?;
            file.read_to_end(&mut bytes)?;
            streams.insert(number, bytes);
        }
        let mut take = |fd| streams.remove(&fd).unwrap_or_default();
        let (stdout, stderr) = (take(1), take(2));
        Ok(Outcome {
            pid: self.pid(),
            ended,
            stdout,
            stderr,
            extra: streams,
        })
    }

    fn streams(&mut self, deadline: Instant) -> Result<BTreeMap<i32, Vec<u8>>> {
        let mut streams = BTreeMap::new();
        for (number, receiver) in std::mem::take(&mut self.ends.streams) {
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = receiver.recv_timeout(left).map_err(|_| {
                fail(format!(
                    "the process has ended but somebody holds its descriptor {number} open"
                ))
            })?;
            streams.insert(number, bytes);
        }
        Ok(streams)
    }
}
