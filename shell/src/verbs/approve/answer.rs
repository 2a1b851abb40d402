use agentsh_protocol::approvals::{Answer, Approval, Reply, Scope};

use crate::client::{self, Client};
use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::render::{self, consent};

/// Sends an answer and says what it covers.
pub fn say(context: &Context, id: &str, answer: Answer, scope: Scope, reason: Option<String>) -> Result<Exit, Error> {
    let approval = send(&context.broker()?, id, answer, scope, reason)?;
    render::say(&outcome(&approval, answer, scope));
    Ok(Exit::DONE)
}

/// Sends an answer.
pub fn send(
    broker: &Client,
    id: &str,
    answer: Answer,
    scope: Scope,
    reason: Option<String>,
) -> Result<Approval, Error> {
    let reply = Reply { answer, scope, reason };
    Ok(broker.post(&client::path(&["approvals", id]), &reply)?)
}

/// In a line.
pub fn outcome(approval: &Approval, answer: Answer, scope: Scope) -> String {
    let what = consent::shown(&approval.path.0);
    match (answer, scope, approval.waiting) {
        (Answer::Deny, ..) => format!("denied: {what}"),
        (Answer::Allow, Scope::Always, _) => {
            let file = approval.written.as_ref().map(|file| consent::shown(&file.0));
            let file = file.unwrap_or_default();
            format!(
                "allowed from now on: {what}\nwritten to {file}; `agentsh grants revoke {}` takes it back",
                approval.id
            )
        }
        (Answer::Allow, Scope::Session, _) => format!("allowed until the session ends: {what}"),
        (Answer::Allow, Scope::Once, 0) => format!("allowed for one identical retry: {what}"),
        (Answer::Allow, Scope::Once, _) => format!("allowed: {what}"),
    }
}
