//! What of a policy this host and this build do not hold.

use agentsh_policy::{Held, Policy, UnixAddress, UnixOp};

/// One line for each rule or key that nothing enforces here.
pub(super) fn not_held(policy: &Policy, held: &Held) -> Vec<String> {
    let mut lines = policy.not_held(held);
    let elsewhere = UnixAddress::Path(b"/\x01agentsh\x01");
    if !policy.unix_socket(UnixOp::SendTo, elsewhere).decision.passes() {
        lines.push(
            "unix_socket_rules, sendto: datagrams that name their receiver (sendto, sendmsg) are not judged here"
                .into(),
        );
    }
    lines
}
