pub use agentsh_policy::Decision;
use agentsh_protocol::Bytes;
use serde::{Deserialize, Serialize};

/// The part of agentsh that saw the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Layer {
    Shim,
    Supervisor,
    Broker,
    Landlock,
    Seccomp,
    Notify,
    Fuse,
    Ebpf,
    Proxy,
}

impl Layer {
    /// The word in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Shim => "shim",
            Layer::Supervisor => "supervisor",
            Layer::Broker => "broker",
            Layer::Landlock => "landlock",
            Layer::Seccomp => "seccomp",
            Layer::Notify => "notify",
            Layer::Fuse => "fuse",
            Layer::Ebpf => "ebpf",
            Layer::Proxy => "proxy",
        }
    }
}

/// What policy said of an operation and what became of it, borrowed for the hot path.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// The word of the rule that matched.
    pub decision: Decision,
    /// What was done: an `approve` ends as `allow` or `deny`.
    pub effective: Decision,
    pub rule: Option<&'a str>,
    pub message: Option<&'a str>,
    /// The id of the approval that decided.
    pub approval: Option<&'a str>,
    /// What was used instead.
    pub redirect: Option<&'a [u8]>,
}

impl<'a> Outcome<'a> {
    /// An outcome that is what its rule says.
    pub fn plain(decision: Decision, rule: Option<&'a str>) -> Outcome<'a> {
        Outcome {
            decision,
            effective: if decision == Decision::Audit {
                Decision::Allow
            } else {
                decision
            },
            rule,
            message: None,
            approval: None,
            redirect: None,
        }
    }

    /// Allowed by the named rule.
    pub fn allow(rule: Option<&'a str>) -> Outcome<'a> {
        Outcome::plain(Decision::Allow, rule)
    }

    /// Denied by the named rule.
    pub fn deny(rule: Option<&'a str>, message: Option<&'a str>) -> Outcome<'a> {
        Outcome {
            message,
            ..Outcome::plain(Decision::Deny, rule)
        }
    }
}

/// [`Outcome`] as it is read back from the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    pub decision: Decision,
    pub effective: Decision,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<Bytes>,
}
