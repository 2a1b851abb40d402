//! What of a policy this host and this build do not hold.

use agentsh_policy::{Held, Policy};

/// What the plan of this build can hold.
fn held() -> Held {
    Held {
        file_read: true,
        file_names: true,
        file_open_path: true,
        file_write: true,
        file_absent: true,
        file_redirect: true,
        soft_delete: true,
        command: true,
        memfd_exec: true,
        ..Held::default()
    }
}

/// One line for each rule or key that nothing enforces here.
pub(super) fn not_held(policy: &Policy) -> Vec<String> {
    policy.not_held(&held())
}
