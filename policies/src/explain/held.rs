//! What of a policy a host and a build cannot hold, one line each.

use std::borrow::Cow;

use crate::model::{ExecMode, FileEngine, NetworkEngine, NetworkNamespace, Notify, PipeRecording, Switch};
use crate::policy::{Layer, Policy};
use crate::words::{Decision, Errno, FileOp, Protocol, Visibility};

/// How far a limit is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    Fully,
    /// Held, but for what is said.
    Partly(Cow<'static, str>),
    /// Not held, for the reason that is said.
    Not(Cow<'static, str>),
}

impl Default for Hold {
    fn default() -> Hold {
        Hold::Not("not held here".into())
    }
}

impl Hold {
    /// What is missing, if something is.
    pub fn missing(&self) -> Option<&str> {
        match self {
            Hold::Fully => None,
            Hold::Partly(why) | Hold::Not(why) => Some(why),
        }
    }
}

/// What a plan can hold. Everything is false until the caller says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// deny for read, list.
    pub file_read: bool,
    /// deny for stat, access, readlink.
    pub file_names: bool,
    /// deny for O_PATH.
    pub file_open_path: bool,
    /// deny for the write class.
    pub file_write: bool,
    /// `errno: ENOENT` in every call that names the object.
    pub file_absent: bool,
    pub file_redirect: bool,
    pub soft_delete: bool,
    /// Questions to people.
    pub approve: bool,
    /// Commands by arguments and depth (programs denied whatever their arguments need no more than the hull).
    pub command: bool,
    pub command_redirect: Hold,
    /// Wrappers' payloads.
    pub transparent_commands: bool,
    /// Addresses and ports.
    pub network: bool,
    /// Host names.
    pub network_names: bool,
    /// `max_per_minute`.
    pub network_rate: bool,
    /// `max_bytes`.
    pub network_bytes: bool,
    pub dns_redirects: bool,
    pub connect_redirects: bool,
    /// `tls.mode: rewrite_sni`.
    pub rewrite_sni: bool,
    pub http_services: bool,
    pub unix_sockets: bool,
    pub signals: bool,
    pub environment: Hold,
    /// `block_iteration`.
    pub environment_iteration: bool,
    pub memory: Hold,
    pub swap: Hold,
    pub cpu: Hold,
    pub disk_read: Hold,
    pub disk_write: Hold,
    pub bandwidth: Hold,
    pub pids: Hold,
    pub command_timeout: bool,
    /// `session_timeout`, `idle_timeout`.
    pub session_timeouts: bool,
    pub hide: bool,
    pub exec_strict: bool,
    pub namespaces: bool,
    pub memfd_exec: bool,
    pub private_network: bool,
    /// `network.engine: ebpf`.
    pub ebpf: bool,
    pub fuse: bool,
    pub record_terminal: bool,
    pub record_input: bool,
    pub record_pipes: bool,
    pub checkpoints: bool,
    /// `approvals.notify.command`.
    pub notify: bool,
    /// `approvals.notify.webhook`.
    pub webhook: bool,
}

impl Policy {
    /// The rules and keys of this policy that a plan with these abilities does not hold, one line each:
    /// first rules in their order, then keys, then what narrowing policies may not say.
    pub fn not_held(&self, held: &Held) -> Vec<String> {
        let mut lines = Vec::new();
        let private = |layer: &Layer| layer.file.network.namespace == NetworkNamespace::Private;
        // What can be had counts where it is asked for.
        let held = &Held {
            private_network: held.private_network && self.layers.iter().any(private),
            ..held.clone()
        };
        for layer in &self.layers {
            let mut say = |what: String, why: &str| lines.push(format!("{}: {what}: {why}", layer.name()));
            rules(layer, held, &mut say);
            keys(layer, held, &mut say);
            unused(layer, &mut say);
            for key in layer.file.later() {
                say(key.to_owned(), "no layer holds this key yet");
            }
            if layer.at > 0 {
                ignored(layer, &mut say);
            }
        }
        lines
    }
}

fn rules(layer: &Layer, held: &Held, say: &mut impl FnMut(String, &str)) {
    for rule in &layer.files.rules {
        let name = format!("file rule `{}`", rule.common.name);
        let names = |ops: &[FileOp]| ops.iter().any(|op| rule.mask & op.bit() != 0);
        let stops = !rule.common.decision.passes();
        let mut open = Vec::new();
        if stops && !held.file_read && names(&[FileOp::Read, FileOp::List]) {
            open.push("read, list");
        }
        if stops && !held.file_names && names(&[FileOp::Stat, FileOp::Access, FileOp::Readlink]) {
            open.push("stat, access, readlink");
        }
        if stops && !held.file_open_path && names(&[FileOp::Open]) {
            open.push("open with O_PATH");
        }
        let writes = FileOp::ALL
            .iter()
            .filter(|op| !op.is_read())
            .any(|op| rule.mask & op.bit() != 0);
        if stops && !held.file_write && writes {
            open.push("the write class");
        }
        if !open.is_empty() {
            say(name.clone(), &format!("not judged here: {}", open.join("; ")));
        }
        let special = match rule.common.decision {
            Decision::Redirect if !held.file_redirect => Some("redirects of files are not done here: denied instead"),
            Decision::SoftDelete if !held.soft_delete => {
                Some("deleted files are not kept here: the deletion is refused instead")
            }
            Decision::Approve if !held.approve => Some("nobody can be asked here: denied instead"),
            _ => None,
        };
        if let Some(special) = special {
            say(name.clone(), special);
        }
        if rule.errno == Errno::NoEnt && !held.file_absent {
            say(name, "the files are not made to look absent: names and stat show them");
        }
    }
    for rule in &layer.commands.rules {
        let name = format!("command rule `{}`", rule.common.name);
        let in_hull = rule.is_unconditional() && rule.common.decision == Decision::Deny;
        if !(held.command || in_hull || rule.common.decision.passes()) {
            say(name.clone(), "arguments and depth are not judged here");
        }
        if let (Decision::Redirect, Some(missing)) = (rule.common.decision, held.command_redirect.missing()) {
            say(
                name.clone(),
                &format!("redirects of commands are not done here: {missing}"),
            );
        }
        if rule.common.decision == Decision::Approve && !held.approve {
            say(name, "nobody can be asked here: denied instead");
        }
    }
    others(layer, held, say);
}

fn others(layer: &Layer, held: &Held, say: &mut impl FnMut(String, &str)) {
    let asks = |decision: Decision| decision == Decision::Approve && !held.approve;
    let asked = "nobody can be asked here: denied instead";
    for (rule, model) in layer.network.iter().zip(&layer.file.network_rules) {
        let name = format!("network rule `{}`", rule.common.name);
        if !held.network {
            say(name, "connections are not judged here");
            continue;
        }
        if !held.network_names && !model.domains.is_empty() {
            say(name.clone(), "host names are not known here");
        }
        if !held.network_rate && model.max_per_minute.is_some() {
            say(name.clone(), "`max_per_minute` is not counted here");
        }
        if !held.network_bytes && model.max_bytes.is_some() {
            say(name.clone(), "`max_bytes` is not counted here");
        } else if model.max_bytes.is_some() && model.protocol != Some(Protocol::Tcp) && !held.private_network {
            say(
                name.clone(),
                "`max_bytes` counts of datagrams those that are sent with an address, and all of them only in a private network",
            );
        }
        if asks(rule.common.decision) {
            say(name, asked);
        }
    }
    for rule in &layer.unix_sockets {
        let name = format!("unix socket rule `{}`", rule.common.name);
        if !held.unix_sockets {
            say(name, "unix sockets are not judged here");
        } else if asks(rule.common.decision) {
            say(name, asked);
        }
    }
    for rule in &layer.signals {
        let name = format!("signal rule `{}`", rule.common.name);
        if !held.signals {
            say(name, "signals are not judged here");
        } else if asks(rule.common.decision) {
            say(name, asked);
        }
    }
    if layer.at == 0 {
        for target in layer
            .connects
            .iter()
            .filter(|target| target.sni.is_some() && !held.rewrite_sni)
        {
            say(
                format!("connect redirect `{}`", target.rule),
                "the server name inside of TLS is changed only where proxy.tls_intercept opens it: the connection is refused, or as on_failure says",
            );
        }
        let mut lists = |present: bool, held: bool, list: &str| {
            if present && !held {
                say(list.to_owned(), "not done here");
            }
        };
        lists(!layer.dns.is_empty(), held.dns_redirects, "dns_redirects");
        lists(!layer.connects.is_empty(), held.connect_redirects, "connect_redirects");
        lists(!layer.services.is_empty(), held.http_services, "http_services");
    }
}

fn keys(layer: &Layer, held: &Held, say: &mut impl FnMut(String, &str)) {
    let file = &layer.file;
    let limits = &file.resource_limits;
    let env = &file.env_policy;
    let filters = !env.allow.is_empty() || !env.deny.is_empty() || env.max_bytes.is_some() || env.max_keys.is_some();
    let commands = &file.command_rules;
    let rule_filters = commands
        .iter()
        .any(|rule| !rule.env_allow.is_empty() || !rule.env_deny.is_empty());
    let transparent = &file.transparent_commands;
    let wrappers = !transparent.add.is_empty() || !transparent.remove.is_empty();
    let record = &file.record;
    let tells = |to: fn(&Notify) -> bool| file.approvals.notify.as_ref().is_some_and(to);
    let quantities = [
        (limits.max_memory_mb, &held.memory, "max_memory_mb"),
        (limits.memory_swap_max_mb, &held.swap, "memory_swap_max_mb"),
        (limits.cpu_quota_percent, &held.cpu, "cpu_quota_percent"),
        (limits.disk_read_bps_max, &held.disk_read, "disk_read_bps_max"),
        (limits.disk_write_bps_max, &held.disk_write, "disk_write_bps_max"),
        (limits.net_bandwidth_mbps, &held.bandwidth, "net_bandwidth_mbps"),
        (limits.pids_max, &held.pids, "pids_max"),
    ];
    for (limit, hold, key) in quantities {
        if let (true, Some(missing)) = (limit > 0, hold.missing()) {
            say(format!("resource_limits.{key}"), missing);
        }
    }
    let filters = filters || rule_filters || !file.env_inject.is_empty();
    if let (true, Some(missing)) = (filters, held.environment.missing()) {
        say("env_policy".to_owned(), missing);
    }
    let missing = [
        (
            !limits.command_timeout.0.is_zero() && !held.command_timeout,
            "resource_limits.command_timeout",
        ),
        (
            !limits.session_timeout.0.is_zero() && !held.session_timeouts,
            "resource_limits.session_timeout",
        ),
        (
            !limits.idle_timeout.0.is_zero() && !held.session_timeouts,
            "resource_limits.idle_timeout",
        ),
        (
            env.block_iteration && !held.environment_iteration,
            "env_policy.block_iteration",
        ),
        (
            commands.iter().any(|rule| rule.env_block_iteration == Some(true)) && !held.environment_iteration,
            "env_block_iteration of command rules",
        ),
        (wrappers && !held.transparent_commands, "transparent_commands"),
        (!file.sandbox.hide.is_empty() && !held.hide, "sandbox.hide"),
        (
            file.sandbox.exec == ExecMode::Strict && !held.exec_strict,
            "sandbox.exec",
        ),
        (
            !file.sandbox.namespaces.is_empty() && !held.namespaces,
            "sandbox.namespaces",
        ),
        (file.sandbox.memfd_exec && !held.memfd_exec, "sandbox.memfd_exec"),
        (
            file.network.namespace == NetworkNamespace::Private && !held.private_network,
            "network.namespace",
        ),
        (
            file.network.engine == NetworkEngine::Ebpf && !held.ebpf,
            "network.engine",
        ),
        (
            !file.network.forward.is_empty() && !held.private_network,
            "network.forward",
        ),
        (
            file.filesystem.engine == FileEngine::Fuse && !held.fuse,
            "filesystem.engine",
        ),
        (
            record.terminal == Some(Switch::On) && !held.record_terminal,
            "record.terminal",
        ),
        (record.input == Some(Switch::On) && !held.record_input, "record.input"),
        (
            record.pipes.is_some_and(|pipes| pipes != PipeRecording::Off) && !held.record_pipes,
            "record.pipes",
        ),
        (
            !file.checkpoints.auto.is_empty() && !held.checkpoints,
            "checkpoints.auto",
        ),
        (
            tells(|to| to.command.is_some()) && !held.notify,
            "approvals.notify.command",
        ),
        (
            tells(|to| to.webhook.is_some()) && !held.webhook,
            "approvals.notify.webhook",
        ),
    ];
    for (_, key) in missing.into_iter().filter(|(missing, _)| *missing) {
        say(key.to_owned(), "not held here");
    }
}

/// Keys of the format that change nothing in a session, whatever a plan can hold.
fn unused(layer: &Layer, say: &mut impl FnMut(String, &str)) {
    let audit = &layer.file.audit;
    let printed = "what programs print is kept by `record`, and is no part of events";
    let present = [
        (audit.include_stdout, "audit.include_stdout", printed),
        (audit.include_stderr, "audit.include_stderr", printed),
        (
            audit.include_file_content,
            "audit.include_file_content",
            "what files hold is never put on record",
        ),
        (
            audit.retention_days > 0,
            "audit.retention_days",
            "records stay as long as `sessions.retention` of the configuration says",
        ),
    ];
    for (_, key, why) in present.into_iter().filter(|(present, ..)| *present) {
        say(key.to_owned(), why);
    }
    let file = &layer.file;
    let names = file
        .dns_redirects
        .iter()
        .map(|rule| ("dns", &rule.name, rule.visibility));
    let connections = file.connect_redirects.iter();
    let connections = connections.map(|rule| ("connect", &rule.name, rule.visibility));
    for (kind, name, visibility) in names.chain(connections) {
        let why = match visibility {
            Visibility::AuditOnly => continue,
            Visibility::Silent => "`visibility` is not held: a redirect is always put on record",
            Visibility::Warn => "`visibility` is not held: a redirect is put on record, and nobody is told otherwise",
        };
        say(format!("{kind} redirect `{}`", name.value), why);
    }
}

/// What only the user's own policy may say.
fn ignored(layer: &Layer, say: &mut impl FnMut(String, &str)) {
    let file = &layer.file;
    let trash = &file.filesystem.trash;
    let present = [
        (!file.env_inject.is_empty(), "env_inject"),
        (!file.dns_redirects.is_empty(), "dns_redirects"),
        (!file.connect_redirects.is_empty(), "connect_redirects"),
        (!file.http_services.is_empty(), "http_services"),
        (!file.sandbox.namespaces.is_empty(), "sandbox.namespaces"),
        (file.sandbox.memfd_exec, "sandbox.memfd_exec"),
        (!file.network.forward.is_empty(), "network.forward"),
        (!file.filesystem.trash.exempt.is_empty(), "filesystem.trash.exempt"),
        (
            !file.transparent_commands.remove.is_empty(),
            "transparent_commands.remove",
        ),
        (file.approvals.notify.is_some(), "approvals.notify"),
        (
            file.approvals.timeout.is_some() || file.approvals.retry_window.is_some(),
            "approvals",
        ),
        (!file.audit.log_allowed, "audit.log_allowed"),
        (file.record.is_any(), "record"),
        (
            file.checkpoints.keep.is_some() || file.checkpoints.max_size.is_some(),
            "checkpoints.keep, max_size",
        ),
        (
            trash.max_age.is_some() || trash.max_size.is_some() || trash.version_size_limit.is_some(),
            "filesystem.trash",
        ),
    ];
    for (_, key) in present.into_iter().filter(|(present, _)| *present) {
        say(
            key.to_owned(),
            "a policy that narrows another may not say this; it is not taken",
        );
    }
}
