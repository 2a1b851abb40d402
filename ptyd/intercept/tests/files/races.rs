//! Second threads that change what a call means while it is judged: nothing denied is ever reached.
//!
//! Two seconds each; `AGENTSH_RACE_SECONDS` asks for more.

use std::fs;

use crate::rig::{Rig, Rules};
use crate::support::{Result, compiled, program};

const ATTACKS: &str = include_str!("attacks.c");

fn race(kind: &str) -> Result {
    let folder = tempfile::tempdir()?;
    let top = folder.path();
    for name in ["guarded", "free", "one", "repo"] {
        fs::create_dir(top.join(name))?;
    }
    fs::write(top.join("guarded/secret"), "secret text")?;
    fs::write(top.join("free/file"), "free text")?;
    fs::write(top.join("one/secret"), "free text")?;
    std::os::unix::fs::symlink("guarded", top.join("two"))?;
    let rules = Rules::allow_all()
        .deny(top.join("guarded"))
        .deny(top.join("repo/git/hooks"));
    let seconds = std::env::var("AGENTSH_RACE_SECONDS").unwrap_or_else(|_| "2".into());
    let mut command = program(compiled("attacks", ATTACKS, &["-O1"])?, &[kind, &seconds]);
    command.current_dir(top);
    assert_eq!(Rig::new(rules)?.run(command)?, "leaks 0\n");
    assert_eq!(fs::read_to_string(top.join("guarded/secret"))?, "secret text");
    use std::os::unix::fs::MetadataExt;
    let guarded = fs::metadata(top.join("guarded/secret"))?;
    assert_eq!((guarded.nlink(), guarded.mode() & 0o7777), (1, 0o644));
    assert!(!fs::exists(top.join("repo/git/hooks"))?);
    Ok(())
}

#[test]
fn a_thread_that_rewrites_the_path_gains_nothing() -> Result {
    race("text")
}

#[test]
fn a_thread_that_swaps_a_symlink_gains_nothing() -> Result {
    race("symlink")
}

#[test]
fn a_thread_that_exchanges_folders_gains_nothing() -> Result {
    race("exchange")
}

#[test]
fn a_thread_that_moves_a_growing_tree_under_a_guarded_name_gains_nothing() -> Result {
    race("move")
}
