//! One shape for every event: the draft that observers hand in, and the record that readers get.

pub(crate) mod body;
mod draft;
pub(crate) mod json;
mod kind;
mod outcome;
mod record;

pub use draft::{Argv, EventDraft, Value};
pub use kind::{EventType, UnknownType};
pub use outcome::{Decision, Layer, Outcome, PolicyRecord};
pub use record::Event;
