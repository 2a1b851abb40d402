//! What of a policy this host and this build do not hold.

use agentsh_policy::Policy;
use agentsh_policy::config::Config;
use agentsh_sandbox::probe::Host;

/// One line for each rule or key that nothing enforces here.
pub(super) fn not_held(_policy: &Policy, _host: &Host, _config: &Config) -> Vec<String> {
    Vec::new()
}
