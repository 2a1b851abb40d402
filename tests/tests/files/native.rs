//! The table of calls and path forms, in a session and without one, must print the same.

use std::time::Duration;

use agentsh_tests::{Result, User, World, oracle, session};

use crate::numbers::numbers;

/// Makes every call with every form of path and prints what came of it.
const TABLE: &str = include_str!("../../../ptyd/intercept/tests/files/table.py");

/// Names that start at what is no folder.
const STARTS: &str = include_str!("starts.py");

const PATIENCE: Duration = Duration::from_secs(400);

fn table(user: User, who: &str) -> Result {
    let world = World::new(user)?;
    let script = world.user().home.join("table.py");
    world.user().write_file(&script, TABLE, 0o644)?;
    let script = script.to_string_lossy().into_owned();
    let numbers = numbers();
    let argv = |role| ["python3", "-S", &script, &numbers, "/tmp/base", who, role];
    let program = |role| oracle::program(&world, &argv(role)).deadline(PATIENCE);
    for fifo in ["/tmp/base.asked", "/tmp/base.answered"] {
        nix::unistd::mkfifo(fifo, nix::sys::stat::Mode::S_IRWXU)?;
        world.user().own(fifo.as_ref())?;
    }
    let gardener = program("gardener").spawn(&world)?;
    let native = program("caller").run(&world)?;
    gardener.finish(PATIENCE)?;
    // Whatever the user may do is allowed: what differs is our doing.
    let policy = session::BASE.replace("write: deny", "write: allow");
    let policy = session::write_policy(&world, "free", &policy)?;
    let session = session::create(&world, &["--policy", &policy.to_string_lossy()])?.id;
    let gardener = program("gardener").spawn(&world)?;
    let caged = session::exec(&session, &[], &argv("caller"))
        .deadline(PATIENCE)
        .run(&world)?;
    gardener.finish(PATIENCE)?;
    oracle::same(&native, &caged, 3001)
}

#[test]
fn every_call_with_every_form_of_path_comes_out_as_without_a_session() -> Result {
    table(User::agent(), "self")
}

#[test]
fn so_it_does_for_root_and_for_those_whom_root_becomes() -> Result {
    table(User::root(), "self")?;
    table(User::root(), "nobody")
}

#[test]
fn so_it_does_in_a_chroot() -> Result {
    table(User::root(), "chrooted")
}

#[test]
fn a_name_that_starts_at_no_folder_leads_nowhere_in_the_same_words() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let script = world.user().home.join("starts.py");
        world.user().write_file(&script, STARTS, 0o644)?;
        let script = script.to_string_lossy().into_owned();
        let run = |folder: &str, session: Option<&str>| -> Result<_> {
            let folder = world.workspace().join(folder);
            world.user().make_folder(&folder)?;
            let argv = ["python3", "-S", &script, &folder.to_string_lossy()];
            match session {
                Some(session) => session::exec(session, &[], &argv).run(&world),
                None => oracle::program(&world, &argv).run(&world),
            }
        };
        let native = run("native", None)?;
        let session = session::create(&world, &[])?.id;
        oracle::same(&native, &run("caged", Some(&session))?, 2700)?;
    }
    Ok(())
}

#[test]
fn what_is_only_looked_at_before_a_call_has_no_new_access_time() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let text = "mkdir d; echo 1 > f; ln f g; touch -a -d @0 d f; rm g; mv d e; stat -c %X e f";
        let native = oracle::program(&world, &["sh", "-c", &format!("mkdir native; cd native; {text}")]).run(&world)?;
        let session = session::create(&world, &[])?.id;
        oracle::same(
            &native,
            &session::exec(&session, &[], &["sh", "-c", text]).run(&world)?,
            2,
        )?;
    }
    Ok(())
}
