//! What can go wrong in a verb. Each names the object and, where there is something to do, says it as help.

use std::io;
use std::path::PathBuf;

use agentsh_audit::StoreError;
use agentsh_audit::read::ReadProblem;
use agentsh_keep::checkpoint::CheckpointError;
use agentsh_keep::trash::TrashError;
use agentsh_policy::LoadError;
use agentsh_protocol::api::{ApiError, ErrorKind};
use miette::{Diagnostic, LabeledSpan, SourceCode};

use crate::client::{ClientError, Silence};
use crate::exit;
use crate::load_report::LoadReport;

/// The end of a verb that did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{0}")]
    Api(ApiError),
    #[error(transparent)]
    Client(ClientError),
    #[error(transparent)]
    Record(#[from] ReadProblem),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Trash(#[from] TrashError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Recording(#[from] agentsh_terminal::recording::OpenError),
    #[error(transparent)]
    Player(#[from] agentsh_terminal::player::PlayerError),
    #[error(transparent)]
    Load(#[from] Box<LoadReport>),
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        source: io::Error,
    },
    #[error("{path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the command was not run: {problem}")]
    NotRun { problem: String },
    /// Called in a wrong way.
    #[error("{problem}")]
    Usage { problem: String, help: String },
    /// What was named is not there, or not the only one.
    #[error("{problem}")]
    Unknown { problem: String, help: String },
}

impl Error {
    pub fn io(what: impl Into<String>, source: io::Error) -> Error {
        Error::Io {
            what: what.into(),
            source,
        }
    }

    pub fn file(path: impl Into<PathBuf>, source: io::Error) -> Error {
        Error::File {
            path: path.into(),
            source,
        }
    }

    pub fn usage(problem: impl Into<String>, help: impl Into<String>) -> Error {
        Error::Usage {
            problem: problem.into(),
            help: help.into(),
        }
    }

    pub fn unknown(problem: impl Into<String>, help: impl Into<String>) -> Error {
        Error::Unknown {
            problem: problem.into(),
            help: help.into(),
        }
    }

    /// The exit status that says so.
    pub fn status(&self) -> u8 {
        match self {
            Error::Usage { .. } => exit::USAGE,
            _ => exit::FAILED,
        }
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Error {
        match error {
            ClientError::Api(error) => Error::Api(error),
            error => Error::Client(error),
        }
    }
}

impl From<LoadError> for Error {
    fn from(error: LoadError) -> Error {
        Error::Load(Box::new(LoadReport::new(error)))
    }
}

impl Diagnostic for Error {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self {
            Error::Load(report) => report.source(),
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self {
            Error::Load(report) => report.labels(),
            _ => None,
        }
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let help: &str = match self {
            Error::Api(error) => match (&error.hint, error.error) {
                (Some(hint), _) => hint,
                (None, ErrorKind::NotFound) => "`agentsh session list` shows what there is",
                (None, ErrorKind::Ambiguous) => "give more characters of the id",
                _ => return None,
            },
            Error::Client(ClientError::NoBroker { .. }) => "`agentsh broker start` starts one",
            Error::Client(ClientError::Silent(Silence::Stopped(pid))) => {
                return Some(Box::new(format!("`kill -CONT {pid}` has it go on")));
            }
            Error::Client(ClientError::Silent(Silence::Stuck)) => "`agentsh logs` may show what it does",
            Error::Client(ClientError::NotStarted { .. } | ClientError::Foreign { .. }) => {
                "`agentsh doctor` looks for the cause"
            }
            Error::Store(StoreError::NotFound(_)) => "`agentsh session list` shows what there is",
            Error::Trash(error) => trash_help(error)?,
            Error::Checkpoint(error) => checkpoint_help(error)?,
            Error::Usage { help, .. } | Error::Unknown { help, .. } => help,
            Error::Load(report) => report.error.suggestion.as_deref()?,
            _ => return None,
        };
        Some(Box::new(help))
    }
}

/// Said where the state folder cannot be reached: most often because the caller is inside a session.
const OUTSIDE: &str = "what is kept is out of reach from inside a session: whoever runs the session can bring it back";

fn trash_help(error: &TrashError) -> Option<&'static str> {
    Some(match error {
        // Who has the trash open is not inside: what is forbidden then is the place to restore to.
        TrashError::Refused { .. } if error.is_closed() && is_forbidden(error.errno()) => OUTSIDE,
        TrashError::Unknown(_) => "`agentsh trash list` shows what there is",
        TrashError::Ambiguous(_) => "give more characters of the id",
        TrashError::Exists(_) => "`--beside` takes a free name next to it, `--to PATH` another place",
        TrashError::NoOrigin(_) | TrashError::OtherMount(_) => "`--to PATH` names a place",
        _ => return None,
    })
}

fn checkpoint_help(error: &CheckpointError) -> Option<&'static str> {
    Some(match error {
        CheckpointError::Refused { errno, .. } if error.is_closed() && is_forbidden(errno.raw_os_error()) => OUTSIDE,
        CheckpointError::Unknown(_) => "`agentsh checkpoint list` shows those of this workspace",
        CheckpointError::Ambiguous(_) => "give more characters of the id",
        CheckpointError::NotThere(_) => "paths are those of the workspace, without its own path before them",
        _ => return None,
    })
}

fn is_forbidden(errno: i32) -> bool {
    [libc::EACCES, libc::EPERM].contains(&errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_may_not_be_written_is_not_taken_for_the_inside_of_a_session() {
        let refused = |step| TrashError::Refused {
            path: "/work/a".into(),
            step,
            errno: rustix::io::Errno::ACCESS,
        };
        assert_eq!(trash_help(&refused("open the trash")), Some(OUTSIDE));
        for step in ["restore", "open"] {
            assert_eq!(trash_help(&refused(step)), None);
        }
        let refused = |step| CheckpointError::Refused {
            path: "/work".into(),
            step,
            errno: rustix::io::Errno::ACCESS,
        };
        assert_eq!(checkpoint_help(&refused("open the store")), Some(OUTSIDE));
        assert_eq!(checkpoint_help(&refused("open the workspace")), None);
    }
}
