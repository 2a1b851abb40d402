use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{self, Receiver, TryRecvError};

use agentsh_protocol::approvals::{Answer, Approval, Change};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::client::Events;
use crate::error::Error;

/// What sessions ask, as it comes: questions in their order, and which of them are over.
pub struct Changes {
    come: Receiver<Change>,
    /// Can be read once something has come, and for good once the broker has ended.
    bell: OwnedFd,
    waiting: VecDeque<Approval>,
    seen: BTreeSet<String>,
    over: BTreeMap<String, (Answer, String)>,
    ended: bool,
}

impl Changes {
    /// Listens on a thread of its own.
    pub fn of(events: Events) -> Result<Changes, Error> {
        let failed = |source| Error::io("waiting for questions", source);
        let (send, come) = mpsc::channel();
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (bell, ring) = pipe_with(flags).map_err(|errno| failed(errno.into()))?;
        let listen = move || {
            let _ = events.each(|change: Change| match send.send(change) {
                Ok(()) => {
                    // A bell that is full rings.
                    let _ = rustix::io::write(&ring, b".");
                    ControlFlow::Continue(())
                }
                Err(_) => ControlFlow::Break(()),
            });
            drop(send);
            drop(ring);
        };
        std::thread::Builder::new()
            .name("questions".to_owned())
            .spawn(listen)
            .map_err(failed)?;
        Ok(Changes {
            come,
            bell,
            waiting: VecDeque::new(),
            seen: BTreeSet::new(),
            over: BTreeMap::new(),
            ended: false,
        })
    }

    /// The next question that still needs an answer; waits for one. `None` once the broker has ended.
    pub fn next(&mut self) -> Option<Approval> {
        loop {
            // What came meanwhile may have settled what is about to be asked.
            self.take();
            while let Some(approval) = self.waiting.pop_front() {
                if !self.over.contains_key(&approval.id) {
                    return Some(approval);
                }
            }
            match self.come.recv() {
                Ok(change) => self.note(change),
                Err(_) => return None,
            }
        }
    }

    /// What became of a question, if it is over.
    pub fn over(&mut self, id: &str) -> Option<(Answer, String)> {
        self.take();
        self.over.get(id).cloned()
    }

    /// Whether there is no broker any more.
    pub fn ended(&self) -> bool {
        self.ended
    }

    fn take(&mut self) {
        // Silenced before what has come is taken: what comes later rings again.
        while rustix::io::read(&self.bell, &mut [0; 64]).is_ok_and(|count| count > 0) {}
        loop {
            match self.come.try_recv() {
                Ok(change) => self.note(change),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    fn note(&mut self, change: Change) {
        match change {
            Change::Asked { approval } if self.seen.insert(approval.id.clone()) => self.waiting.push_back(*approval),
            Change::Asked { .. } => {}
            Change::Resolved { id, answer, by } => drop(self.over.insert(id, (answer, by))),
        }
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
