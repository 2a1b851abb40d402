//! Black-box suites: the product's programs are started as agents and systems start them, and judged by effect.
//!
//! Promises: every test lives in a [`World`] of its own, a private mount namespace with its own `/run`, `/etc`, homes,
//! `/tmp` and state folders, so that nothing of the machine's is touched and no variable that the shim would trust is
//! needed; whatever was started in a world is ended with it; a comparison runs the real shell first (the oracle) and then
//! the stand-in, from the same parent, in the same folder; what a machine cannot show is reported as skipped against a
//! committed list ([`skips`]).
//!
//! It needs root (mount namespaces) and knows nothing of the product's insides beyond `agentsh-protocol`.

pub mod bench;
pub mod case;
pub mod child;
pub mod compare;
pub mod enforced;
pub mod mirror;
pub mod network;
pub mod oracle;
pub mod pty;
pub mod random;
pub mod record;
pub mod session;
pub mod shell;
pub mod skips;
mod spawn;
pub mod sys;
pub mod tree;
pub mod world;

pub use case::Case;
pub use shell::{Ended, Input, Outcome, Output, Shell};
pub use world::World;
pub use world::people::User;

/// What tests and harness functions return: any error ends the test with its text.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// An error with a text, for `Err(fail(…))`.
pub fn fail(text: impl Into<String>) -> Box<dyn std::error::Error + Send + Sync> {
    text.into().into()
}
