//! HTTP services that are reached through the proxy under a name of their own.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::place::At;
use crate::quantity::Time;
use crate::words::{Decision, words};

words! {
    /// What happens to requests that no rule of the service matches.
    #[derive(Default)]
    HttpDefault { Allow = "allow", #[default] Deny = "deny" }
}

/// A service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpService {
    pub name: At<String>,
    #[serde(default)]
    pub description: Option<String>,
    /// `https://host[:port][/path]`.
    pub upstream: At<String>,
    /// The name of the variable that tells the service's address inside.
    #[serde(default)]
    pub expose_as: Option<At<String>>,
    #[serde(default)]
    pub aliases: Vec<At<String>>,
    /// Whether the upstream may be reached past the proxy too.
    #[serde(default)]
    pub allow_direct: bool,
    #[serde(default)]
    pub default: HttpDefault,
    #[serde(default)]
    pub rules: Vec<HttpRule>,
    #[serde(default)]
    pub secret: Option<Secret>,
    #[serde(default)]
    pub inject: Option<Injection>,
    /// Whether the secret is removed from answers.
    #[serde(default)]
    pub scrub_response: bool,
}

/// A rule on requests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpRule {
    pub name: At<String>,
    /// None given: any.
    #[serde(default)]
    pub methods: Vec<At<String>>,
    /// Globs on paths; none given: any.
    #[serde(default)]
    pub paths: Vec<At<String>>,
    pub decision: At<Decision>,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub timeout: Option<Time>,
}

/// Where a credential is kept, and how it looks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    #[serde(rename = "ref")]
    pub reference: String,
    #[serde(default)]
    pub format: Option<String>,
}

/// What is put into requests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    pub header: InjectedHeader,
}

/// A header with the secret in it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InjectedHeader {
    pub name: At<String>,
    /// Has `{{secret}}` where the secret goes.
    pub template: At<String>,
}
