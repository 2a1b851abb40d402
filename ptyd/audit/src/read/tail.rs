//! Following a record while it grows.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

use super::filter::Filter;
use super::lines::{LONGEST, ReadProblem, parse, too_long};
use crate::event::{Event, EventType};
use crate::store::{SessionDir, open_plain};

/// How much is read at a time.
const BLOCK: usize = 256 << 10;

/// Where a tail begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Beginning,
    /// Behind what is there.
    End,
}

/// What a tail saw next.
#[derive(Debug)]
pub enum Step {
    Event(Box<Event>),
    Problem(ReadProblem),
    /// The session ended; nothing will follow.
    Ended,
    /// Nothing came in time.
    Nothing,
}

/// The events of a session as they are written, told by inotify(7). It can be polled for reading.
pub struct Tail {
    path: PathBuf,
    filter: Filter,
    watch: OwnedFd,
    file: Option<File>,
    /// The beginning of the first line that was not read.
    offset: u64,
    line: u64,
    ready: VecDeque<Step>,
    ended: bool,
}

impl Tail {
    /// Follows the record of `session`, which need not exist yet (its folder must).
    pub fn open(session: &SessionDir, filter: Filter, start: Start) -> io::Result<Tail> {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        // The folder's watch tells of its files too. It is set before the first look, so that nothing falls between.
        let what = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::DELETE_SELF;
        inotify::add_watch(&watch, session.path(), what)?;
        let mut tail = Tail {
            path: session.events_path(),
            filter,
            watch,
            file: None,
            offset: 0,
            line: 0,
            ready: VecDeque::new(),
            ended: false,
        };
        if start == Start::End {
            tail.skip()?;
        }
        Ok(tail)
    }

    /// The next event that is wanted; waits for it at most `timeout`, without one for ever.
    pub fn next(&mut self, timeout: Option<Duration>) -> io::Result<Step> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            if let Some(step) = self.ready.pop_front() {
                return Ok(step);
            }
            if self.ended {
                return Ok(Step::Ended);
            }
            // First the notes, then the file: what is written in between makes a new note.
            self.take_notes()?;
            if self.read_block(true)? {
                continue;
            }
            if !self.wait(deadline)? {
                return Ok(Step::Nothing);
            }
        }
    }

    /// Passes over what is there.
    fn skip(&mut self) -> io::Result<()> {
        while self.read_block(false)? {}
        Ok(())
    }

    /// Reads the next whole lines; false if there are none.
    fn read_block(&mut self, keep: bool) -> io::Result<bool> {
        if self.file.is_none() {
            self.file = match open_plain(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                other => Some(other?),
            };
        }
        let Some(file) = &self.file else { return Ok(false) };
        let mut len = BLOCK;
        loop {
            let mut block = vec![0; len];
            let filled = file.read_at(&mut block, self.offset)?;
            block.truncate(filled);
            match block.iter().rposition(|byte| *byte == b'\n') {
                Some(last) => {
                    self.take_lines(&block[..=last], keep);
                    self.offset += last as u64 + 1;
                    return Ok(true);
                }
                None if filled < len => return Ok(false),
                None if len > LONGEST => return Err(too_long()),
                None => len *= 4, // one long line
            }
        }
    }

    fn take_lines(&mut self, block: &[u8], keep: bool) {
        for bytes in block.split_inclusive(|byte| *byte == b'\n') {
            self.line += 1;
            let parsed = parse(bytes);
            // Seen also when the filter does not want it. A session that ended may be looked at from the end on.
            self.ended |= matches!(&parsed, Ok(event) if event.kind == EventType::SessionDestroyed);
            if !keep {
                continue;
            }
            match parsed {
                Ok(event) if self.filter.accepts(&event) => self.ready.push_back(Step::Event(Box::new(event))),
                Ok(_) => {}
                Err(problem) => self.ready.push_back(Step::Problem(ReadProblem::Malformed {
                    path: self.path.clone(),
                    line: self.line,
                    problem,
                })),
            }
        }
    }

    fn wait(&self, deadline: Option<Instant>) -> io::Result<bool> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&self.watch, PollFlags::IN)], left.as_ref()) {
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take_notes(&mut self) -> io::Result<()> {
        let mut space = [std::mem::MaybeUninit::uninit(); 4096];
        let mut notes = inotify::Reader::new(&self.watch, &mut space);
        loop {
            match notes.next() {
                // The folder was removed (by gc): nothing will follow.
                Ok(note) if note.events().contains(inotify::ReadFlags::IGNORED) => self.ended = true,
                Ok(_) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Tail {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }
}
