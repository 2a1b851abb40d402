//! The walls: what this host can hold (`probe`), what a session therefore uses (`plan`), and how a
//! process goes in (`enter`).
//!
//! Promises: a capability counts only when a probe used it; a step of a plan that fails is an error,
//! never a weaker sandbox; entering is done by the process itself, without a fork, and is verified
//! from outside before the program runs.
//!
//! It does not judge single operations: that is `agentsh-intercept`, at the notifications which the
//! filter made here asks for.

#[cfg(any(feature = "enter", feature = "probe"))]
mod bpf;
#[cfg(feature = "plan")]
pub mod capability;
#[cfg(feature = "probe")]
pub mod cgroup;
#[cfg(feature = "enter")]
pub mod enter;
#[cfg(feature = "probe")]
pub mod filter;
#[cfg(feature = "plan")]
pub mod hull;
#[cfg(feature = "plan")]
pub mod placement;
#[cfg(feature = "probe")]
pub mod probe;
#[cfg(feature = "plan")]
pub mod ruleset;
#[cfg(any(feature = "enter", feature = "probe"))]
pub mod status;
pub(crate) mod sys;
#[cfg(feature = "plan")]
pub mod verify;
#[cfg(feature = "plan")]
pub mod wall;
