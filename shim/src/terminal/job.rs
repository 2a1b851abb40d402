//! What relay and monitor say to each other: one packet each.

use std::os::fd::OwnedFd;

use super::sys::{self, Tty};

/// Relay to monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on, with the terminal if `true`.
    Continue(bool),
    /// Give the command this signal.
    Signal(i32),
}

/// Monitor to relay.
pub(super) enum Report {
    /// The command was stopped by this signal.
    Stopped(i32),
    /// It ended with this wait status and left its terminal so.
    Ended(i32, Option<Tty>),
}

impl Order {
    pub(super) fn send(self, to: &OwnedFd) {
        let (kind, value) = match self {
            Order::Continue(front) => (b'c', i32::from(front)),
            Order::Signal(signal) => (b's', signal),
        };
        let [a, b, c, d] = value.to_ne_bytes();
        // A monitor that is gone is noticed where its reports are read.
        let _ = sys::send(to, &[kind, a, b, c, d]);
    }

    /// `None` if the relay is gone.
    pub(super) fn receive(from: &OwnedFd) -> Option<Order> {
        let mut packet = [0; 8];
        match sys::receive(from, &mut packet)? {
            [b'c', rest @ ..] => Some(Order::Continue(number(rest)? != 0)),
            [b's', rest @ ..] => Some(Order::Signal(number(rest)?)),
            _ => None,
        }
    }
}

impl Report {
    pub(super) fn send(&self, to: &OwnedFd) {
        let mut packet = Vec::with_capacity(128);
        match self {
            Report::Stopped(signal) => {
                packet.push(b't');
                packet.extend_from_slice(&signal.to_ne_bytes());
            }
            Report::Ended(status, settings) => {
                packet.push(b'e');
                packet.extend_from_slice(&status.to_ne_bytes());
                packet.extend(settings.iter().flat_map(|settings| settings.to_bytes()));
            }
        }
        let _ = sys::send(to, &packet);
    }

    /// `None` if the monitor is gone.
    pub(super) fn receive(from: &OwnedFd) -> Option<Report> {
        let mut packet = [0; 256];
        let (kind, rest) = sys::receive(from, &mut packet)?.split_first()?;
        let value = number(rest.get(..4)?)?;
        match kind {
            b't' => Some(Report::Stopped(value)),
            b'e' => Some(Report::Ended(value, Tty::from_bytes(&rest[4..]))),
            _ => None,
        }
    }
}

fn number(bytes: &[u8]) -> Option<i32> {
    Some(i32::from_ne_bytes(bytes.try_into().ok()?))
}
