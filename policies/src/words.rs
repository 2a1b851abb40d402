//! The closed vocabularies of the format.

/// Defines an enum whose variants are words of the format, with the word of each.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
                 serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            /// All of them, in the order of the format.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            /// The word that the format uses.
            pub const fn word(self) -> &'static str { match self { $($name::$variant => $word),* } }
            /// The one with this word.
            pub fn parse(word: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|known| known.word() == word)
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(word: &str) -> Result<$name, String> {
                let known = || $name::ALL.iter().map(|known| known.word()).collect::<Vec<_>>().join(", ");
                $name::parse(word).ok_or_else(|| format!("`{word}` is none of: {}", known()))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { out.write_str(self.word()) }
        }
    };
}

pub(crate) use words;

words! {
    /// What is to become of an operation.
    #[non_exhaustive]
    Decision {
        /// It is done.
        Allow = "allow",
        /// It is done, and always recorded.
        Audit = "audit",
        /// It is done in a way that keeps what would be lost.
        SoftDelete = "soft_delete",
        /// Something else is done instead.
        Redirect = "redirect",
        /// Signals: it is answered as done, and nothing is sent.
        Absorb = "absorb",
        /// A person decides.
        Approve = "approve",
        /// It fails.
        Deny = "deny",
    }
}

impl Decision {
    /// How strict: of two policies that are combined, the higher wins (deny > approve > soft_delete,
    /// redirect, absorb > audit > allow).
    pub const fn strictness(self) -> u8 {
        match self {
            Decision::Allow => 0,
            Decision::Audit => 1,
            Decision::SoftDelete | Decision::Redirect | Decision::Absorb => 2,
            Decision::Approve => 3,
            Decision::Deny => 4,
        }
    }

    /// Whether the operation itself is done at once, unchanged.
    pub const fn passes(self) -> bool {
        matches!(self, Decision::Allow | Decision::Audit)
    }
}

/// A set of decisions, as analyses return them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decisions(u8);

impl Decisions {
    /// No decision.
    pub const NONE: Decisions = Decisions(0);

    /// The set of one.
    pub const fn of(decision: Decision) -> Decisions {
        Decisions(1 << decision as u8)
    }
    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Decisions) -> Decisions {
        Decisions(self.0 | other.0)
    }
    pub const fn contains(self, decision: Decision) -> bool {
        self.0 & (1 << decision as u8) != 0
    }
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    pub fn iter(self) -> impl Iterator<Item = Decision> {
        Decision::ALL
            .iter()
            .copied()
            .filter(move |decision| self.contains(*decision))
    }
    /// Whether the operation could be done, in whatever way (everything but deny and absorb).
    pub fn could_pass(self) -> bool {
        self.iter()
            .any(|decision| !matches!(decision, Decision::Deny | Decision::Absorb))
    }
    /// Whether anything but a plain yes could be the answer.
    pub fn could_differ_from_allow(self) -> bool {
        self.iter().any(|decision| decision != Decision::Allow)
    }
    /// Whether an operation could fail or be changed (anything but allow and audit).
    pub fn could_stop(self) -> bool {
        self.iter().any(|decision| !decision.passes())
    }
}

words! {
    /// An operation on a file. Read class up to `access`, write class from `write`.
    FileOp {
        /// Contents of a file opened for reading.
        Read = "read",
        /// A descriptor without contents (`O_PATH`). As a selector also every open for reading.
        Open = "open",
        /// stat(2) and its family.
        Stat = "stat",
        /// A folder opened for reading its names.
        List = "list",
        /// readlink(2).
        Readlink = "readlink",
        /// access(2).
        Access = "access",
        /// An existing file opened for writing. As a selector also `truncate`, `xattr`, `utime`.
        Write = "write",
        /// A file that did not exist.
        Create = "create",
        /// unlink(2), or the file that a rename replaces.
        Delete = "delete",
        /// rmdir(2).
        Rmdir = "rmdir",
        /// mkdir(2).
        Mkdir = "mkdir",
        /// rename(2), either end.
        Rename = "rename",
        /// link(2), either end.
        Link = "link",
        /// symlink(2).
        Symlink = "symlink",
        /// chmod(2) and its family.
        Chmod = "chmod",
        /// chown(2) and its family.
        Chown = "chown",
        /// mknod(2): FIFOs, sockets, devices.
        Mknod = "mknod",
        /// truncate(2), `O_TRUNC`.
        Truncate = "truncate",
        /// setxattr(2), removexattr(2).
        Xattr = "xattr",
        /// utimensat(2).
        Utime = "utime",
    }
}

impl FileOp {
    /// The bit of this operation alone.
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }
    /// The operations that a rule covers which names this one.
    pub const fn named(self) -> u32 {
        match self {
            FileOp::Open => FileOp::Open.bit() | FileOp::Read.bit() | FileOp::List.bit(),
            FileOp::Write => FileOp::Write.bit() | FileOp::Truncate.bit() | FileOp::Xattr.bit() | FileOp::Utime.bit(),
            other => other.bit(),
        }
    }
    /// Whether it is of the read class (else of the write class).
    pub const fn is_read(self) -> bool {
        (self as u32) < FileOp::Write as u32
    }
}

/// All operations on files.
pub const ALL_FILE_OPS: u32 = (1 << FileOp::ALL.len()) - 1;

words! {
    /// An operation on an Internet socket.
    NetOp { Connect = "connect", Bind = "bind", Listen = "listen", Send = "send" }
}

words! {
    /// A transport.
    Protocol { Tcp = "tcp", Udp = "udp", Any = "any" }
}

words! {
    /// An operation on a unix socket.
    UnixOp { Connect = "connect", Bind = "bind", Listen = "listen", SendTo = "sendto" }
}

words! {
    /// How a denied file operation looks.
    Errno { Acces = "EACCES", Perm = "EPERM", NoEnt = "ENOENT", RoFs = "EROFS" }
}

impl Errno {
    /// The number of errno(3), the same on every Linux.
    pub const fn number(self) -> i32 {
        match self {
            Errno::Perm => 1,
            Errno::NoEnt => 2,
            Errno::Acces => 13,
            Errno::RoFs => 30,
        }
    }
}

words! {
    /// A list of a policy, in which the first rule that matches wins.
    #[non_exhaustive]
    List {
        Files = "file_rules",
        Commands = "command_rules",
        Network = "network_rules",
        UnixSockets = "unix_socket_rules",
        Signals = "signal_rules",
        DnsRedirects = "dns_redirects",
        ConnectRedirects = "connect_redirects",
        HttpServices = "http_services",
    }
}

words! {
    /// How a redirected connection is told.
    #[derive(Default)]
    Visibility { Silent = "silent", #[default] AuditOnly = "audit_only", Warn = "warn" }
}

words! {
    /// What to do when a redirect cannot be done.
    #[derive(Default)]
    OnFailure { #[default] FailClosed = "fail_closed", FailOpen = "fail_open", RetryOriginal = "retry_original" }
}

words! {
    /// Whom a signal is for.
    TargetType {
        Itself = "self", Children = "children", Descendants = "descendants", Siblings = "siblings",
        Session = "session", Parent = "parent", External = "external", System = "system", User = "user",
        Process = "process", PidRange = "pid_range",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_names_write_covers_the_three_operations_without_a_name_of_their_own() {
        for op in [FileOp::Write, FileOp::Truncate, FileOp::Xattr, FileOp::Utime] {
            assert_ne!(FileOp::Write.named() & op.bit(), 0);
        }
        assert_eq!(FileOp::Truncate.named(), FileOp::Truncate.bit());
    }

    #[test]
    fn a_rule_that_names_read_does_not_cover_o_path() {
        assert_eq!(FileOp::Read.named() & FileOp::Open.bit(), 0);
        assert_ne!(FileOp::Open.named() & FileOp::List.bit(), 0);
    }

    #[test]
    fn deny_is_the_strictest_and_allow_the_loosest() {
        let mut order: Vec<Decision> = Decision::ALL.to_vec();
        order.sort_by_key(|decision| decision.strictness());
        assert_eq!(order.first(), Some(&Decision::Allow));
        assert_eq!(order.last(), Some(&Decision::Deny));
    }
}
