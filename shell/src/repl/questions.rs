//! While the line editor runs somebody can be asked: what the commands of the session ask for appears above the prompt, or
//! between the lines of what runs.
//!
//! It is shown here and answered by name (`:approve allow ID`): a key could be meant for something else that is on this
//! terminal.

use std::ops::ControlFlow;
use std::thread;

use agentsh_protocol::approvals::Change;

use super::notices::Notices;
use crate::client::{self, Client};
use crate::render::{self, Style, consent};

/// Watches until the process or the broker ends; the first line can ask already. `shell` is the editor's own command:
/// what it asks for is what the person waits for.
pub fn show(broker: &Client, session: &str, shell: String, style: Style, notices: Notices) {
    // A broker that is gone asks nothing.
    // Other sessions must not take this terminal for one on which somebody sees what they ask.
    let Ok(questions) = broker.events(&client::path(&["sessions", session, "approvals", "watch"])) else {
        return;
    };
    let watch = move || {
        let _ = questions.each(|change: Change| {
            let approval = match change {
                Change::Asked { approval } => approval,
                Change::Resolved { .. } => return ControlFlow::Continue(()),
            };
            let own = approval.command_id.as_deref() == Some(&shell);
            let id = render::visible(&approval.id);
            let how = format!(":approve allow {id}   or   :approve deny {id}");
            let first = match own {
                true => "\nwhile a line runs: ctrl-z, the answer, and fg; or the answer in another terminal, `agentsh approve`",
                false => "",
            };
            let text = format!("{}{}{first}\n", consent::approval(&approval), style.yellow(&how));
            match notices.tell_now(text, own) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
    };
    // Without a thread nobody is there to be asked, and the session knows.
    let _ = thread::Builder::new().name("questions".to_owned()).spawn(watch);
}
