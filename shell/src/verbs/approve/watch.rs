//! `--watch`: while it runs, sessions know that somebody can be asked. Questions come here and nowhere near the
//! terminals of sessions, so that nothing that runs there can show or answer them.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal as _};
use std::ops::ControlFlow;
use std::sync::mpsc;

use agentsh_protocol::approvals::{Answer, Approval, Change, Scope};

use super::answer;
use crate::client::{self, Client};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, consent};

/// Until the broker ends.
pub fn run(context: &Context, json: bool) -> Result<Exit, Error> {
    let broker = context.broker()?;
    if !json && std::io::stdin().is_terminal() {
        return ask(&broker);
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
        _ if json => {
            let line = serde_json::to_string(change).map_err(|error| Error::io("writing JSON", error.into()))?;
            render::print(&(line + "\n"))
        }
        Change::Asked { approval } => render::print(&(consent::approval(approval) + "\n")),
        Change::Resolved { id, answer, by } => render::print(&format!("{}\n", resolved(context, id, *answer, by))),
    }
}

fn resolved(context: &Context, id: &str, answer: Answer, by: &str) -> String {
    let word = match answer {
        Answer::Allow => context.out.green("allowed"),
        Answer::Deny => context.out.red("denied"),
    };
    format!("{} {word} by {}", render::visible(id), render::visible(by))
}

/// Questions one after the other, on the person's own terminal.
fn ask(broker: &Client) -> Result<Exit, Error> {
    let (send, changes) = mpsc::channel();
    let questions = broker.events(&client::path(&["approvals", "watch"]))?;
    std::thread::spawn(move || {
        questions.each(|change: Change| match send.send(change) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    });
    render::say("waiting for questions; ^C ends");
    let mut over = BTreeSet::new();
    let mut seen = BTreeSet::new();
    while let Ok(change) = changes.recv() {
        // What came meanwhile may have settled what is about to be asked.
        let batch: Vec<Change> = std::iter::once(change).chain(changes.try_iter()).collect();
        for change in &batch {
            if let Change::Resolved { id, .. } = change {
                over.insert(id.clone());
            }
        }
        for change in batch {
            if let Change::Asked { approval } = change
                && !over.contains(&approval.id)
                && seen.insert(approval.id.clone())
            {
                question(broker, &approval)?;
            }
        }
    }
    Ok(Exit::DONE)
}

fn question(broker: &Client, approval: &Approval) -> Result<(), Error> {
    render::print(&format!("\n{}", consent::approval(approval)))?;
    // What was typed before the question was seen is no answer to it.
    let _ = rustix::termios::tcflush(std::io::stdin(), rustix::termios::QueueSelector::IFlush);
    loop {
        render::print("[y] allow once, [s] allow for the session, [always] allow from now on, [n] deny, [l] later: ")?;
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let read = read.map_err(|source| Error::io("reading the answer", source))?;
        let (word, scope) = match line.trim() {
            "y" => (Answer::Allow, Scope::Once),
            "s" => (Answer::Allow, Scope::Session),
            "always" => (Answer::Allow, Scope::Always),
            "n" => (Answer::Deny, Scope::Once),
            "l" => return Ok(()),
            _ if read == 0 => return Ok(()),
            _ => continue,
        };
        match answer::send(broker, &approval.id, word, scope, None) {
            Ok(approval) => render::say(&answer::outcome(&approval, word, scope)),
            Err(Error::Api(error)) => render::say(&render::visible(&error.message)),
            Err(error) => return Err(error),
        }
        return Ok(());
    }
}
