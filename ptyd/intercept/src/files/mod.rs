//! The file engine: every file call is judged on the object that it really touches, and carried out by a
//! worker that acts as the caller.
//!
//! The caller's words are read once. They are resolved as the kernel would for the caller
//! ([`resolve`]), the object (for a new name: its folder) is pinned, its canonical path is judged
//! ([`FileJudge`]), what would be lost is kept ([`Trash`]), and the call is made on what was pinned with the
//! caller's own rights ([`actor`]). Only calls that observe may be continued, where the judge says that the
//! hull holds every outcome.

pub(crate) mod actor;
mod calls;
mod engine;
pub(crate) mod folders;
mod fresh;
mod here;
pub(crate) mod host;
mod judge;
mod masks;
mod operation;
mod record;
pub(crate) mod resolve;
mod staging;
pub(crate) mod sys;
mod trash;

pub use calls::requests;
pub use engine::{FileEngine, Parts};
pub use folders::Folders;
pub use judge::{Answer, FileJudge, Judgement, Question, Verdict};
pub use operation::Operation;
pub use record::{Effect, FileRecord, FileRecorder};
pub use resolve::Tasks;
pub use trash::{Doomed, Kept, Loss, Trash};
