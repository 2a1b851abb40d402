//! What a verb needs to know about the process it runs in.

use std::io::IsTerminal;

use agentsh_protocol::places::Account;

use crate::client::{Client, Starter};
use crate::error::Error;
use crate::render::{Color, Style};

/// The caller, and the two output streams.
#[derive(Debug)]
pub struct Context {
    pub uid: u32,
    pub out: Style,
    pub err: Style,
    pub stdout_is_terminal: bool,
    pub stderr_is_terminal: bool,
}

impl Context {
    /// Reads user, terminals and `NO_COLOR` of this process.
    pub fn of_process(color: Color) -> Context {
        let (stdout, stderr) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        Context {
            uid: rustix::process::geteuid().as_raw(),
            out: Style::new(color.wanted(stdout)),
            err: Style::new(color.wanted(stderr)),
            stdout_is_terminal: stdout,
            stderr_is_terminal: stderr,
        }
    }

    /// The width of the terminal on stdout, if it is one.
    pub fn columns(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
        (self.stdout_is_terminal && size.ws_col > 0).then_some(size.ws_col.into())
    }

    /// The caller's entry in the account database.
    pub fn account(&self) -> Account {
        Account::of(self.uid)
    }

    /// The broker, started if there is none.
    ///
    /// # Errors
    /// It cannot be started, or what answers is not the caller's.
    pub fn broker(&self) -> Result<Client, Error> {
        Ok(Client::reach(self.uid, Starter::Demand)?)
    }

    /// The broker if one runs, `None` if none does.
    ///
    /// # Errors
    /// What answers is not the caller's.
    pub fn running_broker(&self) -> Result<Option<Client>, Error> {
        Ok(Client::find(self.uid)?)
    }
}
