//! File calls in the record.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Weak;

use agentsh_audit::{Decision, EventDraft, EventType, Layer, Outcome, Value};
use agentsh_intercept::files::{Effect, FileRecord, FileRecorder, Kept, Operation, Verdict};
use agentsh_policy::Policy;

use super::files::{file_op, lies_in, rule_message, rule_name};
use super::session::Session;

/// Writes what the file engine saw.
pub(crate) struct FileLog(pub Weak<Session>);

fn kind(operation: Operation) -> EventType {
    match operation {
        Operation::Open => EventType::FileOpen,
        Operation::Read => EventType::FileRead,
        Operation::List => EventType::FileList,
        Operation::Write => EventType::FileWrite,
        Operation::Create => EventType::FileCreate,
        Operation::Delete => EventType::FileDelete,
        Operation::Rmdir => EventType::FileRmdir,
        Operation::Mkdir => EventType::FileMkdir,
        Operation::Rename => EventType::FileRename,
        Operation::Link => EventType::FileLink,
        Operation::Symlink => EventType::FileSymlink,
        Operation::Chmod => EventType::FileChmod,
        Operation::Chown => EventType::FileChown,
        Operation::Mknod => EventType::FileMknod,
        Operation::Truncate => EventType::FileTruncate,
        Operation::Xattr => EventType::FileXattr,
        Operation::Utime => EventType::FileUtime,
        Operation::Stat => EventType::FileStat,
        Operation::Readlink => EventType::FileReadlink,
        _ => EventType::FileAccess,
    }
}

fn decision(verdict: &Verdict) -> Decision {
    match verdict {
        Verdict::Allow | Verdict::Continue => Decision::Allow,
        Verdict::Audit => Decision::Audit,
        Verdict::Deny(_) => Decision::Deny,
        Verdict::Approve => Decision::Approve,
        Verdict::Redirect { .. } => Decision::Redirect,
        Verdict::SoftDelete => Decision::SoftDelete,
    }
}

/// Whether a mere look that was allowed is worth a line: what is opened in the workspace is.
fn is_wanted(record: &FileRecord<'_>, workspace: Option<&Path>, logs_allowed: bool) -> bool {
    let plain = matches!(record.judgement.verdict, Verdict::Allow | Verdict::Continue);
    if plain && !logs_allowed {
        return record.effect == Effect::Refused;
    }
    if !plain || !record.operation.observes() {
        return true;
    }
    matches!(record.operation, Operation::Read | Operation::List | Operation::Open)
        && workspace.is_some_and(|workspace| lies_in(record.path, workspace))
}

/// Whether something was lost that would have been kept, were it not for the trash's exemptions.
fn is_exempt(record: &FileRecord<'_>, policy: &Policy) -> bool {
    let lost = matches!(
        record.operation,
        Operation::Delete | Operation::Rmdir | Operation::Truncate
    );
    let plain = record.judgement.verdict == Verdict::Allow && record.result.is_ok();
    let path = record.path.as_os_str().as_bytes();
    let rule = || file_op(record.operation).map(|op| policy.file(op, path).decision);
    lost && plain && rule() == Some(agentsh_policy::Decision::SoftDelete) && policy.is_trash_exempt(path)
}

impl FileRecorder for FileLog {
    fn record(&self, record: &FileRecord<'_>) {
        let Some(session) = self.0.upgrade() else { return };
        let rules = session.rules();
        if !is_wanted(record, session.workspace.as_deref(), rules.logs_allowed) {
            return;
        }
        let command = session.shared.members.command_of(record.tgid);
        let decision = decision(&record.judgement.verdict);
        let stopped = record.effect == Effect::Refused;
        let rule = record
            .judgement
            .rule
            .and_then(|number| rule_name(&rules.policy, number));
        let path = record.path.as_os_str().as_bytes();
        let number = record.judgement.rule.filter(|_| stopped);
        let of_rule = || number.and_then(|number| rule_message(&rules.policy, number, record.operation, path));
        let message = record.why.map(str::to_owned).or_else(of_rule);
        let approval = (decision == Decision::Approve)
            .then(|| session.approvals.decided(record.tgid, record.operation.name(), path))
            .flatten();
        let kept = match record.kept {
            None if is_exempt(record, &rules.policy) => {
                &[("kept", Value::Bool(false)), ("not_kept", Value::Text("exempt"))]
            }
            None => &[][..],
            Some(Kept::Nothing(why)) => &[("kept", Value::Bool(false)), ("not_kept", Value::Text(why))],
            Some(_) => &[("kept", Value::Bool(true))],
        };
        let draft = EventDraft {
            command: command.as_deref(),
            pid: record.tgid,
            operation: Some(record.operation.name()),
            path: Some(path),
            path2: record.second.map(|path| path.as_os_str().as_bytes()),
            policy: Some(Outcome {
                effective: match (stopped, decision) {
                    (true, _) => Decision::Deny,
                    (false, Decision::Audit | Decision::Approve) => Decision::Allow,
                    (false, decision) => decision,
                },
                message: message.as_deref(),
                approval: approval.as_deref(),
                ..Outcome::plain(decision, rule)
            }),
            layer: Some(Layer::Notify),
            result: Some(record.result.err().map_or(0, agentsh_intercept::Errno::raw_os_error)),
            fields: kept,
            ..EventDraft::new(kind(record.operation))
        };
        if let Err(error) = session.emit(draft) {
            tracing::error!("recording a file call: {error}");
        }
    }
}
