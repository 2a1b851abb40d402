use std::time::Duration;

use super::{ClientId, SizeRule};
use crate::recorder::{self, Report};

/// How a hub behaves.
pub struct Config {
    /// Whose window counts.
    pub size_rule: SizeRule,
    /// Lines above the screen that a redraw brings along.
    pub scrollback: usize,
    /// The recording, if there is one.
    pub recording: Option<Recording>,
}

/// What a hub records.
pub struct Recording {
    /// Where and how.
    pub config: recorder::Config,
    /// Told of an early stop and of the end, in the recorder's thread.
    pub report: Box<dyn FnMut(Report) + Send>,
    /// How long the command may be held up by a disk that takes nothing before the recording is given
    /// up ([`Event::RecordingStalled`]).
    pub patience: Duration,
}

/// What a hub tells its owner, in the hub's thread: to be handed on, not worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client is there (event `pty_attach`).
    Attached(ClientId),
    /// A client is gone (event `pty_detach`).
    Detached(ClientId, Gone),
    /// Another client types from now on, or nobody.
    Typing(Option<ClientId>),
    /// The terminal has a new size, in cells (event `pty_resize`).
    Resized { cols: u16, rows: u16 },
    /// The recording was given up because the disk took nothing; the command goes on (event
    /// `recording_stopped`).
    RecordingStalled,
    /// Everything is closed and delivered; the hub's thread ends (event `pty_close`).
    Closed,
}

/// Why a client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It asked to leave, or its owner did.
    Left,
    /// Its connection is closed: it died.
    Lost,
    /// Its terminal hung up.
    HungUp,
    /// It broke the protocol.
    Broken,
    /// The terminal is closed.
    Closed,
}
