/// Declares [`EventType`] once: variant, name in the record, and how the hot path treats it.
macro_rules! event_types {
    ($($variant:ident $name:literal $class:ident,)*) => {
        /// What an event says was asked or happened. The names are the record's and the API's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum EventType {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl EventType {
            /// Every type, in the order of the design's list.
            pub const ALL: &'static [EventType] = &[$(EventType::$variant,)*];

            /// The name in the record.
            pub fn as_str(self) -> &'static str {
                match self { $(EventType::$variant => $name,)* }
            }

            pub(crate) fn class(self) -> Class {
                match self { $(EventType::$variant => Class::$class,)* }
            }
        }
    };
}

/// How the recorder treats a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Always its own line, never dropped.
    Fact,
    /// Folded with a count where the effect was plainly allowed, never dropped.
    Act,
    /// As [`Class::Act`], and the first to go under flood.
    Look,
}

event_types! {
    SessionCreated "session_created" Fact,
    SessionUpdated "session_updated" Fact,
    SessionDestroyed "session_destroyed" Fact,
    SessionRefused "session_refused" Fact,
    CommandStarted "command_started" Fact,
    CommandFinished "command_finished" Fact,
    ProcessExec "process_exec" Fact,
    ProcessFork "process_fork" Fact,
    ProcessExit "process_exit" Fact,
    FileOpen "file_open" Look,
    FileRead "file_read" Look,
    FileList "file_list" Look,
    FileWrite "file_write" Act,
    FileCreate "file_create" Act,
    FileDelete "file_delete" Act,
    FileRename "file_rename" Act,
    FileMkdir "file_mkdir" Act,
    FileRmdir "file_rmdir" Act,
    FileMknod "file_mknod" Act,
    FileChmod "file_chmod" Act,
    FileChown "file_chown" Act,
    FileXattr "file_xattr" Act,
    FileUtime "file_utime" Act,
    FileLink "file_link" Act,
    FileSymlink "file_symlink" Act,
    FileReadlink "file_readlink" Look,
    FileTruncate "file_truncate" Act,
    FileStat "file_stat" Look,
    FileAccess "file_access" Look,
    FileRestore "file_restore" Fact,
    TrashPurged "trash_purged" Fact,
    NetConnect "net_connect" Act,
    NetBind "net_bind" Act,
    NetListen "net_listen" Act,
    NetSend "net_send" Look,
    NetClose "net_close" Look,
    DnsQuery "dns_query" Act,
    HttpRequest "http_request" Act,
    UnixConnect "unix_connect" Act,
    UnixBind "unix_bind" Act,
    UnixListen "unix_listen" Act,
    UnixSend "unix_send" Look,
    SignalSend "signal_send" Act,
    SyscallBlocked "syscall_blocked" Fact,
    EnvFiltered "env_filtered" Fact,
    LimitReached "limit_reached" Fact,
    ApprovalRequested "approval_requested" Fact,
    ApprovalResolved "approval_resolved" Fact,
    GrantCreated "grant_created" Fact,
    GrantRevoked "grant_revoked" Fact,
    PolicyChanged "policy_changed" Fact,
    PtyOpen "pty_open" Fact,
    PtyResize "pty_resize" Fact,
    PtyClose "pty_close" Fact,
    PtyAttach "pty_attach" Fact,
    PtyDetach "pty_detach" Fact,
    RecordingStopped "recording_stopped" Fact,
    LlmRequest "llm_request" Fact,
    LlmResponse "llm_response" Fact,
    DlpMatch "dlp_match" Fact,
    CheckpointCreated "checkpoint_created" Fact,
    CheckpointRestored "checkpoint_restored" Fact,
    SandboxDegraded "sandbox_degraded" Fact,
    EventsLost "events_lost" Fact,
}

impl std::fmt::Display for EventType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no event type of this version.
#[derive(Debug, Clone, thiserror::Error)]
#[error("unknown event type `{0}` (a newer agentsh may know it)")]
pub struct UnknownType(pub String);

impl std::str::FromStr for EventType {
    type Err = UnknownType;
    fn from_str(name: &str) -> Result<Self, UnknownType> {
        EventType::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownType(name.to_owned()))
    }
}

impl serde::Serialize for EventType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for EventType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_no_two_are_equal() {
        for (index, kind) in EventType::ALL.iter().enumerate() {
            assert!(matches!(kind.as_str().parse::<EventType>(), Ok(back) if back == *kind));
            assert_eq!(*kind as usize, index);
        }
        assert!("file_opened".parse::<EventType>().is_err());
    }
}
