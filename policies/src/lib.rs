//! Policies: what a session's operations are judged by.
//!
//! This crate reads policies and configuration strictly (every unknown key is an error with file, line,
//! column and a suggestion), compiles them for a session, and answers for one operation at a time: allow,
//! deny, approve, redirect, soft_delete, audit, absorb. The first rule of a list that matches wins; of a
//! policy and one that narrows it, the stricter answer.
//!
//! Promises: no input makes it panic; judging neither locks nor allocates (commands with rules on their
//! arguments excepted); names are bytes and compared exactly. It does not: enforce anything, touch the
//! objects it judges, resolve paths or names (callers hand in resolved ones), or read the environment.

pub mod cases;
mod check;
pub mod config;
mod content;
mod error;
mod explain;
mod folding;
pub mod glob;
mod host;
pub mod library;
mod load;
#[cfg(test)]
mod load_tests;
pub mod message;
pub mod model;
mod operand;
mod operation;
mod outlook;
pub mod packs;
mod place;
mod policy;
mod quantity;
pub mod schema;
mod strict;
mod vars;
mod words;
mod wrapper;
pub mod yaml;

pub use content::Content;
pub use error::{LoadError, Source, nearest};
pub use explain::{Explanation, Held, Hold, Matching};
pub use folding::{fold, host_folding};
pub use host::host_links;
pub use load::{Document, parse, read};
pub use message::Subject;
pub use operand::Operand;
pub use operation::{
    CommandOperation, EnvOperation, FileOperation, HttpOperation, NetworkOperation, Operation, SignalOperation,
    USAGE as OPERATION_USAGE, UnixOperation,
};
pub use outlook::{Lowered, Outlook, Program, ProgramOutlook};
pub use place::At;
pub use policy::{
    CommandQuery, CommandTarget, ConnectTarget, ConnectTo, DnsTarget, EnvFilter, Layer, NetworkQuery, Policy, Redirect,
    Removed, RuleRef, ServiceView, Settings, SignalQuery, TableRule, Targets, UnixAddress, Verdict, is_steering,
    variable_name,
};
pub use quantity::{Size, Time};
pub use vars::{Leads, VariableError, Variables};
pub use words::{
    ALL_FILE_OPS, Decision, Decisions, Errno, FileOp, List, NetOp, OnFailure, Protocol, TargetType, UnixOp, Visibility,
};
pub use wrapper::{Payload, Wrappers};
