//! A line editor that takes turns with the command on the caller's terminal: one packet each.

use std::os::fd::OwnedFd;

use super::sys;

/// The longest packet: what the editor has shown is cut to this by it.
const LONGEST: usize = 64 << 10;

/// The line editor, as the relay sees it.
pub(super) struct Editor {
    pub socket: OwnedFd,
    /// The terminal is the command's at present.
    pub commands_turn: bool,
    /// The editor waits for its turn.
    pub waits: bool,
    /// What was typed and not read by then.
    pub unread: Vec<u8>,
}

/// What the editor says.
pub(super) enum Turn {
    /// The terminal is the command's from now on; the editor has put these bytes there.
    Command(Vec<u8>),
    /// The terminal is to be the editor's again.
    Editor,
    /// It is gone.
    Gone,
}

impl Editor {
    pub(super) fn new(socket: OwnedFd) -> Editor {
        Editor {
            socket,
            commands_turn: true,
            waits: false,
            unread: Vec::new(),
        }
    }

    pub(super) fn hear(&self) -> Turn {
        let mut packet = vec![0; LONGEST + 1];
        match sys::receive(&self.socket, &mut packet) {
            Some([b'c', shown @ ..]) => Turn::Command(shown.to_vec()),
            Some([b'e']) => Turn::Editor,
            _ => Turn::Gone,
        }
    }

    /// The command has the terminal.
    pub(super) fn taken(&self) {
        sys::send(&self.socket, b"c");
    }

    /// The editor has it.
    pub(super) fn given(&mut self) {
        (self.commands_turn, self.waits) = (false, false);
        let unread = std::mem::take(&mut self.unread);
        sys::send(&self.socket, &[b"e", &unread[..unread.len().min(LONGEST)]].concat());
    }
}
