//! A judge that bans by base name and argument, and remembers what it was asked and told.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use agentsh_intercept::{
    Beginning, Errno, ExecDecision, ExecRequest, ExecSettled, Fork, Guard, Guarded, Handler, Judge, Locator, Observer,
    Stage, Table,
};

use super::text;

#[derive(Default)]
pub struct Log {
    pub banned: Vec<String>,
    /// Program and first argument.
    pub banned_argument: Option<(String, String)>,
    pub nameless: bool,
    pub asked: Mutex<Vec<String>>,
    pub forks: Mutex<Vec<Fork>>,
    pub exits: Mutex<Vec<(i32, u8)>>,
    pub settled: Mutex<Vec<(i32, ExecSettled)>>,
    pub refused: Mutex<usize>,
}

/// How a cage's first process begins: as this one is.
pub fn beginning(root: i32) -> Beginning {
    let groups = rustix::process::getgroups().unwrap_or_default();
    Beginning {
        pid: root,
        groups: groups.iter().map(|group| group.as_raw()).collect(),
        permitted: u64::MAX,
        no_new_privs: true,
        in_our_namespace: true,
    }
}

/// No other task counts as the session's own.
pub struct Nobody;

impl agentsh_intercept::files::Tasks for Nobody {
    fn contains(&self, _tgid: i32) -> bool {
        false
    }
}

fn add<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(item);
}

impl Log {
    pub fn banning(names: &[&str]) -> Log {
        Log {
            banned: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Log::default()
        }
    }

    /// `inner` behind a guard that lets everything run.
    pub fn guarding(root: i32, inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
        Arc::new(Log::default()).before(root, inner)
    }

    pub fn handler(self: &Arc<Self>, root: i32) -> Arc<dyn Handler> {
        self.before(root, Arc::new(Table::new()))
    }

    fn before(self: &Arc<Self>, root: i32, inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
        let Ok(locator) = Locator::new(Arc::new(Nobody), false) else {
            return Arc::new(Table::new());
        };
        let guard = Guard::new(
            &beginning(root),
            locator,
            Arc::clone(self) as Arc<dyn Judge>,
            Arc::clone(self) as Arc<dyn Observer>,
        );
        Arc::new(Guarded::new(guard, inner))
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn count(&self, settled: impl Fn(&ExecSettled) -> bool) -> usize {
        self.settled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|(_, one)| settled(one))
            .count()
    }
}

fn base(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

impl Judge for Log {
    fn exec(&self, request: &ExecRequest<'_>) -> ExecDecision {
        let mut banned = false;
        let mut words = Vec::new();
        for subject in &request.subjects {
            let name = subject.place.path().map(base).unwrap_or_else(|| "?".into());
            banned |= self.banned.contains(&name);
            if let Some((program, word)) = &self.banned_argument {
                let first = subject.argv.get(1).map(|argument| text(argument.as_bytes()));
                banned |= name == *program && first.as_ref() == Some(word);
            }
            words.push(format!("{:?}:{name}", subject.role));
        }
        let stage = if request.stage == Stage::Asked { "" } else { "running " };
        add(&self.asked, format!("{stage}{} {}", request.depth, words.join(" ")));
        if banned {
            ExecDecision::Deny(Errno::ACCESS)
        } else {
            ExecDecision::Allow
        }
    }

    fn nameless_programs(&self) -> bool {
        self.nameless
    }
}

impl Observer for Log {
    fn forked(&self, fork: Fork) {
        add(&self.forks, fork);
    }

    fn exited(&self, tgid: i32, status: u8) {
        add(&self.exits, (tgid, status));
    }

    fn exec_refused(&self, _request: &ExecRequest<'_>, _errno: Errno) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn exec_settled(&self, tgid: i32, settled: &ExecSettled) {
        add(&self.settled, (tgid, settled.clone()));
    }
}

pub fn words(output: &std::process::Output) -> (String, String) {
    (text(&output.stdout), text(&output.stderr))
}
