//! What the suites of this crate share.
#![allow(dead_code, reason = "each suite uses its own part")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use agentsh_audit::read::{Filter, Order, query};
use agentsh_audit::{Event, EventDraft, EventType, Options, Outcome, SessionDir};

pub type Done = Result<(), Box<dyn std::error::Error>>;

/// Patience of the tests themselves.
pub const LONG: Duration = Duration::from_secs(60);

pub fn session(state: &Path) -> Result<SessionDir, Box<dyn std::error::Error>> {
    Ok(SessionDir::new(state, &agentsh_protocol::new_id())?)
}

/// Nothing is written unless it is asked for.
pub fn lazy() -> Options {
    Options {
        window: LONG,
        ..Options::default()
    }
}

pub fn write(path: &[u8]) -> EventDraft<'_> {
    EventDraft {
        path: Some(path),
        policy: Some(Outcome::allow(Some("rule"))),
        ..EventDraft::new(EventType::FileWrite)
    }
}

pub fn read(path: &[u8]) -> EventDraft<'_> {
    EventDraft {
        kind: EventType::FileRead,
        ..write(path)
    }
}

pub fn all(session: &SessionDir) -> Result<Vec<Event>, Box<dyn std::error::Error>> {
    let found = query(
        std::slice::from_ref(session),
        &Filter::default(),
        Order::OldestFirst,
        usize::MAX,
    );
    match found.problems.into_iter().next() {
        Some(problem) => Err(problem.into()),
        None => Ok(found.events),
    }
}

/// What a death of all processes at this moment would leave: the files as they are, in another state folder.
pub fn image(session: &SessionDir, state: &Path) -> Result<SessionDir, Box<dyn std::error::Error>> {
    let copy = SessionDir::new(state, session.id())?;
    std::fs::create_dir_all(copy.path())?;
    for entry in std::fs::read_dir(session.path())? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name()))?;
        }
    }
    if let (Some(parent), true) = (copy.anchor_path().parent(), session.anchor_path().exists()) {
        std::fs::create_dir_all(parent)?;
        std::fs::copy(session.anchor_path(), copy.anchor_path())?;
    }
    Ok(copy)
}

/// This test program again, running one of its ignored tests as a process of its own.
pub fn child(test: &str) -> Result<Command, std::io::Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    Ok(command)
}
