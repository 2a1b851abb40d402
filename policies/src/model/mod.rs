//! The format as types. Every level is strict; what needs more than types is checked in `check`.

mod later;
mod redirects;
mod rules;
mod services;
mod settings;
mod signals;

pub use later::{Loose, PackageMatch, PackageRule};
pub use redirects::{ConnectRedirect, DnsRedirect, Tls, TlsMode};
pub use rules::{CommandRedirect, CommandRule, Context, FileOpWord, FileRule, NetworkRule, UnixOpWord, UnixSocketRule};
pub use services::{HttpDefault, HttpRule, HttpService, InjectedHeader, Injection, Secret};
pub use settings::{
    Approvals, Audit, Checkpoints, EnvPolicy, ExecMode, FileEngine, Filesystem, Namespace, NamespaceGrant, Network,
    NetworkEngine, NetworkNamespace, Notify, OnFull, PipeRecording, Record, ResourceLimits, Sandbox, Switch,
    TransparentCommands, Trash,
};
pub use signals::{SignalRule, SignalTarget, SignalWord};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::place::At;
use crate::words::Decision;

/// A policy, as its file says it. The form is that of `policy-format`, version 1.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "agentsh policy, version 1")]
pub struct PolicyFile {
    /// Version of the format: 1.
    pub version: At<u32>,
    /// Letters, digits, `_` and `-`.
    pub name: At<String>,
    #[serde(default)]
    pub description: Option<String>,
    /// Carried, not judged.
    #[serde(default)]
    pub metadata: Vec<Metadata>,
    /// What happens when no rule matches.
    #[serde(default)]
    pub defaults: Defaults,
    #[serde(default)]
    pub file_rules: Vec<FileRule>,
    #[serde(default)]
    pub command_rules: Vec<CommandRule>,
    #[serde(default)]
    pub network_rules: Vec<NetworkRule>,
    #[serde(default)]
    pub unix_socket_rules: Vec<UnixSocketRule>,
    #[serde(default)]
    pub signal_rules: Vec<SignalRule>,
    #[serde(default)]
    pub dns_redirects: Vec<DnsRedirect>,
    #[serde(default)]
    pub connect_redirects: Vec<ConnectRedirect>,
    #[serde(default)]
    pub package_rules: Vec<PackageRule>,
    #[serde(default)]
    pub http_services: Vec<HttpService>,
    #[serde(default)]
    pub env_policy: EnvPolicy,
    /// Set by the operator for every command; beats filtering.
    #[serde(default)]
    pub env_inject: BTreeMap<String, At<String>>,
    #[serde(default)]
    pub resource_limits: ResourceLimits,
    #[serde(default)]
    pub audit: Audit,
    #[serde(default)]
    pub transparent_commands: TransparentCommands,
    #[serde(default)]
    pub filesystem: Filesystem,
    #[serde(default)]
    pub network: Network,
    #[serde(default)]
    pub sandbox: Sandbox,
    #[serde(default)]
    pub record: Record,
    #[serde(default)]
    pub checkpoints: Checkpoints,
    #[serde(default)]
    pub approvals: Approvals,
    #[serde(default)]
    pub providers: Option<At<Loose>>,
    #[serde(default)]
    pub services: Option<At<Loose>>,
    #[serde(default)]
    pub db_services: Option<At<Loose>>,
    #[serde(default)]
    pub database_rules: Option<At<Loose>>,
    #[serde(default)]
    pub database_connection_rules: Option<At<Loose>>,
    #[serde(default)]
    pub policies: Option<At<Loose>>,
    #[serde(default)]
    pub mcp_rules: Option<At<Loose>>,
    #[serde(default)]
    pub process_contexts: Option<At<Loose>>,
    #[serde(default)]
    pub process_identities: Option<At<Loose>>,
    #[serde(default)]
    pub registry_rules: Option<At<Loose>>,
}

/// What a rule came from; carried for other tools.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    #[serde(default)]
    pub rule_name: Option<String>,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub db_service: Option<String>,
    #[serde(default)]
    pub bypass_mode: Option<String>,
    #[serde(default)]
    pub destination: Option<String>,
}

/// What happens when no rule matched. Unset: `read` is allowed, everything else denied; signals to the
/// session's own processes are allowed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    pub read: Option<At<Decision>>,
    pub write: Option<At<Decision>>,
    pub command: Option<At<Decision>>,
    pub network: Option<At<Decision>>,
    pub unix_socket: Option<At<Decision>>,
    pub signal: Option<At<Decision>>,
}

impl PolicyFile {
    /// The keys of the format that load but are not held by any layer yet, as far as this policy uses them.
    pub fn later(&self) -> Vec<&'static str> {
        let packages = (!self.package_rules.is_empty()).then_some("package_rules");
        let loose = self.loose().into_iter().filter_map(|(key, value)| value.map(|_| key));
        packages.into_iter().chain(loose).collect()
    }

    /// The keys whose form alone is checked.
    pub(crate) fn loose(&self) -> [(&'static str, Option<&At<Loose>>); 10] {
        [
            ("providers", self.providers.as_ref()),
            ("services", self.services.as_ref()),
            ("db_services", self.db_services.as_ref()),
            ("database_rules", self.database_rules.as_ref()),
            ("database_connection_rules", self.database_connection_rules.as_ref()),
            ("policies", self.policies.as_ref()),
            ("mcp_rules", self.mcp_rules.as_ref()),
            ("process_contexts", self.process_contexts.as_ref()),
            ("process_identities", self.process_identities.as_ref()),
            ("registry_rules", self.registry_rules.as_ref()),
        ]
    }
}
