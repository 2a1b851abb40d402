//! `--watch`: while it runs, sessions know that somebody can be asked. Questions come here and nowhere near the
//! terminals of sessions, so that nothing that runs there can show or answer them.

use std::io::IsTerminal as _;
use std::ops::ControlFlow;

use agentsh_protocol::approvals::{Answer, Change};

use super::ask;
use crate::client;
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, consent};

/// Until the broker ends.
pub fn run(context: &Context, json: bool) -> Result<Exit, Error> {
    let broker = context.broker()?;
    if !json && std::io::stdin().is_terminal() {
        return ask::run(context, &broker);
    }
    let mut failed = None;
    let path = client::path(&["approvals", "watch"]);
    broker
        .events(&path)?
        .each(|change: Change| match show(context, &change, json) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
    failed.map_or(Ok(Exit::DONE), Err)
}

fn show(context: &Context, change: &Change, json: bool) -> Result<(), Error> {
    match change {
        _ if json => render::print(&(render::json_line(change)? + "\n")),
        Change::Asked { approval } => render::print(&(consent::approval(approval) + "\n")),
        Change::Resolved { id, answer, by } => render::print(&format!("{}\n", resolved(context, id, *answer, by))),
    }
}

/// What became of a question, in a line.
pub(super) fn resolved(context: &Context, id: &str, answer: Answer, by: &str) -> String {
    let word = match answer {
        Answer::Allow => context.out.green("allowed"),
        Answer::Deny => context.out.red("denied"),
    };
    let how = match by {
        "person" => "by a person".to_owned(),
        "timeout" => "for its time is over".to_owned(),
        "session_end" => "for its session has ended".to_owned(),
        by => format!("by {}", render::visible(by)),
    };
    format!("{} {word} {how}", render::visible(id))
}
