//! The commands of a session.

use std::collections::BTreeMap;
use std::sync::Arc;

use agentsh_intercept::Guard;
use agentsh_protocol::Bytes;
use agentsh_protocol::api::{CommandInfo, CommandState, PolicyOutcome};

use crate::process::Identity;

/// How many ended commands are kept in memory; the record has them all.
const REMEMBERED: usize = 256;

/// One command while the supervisor knows it.
pub(crate) struct Command {
    pub info: CommandInfo,
    pub root: Option<Identity>,
    /// Knows its processes while it is served.
    pub guard: Option<Arc<Guard>>,
    /// Whether any process of it may live: its listener has not hung up.
    pub served: bool,
}

impl Command {
    /// Its first process and all that were seen to belong to it.
    pub(crate) fn processes(&self) -> Vec<Identity> {
        let seen = self.guard.iter().flat_map(|guard| guard.processes());
        let seen = seen.map(|(pid, start)| Identity { pid, start });
        seen.chain(self.root).collect()
    }
}

/// All commands by id: ids begin with their time, so the order is that of their starts.
#[derive(Default)]
pub(crate) struct Commands(BTreeMap<String, Command>);

impl Commands {
    /// Takes a command in, and forgets the oldest that are over.
    pub(crate) fn insert(&mut self, command: Command) {
        self.0.insert(command.info.id.clone(), command);
        while self.0.len() > REMEMBERED {
            let over = |command: &Command| !command.served && command.info.state != CommandState::Running;
            let Some(oldest) = self
                .0
                .iter()
                .find(|(_, command)| over(command))
                .map(|(id, _)| id.clone())
            else {
                break;
            };
            self.0.remove(&oldest);
        }
    }

    /// Whether the id is taken.
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Command> {
        self.0.get_mut(id)
    }

    /// The commands that an id or the beginning of one means.
    pub(crate) fn matching<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a Command> {
        self.0
            .values()
            .filter(move |command| !word.is_empty() && command.info.id.starts_with(word))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Command> {
        self.0.values()
    }

    /// How many have living processes.
    pub(crate) fn served(&self) -> usize {
        self.0.values().filter(|command| command.served).count()
    }
}

/// A command that was refused before it started.
pub(crate) fn refused(
    id: String,
    session_id: &str,
    argv: Vec<Bytes>,
    cwd: Option<Bytes>,
    pid: i32,
    policy: PolicyOutcome,
) -> Command {
    let now = agentsh_audit::time::now_rfc3339();
    Command {
        info: CommandInfo {
            id,
            session_id: session_id.to_owned(),
            argv,
            cwd,
            pid,
            state: CommandState::Refused,
            started: now.clone(),
            ended: Some(now),
            exit_code: Some(126),
            signal: None,
            limit: None,
            terminal: false,
            policy,
        },
        root: None,
        guard: None,
        served: false,
    }
}
