//! The workspace is kept as it is before commands that policy names (`checkpoints.auto`).

use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use agentsh_audit::{EventType, Value};
use agentsh_intercept::{Errno, ExecDecision, ExecRequest, Stage};
use agentsh_keep::checkpoint::{Checkpoints, Selection, store_of};
use agentsh_keep::trash::Trash;

use super::{CommandJudge, Rules, place, words};
use crate::supervisor::kept;

impl CommandJudge {
    /// Makes a checkpoint if policy wants one before this exec, which is refused where it cannot be made.
    pub(super) fn checkpoint_before(&self, rules: &Rules, request: &ExecRequest<'_>) -> Result<(), ExecDecision> {
        if request.stage == Stage::Running || !rules.policy.makes_checkpoints() {
            return Ok(());
        }
        let named = request.subjects.iter().find_map(|subject| {
            let argv = words(&subject.argv);
            let line = [
                &[place(subject).as_os_str().as_bytes()],
                argv.get(1..).unwrap_or_default(),
            ]
            .concat();
            rules
                .policy
                .wants_checkpoint(&line)
                .then(|| String::from_utf8_lossy(&line.join(&b' ')).into_owned())
        });
        let Some(line) = named else { return Ok(()) };
        match self.checkpoint(rules, &line) {
            Ok(id) => {
                self.note(agentsh_audit::EventDraft {
                    fields: &[("id", Value::Text(&id)), ("before", Value::Text(&line))],
                    ..self.draft(EventType::CheckpointCreated, request.tgid)
                });
                Ok(())
            }
            Err(problem) => {
                tracing::error!("no checkpoint, so no `{line}`: {problem}");
                Err(ExecDecision::Deny(Errno::ACCESS))
            }
        }
    }

    fn checkpoint(&self, rules: &Rules, line: &str) -> Result<String, String> {
        let session = self.session();
        let workspace = session.workspace.as_deref().ok_or("the session has no workspace")?;
        let state = session.account.state_dir();
        let trash = Trash::open(&state, Some(workspace), kept::limits(&rules.policy));
        let trash = trash.map_err(|problem| problem.to_string())?;
        let checkpoints = Checkpoints::open(&store_of(&state, workspace), workspace, Arc::new(trash))
            .map_err(|problem| problem.to_string())?;
        let label = format!("before {line}");
        let made = checkpoints
            .create(Some(&label))
            .map_err(|problem| problem.to_string())?;
        let limits = rules
            .policy
            .settings()
            .map(|settings| settings.file.checkpoints.clone());
        let selection = Selection {
            keep: limits
                .as_ref()
                .and_then(|limits| limits.keep)
                .and_then(|keep| usize::try_from(keep).ok()),
            max_size: limits.as_ref().and_then(|limits| limits.max_size).map(|size| size.0),
            ..Selection::default()
        };
        // Older ones that stay too long lose nothing.
        if selection != Selection::default()
            && let Err(problem) = checkpoints.purge(&selection)
        {
            tracing::warn!("{problem}");
        }
        Ok(made.header.id.to_string())
    }
}
