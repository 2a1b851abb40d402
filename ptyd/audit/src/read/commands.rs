//! The commands of a session, from its record: also those of a session that died.

use std::collections::BTreeMap;

use agentsh_protocol::Bytes;
use agentsh_protocol::api::{CommandInfo, CommandState, PolicyOutcome};

use super::filter::Filter;
use super::lines::ReadProblem;
use super::query::for_each;
use crate::event::{Decision, Event, EventType};
use crate::store::SessionDir;

/// Every command of a session, oldest first, with the lines that are no events. In a session that is over no command
/// is `running`: what has no end on record ended unseen.
pub fn commands(session: &SessionDir) -> Result<(Vec<CommandInfo>, Vec<ReadProblem>), ReadProblem> {
    let filter = Filter {
        kinds: vec![EventType::CommandStarted, EventType::CommandFinished],
        ..Filter::default()
    };
    let live = session.is_live();
    let mut known: BTreeMap<String, (u64, CommandInfo)> = BTreeMap::new();
    let mut problems = Vec::new();
    for_each(session, &filter, |event| {
        match event {
            Ok(event) => add(&mut known, &event),
            Err(problem) => problems.push(problem),
        }
        true
    })?;
    let mut commands: Vec<(u64, CommandInfo)> = known.into_values().collect();
    commands.sort_by_key(|(seq, _)| *seq);
    let mut commands: Vec<CommandInfo> = commands.into_iter().map(|(_, command)| command).collect();
    for command in &mut commands {
        if command.state == CommandState::Running && !live {
            command.state = CommandState::Finished;
        }
    }
    Ok((commands, problems))
}

fn add(known: &mut BTreeMap<String, (u64, CommandInfo)>, event: &Event) {
    let Some(id) = &event.command_id else { return };
    if event.kind == EventType::CommandStarted {
        known.insert(id.clone(), (event.seq, started(id, event)));
    } else if let Some((_, command)) = known.get_mut(id) {
        command.state = CommandState::Finished;
        command.ended = Some(event.ts.clone());
        command.signal = event.signal;
        let code = event.fields.get("exit_code").and_then(serde_json::Value::as_i64);
        command.exit_code = code.and_then(|code| i32::try_from(code).ok());
        let limit = event.fields.get("limit").and_then(serde_json::Value::as_str);
        command.limit = limit.map(str::to_owned);
    }
}

fn started(id: &str, event: &Event) -> CommandInfo {
    let policy = event.policy.as_ref();
    let refused = policy.is_some_and(|policy| policy.effective == Decision::Deny);
    let cwd = event.fields.get("cwd").cloned();
    CommandInfo {
        id: id.to_owned(),
        session_id: event.session_id.clone(),
        argv: event.argv.clone().unwrap_or_default(),
        cwd: cwd.and_then(|cwd| serde_json::from_value::<Bytes>(cwd).ok()),
        pid: event.pid.unwrap_or(0),
        state: if refused {
            CommandState::Refused
        } else {
            CommandState::Running
        },
        started: event.ts.clone(),
        ended: refused.then(|| event.ts.clone()),
        exit_code: None,
        signal: None,
        limit: None,
        terminal: false,
        policy: policy.map_or_else(PolicyOutcome::default, |policy| PolicyOutcome {
            decision: policy.effective.word().to_owned(),
            rule: policy.rule.clone(),
            message: policy.message.clone(),
        }),
    }
}
