//! Callers that live in somebody else's sandbox: they are not taken out of it.

use agentsh_sandbox::verify::Mismatch;

/// What such a caller is told.
pub(crate) fn refusal(mismatch: &Mismatch) -> String {
    match mismatch {
        Mismatch::Namespace(_) | Mismatch::Root | Mismatch::Filters { .. } => {
            format!("the caller is inside another sandbox and is not taken out of it: {mismatch}")
        }
        _ => format!("the caller is not inside as it should be: {mismatch}"),
    }
}
