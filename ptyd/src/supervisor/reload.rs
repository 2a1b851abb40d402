//! Putting changed rules in force, or saying why they are not.

use agentsh_audit::{EventDraft, EventType, Value};
use agentsh_policy::Policy;
use agentsh_protocol::api::ApiError;
use agentsh_sandbox::wall::Wall;

use super::make::{failed, refused};
use super::plan;
use super::rules::Rules;
use super::session::Session;

/// Resolves the policy again and puts it in force: at once for every call that is notified, and in
/// hull and filter for new commands. What cannot be taken is on record, and changes nothing.
pub(super) fn reload(session: &Session) -> Result<(), ApiError> {
    let taken = resolved(session).and_then(|policy| install(session, policy));
    taken.inspect_err(|problem| tell_refused(session, problem))
}

/// The same where nobody knows whether the policy is another now. Why it is not taken is the caller's to tell.
pub(super) fn follow(session: &Session) -> Result<(), ApiError> {
    let policy = resolved(session)?;
    match policy.is_as(&session.rules().policy) && !session.is_policy_refused() {
        true => Ok(()),
        false => install(session, policy),
    }
}

/// Puts on record that the changed policy is not taken, once for each reason. The rules in force stay: a file that cannot be
/// read loosens nothing.
pub(super) fn tell_refused(session: &Session, problem: &ApiError) {
    if !session.refuse_policy(&problem.message) {
        return;
    }
    tracing::error!("the changed policy is not taken: {}", problem.message);
    let rules = session.rules();
    let draft = EventDraft {
        fields: &[
            ("policy", Value::Text(rules.policy.name())),
            ("refused", Value::Text(&problem.message)),
        ],
        ..EventDraft::new(EventType::PolicyChanged)
    };
    if let Err(error) = session.recorder.emit(draft) {
        tracing::error!("recording that: {error}");
    }
}

fn resolved(session: &Session) -> Result<Policy, ApiError> {
    let before = session.rules();
    let choice = &session.choice;
    choice.resolve(&session.account, &session.config, Some(&before.policy))
}

fn install(session: &Session, policy: Policy) -> Result<(), ApiError> {
    let before = session.rules();
    let workspace = session.workspace.as_deref();
    let mut planned = plan::plan(policy, &session.config, &session.account, workspace).map_err(refused)?;
    planned.rules.also_readable(session.dir.policy_path()).map_err(failed)?;
    let required = |rules: &Rules| rules.wall == Wall::Required;
    if (planned.rules.private, required(&planned.rules)) != (before.private, required(&before)) {
        return Err(failed(
            "network.namespace and network.engine are for new sessions only: end this one",
        ));
    }
    // What policy leaves to the host was settled when the session was made.
    planned.rules.wall = before.wall;
    planned.rules.limited.hierarchies = planned.rules.limited.hierarchies.or(before.limited.hierarchies.clone());
    session
        .dir
        .write_policy_text(&planned.rules.policy.text())
        .map_err(failed)?;
    announce(session, &planned.rules)
        .and_then(|()| apply(session, &planned.rules))
        .inspect_err(|_| {
            // What is said to be in force is what is.
            if let Err(error) = session.dir.write_policy_text(&before.policy.text()) {
                tracing::error!("{error}");
            }
        })?;
    session.set_rules(planned.rules, planned.not_held, planned.not_observed);
    Ok(())
}

fn announce(session: &Session, rules: &Rules) -> Result<(), ApiError> {
    let running = session.running_commands();
    let running: Vec<&str> = running.iter().map(String::as_str).collect();
    let draft = EventDraft {
        fields: &[
            ("policy", Value::Text(rules.policy.name())),
            ("older_hull", Value::List(&running)),
        ],
        ..EventDraft::new(EventType::PolicyChanged)
    };
    session.recorder.emit(draft).map_err(failed)
}

fn apply(session: &Session, rules: &Rules) -> Result<(), ApiError> {
    let engine = &session.shared.engine;
    let applied = engine.apply(&rules.policy);
    applied.map_err(|error| failed(format!("the network engine `{}`: {error}", engine.name())))
}
