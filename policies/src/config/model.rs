//! The configuration as types, with its defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{LoadError, Source};
use crate::quantity::{Size, Time};
use crate::words::words;

use super::terminal::{self, Terminal};

/// How this host runs sessions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "agentsh configuration")]
pub struct Config {
    pub security: Security,
    pub landlock: Landlock,
    pub capabilities: Capabilities,
    pub sessions: Sessions,
    pub shim: Shim,
    pub terminal: Terminal,
    pub broker: Broker,
    pub proxy: Proxy,
    pub dlp: Dlp,
    pub log: Log,
}

words! {
    /// A security mode, or the best that the host can do.
    #[derive(Default)]
    SecurityMode {
        #[default] Auto = "auto", Full = "full", Seccomp = "seccomp", Landlock = "landlock",
        LandlockOnly = "landlock-only", Minimal = "minimal",
    }
}

words! {
    /// The worst mode that is accepted; `""`: any.
    #[derive(Default)]
    MinimumMode {
        #[default] Any = "", Full = "full", Seccomp = "seccomp", Landlock = "landlock",
        LandlockOnly = "landlock-only", Minimal = "minimal",
    }
}

/// How much must be enforced.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    pub mode: SecurityMode,
    /// Whether a session is refused if the mode cannot hold every rule.
    pub strict: bool,
    pub minimum_mode: MinimumMode,
    /// Whether who makes a session is told what it does not hold. Record and `session info` always say it.
    pub warn_degraded: bool,
}

impl Default for Security {
    fn default() -> Security {
        Security {
            mode: SecurityMode::Auto,
            strict: false,
            minimum_mode: MinimumMode::Any,
            warn_degraded: true,
        }
    }
}

/// What the hull gets besides the policy's own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Landlock {
    pub enabled: bool,
    /// Paths, not patterns, in all four lists. What policy denies stays denied.
    pub allow_execute: Vec<String>,
    pub allow_read: Vec<String>,
    pub allow_write: Vec<String>,
    /// Files, and folders with all below them, that no session reads or changes whatever its policy says.
    pub deny_paths: Vec<String>,
    pub network: LandlockNetwork,
}

impl Default for Landlock {
    fn default() -> Landlock {
        Landlock {
            enabled: true,
            allow_execute: Vec::new(),
            allow_read: Vec::new(),
            allow_write: Vec::new(),
            deny_paths: Vec::new(),
            network: LandlockNetwork::default(),
        }
    }
}

/// TCP in the modes `landlock` and `landlock-only`; in all others nothing of it counts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LandlockNetwork {
    pub allow_connect_tcp: bool,
    pub allow_bind_tcp: bool,
    pub bind_ports: Vec<u16>,
}

impl Default for LandlockNetwork {
    fn default() -> LandlockNetwork {
        LandlockNetwork {
            allow_connect_tcp: true,
            allow_bind_tcp: false,
            bind_ports: Vec::new(),
        }
    }
}

/// Capabilities that a root session keeps.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Capabilities {
    /// Replaces the built-in list; names of capabilities(7), in any case, with or without `CAP_`.
    pub allow: Option<Vec<String>>,
}

/// Sessions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    pub default_policy: String,
    /// A folder with more policies, looked at first.
    pub policies_dir: Option<String>,
    /// Names; empty: all.
    pub allowed_policies: Vec<String>,
    /// Automatic sessions end after so long without a process.
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    #[schemars(with = "Time")]
    pub idle_end: Duration,
    pub retention: Retention,
}

impl Default for Sessions {
    fn default() -> Sessions {
        Sessions {
            default_policy: "default".into(),
            policies_dir: None,
            allowed_policies: Vec::new(),
            idle_end: Duration::from_secs(30 * 60),
            retention: Retention::default(),
        }
    }
}

/// How long records of ended sessions stay.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    #[schemars(with = "Time")]
    pub max_age: Duration,
    /// Of all records of the user together.
    pub max_size: Size,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            max_age: Duration::from_secs(30 * 24 * 3600),
            max_size: Size(10 << 30),
        }
    }
}

words! {
    /// What the shim prints for the command.
    #[derive(Default)]
    Output { #[default] Human = "human", Json = "json" }
}

words! {
    /// What the shim does without a broker.
    #[derive(Default)]
    BrokerFailure { #[default] Fail = "fail" }
}

/// The shim.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shim {
    /// What the shim stands in for under its own name; absent: bash, else sh.
    pub default_shell: Option<String>,
    /// Name → absolute path of the real shell.
    pub real_shells: BTreeMap<String, String>,
    pub output: Output,
    pub on_broker_down: BrokerFailure,
}

words! {
    /// How the broker comes to run.
    #[derive(Default)]
    BrokerStart { #[default] Auto = "auto", Manual = "manual" }
}

words! {
    /// Where the broker listens besides `launch.sock`.
    #[derive(Default)]
    Listen { #[default] ApiSock = "api.sock" }
}

/// The broker.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Broker {
    pub start: BrokerStart,
    pub listen: Listen,
}

/// The proxy for traffic to model providers.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// Name → base address.
    pub providers: BTreeMap<String, String>,
    pub store_bodies: bool,
    pub limits: ProxyLimits,
    /// Prices of models by the beginning of their name, before those that are built in.
    pub prices: BTreeMap<String, Price>,
    pub tls_intercept: bool,
    /// Hosts whose TLS is never opened.
    pub pinned: Vec<String>,
}

/// What a model costs: US dollars a million tokens.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub input: f64,
    /// Tokens of the request that were read from a cache; as `input` if not given.
    #[serde(default)]
    pub cached: Option<f64>,
    pub output: f64,
}

/// Limits of the proxy; 0: none.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyLimits {
    /// Requests a minute.
    pub rpm: u64,
    /// Tokens a minute.
    pub tpm: u64,
    /// Tokens a session.
    pub budget: u64,
}

words! {
    /// What happens to credentials in traffic.
    #[derive(Default)]
    DlpMode { #[default] Redact = "redact", Block = "block", Audit = "audit", Off = "off" }
}

/// Credentials in traffic.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dlp {
    pub mode: DlpMode,
    /// Built-in patterns by name, switched on or off.
    pub patterns: BTreeMap<String, bool>,
    pub custom_patterns: Vec<CustomPattern>,
}

/// A pattern of one's own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomPattern {
    pub name: String,
    /// A regular expression.
    pub pattern: String,
}

words! {
    /// The form of the daemons' diagnostics.
    #[derive(Default)]
    LogFormat { #[default] Text = "text", Json = "json" }
}

/// Diagnostics of the daemons.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// error, warn, info, debug, trace.
    pub level: String,
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Log {
        Log {
            level: "info".into(),
            format: LogFormat::Text,
        }
    }
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Time::deserialize(deserializer).map(|time| time.0)
}

fn write_time<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    Time(*time).serialize(serializer)
}

/// Where a word stands in a text of YAML, outside of its comments.
fn found(text: &str, word: &str) -> Option<usize> {
    let is_said = |at: &usize| {
        let line = text[..*at].rsplit('\n').next().unwrap_or_default();
        !line.trim_start().starts_with('#') && !line.contains(" #")
    };
    text.match_indices(word).map(|(at, _)| at).find(is_said)
}

/// What the types cannot say.
pub(super) fn check(source: &Source, config: &Config) -> Result<(), LoadError> {
    let place = |word: &str| {
        let start = found(&source.text, word).unwrap_or(0);
        start..start + word.len()
    };
    terminal::check(source, &config.terminal)?;
    let shells = config.shim.real_shells.values().chain(&config.shim.default_shell);
    let landlock = &config.landlock;
    let lists = [
        &landlock.allow_execute,
        &landlock.allow_read,
        &landlock.allow_write,
        &landlock.deny_paths,
    ];
    for path in config
        .shim
        .real_shells
        .values()
        .chain(lists.into_iter().flatten())
        .chain(&config.sessions.policies_dir)
    {
        if !path.starts_with('/') {
            return Err(source
                .error(place(path), format!("`{path}` is no absolute path"))
                .expecting("a path that begins with `/`"));
        }
    }
    if let Some(path) = lists.into_iter().flatten().find(|path| path.contains('*')) {
        return Err(source
            .error(
                place(path),
                format!("`{path}` would never match: these are paths, not patterns"),
            )
            .expecting("a path; a folder stands for all that is below it"));
    }
    if let Some(shell) = shells.into_iter().find(|shell| shell.is_empty()) {
        return Err(source.error(place(shell), "a shell needs a name"));
    }
    for pattern in &config.dlp.custom_patterns {
        if let Err(problem) = regex::RegexBuilder::new(&pattern.pattern).size_limit(1 << 20).build() {
            let text = problem.to_string();
            let reason = text.lines().last().unwrap_or("").to_owned();
            return Err(source.error(place(&pattern.pattern), format!("not a regular expression: {reason}")));
        }
    }
    const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
    if !LEVELS.contains(&config.log.level.as_str()) {
        let level = &config.log.level;
        let error = source.error(place(level), format!("`{level}` is no level"));
        return Err(error.expecting(LEVELS.join(", ")).suggesting_nearest(level, LEVELS));
    }
    for name in config.capabilities.allow.iter().flatten() {
        let bare = name.to_ascii_lowercase();
        let bare = bare.strip_prefix("cap_").unwrap_or(&bare);
        if !CAPABILITIES.contains(&bare) {
            let error = source.error(place(name), format!("`{name}` is no capability"));
            return Err(error
                .expecting("a name of capabilities(7)")
                .suggesting_nearest(bare, CAPABILITIES));
        }
    }
    Ok(())
}

/// The names of capabilities(7) up to Linux 6.18, without their prefix.
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];
