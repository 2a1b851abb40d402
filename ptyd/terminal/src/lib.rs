//! Terminals: PTY pairs, the hub that shares one among clients, its recording, and its replay.
//!
//! Promises: what a recorded command prints reaches the disk only after redaction, and comes back byte
//! for byte (bytes that are not UTF-8 included); a crash leaves a readable recording; a slow watcher
//! never slows the command; a recording is emulated or sanitised, never written raw to the viewer's
//! terminal.
//!
//! It does not judge, enter a sandbox or start a process: the monitor that owns the slave side lives in
//! the shim, and what to do when a recording stops is told to the supervisor, which decides.

pub mod cast;
pub mod escape;
pub mod export;
pub mod hub;
pub mod marker;
pub mod player;
pub mod pty;
pub mod recorder;
pub mod recording;
pub mod redact;
pub mod replay;
pub mod screen;
pub mod search;
