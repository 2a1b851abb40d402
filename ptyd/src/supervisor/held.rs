//! What of a policy this host and this build do not hold.

use agentsh_policy::Policy;
use agentsh_sandbox::placement;

/// One line for each rule or key that nothing enforces here.
pub(super) fn not_held(policy: &Policy) -> Vec<String> {
    policy.not_held(&placement::held())
}
