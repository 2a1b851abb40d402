//! How a command begins.

/// A command's first process as it was verified from outside.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// Its number.
    pub pid: i32,
    /// Its supplementary groups.
    pub groups: Vec<u32>,
    /// Permitted capabilities.
    pub permitted: u64,
    /// Whether no program can give it more.
    pub no_new_privs: bool,
    /// Whether it is in our user namespace.
    pub in_our_namespace: bool,
}
