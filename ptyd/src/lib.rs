//! `agentsh-ptyd`: one broker a user, one supervisor process a session.
//!
//! The broker owns the sockets and the registry of sessions, learns from the kernel who is calling,
//! and hands a command's connection over to its session's supervisor. The supervisor judges the
//! command, gives it the plan, verifies from outside that it went in, and serves its notifications
//! until the last descendant is gone. This crate composes; what it composes are the crates below it.
//!
//! Promises: a broker never serves another user or a sandboxed peer; a supervisor that dies takes its
//! own commands with it and nothing else; a check that cannot run refuses.

mod broker;
mod build;
mod cli;
mod diagnostics;
mod foreign;
mod process;
mod standing;
mod supervisor;
mod sys;

pub use cli::run;
