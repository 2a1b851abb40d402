//! exec: judged at the call, continued, verified afterwards.
//!
//! An exec cannot be carried out for another process, so that between our decision and the kernel's
//! own look threads can rewrite its arguments and anybody can swap its files. What was judged is
//! therefore remembered. At the process's next notified call, whichever it is, its real executable and
//! arguments are compared with it; what differs is judged anew as what it is, and killed unless that is
//! allowed. `exec` and `exit_group` are always notified, so that no program escapes the comparison. What
//! a program can do before its first notified call is compute, and use descriptors that it
//! inherited; a watch looks at the process right after the exec and mostly comes before even that.

mod calls;
mod chain;
mod expectation;
mod guard;
mod header;
mod loader;
mod locate;
mod request;
mod settle;

pub use guard::{Guard, Guarded};
pub use request::{ExecDecision, ExecRequest, Judge, Place, Role, Stage, Subject};
