//! A person on the terminal of a running command.

mod encoded;
mod keys;
mod link;
mod view;

use agentsh_protocol::terminal::{FromClient, SizeRule};

use crate::client::Socket;
use crate::error::Error;
use crate::render;

pub use keys::{Keys, key};
use link::Link;
use view::View;

/// Shows the terminal until the person leaves or it is closed, and types into it where that is allowed.
///
/// # Errors
/// This process has no terminal, or the connection breaks.
pub fn run(socket: Socket, keys: Keys, take: bool, size: Option<SizeRule>) -> Result<(), Error> {
    let view = View::open(keys)?;
    let mut link = Link::new(socket)?;
    if let Some(rule) = size {
        link.say(&FromClient::Size(rule))?;
    }
    let end = view.show(link, take)?;
    if let Some(status) = end {
        render::say(&format!("agentsh: the command has ended: {status}"));
    }
    Ok(())
}
