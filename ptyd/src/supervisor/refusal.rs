//! A start that does not happen.

use agentsh_protocol::api::PolicyOutcome;

/// Why the command does not start.
pub(super) struct Refusal {
    pub status: i32,
    pub message: String,
    pub policy: Option<PolicyOutcome>,
}

impl<E: std::fmt::Display> From<E> for Refusal {
    fn from(error: E) -> Refusal {
        Refusal {
            status: 126,
            message: error.to_string(),
            policy: None,
        }
    }
}
