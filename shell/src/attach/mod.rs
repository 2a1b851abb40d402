//! A person on the terminal of a running command.

mod keys;
mod link;
mod view;

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
pub fn run(socket: Socket, keys: Keys, take: bool) -> Result<(), Error> {
    let view = View::open(keys)?;
    let end = view.show(Link::new(socket)?, take)?;
    if let Some(status) = end {
        render::say(&format!("agentsh: the command has ended: {status}"));
    }
    Ok(())
}
