//! The supervisor: one session, from its making to its end.

mod acts;
mod aliases;
mod approvals;
mod calls;
mod command;
mod control;
mod denials;
mod descriptors;
mod devices;
mod end;
mod execs;
mod files;
mod follow;
mod inside;
mod judge;
mod kept;
mod launch;
mod launchers;
mod limits;
mod make;
mod members;
mod mounts;
mod network;
mod observed;
mod own;
mod pipes;
mod plan;
mod policy;
mod program;
mod proof;
mod proxy;
mod refusal;
mod reload;
mod rules;
mod session;
mod settler;
mod shared;
mod shells;
mod signals;
mod sockets;
mod stragglers;
mod terminal;
mod territory;
mod unseen;
mod wall;
mod watch;
mod way;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use agentsh_protocol::control::{FromSupervisor, ToSupervisor};
use agentsh_protocol::frame;

use crate::sys;

pub(crate) use kept::limits as trash_limits;
pub(crate) use limits::{close as close_group, recorded as recorded_group};
pub(crate) use network::hold as hold_network;
pub(crate) use policy::Choice;
pub(crate) use proof::hold as hold_proof;

/// Serves the session that the broker at standard input describes. The status is 0 if the session came
/// to a regular end.
pub(crate) fn run() -> ExitCode {
    let Ok(control) = sys::inherited(0).map(UnixStream::from) else {
        return ExitCode::FAILURE;
    };
    // The number must not fall to something else: standard input stays taken.
    let Ok(control) = rustix::io::fcntl_dupfd_cloexec(&control, 3).map(UnixStream::from) else {
        return ExitCode::FAILURE;
    };
    // Neither traced nor read by other processes of the user.
    if rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).is_err() {
        return ExitCode::FAILURE;
    }
    let setup = match frame::receive::<ToSupervisor>(&control) {
        Ok((ToSupervisor::Begin { setup }, _)) => *setup,
        _ => return ExitCode::FAILURE,
    };
    let session = match make::make(setup) {
        Ok(session) => session,
        Err(error) => {
            let _ = frame::send(&control, &FromSupervisor::Failed { error }, &[]);
            return ExitCode::FAILURE;
        }
    };
    match control::serve(session, OwnedFd::from(control)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
