//! What all parts use.

use std::path::PathBuf;
use std::time::Duration;

use agentsh_terminal::recording::Recording;
use agentsh_tests::pty::Terminal;
use agentsh_tests::record::{await_event, sessions};
use agentsh_tests::shell::Subject;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::world::processes::{Process, wait_until};
use agentsh_tests::{Result, Shell, World, fail};

pub const SOON: Duration = Duration::from_secs(30);

pub fn check(yes: bool, what: &str, seen: &impl std::fmt::Debug) -> Result {
    match yes {
        true => Ok(()),
        false => Err(fail(format!("{what}: {seen:#?}"))),
    }
}

/// Our bash with a prompt that is told from everything else.
pub fn bash() -> Shell {
    interactive("bash", &["--norc", "--noprofile", "-i"])
}

pub fn interactive(name: &str, args: &[&str]) -> Shell {
    Shell::named(name)
        .args(args)
        .on_terminal()
        .env("PS1", "P> ")
        .env("PROMPT", "P> ")
        .env("TERM", "xterm")
        .env("HISTFILE", "/dev/null")
}

pub fn open(shell: &Shell, world: &World) -> Result<Terminal> {
    Terminal::open(&shell.clone().cwd(world.workspace()), world, &Subject::shims())
}

/// `agentsh ARGS` on a terminal of its own.
pub fn agentsh(world: &World, args: &[&str]) -> Result<Terminal> {
    let shell = Shell::program(format!("{PRODUCT}/agentsh")).args(args).on_terminal();
    Terminal::open(&shell.env("TERM", "xterm"), world, &Subject::Real)
}

/// The id of the world's only command.
pub fn command(world: &World) -> Result<String> {
    let started = await_event(world, "a command", |event| event.kind == "command_started")?;
    Ok(started.command_id.unwrap_or_default())
}

/// The files of all recordings, oldest first, once there are `count`.
pub fn recordings(world: &World, count: usize) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    wait_until(SOON, || {
        found = files(world);
        found.len() >= count
    });
    check(found.len() == count, "so many recordings", &found)?;
    Ok(found)
}

fn files(world: &World) -> Vec<PathBuf> {
    let folders = sessions(world).unwrap_or_default();
    let mut found: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder.join("recordings")).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| {
            [".cast", ".cast.zst"]
                .iter()
                .any(|end| path.to_string_lossy().ends_with(end))
        })
        .collect();
    found.sort();
    found
}

/// The only recording, once it is closed.
pub fn recording(world: &World) -> Result<Recording> {
    let path = recordings(world, 1)?.remove(0);
    wait_until(SOON, || ended(world));
    let path = if path.exists() {
        path
    } else {
        recordings(world, 1)?.remove(0)
    };
    Ok(Recording::open(&path)?)
}

/// All terminals of the world are closed.
fn ended(world: &World) -> bool {
    let events = agentsh_tests::record::events(world).unwrap_or_default();
    let count = |kind: &str| events.iter().filter(|event| event.kind == kind).count();
    count("pty_open") > 0 && count("pty_open") == count("pty_close")
}

/// What the recording printed.
pub fn output(recording: &Recording) -> String {
    recording.events.iter().filter_map(|event| event.output()).collect()
}

/// Relay and monitor of the world's only terminal.
pub fn relay_and_monitor(world: &World) -> Result<(Process, Process)> {
    let mut found = None;
    wait_until(SOON, || {
        let (ours, programs): (Vec<_>, Vec<_>) = world
            .processes()
            .into_iter()
            .partition(|process| process.exe.ends_with("agentsh-shell-shim"));
        // The program's parent, and that one's.
        let above = |one: &Process| ours.iter().find(|other| other.pid == one.parent).cloned();
        found = programs.iter().find_map(|program| {
            let monitor = above(program)?;
            Some((above(&monitor)?, monitor))
        });
        found.is_some()
    });
    found.ok_or_else(|| fail(format!("no relay with a monitor: {:#?}", world.processes())))
}
