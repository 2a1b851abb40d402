use agentsh_protocol::Bytes;

use super::{EventType, Layer, Outcome};
use crate::event::kind::Class;

/// An event as its observer hands it in: everything borrowed, absent things absent.
///
/// Time, sequence, id and chain are added by the recorder. Use [`EventDraft::new`] with struct update:
/// `EventDraft { path: Some(b"/etc/x"), ..EventDraft::new(EventType::FileRead) }`.
#[derive(Debug, Clone, Copy)]
pub struct EventDraft<'a> {
    pub kind: EventType,
    /// The command's id.
    pub command: Option<&'a str>,
    /// The process as the supervisor's pid namespace numbers it; 0 is absent.
    pub pid: i32,
    pub ppid: i32,
    pub exe: Option<&'a [u8]>,
    pub argv: Argv<'a>,
    /// The system call or protocol verb that was used.
    pub operation: Option<&'a str>,
    pub path: Option<&'a [u8]>,
    /// The second path of rename, link and symlink.
    pub path2: Option<&'a [u8]>,
    pub domain: Option<&'a str>,
    /// `address:port`, `[address]:port`.
    pub remote: Option<&'a str>,
    pub signal: Option<i32>,
    pub policy: Option<Outcome<'a>>,
    pub layer: Option<Layer>,
    /// 0 or an errno.
    pub result: Option<i32>,
    /// How many operations this stands for; at least 1.
    pub count: u64,
    /// What else is known of this type. `boottime_ns`, `last_ts`, `cut` and `argc` are the recorder's own names.
    pub fields: &'a [(&'a str, Value<'a>)],
}

impl EventDraft<'_> {
    /// A draft with nothing but its type.
    pub const fn new(kind: EventType) -> Self {
        EventDraft {
            kind,
            command: None,
            pid: 0,
            ppid: 0,
            exe: None,
            argv: Argv::None,
            operation: None,
            path: None,
            path2: None,
            domain: None,
            remote: None,
            signal: None,
            policy: None,
            layer: None,
            result: None,
            count: 1,
            fields: &[],
        }
    }

    /// Whether it took place as asked: only then may it be folded or, as a mere look, be dropped.
    fn is_plain(&self) -> bool {
        self.policy
            .is_none_or(|policy| policy.decision.passes() && policy.effective.passes())
    }

    pub(crate) fn may_fold(&self) -> bool {
        self.kind.class() != Class::Fact && self.is_plain()
    }

    pub(crate) fn may_drop(&self) -> bool {
        self.kind.class() == Class::Look && self.is_plain()
    }
}

/// An argument vector in the forms that observers have it in.
#[derive(Debug, Clone, Copy, Default)]
pub enum Argv<'a> {
    #[default]
    None,
    Slices(&'a [&'a [u8]]),
    Vecs(&'a [Vec<u8>]),
    Bytes(&'a [Bytes]),
    /// NUL after each argument, as `/proc/PID/cmdline` has it.
    Cmdline(&'a [u8]),
}

impl<'a> Argv<'a> {
    pub(crate) fn for_each(self, mut visit: impl FnMut(&'a [u8])) {
        match self {
            Argv::None => {}
            Argv::Slices(list) => list.iter().for_each(|argument| visit(argument)),
            Argv::Vecs(list) => list.iter().for_each(|argument| visit(argument)),
            Argv::Bytes(list) => list.iter().for_each(|argument| visit(&argument.0)),
            Argv::Cmdline([]) => {}
            Argv::Cmdline(text) => text
                .strip_suffix(b"\0")
                .unwrap_or(text)
                .split(|byte| *byte == 0)
                .for_each(visit),
        }
    }

    pub(crate) fn is_none(self) -> bool {
        matches!(self, Argv::None)
    }
}

/// A value in `fields`.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Unsigned(u64),
    Signed(i64),
    Bool(bool),
    /// A list of texts.
    List(&'a [&'a str]),
    /// Anything else.
    Json(&'a serde_json::Value),
}
