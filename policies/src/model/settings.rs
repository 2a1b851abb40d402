//! The parts of a policy that are not lists of rules.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::place::At;
use crate::quantity::{Size, Time};
use crate::words::words;

/// Which environment variables a command gets. `deny` beats `allow`; an empty `allow` is all not denied.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvPolicy {
    /// Globs on names.
    pub allow: Vec<At<String>>,
    /// Globs on names.
    pub deny: Vec<At<String>>,
    /// Of names and values together.
    pub max_bytes: Option<Size>,
    pub max_keys: Option<u32>,
    /// Whether a program is kept from listing what it has.
    pub block_iteration: bool,
}

/// Limits; 0 or absent is none.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResourceLimits {
    pub max_memory_mb: u64,
    pub memory_swap_max_mb: u64,
    pub cpu_quota_percent: u64,
    pub disk_read_bps_max: u64,
    pub disk_write_bps_max: u64,
    pub net_bandwidth_mbps: u64,
    pub pids_max: u64,
    /// Of each command.
    pub command_timeout: Time,
    /// Of the session.
    pub session_timeout: Time,
    /// Of the session, without a running command.
    pub idle_timeout: Time,
}

/// What is recorded. Denials always are, and so is what people were asked.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// File operations that are simply allowed; without them opens that only read need not be noticed.
    pub log_allowed: bool,
    pub log_denied: bool,
    pub log_approved: bool,
    pub include_stdout: bool,
    pub include_stderr: bool,
    pub include_file_content: bool,
    /// 0: as the configuration says.
    pub retention_days: u32,
}

impl Default for Audit {
    fn default() -> Audit {
        Audit {
            log_allowed: true,
            log_denied: true,
            log_approved: true,
            include_stdout: false,
            include_stderr: false,
            include_file_content: false,
            retention_days: 0,
        }
    }
}

/// Wrappers whose payload is judged too, against the built-in list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TransparentCommands {
    /// Base names.
    pub add: Vec<At<String>>,
    /// Base names.
    pub remove: Vec<At<String>>,
}

words! {
    /// What holds rules on files.
    #[derive(Default)]
    FileEngine { #[default] Auto = "auto", Notify = "notify", Fuse = "fuse" }
}

/// How files are guarded and where deleted ones are kept.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filesystem {
    pub engine: FileEngine,
    pub trash: Trash,
}

/// How long deleted files are kept.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Trash {
    pub max_age: Option<Time>,
    pub max_size: Option<Size>,
    /// Larger files are not kept as versions when they are truncated.
    pub version_size_limit: Option<Size>,
    /// Globs on paths that are deleted for good. Of links only those count that no session can make (`/tmp`, `/home`): an
    /// exemption is for the folder that it names, not for where a link in its place leads.
    pub exempt: Vec<At<String>>,
}

words! {
    /// Whose network a session has.
    #[derive(Default)]
    NetworkNamespace { #[default] Host = "host", Private = "private" }
}

words! {
    /// What holds decisions on internet sockets.
    #[derive(Default)]
    NetworkEngine { #[default] Auto = "auto", Notify = "notify", Ebpf = "ebpf" }
}

/// The network that a session has.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    pub namespace: NetworkNamespace,
    /// `ebpf`: a wall in the kernel, which holds the rules on TCP connections as far as tables can say them, lets
    /// through of the rest only what was judged, and nothing once the supervisor is dead; no session and no command
    /// without it. `auto`: that wall where the host has it (root, or CAP_BPF and CAP_NET_ADMIN), else, and where it cannot
    /// be around one caller's group, `notify`: every call is judged and carried out. A network of the session's own
    /// (`namespace: private`) needs none.
    pub engine: NetworkEngine,
    /// Ports of a private namespace that are reached from the host.
    pub forward: Vec<At<u16>>,
}

words! {
    /// How exec is held.
    #[derive(Default)]
    ExecMode { #[default] Normal = "normal", Strict = "strict" }
}

words! {
    /// A namespace that can be granted to named programs.
    Namespace { User = "user", Pid = "pid", Net = "net" }
}

/// How the sandbox is put together.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    pub exec: ExecMode,
    /// Folders that are not there, by their own paths and wherever links lead them.
    pub hide: Vec<At<String>>,
    pub namespaces: Vec<NamespaceGrant>,
    /// Whether files in memory may be executed.
    pub memfd_exec: bool,
}

/// Programs that may make namespaces (browsers do).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamespaceGrant {
    pub commands: Vec<At<String>>,
    pub allow: Vec<Namespace>,
}

words! {
    /// On or off.
    Switch { On = "on", Off = "off" }
}

words! {
    /// How much of what goes through pipes is kept.
    PipeRecording { Off = "off", Head = "head", Full = "full" }
}

words! {
    /// What happens when the record may not grow.
    OnFull { StopRecording = "stop_recording", StopCommand = "stop_command" }
}

/// What is recorded of terminals and pipes; absent keys are the recorder's defaults.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Record {
    pub terminal: Option<Switch>,
    pub input: Option<Switch>,
    pub pipes: Option<PipeRecording>,
    /// Regular expressions whose matches are not kept.
    pub redact: Vec<At<String>>,
    pub max_size: Option<Size>,
    pub on_full: Option<OnFull>,
}

impl Record {
    /// Whether it says anything.
    pub(crate) fn is_any(&self) -> bool {
        let kinds = self.terminal.is_some() || self.input.is_some() || self.pipes.is_some();
        kinds || !self.redact.is_empty() || self.max_size.is_some() || self.on_full.is_some()
    }
}

/// When the workspace is kept as it is.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpoints {
    /// Globs on commands before which a checkpoint is made.
    pub auto: Vec<At<String>>,
    pub keep: Option<u32>,
    pub max_size: Option<Size>,
}

/// How people are asked.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Approvals {
    pub timeout: Option<Time>,
    /// How long a late yes covers the identical retry.
    pub retry_window: Option<Time>,
    pub notify: Option<Notify>,
}

/// How it is told that somebody is asked.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    pub command: Option<At<String>>,
    pub webhook: Option<At<String>>,
}
