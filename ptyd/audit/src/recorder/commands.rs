//! The two events from which [`crate::read::commands`] tells a command's story again.

use agentsh_protocol::api::{CommandInfo, PolicyOutcome};

use super::{RecordError, Recorder};
use crate::event::{Argv, Decision, EventDraft, EventType, Layer, Outcome, Value};

impl Recorder {
    /// Records that a command starts, or (with `deny` as its policy's decision) was refused. `ppid` is its parent, `exe`
    /// the program that it becomes.
    pub fn command_started(
        &self,
        command: &CommandInfo,
        ppid: i32,
        exe: Option<&[u8]>,
        layer: Layer,
    ) -> Result<(), RecordError> {
        let cwd = command.cwd.as_ref().map(|cwd| [("cwd", Value::Bytes(&cwd.0))]);
        self.emit(EventDraft {
            command: Some(&command.id),
            pid: command.pid,
            ppid,
            exe,
            argv: Argv::Bytes(&command.argv),
            policy: Some(outcome(&command.policy)),
            layer: Some(layer),
            fields: cwd.as_ref().map_or(&[], |cwd| cwd.as_slice()),
            ..EventDraft::new(EventType::CommandStarted)
        })
    }

    /// Records a command's end; `more` are further fields, such as what it used.
    pub fn command_finished(&self, command: &CommandInfo, more: &[(&str, Value<'_>)]) -> Result<(), RecordError> {
        let mut fields = more.to_vec();
        fields.extend(command.exit_code.map(|code| ("exit_code", Value::Signed(code.into()))));
        self.emit(EventDraft {
            command: Some(&command.id),
            pid: command.pid,
            signal: command.signal,
            fields: &fields,
            ..EventDraft::new(EventType::CommandFinished)
        })
    }
}

fn outcome(policy: &PolicyOutcome) -> Outcome<'_> {
    // A word that nobody knows must not pass as allowed.
    let decision = policy.decision.parse().unwrap_or(Decision::Deny);
    Outcome {
        message: policy.message.as_deref(),
        ..Outcome::plain(decision, policy.rule.as_deref())
    }
}
