//! What is said on `launch.sock`: the life of a command from the shim's request to "go".
//!
//! ```text
//! shim                       supervisor (behind the broker)
//!   LaunchRequest      ─────>
//!                      <─────  LaunchReply::{Enter, Exec, Refused}   + ruleset descriptor
//!   Entered            ─────>  takes the listener, verifies from outside
//!                      <─────  Verdict::{Go, Refused}
//! ```

use serde::{Deserialize, Serialize};

use crate::Bytes;

/// The first frame on a connection to `launch.sock`.
///
/// Only what the kernel cannot tell better stands here; pid, uid, cwd, umask, limits and open
/// descriptors are read from the peer's pidfd by the receiver.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LaunchRequest {
    /// [`crate::VERSION`] of the sender.
    pub version: u32,
    pub start: Start,
    /// The arguments with which the program is to run, `argv[0]` included.
    pub argv: Vec<Bytes>,
    /// The environment's entries as they are, malformed and repeated ones included.
    #[serde(default)]
    pub env: Vec<Bytes>,
    /// The standard descriptor that is the caller's terminal, if one is and the program may get another
    /// terminal in its place.
    #[serde(default)]
    pub terminal: Option<i32>,
    /// A line editor takes turns with the program on the caller's terminal: the program gets one of its own whether
    /// policy has it recorded or not.
    #[serde(default)]
    pub turns: bool,
    /// Columns and rows: the program gets a terminal that is nobody's, and its caller does not wait for it.
    #[serde(default)]
    pub detached: Option<(u16, u16)>,
}

/// What is to be started.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Start {
    /// A stand-in shell: `name` is what it was called (`bash`, `sh` …), `None` the configured default.
    Shell { name: Option<String> },
    /// `agentsh exec`: a program in a named session.
    Exec {
        session: String,
        command_id: Option<String>,
        /// The program's file, where its `argv[0]` is another name.
        #[serde(default)]
        program: Option<Bytes>,
    },
}

/// The answer to a [`LaunchRequest`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LaunchReply {
    /// Enter the sandbox, say [`Entered`], wait for [`Verdict`]. The frame's descriptors are
    /// [`Plan::groups`] entrances, [`Plan::namespaces`] namespaces, then the ruleset if [`Plan::landlock`] is set; then, if
    /// [`Plan::terminal`] is, the new terminal and a stream that speaks [`crate::terminal`] (no stream if the
    /// caller wants it detached).
    Enter(Box<Plan>),
    /// The caller is to print one JSON object about this program instead of what it prints: become
    /// `agentsh exec --output json` in this session.
    Report { session: String, program: Bytes },
    /// The caller is inside its session already: execute this at once.
    Exec { program: Bytes },
    /// Do not start. `status` is 126 or 127; `message` is one line for stderr.
    Refused { status: i32, message: String },
}

/// Everything that the shim does before `execve`, in this order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    pub session_id: String,
    pub command_id: String,
    /// A test that a process under somebody else's Landlock domain cannot pass.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// How many control groups to go into: into each of that many descriptors `0` is written. They come
    /// before the ruleset.
    #[serde(default)]
    pub groups: u32,
    /// How many namespaces to go into (`setns(2)`), in the order of their descriptors, which come behind those of the
    /// groups: a user namespace, if there is one, and a network.
    #[serde(default)]
    pub namespaces: u32,
    /// Resource limits to lower, beside those that the caller has: `(RLIMIT_*, soft and hard)`.
    #[serde(default)]
    pub rlimits: Vec<(u32, u64)>,
    /// Capabilities that remain in the bounding, permitted and effective sets, as a bit mask; the
    /// inheritable and ambient sets are emptied.
    pub capabilities: u64,
    /// Whether a Landlock ruleset came along and must be entered.
    pub landlock: bool,
    /// Enter the Landlock domain without a listener or filter (the lesser modes have none).
    pub filter: Option<Filter>,
    /// The real program.
    pub program: Bytes,
    /// Its arguments where they differ from those asked for.
    #[serde(default)]
    pub argv: Option<Vec<Bytes>>,
    /// Indices into [`LaunchRequest::env`] that policy removes, ascending.
    #[serde(default)]
    pub env_remove: Vec<u32>,
    /// Entries that the operator's policy adds (`env_inject`), replacing those of the same name.
    #[serde(default)]
    pub env_add: Vec<Bytes>,
    /// A terminal came along: the program runs on it, in a child process, and the caller relays.
    #[serde(default)]
    pub terminal: bool,
    /// Numbers for the frame's last descriptors, in the place of what is there.
    #[serde(default)]
    pub pipes: Vec<i32>,
}

/// Fetch descriptor `fd` of process `pid` (`pidfd_getfd(2)`), read it from its start, and say in
/// [`Entered`] what stood there. To be done before anything else is entered.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Proof {
    pub pid: i32,
    pub fd: i32,
}

/// A seccomp filter with a listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Filter {
    /// `struct sock_filter` array in the machine's byte order (`seccomp(2)`), base64.
    pub program: String,
    /// Flags for `SECCOMP_SET_MODE_FILTER`.
    pub flags: u32,
}

/// The shim is inside; `listener` is the number of its notification descriptor, if the plan had a filter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entered {
    pub listener: Option<i32>,
    /// The answer to the plan's [`Proof`]; `None` if it could not be fetched.
    #[serde(default)]
    pub proof: Option<Bytes>,
}

/// What the supervisor found when it verified the sandbox from outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    Go,
    Refused { message: String },
}
