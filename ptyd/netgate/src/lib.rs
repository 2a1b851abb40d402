//! Decides what leaves: which operations on internet sockets a session may make, and by which names its peers go.
//!
//! Promises: an address is judged by every name that the session was told for it and by what it is on this
//! machine (a machine's own address is loopback), and the strictest answer holds; a name that was never
//! answered to the session opens nothing; who listens at a local endpoint is asked of the kernel, not guessed
//! from names.
//!
//! It carries nothing out and records nothing: an [`Engine`] sees to it that nothing passes by the gate (with
//! [`Notify`], `intercept` carries out what it lets through), and the supervisor tells what happened.

mod address;
mod diag;
mod engine;
mod gate;
mod local;
mod own;
mod packet;
mod pins;
pub mod place;
pub mod private;
mod rates;
pub mod relay;
mod resolver;
mod sys;
mod vacant;
mod wall;

pub use address::{is_machine, is_special};
pub use engine::{
    Closed, Connection, Connections, Counters, Engine, EngineError, Exceeded, Kernel, Leaves, Listener, Notify,
    PrivateEngine, Told,
};
pub use gate::{Flow, Gate, Ruling, Transport};
pub use own::{Holder, Owner};
pub use pins::Pins;
pub use rates::Rates;
pub use resolver::{Court, Lookup, Resolver, Upstream};
pub use sys::network_cookie;
pub use wall::{Event, Operation, What, holds_rules};
