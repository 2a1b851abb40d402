//! What a call does to a file, in the words of the policy.

/// A file operation, as `operations` of a file rule names it (`docs/policy.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A descriptor that can neither read nor write (`O_PATH`).
    Open,
    /// Opened for reading, or an extended attribute is read.
    Read,
    /// A folder opened for reading.
    List,
    /// An existing file opened for writing.
    Write,
    /// A file comes into being.
    Create,
    /// A name is removed.
    Delete,
    /// An empty folder is removed.
    Rmdir,
    /// A folder is made.
    Mkdir,
    /// A name is moved; asked at both ends.
    Rename,
    /// A second name is given; asked at both ends.
    Link,
    /// A symbolic link is made.
    Symlink,
    /// Mode or ACL is changed.
    Chmod,
    /// Owner or group is changed.
    Chown,
    /// A device, FIFO or socket node is made.
    Mknod,
    /// The length is changed, or a part of the content is punched out.
    Truncate,
    /// An extended attribute is set or removed.
    Xattr,
    /// Times are set.
    Utime,
    /// Attributes are read.
    Stat,
    /// The text of a symbolic link is read.
    Readlink,
    /// Rights are asked for.
    Access,
}

impl Operation {
    /// The policy's word.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Open => "open",
            Operation::Read => "read",
            Operation::List => "list",
            Operation::Write => "write",
            Operation::Create => "create",
            Operation::Delete => "delete",
            Operation::Rmdir => "rmdir",
            Operation::Mkdir => "mkdir",
            Operation::Rename => "rename",
            Operation::Link => "link",
            Operation::Symlink => "symlink",
            Operation::Chmod => "chmod",
            Operation::Chown => "chown",
            Operation::Mknod => "mknod",
            Operation::Truncate => "truncate",
            Operation::Xattr => "xattr",
            Operation::Utime => "utime",
            Operation::Stat => "stat",
            Operation::Readlink => "readlink",
            Operation::Access => "access",
        }
    }

    /// Whether it may make the name of a folder lead elsewhere. A deleted link is not among them: what is
    /// missing leads nowhere.
    pub fn moves_names(self) -> bool {
        matches!(self, Operation::Rename | Operation::Symlink | Operation::Rmdir)
    }

    /// Whether it changes nothing: only such a call may be continued, and its record is an observation.
    pub fn observes(self) -> bool {
        matches!(
            self,
            Operation::Open
                | Operation::Read
                | Operation::List
                | Operation::Stat
                | Operation::Readlink
                | Operation::Access
        )
    }
}
