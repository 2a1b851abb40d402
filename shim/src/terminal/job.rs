//! What relay and monitor say to each other: one packet each.

use std::os::fd::OwnedFd;

use super::sys::{self, Tty};

/// Whom a signal is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The command alone.
    Command,
    /// Its process group.
    Group,
    /// The one or the other: whatever the monitor, which is in the caller's process group, had itself was sent to that.
    AsHere,
}

/// Relay to monitor.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// Go on, with the terminal if `true`, which is set so first.
    Continue(bool, Option<Tty>),
    /// Give the command this signal.
    Signal(i32, Reach),
}

/// Monitor to relay.
pub(super) enum Report {
    /// It is this process.
    Begun(i32),
    /// The command was stopped by this signal and left its terminal so.
    Stopped(i32, Option<Tty>),
    /// It ended with this wait status and left its terminal so.
    Ended(i32, Option<Tty>),
    /// Somebody has set its terminal.
    Set,
    /// A key has made this signal, and it reached the command's group, or whoever has its terminal in the caller's place.
    Key(i32),
}

impl Order {
    pub(super) fn send(self, to: &OwnedFd) {
        let (kind, value, settings) = match self {
            Order::Continue(front, settings) => (b'c', i32::from(front), settings),
            Order::Signal(signal, Reach::Command) => (b's', signal, None),
            Order::Signal(signal, Reach::Group) => (b'g', signal, None),
            Order::Signal(signal, Reach::AsHere) => (b'h', signal, None),
        };
        // A monitor that is gone is noticed where its reports are read.
        let _ = sys::send(to, &packet(kind, value, settings.as_ref()));
    }

    /// `None` if the relay is gone.
    pub(super) fn receive(from: &OwnedFd) -> Option<Order> {
        let (kind, value, settings) = parts(sys::receive(from, &mut [0; LONGEST])?)?;
        match kind {
            b'c' => Some(Order::Continue(value != 0, settings)),
            b's' => Some(Order::Signal(value, Reach::Command)),
            b'g' => Some(Order::Signal(value, Reach::Group)),
            b'h' => Some(Order::Signal(value, Reach::AsHere)),
            _ => None,
        }
    }
}

impl Report {
    pub(super) fn send(&self, to: &OwnedFd) {
        let (kind, value, settings) = match self {
            Report::Begun(pid) => (b'b', pid, &None),
            Report::Stopped(signal, settings) => (b't', signal, settings),
            Report::Ended(status, settings) => (b'e', status, settings),
            Report::Set => (b'm', &0, &None),
            Report::Key(signal) => (b'k', signal, &None),
        };
        let _ = sys::send(to, &packet(kind, *value, settings.as_ref()));
    }

    /// Sends without waiting for a relay that takes nothing; whether it will be there.
    pub(super) fn offer(&self, to: &OwnedFd) -> bool {
        sys::is_writable(to) && {
            self.send(to);
            true
        }
    }

    /// `None` if the monitor is gone.
    pub(super) fn receive(from: &OwnedFd) -> Option<Report> {
        let (kind, value, settings) = parts(sys::receive(from, &mut [0; LONGEST])?)?;
        match kind {
            b'b' => Some(Report::Begun(value)),
            b't' => Some(Report::Stopped(value, settings)),
            b'e' => Some(Report::Ended(value, settings)),
            b'm' => Some(Report::Set),
            b'k' => Some(Report::Key(value)),
            _ => None,
        }
    }
}

/// Longer than any packet.
const LONGEST: usize = 256;

fn packet(kind: u8, value: i32, settings: Option<&Tty>) -> Vec<u8> {
    let mut packet = Vec::with_capacity(LONGEST);
    packet.push(kind);
    packet.extend_from_slice(&value.to_ne_bytes());
    packet.extend(settings.iter().flat_map(|settings| settings.to_bytes()));
    packet
}

fn parts(packet: &[u8]) -> Option<(u8, i32, Option<Tty>)> {
    let (kind, rest) = packet.split_first()?;
    let (value, settings) = rest.split_first_chunk()?;
    Some((*kind, i32::from_ne_bytes(*value), Tty::from_bytes(settings)))
}
