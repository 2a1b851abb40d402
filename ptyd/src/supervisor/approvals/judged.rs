//! Judges that ask: execs and file operations.

use agentsh_intercept::files::{Answer, Judgement, Question};
use agentsh_intercept::{Caller, Errno, ExecRequest, Interruption};
use agentsh_policy::{Subject, Verdict};

use super::{Answered, Ask, Bound};
use crate::supervisor::files::{file_op, rule_name};
use crate::supervisor::session::Session;

impl Session {
    /// Asks about an exec that `verdict` wants approved. A yes counts only for what was asked about: the
    /// same files, arguments and folder at the time of the answer.
    pub(crate) fn ask_exec(
        &self,
        command: &str,
        request: &ExecRequest<'_>,
        verdict: &Verdict<'_>,
        message: Option<String>,
    ) -> Answered {
        let Some(bound) = Bound::exec(request, verdict.rule) else {
            return Answered::No(None, "what would run cannot be told from something else".to_owned());
        };
        let ask = Ask {
            bound,
            command: Some(command),
            pid: request.tgid,
            message,
            timeout: verdict.timeout,
        };
        request.caller.will_block();
        match self.ask(&ask, &|| request.caller.interruption()) {
            Answered::Yes(id) if Bound::exec(request, verdict.rule).as_ref() != Some(&ask.bound) => Answered::No(
                Some(id),
                "what would run was changed while it was asked about".to_owned(),
            ),
            answered => answered,
        }
    }

    /// Asks about a file operation whose caller waits.
    pub(crate) fn ask_file(&self, question: &Question<'_>, judgement: &Judgement, caller: &Caller<'_>) -> Answer {
        caller.will_block();
        self.ask_about_file(question, judgement, &|| caller.interruption())
    }

    /// Asks about what was written and waits for its place; its writer does not wait.
    pub(crate) fn ask_file_for_later(&self, question: &Question<'_>, judgement: &Judgement) -> Result<(), Errno> {
        match self.ask_about_file(question, judgement, &|| Interruption::None) {
            Answer::Yes => Ok(()),
            Answer::No(errno) => Err(errno),
            Answer::Interrupted(_) => Err(Errno::ACCESS),
        }
    }

    fn ask_about_file(
        &self,
        question: &Question<'_>,
        judgement: &Judgement,
        interruption: &dyn Fn() -> Interruption,
    ) -> Answer {
        use std::os::unix::ffi::OsStrExt as _;
        let rules = self.rules();
        let Some(op) = file_op(question.operation) else {
            return Answer::No(Errno::ACCESS);
        };
        let path = question.path.as_os_str().as_bytes();
        let verdict = rules.policy.file(op, path);
        let rule = judgement.rule.and_then(|number| rule_name(&rules.policy, number));
        let command = self.shared.members.command_of(question.tgid);
        let ask = Ask {
            bound: Bound::file(question.operation.name(), question.path, rule),
            command: command.as_deref(),
            pid: question.tgid,
            message: verdict.message(&Subject {
                path,
                operation: question.operation.name(),
                ..Subject::default()
            }),
            timeout: verdict.timeout,
        };
        match self.ask(&ask, interruption) {
            Answered::Yes(_) => Answer::Yes,
            Answered::No(..) => Answer::No(Errno::from_raw_os_error(verdict.errno.number())),
            Answered::Interrupted(seen) => Answer::Interrupted(seen),
        }
    }
}
