//! Relative names mean what they mean to the kernel, however working directories change.

use agentsh_tests::{Result, Shell, User, World, fail, record};

const SCRIPT: &str = include_str!("here.py");

#[test]
fn a_relative_name_is_looked_for_where_the_thread_works() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let script = world.user().home.join("here.py");
        world.user().write_file(&script, SCRIPT, 0o644)?;
        let top = world.workspace();
        let text = format!("python3 -S {} {}", script.display(), top.display());
        let outcome = Shell::named("bash").args(["-c", &text]).run_shimmed(&world)?;
        outcome.expect_success("relative names")?;
        let lines: Vec<String> = outcome.out().lines().map(str::to_owned).collect();
        let [files] = lines.as_slice() else {
            return Err(fail(format!("{lines:#?}")));
        };
        if !files.starts_with("files ") {
            return Err(fail(files.clone()));
        }
        recorded(&world)?;
    }
    Ok(())
}

/// The record names each file where it was made.
fn recorded(world: &World) -> Result {
    for place in [
        "a/alone-0-4",
        "b/alone-1-4",
        "a/thread-48-4",
        "b/thread-49-4",
        "b/after-4",
        "b/own-3-4",
        "b/executed-3",
        "c/moved-4",
        "b/shared-19-4",
    ] {
        let path = world.workspace().join(place);
        record::await_event(world, place, |event| {
            event.kind == "file_create" && event.path.as_ref().is_some_and(|it| it.as_os_str() == path)
        })?;
    }
    Ok(())
}
