use std::io;
use std::path::PathBuf;

use crate::cast::Header;
use crate::redact::Patterns;

/// What to record, and where.
#[derive(Debug, Clone)]
pub struct Config {
    /// The cast to create; it must not exist. The side log stands beside it with the extension `raw`.
    pub path: PathBuf,
    /// What the recording says about itself. Its texts are redacted too.
    pub header: Header,
    /// What to mask.
    pub patterns: Patterns,
    /// Whether input is recorded (policy `record.input`). Never while echo is off or the terminal is taken.
    pub input: bool,
    /// Bytes on disk at which the recording stops.
    pub max_size: Option<u64>,
    /// What is to happen then.
    pub on_full: OnFull,
    /// Compress a recording of more than a few KiB when it is closed.
    pub compress: bool,
}

/// Policy's `record.on_full`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFull {
    /// The command goes on unrecorded, and the record says so.
    #[default]
    StopRecording,
    /// The command must not go on unrecorded: whoever gets the report ends it.
    StopCommand,
}

/// What a recorder tells whoever started it.
#[derive(Debug)]
pub enum Report {
    /// Nothing more is recorded, before the command's end (event `recording_stopped`).
    Stopped {
        /// Why.
        reason: Stop,
        /// Whether the command is to be ended for it.
        stop_command: bool,
    },
    /// The recording is closed.
    Finished(Summary),
}

/// Why a recording stopped early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// The size limit.
    #[error("size limit of {0} bytes")]
    Full(u64),
    /// The disk.
    #[error("write failed: {0}")]
    Failed(#[from] io::Error),
    /// The disk took nothing for so long that the command would have had to wait.
    #[error("the disk did not keep up")]
    Stalled,
}

/// What became of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Where it is now (compression renames it).
    pub path: PathBuf,
    /// Bytes of output that were recorded, before encoding.
    pub output: u64,
    /// Secrets masked.
    pub masked: u64,
    /// Whether all of the command's output is in it.
    pub complete: bool,
}
