//! exec: judged at the call, continued, verified afterwards.
//!
//! An exec cannot be carried out for another process, so that between our decision and the kernel's
//! own look threads can rewrite its arguments and anybody can swap its files. What was judged is
//! therefore remembered. At the process's next notified call, whichever it is, its real executable and
//! arguments are compared with it; what differs is judged anew as what it is, and killed unless that is
//! allowed. The guard's own calls ([`Guard::CALLS`]) are always notified and hold the first that a C
//! library makes, so that this comes before the program's own code. A program without any library can
//! compute, and use descriptors that it inherited, before its first notified call.

mod calls;
mod chain;
mod environment;
mod expectation;
mod guard;
mod header;
mod headers;
mod instead;
mod layout;
mod loader;
mod request;
mod settle;
mod stub;

pub use guard::{Guard, Guarded};
pub(crate) use headers::Headers;
pub use request::{Above, ExecDecision, ExecRequest, Instead, Judge, Role, Stage, Subject};
