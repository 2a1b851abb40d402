//! Names that resolve elsewhere and connections that go elsewhere.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::place::At;
use crate::words::{OnFailure, Visibility, words};

/// A name whose address is another.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsRedirect {
    pub name: At<String>,
    #[serde(default)]
    pub description: Option<String>,
    /// Regular expression on the name.
    #[serde(rename = "match")]
    pub matches: At<String>,
    /// The address that is answered.
    pub resolve_to: At<String>,
    #[serde(default)]
    pub visibility: Visibility,
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// A connection that goes elsewhere.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectRedirect {
    pub name: At<String>,
    #[serde(default)]
    pub description: Option<String>,
    /// Regular expression on `host:port`.
    #[serde(rename = "match")]
    pub matches: At<String>,
    /// `host:port`. Exactly one of this and `redirect_to_unix`.
    #[serde(default)]
    pub redirect_to: Option<At<String>>,
    /// The path of a unix socket.
    #[serde(default)]
    pub redirect_to_unix: Option<At<String>>,
    #[serde(default)]
    pub tls: Tls,
    #[serde(default)]
    pub visibility: Visibility,
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What happens to the TLS inside.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    pub mode: TlsMode,
    /// The name for `rewrite_sni`.
    pub sni: Option<At<String>>,
}

words! {
    /// Whether the server's name in the handshake stays.
    #[derive(Default)]
    TlsMode { #[default] Passthrough = "passthrough", RewriteSni = "rewrite_sni" }
}
