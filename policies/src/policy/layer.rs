//! One compiled document.

use std::path::Path;
use std::time::Duration;

use super::command::Commands;
use super::compile::Compiler;
use super::environment::{Environment, shortest};
use super::file::Files;
use super::folded::Folded;
use super::network::CompiledNetwork;
use super::service::CompiledService;
use super::signal::CompiledSignal;
use super::socket::CompiledUnix;
use super::{ConnectTarget, DnsTarget, Links, Policy, RuleRef};
use crate::error::{LoadError, Source};
use crate::glob::{Glob, PathIndex};
use crate::load::Document;
use crate::model::{ExecMode, NetworkEngine, NetworkNamespace, PolicyFile};
use crate::vars::{Leads, Variables};
use crate::words::Decision;

/// What is answered where no rule matches; `None`: the layer says nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub read: Option<Decision>,
    pub write: Option<Decision>,
    pub command: Option<Decision>,
    pub network: Option<Decision>,
    pub unix_socket: Option<Decision>,
    /// `None` in a base layer: the session's own are allowed, others denied.
    pub signal: Option<Decision>,
}

/// A policy of a session: the user's, or one that narrows it.
#[derive(Debug)]
pub struct Layer {
    pub(crate) name: Box<str>,
    pub(crate) source: Source,
    /// Its place: 0 is the base, the others only narrow, and where they say nothing the base decides.
    pub(crate) at: usize,
    pub(crate) file: PolicyFile,
    pub(crate) defaults: Defaults,
    pub(crate) files: Files,
    pub(crate) commands: Commands,
    pub(crate) network: Vec<CompiledNetwork>,
    pub(crate) unix_sockets: Vec<CompiledUnix>,
    pub(crate) signals: Vec<CompiledSignal>,
    pub(crate) environment: Environment,
    pub(crate) dns: Vec<DnsTarget>,
    pub(crate) connects: Vec<ConnectTarget>,
    pub(crate) services: Vec<CompiledService>,
    hidden: Vec<Vec<u8>>,
    exempt: PathIndex,
    checkpoints: Vec<Glob>,
    /// Its rules once more, for file systems on which names fold.
    pub(crate) folded: Option<Box<Folded>>,
    pub(super) variables: Vec<(&'static str, Option<Vec<u8>>)>,
    /// Where links lead what its rules stop.
    pub(super) leads: Leads,
}

impl Layer {
    pub(crate) fn compile(
        document: &Document,
        variables: &Variables,
        links: Links,
        at: usize,
    ) -> Result<Layer, LoadError> {
        let file = &document.file;
        let compiler = Compiler {
            source: &document.source,
            variables,
            links: &links,
            folds: false,
        };
        let or = |given: &Option<crate::place::At<Decision>>, unset: Decision| {
            given.as_ref().map(|given| given.value).or((at == 0).then_some(unset))
        };
        let defaults = Defaults {
            read: or(&file.defaults.read, Decision::Allow),
            write: or(&file.defaults.write, Decision::Deny),
            command: or(&file.defaults.command, Decision::Deny),
            network: or(&file.defaults.network, Decision::Deny),
            unix_socket: or(&file.defaults.unix_socket, Decision::Deny),
            signal: file.defaults.signal.as_ref().map(|given| given.value),
        };
        let mut hidden = Vec::new();
        for folder in &file.sandbox.hide {
            let Some(folder) = compiler.text(folder)?.map(|folder| crate::vars::normal(&folder)) else {
                continue;
            };
            // As what rules stop: the folder itself, wherever links lead.
            hidden.extend(links.lead(&folder));
            hidden.push(folder);
        }
        let mut exempt = PathIndex::default();
        for path in &file.filesystem.trash.exempt {
            compiler
                .path_globs(path)?
                .iter()
                .for_each(|glob| exempt.add(glob, 0, 1));
        }
        compiler.regexes(&file.record.redact)?;
        let mut checkpoints = Vec::new();
        for glob in &file.checkpoints.auto {
            // No separator: a command line is one name.
            checkpoints.extend(compiler.name_glob(glob, 0)?);
        }
        let mut layer = Layer {
            name: file.name.value.as_str().into(),
            source: document.source.clone(),
            at,
            defaults,
            files: Files::compile(compiler, &file.file_rules)?,
            commands: Commands::compile(compiler, &file.command_rules)?,
            network: all(&file.network_rules, |rule| CompiledNetwork::compile(compiler, rule))?,
            unix_sockets: all(&file.unix_socket_rules, |rule| CompiledUnix::compile(compiler, rule))?,
            signals: all(&file.signal_rules, |rule| CompiledSignal::compile(compiler, rule))?,
            environment: Environment::compile(compiler, &file.env_policy, &file.env_inject)?,
            dns: all(&file.dns_redirects, |rule| DnsTarget::compile(compiler, rule))?,
            connects: all(&file.connect_redirects, |rule| ConnectTarget::compile(compiler, rule))?
                .into_iter()
                .flatten()
                .collect(),
            services: all(&file.http_services, |service| {
                CompiledService::compile(compiler, service)
            })?,
            hidden,
            exempt,
            checkpoints,
            folded: Folded::compile(compiler, file)?,
            variables: variables.values(),
            leads: Leads::new(),
            file: file.clone(),
        };
        layer.leads = links.leads();
        Ok(layer)
    }

    pub(crate) fn place(&self, index: usize) -> RuleRef {
        RuleRef { layer: self.at, index }
    }

    /// The name of the policy.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that it came from.
    pub fn origin(&self) -> &Path {
        &self.source.origin
    }

    /// The document.
    pub fn file_model(&self) -> &PolicyFile {
        &self.file
    }

    pub(super) fn text(&self) -> String {
        let origin = self.origin().to_string_lossy();
        let mut head = format!("# {} ({})\n", self.name, one_line(&origin));
        let mut text = without_markers(&self.source.text);
        for (name, value) in &self.variables {
            let shown = value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned());
            let told = one_line(shown.as_deref().unwrap_or("(none)"));
            head.push_str(&format!("# ${{{name}}} = {told}\n"));
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(byte);
            if let (Some(shown), Some(true)) = (shown, value.as_ref().map(|value| value.iter().all(plain))) {
                text = text.replace(&format!("${{{name}}}"), &shown);
            }
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        head + &text
    }
}

/// A value for a comment, which ends where its line does.
fn one_line(value: &str) -> String {
    let visible = |letter: char| match letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}') {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    value.chars().map(visible).collect()
}

/// The text of one document without what marks its begin and its end: a record holds several, each behind a head of its own.
fn without_markers(text: &str) -> String {
    let lines = text.trim_start_matches('\u{feff}').split_inclusive('\n');
    let plain = |line: &str| match line.strip_prefix("---").or_else(|| line.strip_prefix("...")) {
        Some(rest) if rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']) => {
            rest.trim_start_matches([' ', '\t']).to_owned()
        }
        _ if line.starts_with('%') => format!("# {line}"),
        _ => line.to_owned(),
    };
    lines.map(plain).collect()
}

pub(super) fn all<T, U>(rules: &[T], compile: impl Fn(&T) -> Result<U, LoadError>) -> Result<Vec<U>, LoadError> {
    rules.iter().map(compile).collect()
}

/// What a session's policy says besides its rules, with what narrows it taken in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The base's sections; `audit`, `sandbox` and `resource_limits` already narrowed.
    pub file: PolicyFile,
    /// Folders that are not there, as absolute paths.
    pub hidden: Vec<Vec<u8>>,
    pub command_timeout: Option<Duration>,
    pub session_timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
}

/// The smaller of two limits of which zero is none.
fn smaller(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, limit) | (limit, 0) => limit,
        (a, b) => a.min(b),
    }
}

impl Settings {
    /// Of a policy's layers.
    pub(crate) fn of(layers: &[Layer]) -> Option<Settings> {
        let mut file = layers.first()?.file.clone();
        for layer in &layers[1..] {
            let (own, limits) = (&layer.file, &mut file.resource_limits);
            let other = &own.resource_limits;
            limits.max_memory_mb = smaller(limits.max_memory_mb, other.max_memory_mb);
            limits.memory_swap_max_mb = smaller(limits.memory_swap_max_mb, other.memory_swap_max_mb);
            limits.cpu_quota_percent = smaller(limits.cpu_quota_percent, other.cpu_quota_percent);
            limits.disk_read_bps_max = smaller(limits.disk_read_bps_max, other.disk_read_bps_max);
            limits.disk_write_bps_max = smaller(limits.disk_write_bps_max, other.disk_write_bps_max);
            limits.net_bandwidth_mbps = smaller(limits.net_bandwidth_mbps, other.net_bandwidth_mbps);
            limits.pids_max = smaller(limits.pids_max, other.pids_max);
            if own.network.engine == NetworkEngine::Ebpf {
                file.network.engine = NetworkEngine::Ebpf;
            }
            if own.network.namespace == NetworkNamespace::Private {
                file.network.namespace = NetworkNamespace::Private;
            }
            if own.sandbox.exec == ExecMode::Strict {
                file.sandbox.exec = ExecMode::Strict;
            }
            // Wrappers may be added, never taken away: a payload that the base judges stays judged.
            file.transparent_commands
                .add
                .extend(own.transparent_commands.add.iter().cloned());
        }
        let limits = || layers.iter().map(|layer| &layer.file.resource_limits);
        Some(Settings {
            hidden: layers.iter().flat_map(|layer| layer.hidden.iter().cloned()).collect(),
            command_timeout: shortest(limits().map(|limits| limits.command_timeout.0)),
            session_timeout: shortest(limits().map(|limits| limits.session_timeout.0)),
            idle_timeout: shortest(limits().map(|limits| limits.idle_timeout.0)),
            file,
        })
    }
}

impl Policy {
    /// The settings of the session.
    pub fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref()
    }

    /// Whether some command has a checkpoint made before it.
    pub fn makes_checkpoints(&self) -> bool {
        self.layers.iter().any(|layer| !layer.checkpoints.is_empty())
    }

    /// Whether the workspace is to be kept before this command: a glob of `checkpoints.auto` is its program's
    /// base name, its path, or its base name and arguments joined by spaces.
    pub fn wants_checkpoint(&self, line: &[&[u8]]) -> bool {
        let Some((program, args)) = line.split_first() else {
            return false;
        };
        let base = program.rsplit(|byte| *byte == b'/').next().unwrap_or(program);
        let whole = [&[base], args].concat().join(&b' ');
        let mut globs = self.layers.iter().flat_map(|layer| &layer.checkpoints);
        globs.any(|glob| [base, program, &whole].into_iter().any(|text| glob.is_match(text)))
    }

    /// Whether a deleted file at this path is not kept (`filesystem.trash.exempt` of the base).
    pub fn is_trash_exempt(&self, path: &[u8]) -> bool {
        self.layers
            .first()
            .is_some_and(|layer| layer.exempt.first(path, 1, 0).is_some())
    }
}
