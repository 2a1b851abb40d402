//! The calls, each from its registers to its result.

mod attributes;
mod call;
mod content;
mod hidden;
mod inode_flags;
mod length;
mod link_text;
mod links;
mod look;
mod make;
mod numbers;
mod open;
mod permit;
mod remove;
mod rename;
mod requests;
mod stand_in;
mod tree;
mod watch;
mod xattr;

pub use call::{Call, path_to};
pub use hidden::chdir;
pub use numbers::{handler, numbers};
pub use requests::requests;
pub use xattr::{attributes, has_attributes};

use super::engine::FileEngine;
use crate::caller::Caller;
use crate::outcome::Outcome;

/// The most frequent calls, answered from what is known. `None`: this one needs a careful look.
pub fn quick(engine: &FileEngine, caller: &Caller<'_>) -> Option<Outcome> {
    open::quick(engine, caller).or_else(|| link_text::quick(engine, caller))
}

/// One call's handler. An error is an answer as well: most come from the kernel by `?`.
pub type Handle = fn(&mut Call<'_, '_>) -> Result<Outcome, Outcome>;
