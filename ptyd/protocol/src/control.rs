//! What broker and supervisor say to each other over their socket pair.
//!
//! The broker numbers its requests; a supervisor answers each exactly once, in any order, and may
//! report at any time. If the pair closes, the other side is dead.

use serde::{Deserialize, Serialize};

use crate::Bytes;
use crate::act::Act;
use crate::api::{ApiError, CommandInfo, Killed, ProxyInfo, SessionInfo};
use crate::approvals::{Approval, Change, Grant, Reply};
use crate::launch::LaunchRequest;

/// Broker to supervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ToSupervisor {
    /// The first message: what the session is to be.
    Begin {
        setup: Box<Setup>,
    },
    /// A connection of `launch.sock` that belongs to this session; its descriptors are the
    /// connection and the peer's pidfd. Nothing is answered here: the shim gets the answer.
    Launch {
        request: Box<LaunchRequest>,
        peer: Peer,
    },
    Call {
        id: u64,
        call: Call,
    },
}

/// What a session is made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Setup {
    pub session_id: String,
    pub name: Option<String>,
    pub workspace: Option<Bytes>,
    /// A policy's name or the absolute path of a policy file; `None` is the configured default.
    pub policy: Option<String>,
    /// Made for a shim: it ends after the idle time.
    pub automatic: bool,
    /// How many people watch for questions now.
    #[serde(default)]
    pub watchers: usize,
}

/// What the broker learnt about a peer from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    pub pid: i32,
    pub uid: u32,
}

/// A request about the session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Call {
    Info,
    Commands,
    /// The proxy, and its use of models.
    Proxy,
    /// Ends one command (its id or a unique prefix) and its descendants.
    KillCommand {
        command: String,
    },
    /// A client for the terminal of a command (its id or a unique prefix): the descriptor that came along speaks
    /// [`crate::terminal`].
    Attach {
        command: String,
        /// It may only look.
        watch: bool,
    },
    /// Ends all and then the supervisor itself.
    End {
        reason: String,
    },
    /// What a person has done outside is to be on record.
    Note {
        act: Act,
    },
    /// The policy file changed: load again.
    Reload,
    /// How many people watch for questions from now on.
    Watchers {
        count: usize,
    },
    /// What people are asked.
    Approvals,
    /// A person's answer to the approval with this whole id.
    Reply {
        id: String,
        reply: Reply,
    },
    Grants,
    /// Takes the grant with this whole id back.
    Revoke {
        id: String,
    },
}

/// Supervisor to broker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FromSupervisor {
    /// The session stands and takes commands.
    Ready {
        info: Box<SessionInfo>,
    },
    /// The session could not be made; the supervisor ends.
    Failed {
        error: ApiError,
    },
    Answer {
        id: u64,
        answer: Box<Answer>,
    },
    /// How many commands have living processes; zero starts the idle time of automatic sessions.
    Busy {
        commands: usize,
    },
    /// What is known of the session has changed.
    Info {
        info: Box<SessionInfo>,
    },
    /// For everybody who watches for questions.
    Approval {
        change: Change,
    },
}

/// The answer to a [`Call`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Info { info: Box<SessionInfo> },
    Commands { commands: Vec<CommandInfo> },
    Killed { killed: Killed },
    Approvals { approvals: Vec<Approval> },
    Grants { grants: Vec<Grant> },
    Proxy { proxy: Box<ProxyInfo> },
    Done,
    Error { error: ApiError },
}
