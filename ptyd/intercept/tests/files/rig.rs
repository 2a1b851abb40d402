//! Programs under a file engine with rules of the test.

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use agentsh_intercept::files::{
    Answer, Doomed, FileEngine, FileJudge, FileRecord, FileRecorder, Judgement, Kept, Operation, Parts, Question,
    Tasks, Trash, Verdict,
};
use agentsh_intercept::{Caller, Errno, Guard, Handler};

use crate::support::judge::Log;
use crate::support::{self, Caged, Result};

/// One rule: first match wins.
#[derive(Clone)]
pub struct Rule {
    /// None: every operation.
    pub operations: Vec<Operation>,
    /// This path, and with `below` what is under it.
    pub path: PathBuf,
    pub below: bool,
    pub verdict: Verdict,
}

/// What the engine did, in one line each.
#[derive(Default)]
pub struct Seen {
    pub lines: Mutex<Vec<String>>,
    /// Nothing is noted, for measurements.
    pub quiet: std::sync::atomic::AtomicBool,
}

pub struct Rules {
    pub rules: Vec<Rule>,
    pub answer: Answer,
    pub default: Verdict,
}

impl Rules {
    pub fn allow_all() -> Self {
        Rules {
            rules: Vec::new(),
            answer: Answer::No(Errno::ACCESS),
            default: Verdict::Allow,
        }
    }

    pub fn rule(mut self, path: impl AsRef<Path>, below: bool, operations: &[Operation], verdict: Verdict) -> Self {
        self.rules.push(Rule {
            operations: operations.to_vec(),
            path: path.as_ref().to_owned(),
            below,
            verdict,
        });
        self
    }

    pub fn deny(self, path: impl AsRef<Path>) -> Self {
        self.rule(path, true, &[], Verdict::Deny(Errno::ACCESS))
    }
}

impl FileJudge for Rules {
    fn judge(&self, question: &Question<'_>) -> Judgement {
        let matches = |rule: &Rule| {
            let path = question.path == rule.path || rule.below && question.path.starts_with(&rule.path);
            path && (rule.operations.is_empty() || rule.operations.contains(&question.operation))
        };
        let found = self.rules.iter().position(matches);
        let verdict = found.map_or(self.default.clone(), |index| self.rules[index].verdict.clone());
        Judgement {
            keeps: verdict == Verdict::SoftDelete,
            verdict,
            rule: found.and_then(|index| u32::try_from(index).ok()),
            by_content: false,
        }
    }

    fn ask(&self, _: &Question<'_>, _: &Judgement, _: &Caller<'_>) -> Answer {
        self.answer
    }

    fn refuses_device(&self, _: &Question<'_>, _: &rustix::fs::Stat) -> Option<Judgement> {
        None
    }

    fn differs_below(&self, folder: &Path) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.path.starts_with(folder) || folder.starts_with(&rule.path))
    }

    fn redirects(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| matches!(rule.verdict, Verdict::Redirect { .. }))
    }
}

impl FileRecorder for Seen {
    fn record(&self, record: &FileRecord<'_>) {
        if self.quiet.load(std::sync::atomic::Ordering::Relaxed) {
            return;
        }
        let line = format!(
            "{} {} {:?} {:?} kept {:?}",
            record.operation.name(),
            record.path.display(),
            record.effect,
            record.result,
            record.kept,
        );
        if let Ok(mut lines) = self.lines.lock() {
            lines.push(line);
        }
    }
}

/// A trash that copies names and sizes into a list, or refuses.
pub struct List {
    pub kept: Mutex<Vec<String>>,
    pub refuse: Option<Errno>,
}

impl Trash for List {
    fn keep(&self, doomed: &Doomed<'_>) -> std::result::Result<Kept, Errno> {
        if let Some(errno) = self.refuse {
            return Err(errno);
        }
        let size = match (doomed.object, doomed.entry) {
            (Some(object), _) => rustix::fs::fstat(object)?.st_size,
            (None, Some((parent, name))) => {
                rustix::fs::statat(parent, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?.st_size
            }
            (None, None) => return Err(Errno::INVAL),
        };
        let Ok(mut kept) = self.kept.lock() else {
            return Err(Errno::IO);
        };
        kept.push(format!("{:?} {} {size}", doomed.loss, doomed.path.display()));
        Ok(Kept::Copy(kept.len() as u64))
    }

    fn origin(&self, _: &Path) -> Option<PathBuf> {
        None
    }

    fn fill(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> std::result::Result<(), Errno> {
        let open = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().map(std::fs::File::from);
        let copied = open(from).and_then(|mut from| std::io::copy(&mut from, &mut open(to)?));
        match (self.refuse, copied) {
            (None, Ok(_)) => Ok(()),
            (refused, _) => Err(refused.unwrap_or(Errno::IO)),
        }
    }

    fn settle(&self, kept: Kept, lost: bool) {
        if let (Kept::Copy(number), false, Ok(mut list)) = (kept, lost, self.kept.lock()) {
            list[number as usize - 1].push_str(" (not lost)");
        }
    }
}

/// The caged program's own processes: all but ours.
pub struct NotUs;

impl Tasks for NotUs {
    fn contains(&self, tgid: i32) -> bool {
        tgid != std::process::id() as i32 && tgid != 1
    }
}

pub struct Rig {
    pub engine: Arc<FileEngine>,
    pub seen: Arc<Seen>,
    pub trash: Arc<List>,
}

impl Rig {
    pub fn new(rules: Rules) -> Result<Self> {
        Self::with_trash(rules, None)
    }

    pub fn with_trash(rules: Rules, refuse: Option<Errno>) -> Result<Self> {
        Self::judged_by(Arc::new(rules), refuse)
    }

    pub fn judged_by(judge: Arc<dyn FileJudge>, refuse: Option<Errno>) -> Result<Self> {
        let seen = Arc::new(Seen::default());
        let trash = Arc::new(List {
            kept: Mutex::default(),
            refuse,
        });
        let parts = Parts {
            judge,
            trash: trash.clone(),
            recorder: seen.clone(),
            tasks: Arc::new(NotUs),
            folders: Arc::default(),
        };
        Ok(Rig {
            engine: FileEngine::new(parts)?,
            seen,
            trash,
        })
    }

    pub fn start(&self, command: Command) -> Result<Caged> {
        let engine: Arc<dyn Handler> = self.engine.clone();
        let mut numbers = FileEngine::numbers();
        numbers.extend(Guard::CALLS);
        numbers.sort_unstable();
        support::cage(command, &numbers, move |root| Log::guarding(root, engine))
    }

    /// Runs `command` and returns its output; its errors are the test's.
    pub fn run(&self, command: Command) -> Result<String> {
        let output = self.start(command)?.output()?;
        let (out, err) = (support::text(&output.stdout), support::text(&output.stderr));
        if output.status.success() {
            Ok(out)
        } else {
            Err(format!("{:?}: {}{err}", output.status, &out[out.len().saturating_sub(1000)..]).into())
        }
    }

    /// Runs a line of `sh` in `folder`; standard error is part of what comes back, and failing is no error.
    pub fn sh(&self, folder: &Path, line: &str) -> Result<String> {
        let mut command = support::program("/bin/sh", &["-c", &format!("exec 2>&1; {line}")]);
        command.current_dir(folder).env("LC_ALL", "C");
        let output = self.start(command)?.output()?;
        Ok(support::text(&output.stdout))
    }

    pub fn kept(&self) -> Vec<String> {
        self.trash.kept.lock().map(|kept| kept.clone()).unwrap_or_default()
    }

    pub fn lines(&self) -> Vec<String> {
        self.seen.lines.lock().map(|lines| lines.clone()).unwrap_or_default()
    }
}
