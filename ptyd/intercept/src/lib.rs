//! User notification: reads, resolves, judges and carries out the calls of one command's processes.
//!
//! Promises: a call is answered by what was read once and judged; nothing that cannot be read or
//! understood is let through; an answer is given only to a caller that still waits for it; one slow
//! call (an approval, a connect) never keeps another waiting.
//!
//! It does not know policies or the record: judges and observers are traits that the supervisor
//! implements. It does not install filters. `exec` cannot be carried out: it is judged, continued and
//! verified afterwards.

mod caller;
mod coarse;
mod exec;
pub mod files;
mod handler;
mod kernel;
mod locate;
mod notification;
mod outcome;
mod process;
mod serve;
mod signals;
mod slow;
mod sockets;
mod sys;

pub use caller::{AddDescriptor, Caller, Capabilities, Interruption, MAX_ARGUMENT, MAX_ARGUMENTS, Status, Words};
pub use exec::{Above, ExecDecision, ExecRequest, Guard, Guarded, Instead, Judge, Role, Stage, Subject};
pub use files::actor::begin;
pub use files::resolve::Canonical;
pub use handler::{Handler, Table};
pub use locate::Locator;
pub use notification::Notification;
pub use outcome::Outcome;
pub use process::{Beginning, ExecSettled, FileId, Fork, Observer, TaskStat, is_inside};
pub use rustix::io::Errno;
pub use serve::{Serving, prepare};
pub use signals::{Reach, Relation, Requests, SignalDecision, SignalJudge, SignalRequest, Signals, Target};
pub use sockets::{
    Act, Address, BindRequest, ConnectRequest, Endpoints, Holder, Inside, InternetOperation, InternetRequest,
    OwnSocket, Peer, SocketDecision, SocketJudge, Sockets, Transport, UnixOperation,
};
