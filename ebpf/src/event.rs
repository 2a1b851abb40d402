//! What the programs tell.

use std::net::IpAddr;

use crate::RULES;
use crate::table::{Operation, Verdict, address};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds since boot.
    pub time: u64,
    /// The control group's number: the inode of its folder.
    pub group: u64,
    /// Process and thread, as the first pid namespace numbers them.
    pub tgid: u32,
    pub tid: u32,
    /// The thread's name (`proc_pid_comm(5)`): set by itself, so no evidence of anything.
    pub comm: String,
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An operation that was denied, or is always told.
    Address {
        operation: Operation,
        verdict: Verdict,
        udp: bool,
        address: IpAddr,
        port: u16,
        /// The rule of the table that decided.
        rule: Option<usize>,
        /// `SO_COOKIE` of the socket.
        cookie: u64,
    },
    /// A socket that was not made: its family, type and protocol (`socket(2)`).
    Socket { family: u8, kind: u16, protocol: u16 },
}

/// `struct event`: numbers of the machine's byte order.
const SIZE: usize = 72;

impl Event {
    /// Reads one; `None` if it is not of the form that the programs write.
    pub(crate) fn read(bytes: &[u8]) -> Option<Event> {
        let bytes: &[u8; SIZE] = bytes.first_chunk()?;
        let long = |at: usize| Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
        let int = |at: usize| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
        let short = |at: usize| Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
        let (kind, verdict, family, protocol) = (bytes[32], bytes[33], bytes[34], bytes[35]);
        let port = short(36)?;
        let number = short(38)?;
        let rule = usize::from(number);
        let operation = Operation::ALL.get(usize::from(kind));
        let what = match (operation, kind) {
            (Some(operation), _) => What::Address {
                operation: *operation,
                verdict: *[Verdict::Deny, Verdict::Allow, Verdict::Audit].get(usize::from(verdict))?,
                udp: i32::from(protocol) == libc::IPPROTO_UDP,
                address: address(*bytes[40..].first_chunk()?),
                port,
                rule: (rule < RULES).then_some(rule),
                cookie: long(16)?,
            },
            (None, 3) => What::Socket {
                family,
                kind: port,
                protocol: number,
            },
            _ => return None,
        };
        let comm = bytes[56..].split(|byte| *byte == 0).next()?;
        Some(Event {
            time: long(0)?,
            group: long(8)?,
            tgid: int(24)?,
            tid: int(28)?,
            comm: String::from_utf8_lossy(comm).into_owned(),
            what,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_short_or_of_no_known_kind_is_no_event() {
        assert_eq!(Event::read(&[0; SIZE - 1]), None);
        let mut bytes = [0; SIZE];
        bytes[32] = 9;
        assert_eq!(Event::read(&bytes), None);
        bytes[32] = 3;
        let socket = What::Socket {
            family: 0,
            kind: 0,
            protocol: 0,
        };
        assert_eq!(Event::read(&bytes).map(|event| event.what), Some(socket));
    }
}
