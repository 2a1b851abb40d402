use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use agentsh_protocol::terminal::Window;

use super::config::{Config, Event};
use super::core::{Core, Exit};
use super::drain::Drain;
use super::mirror::Mirror;
use super::waker::Waker;
use super::{ClientId, Joining};
use crate::escape::Tokens;
use crate::marker::Marker;
use crate::recorder;

/// The near end of a hub. Nothing here waits for the hub.
pub struct Hub {
    commands: Sender<Command>,
    waker: Waker,
    next: AtomicU64,
}

/// What the owner asks of the hub's thread.
pub(super) enum Command {
    Attach(ClientId, Box<Joining>),
    Detach(ClientId),
    Mark(Marker),
    Finish(i32),
    HangUp,
    Abandon,
    Look(Sender<Vec<String>>),
}

/// Starts the hub of a terminal that has this window. `master` must not block.
///
/// # Errors
/// If the recording's file or the thread cannot be made.
pub fn start(
    master: OwnedFd,
    window: Window,
    config: Config,
    events: impl FnMut(Event) + Send + 'static,
) -> io::Result<Hub> {
    let waker = Waker::new()?;
    let (commands, receiver) = channel();
    let mut patience = Duration::MAX;
    let recorder = match config.recording {
        None => None,
        Some(recording) => {
            patience = recording.patience;
            let room = waker.clone();
            Some(recorder::spawn(
                recording.config,
                move || room.wake(),
                recording.report,
            )?)
        }
    };
    let now = Instant::now();
    let core = Core {
        master: Some(master),
        waker: waker.clone(),
        commands: receiver,
        events: Box::new(events),
        clients: Vec::new(),
        screen: Core::blank(window, config.scrollback)?,
        window,
        size_rule: config.size_rule,
        recorder,
        patience,
        started: now,
        stalled: None,
        tokens: Tokens::default(),
        taken: None,
        typist: None,
        noted: false,
        typed: Vec::new(),
        activity: 0,
        last_frame: now,
        mirror: Mirror::new(now),
        drain: Drain::default(),
        exit: Exit::Running,
    };
    thread::Builder::new().name("hub".into()).spawn(move || core.run())?;
    Ok(Hub {
        commands,
        waker,
        next: AtomicU64::new(1),
    })
}

impl Hub {
    /// A client joins; what becomes of it is told by events under this id.
    pub fn attach(&self, joining: Joining) -> ClientId {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.send(Command::Attach(id, Box::new(joining)));
        id
    }

    /// Sends a client away.
    pub fn detach(&self, id: ClientId) {
        self.send(Command::Detach(id));
    }

    /// Puts a marker into the recording (a denial, a command line that the shim knows).
    pub fn mark(&self, marker: Marker) {
        self.send(Command::Mark(marker));
    }

    /// The command has ended with this wait status (wait(2)): its last output is delivered, then its
    /// end. The terminal stays open for whoever still has it open; the hub ends when nobody has.
    pub fn finish(&self, status: i32) {
        self.send(Command::Finish(status));
    }

    /// Closes the master: whoever is left on the terminal gets SIGHUP.
    pub fn hang_up(&self) {
        self.send(Command::HangUp);
    }

    /// The visible lines, once the hub has time; `None` if it has ended.
    pub fn look(&self) -> Option<Vec<String>> {
        let (sender, receiver) = channel();
        self.send(Command::Look(sender));
        receiver.recv().ok()
    }

    fn send(&self, command: Command) {
        // A hub that has ended has nothing left to be told.
        let _ = self.commands.send(command);
        self.waker.wake();
    }
}

impl Drop for Hub {
    /// Without an owner the hub goes on until the terminal is closed by whoever is left on it.
    fn drop(&mut self) {
        self.send(Command::Abandon);
    }
}
