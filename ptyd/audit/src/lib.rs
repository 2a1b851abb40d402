//! The record: events of a session, chained, and the folders that sessions live in.
//!
//! Promises: an event that [`Recorder::emit`] accepted survives the death of every process of ours and is in
//! `events.jsonl` exactly once; a full disk loses nothing that was accepted and is told ([`Recorder::health`]); what
//! was denied, approved, started or changed is never dropped; a record that was edited, cut or written by two is told
//! by [`read::verify`] with line and reason.
//!
//! It does not: survive a power failure for what is younger than a second; protect against one who can write both the
//! record and its anchor (the chain has no key); redact (the caller does that before it emits).

pub mod anchor;
mod chain;
mod event;
pub mod gc;
mod lock;
pub mod read;
pub mod recorder;
mod spool;
mod store;
pub mod time;

pub use event::{Argv, Decision, Event, EventDraft, EventType, Layer, Outcome, PolicyRecord, UnknownType, Value};
pub use recorder::{Health, Options, RecordError, Recorder, Recovered, recover};
pub use store::{Listing, SessionDir, Store, StoreError, Stream, open_plain};
