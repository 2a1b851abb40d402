//! The verbs, one a file: what each takes, and what it does.

pub mod approve;
pub mod attach;
pub mod audit;
pub mod broker;
pub mod checkpoint;
pub mod config;
pub mod detect;
pub mod doctor;
pub mod events;
pub mod exec;
pub mod gc;
pub mod grants;
pub mod kill;
pub mod llm;
pub mod logs;
pub mod output;
pub mod policy;
pub mod proxy;
pub mod replay;
pub mod search;
pub mod session;
pub mod shell;
pub mod shim;
pub mod status;
pub mod trash;
pub mod why;
