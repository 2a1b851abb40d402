//! kill -9 in the middle of a rollback, at many places.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use support::snapshot::{Tree, differences, snapshot};
use support::{Ground, Tested, exists};

const FILES: usize = 400;
const ROLE: &str = "KEEP_TEST_ROLLBACK_OF";

fn furnish(work: &Path, word: &str) -> std::io::Result<()> {
    for number in 0..FILES {
        let folder = work.join(format!("{word}-{}", number % 20));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(number.to_string()), format!("{word} {number}"))?;
        fs::write(work.join(format!("file-{number}")), format!("{word} {number}"))?;
    }
    Ok(())
}

/// The child's part: the rollback that is to be killed. Does nothing when it is run as a test.
#[test]
fn the_rollback_that_is_killed() -> Tested {
    let Some(role) = std::env::var_os(ROLE) else {
        return Ok(());
    };
    let base = PathBuf::from(role);
    let trash = agentsh_keep::trash::Trash::open(&base.join("state"), None, Default::default())?;
    let store = base.join("state/checkpoints");
    let checkpoints =
        agentsh_keep::checkpoint::Checkpoints::open(&store, &base.join("work"), std::sync::Arc::new(trash))?;
    let oldest = checkpoints.list()?.checkpoints.first().ok_or("no checkpoint")?.id;
    checkpoints.rollback(oldest, false)?;
    Ok(())
}

fn start(base: &Path) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["--exact", "the_rollback_that_is_killed"])
        .env(ROLE, base)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Kills the child as soon as `reached` says so; false if it had ended before.
fn kill_when(child: &mut Child, reached: impl Fn() -> bool) -> std::io::Result<bool> {
    loop {
        if reached() {
            child.kill()?;
            return Ok(!child.wait()?.success());
        }
        if child.try_wait()?.is_some() {
            return Ok(false);
        }
        std::hint::spin_loop();
    }
}

struct Case {
    ground: Ground,
    original: Tree,
    changed: Tree,
}

impl Case {
    fn new() -> Result<Case, Box<dyn std::error::Error>> {
        // In memory: a rollback waits until its file system is on disk, other programs' files included.
        let ground = Ground::within(Path::new("/dev/shm")).or_else(|_| Ground::new())?;
        furnish(&ground.work(), "old")?;
        let original = snapshot(&ground.work())?;
        ground.checkpoints()?.create(None)?;
        for folder in 0..20 {
            fs::remove_dir_all(ground.work().join(format!("old-{folder}")))?;
        }
        furnish(&ground.work(), "new")?;
        let changed = snapshot(&ground.work())?;
        Ok(Case {
            ground,
            original,
            changed,
        })
    }

    fn stage(&self) -> Option<PathBuf> {
        let staged = self.ground.state().join("trash/staged");
        fs::read_dir(staged).ok()?.next()?.ok().map(|entry| entry.path())
    }
}

#[test]
fn killed_before_the_decision_it_leaves_the_old_state() -> Tested {
    let mut hits = 0;
    for threshold in [1, 50, 200, 400] {
        let case = Case::new()?;
        let base = case.ground.work().parent().ok_or("no parent")?.to_owned();
        let journal = case.ground.store().join("journal");
        let mut child = start(&base)?;
        let killed = kill_when(&mut child, || {
            case.stage().is_some_and(|stage| count(&stage.join("new")) >= threshold)
        })?;
        if !killed || exists(&journal) {
            continue; // it was faster than we
        }
        hits += 1;
        assert_eq!(
            differences(&case.changed, &snapshot(&case.ground.work())?),
            Vec::<String>::new()
        );
        let checkpoints = case.ground.checkpoints()?;
        assert_eq!(checkpoints.recovered(), None);
        let oldest = checkpoints.list()?.checkpoints[0].id;
        checkpoints.rollback(oldest, false)?;
        assert_eq!(
            differences(&case.original, &snapshot(&case.ground.work())?),
            Vec::<String>::new()
        );
    }
    assert!(hits > 0, "no kill came in time");
    Ok(())
}

#[test]
fn killed_after_the_decision_it_is_ended_by_the_next_one_to_come() -> Tested {
    let mut hits = 0;
    for threshold in [0, 1, 10, 100, 200, 350, 419] {
        let case = Case::new()?;
        let base = case.ground.work().parent().ok_or("no parent")?.to_owned();
        let journal = case.ground.store().join("journal");
        let mut child = start(&base)?;
        let killed = kill_when(&mut child, || {
            exists(&journal) && case.stage().is_some_and(|stage| count(&stage.join("old")) >= threshold)
        })?;
        if !killed || !exists(&journal) {
            continue;
        }
        hits += 1;
        let checkpoints = case.ground.checkpoints()?;
        let recovered = checkpoints.recovered().ok_or("not recovered")?;
        assert_eq!(
            (&recovered.problems, &recovered.kept),
            (&vec![], &vec![]),
            "at {threshold}"
        );
        assert_eq!(
            differences(&case.original, &snapshot(&case.ground.work())?),
            Vec::<String>::new()
        );
        assert!(!exists(&journal));
        let undo = recovered.undo.ok_or("no undo")?;
        checkpoints.rollback(undo, false)?;
        assert_eq!(
            differences(&case.changed, &snapshot(&case.ground.work())?),
            Vec::<String>::new()
        );
    }
    assert!(hits > 0, "no kill came in time");
    Ok(())
}
