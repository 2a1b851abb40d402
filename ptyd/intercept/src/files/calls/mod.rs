//! The calls, each from its registers to its result.

mod attributes;
mod call;
mod content;
mod length;
mod links;
mod look;
mod make;
mod numbers;
mod open;
mod permit;
mod remove;
mod rename;
mod tree;
mod xattr;

pub use call::Call;
pub use numbers::{handler, numbers};
pub use open::quick;

use crate::outcome::Outcome;

/// One call's handler. An error is an answer as well: most come from the kernel by `?`.
pub type Handle = fn(&mut Call<'_, '_>) -> Result<Outcome, Outcome>;
