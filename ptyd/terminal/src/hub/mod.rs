//! The hub: one terminal, its command, and everybody who looks at it or types into it.
//!
//! A thread of its own polls the master side. Each client has a bounded queue. The *primary* client
//! (the shim of the caller whose terminal it is) is part of the terminal: if it stops taking output,
//! the command waits, as it would without us. Any other client that falls behind is cut off its queue
//! and gets a redraw when it is ready again; it never slows the command. One client types; another one
//! may take that over and give it back. A client whose window differs from the terminal's gets redraws
//! cut to its size. Terminal queries reach only the client that types; with none the hub answers.
//!
//! The hub starts no process and decides nothing: see [`Event`] for what it tells the supervisor.

mod client;
mod config;
mod core;
mod deliver;
mod drain;
mod handle;
mod input;
mod mirror;
mod run;
mod size;
#[cfg(test)]
mod tests;
mod waker;

pub use agentsh_protocol::terminal::SizeRule;
pub use client::{ClientId, Io, Joining, Role};
pub use config::{Config, Event, Gone, Recording};
pub use handle::{Hub, start};
