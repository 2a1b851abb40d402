//! Which build this is.

/// Version with commit.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("AGENTSH_COMMIT"), ")");
/// The commit alone.
pub const COMMIT: &str = env!("AGENTSH_COMMIT");
