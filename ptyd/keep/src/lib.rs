//! What a session's commands lose, kept: the trash, versions of overwritten files, and checkpoints.
//!
//! Promised: a deletion that this crate reports as kept can be undone, whatever is killed at
//! whatever moment; a deletion that cannot be kept is refused with the kernel's error number and not
//! done; a restore and a rollback overwrite nothing that is not kept itself; a rollback leaves the
//! old state or the new.
//!
//! Not promised: bytes overwritten in place (`write` into an existing range, `mmap`) are not
//! versioned, and a checkpoint is no snapshot of one instant: what changes while it is made is
//! detected and reported. The crate judges nothing and records no events: it returns what was done,
//! for the caller to write down.

mod compare;
mod fs;
mod id;

pub mod checkpoint;
pub mod trash;

pub use compare::{Diff, Digest};
pub use fs::{Kind, Time};
pub use id::Id;
