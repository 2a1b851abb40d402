//! While the line editor runs somebody can be asked: what other commands of the session ask for appears above the prompt.
//!
//! It is shown here and answered by name (`:approve allow ID`): a key could be meant for something else that is on this
//! terminal.

use std::ops::ControlFlow;
use std::thread;

use agentsh_protocol::approvals::Change;
use rustyline::ExternalPrinter;

use crate::client::{self, Client};
use crate::render::{self, Style, consent};

/// Watches until the process or the broker ends.
pub fn show(broker: Client, session: String, style: Style, mut printer: impl ExternalPrinter + Send + 'static) {
    let watch = move || {
        let path = client::path(&["approvals", "watch"]);
        // A broker that is gone asks nothing.
        let _ = broker.events::<Change>(&path, |change| {
            let text = match change {
                Change::Asked { approval } if approval.session_id == session => {
                    let id = render::visible(&approval.id);
                    let how = format!(":approve allow {id}   or   :approve deny {id}");
                    format!("{}{}\n", consent::approval(&approval), style.yellow(&how))
                }
                _ => return ControlFlow::Continue(()),
            };
            match printer.print(text) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
    };
    // Without a thread nobody is there to be asked, and the session knows.
    let _ = thread::Builder::new().name("questions".to_owned()).spawn(watch);
}
