//! Ways around a judgement of names that no table of calls has, by effect.

use std::collections::BTreeMap;
use std::fs;

use agentsh_tests::{Result, Shell, User, World, fail, session};

const SCRIPT: &str = include_str!("corners.py");

/// Nothing of `guarded` may be done; what is in `seen` may be read.
const RULES: &str = r#"  - {name: seen, paths: ["${PROJECT_ROOT}/guarded/seen"], operations: [read, open, stat], decision: allow}
  - {name: guard, paths: ["${PROJECT_ROOT}/guarded", "${PROJECT_ROOT}/guarded/**"], operations: ["*"], decision: deny}
  - {name: keep, paths: ["${PROJECT_ROOT}/**"], operations: [delete, truncate], decision: soft_delete}"#;

/// Attempts that no session may succeed with, whatever the rules say, and how they end.
const NEVER: [(&str, &str); 12] = [
    ("file_setattr", "ENOSYS"),
    ("fallocate by an old request", "ENOTTY"),
    ("zeroes by a request", "ENOTTY"),
    ("a subvolume", "EPERM"),
    ("a snapshot's removal", "EPERM"),
    ("fs-verity", "ENOTSUP"),
    ("an encryption policy", "ENOTSUP"),
    ("a key taken away", "ENOTSUP"),
    ("a received tree", "ENOTSUP"),
    ("fanotify", "EPERM"),
    ("quotactl", "EPERM"),
    ("open_by_handle_at", "EPERM"),
];

/// Attempts that the kernel itself refuses.
const KERNEL: [&str; 4] = [
    "a writable mapping of what is open for reading",
    "sendfile onto what is open for reading",
    "copy_file_range onto what is open for reading",
    "FICLONE onto what is open for reading",
];

fn lay_out(world: &World) -> Result {
    let top = world.workspace();
    for folder in ["guarded", "free"] {
        for file in ["f", "seen"] {
            world
                .user()
                .write_file(&top.join(folder).join(file), "precious\n", 0o644)?;
        }
    }
    for file in ["own", "data"] {
        world.user().write_file(&top.join(file), "own content\n", 0o644)?;
    }
    world
        .user()
        .write_file(&world.user().home.join("corners.py"), SCRIPT, 0o644)
}

fn state(world: &World) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(world.workspace().join("guarded"))? {
        let path = entry?.path();
        found.push(format!("{path:?} {:?}", fs::read_to_string(&path)));
    }
    found.sort();
    Ok(found)
}

fn paths(world: &World) -> (String, String) {
    let script = world.user().home.join("corners.py");
    let texts = [script, world.workspace()].map(|path| path.to_string_lossy().into_owned());
    let [script, top] = texts;
    (script, top)
}

/// What the attempts come to without a session.
fn natively(user: User) -> Result<BTreeMap<String, String>> {
    let world = World::new(user)?;
    lay_out(&world)?;
    let (script, top) = paths(&world);
    let outcome = Shell::program("python3")
        .args(["-S", &script, &top, "free"])
        .run(&world)?;
    outcome.expect_success("natively")?;
    outcome.json()
}

#[test]
fn no_other_way_leads_to_what_a_rule_guards() -> Result {
    for user in User::both() {
        let native = natively(user.clone())?;
        let world = World::new(user)?;
        lay_out(&world)?;
        let (script, top) = paths(&world);
        let argv = |folder| ["python3", "-S", script.as_str(), top.as_str(), folder];
        let session = crate::attempts::session(&world, RULES, "")?;
        let before = state(&world)?;
        let tried = session::run(&world, &session, &argv("guarded"))?;
        tried.expect_success("the attempts")?;
        let tried: BTreeMap<String, String> = tried.json()?;
        let mut wrong: Vec<String> = Vec::new();
        for (name, said) in &tried {
            let never = NEVER.iter().find(|(never, _)| never == name).map(|(_, errno)| *errno);
            let right = match never {
                Some(errno) => said == errno,
                None if KERNEL.contains(&name.as_str()) => said.starts_with('E'),
                None => said == "EACCES",
            };
            if !right {
                wrong.push(format!("{name}: {said}"));
            }
        }
        let own = |file| fs::read_to_string(world.workspace().join(file)).is_ok_and(|text| text == "own content\n");
        if state(&world)? != before || !own("own") || !own("data") {
            wrong.push(format!("{:?}, was {before:?}", state(&world)?));
        }
        // On what is free the same attempts come out as without a session, those apart that no session may make.
        let free: BTreeMap<String, String> = session::run(&world, &session, &argv("free"))?.json()?;
        for (name, said) in &free {
            if !NEVER.iter().any(|(never, _)| never == name) && native.get(name) != Some(said) {
                wrong.push(format!(
                    "{name} on what is free: {said}, natively {:?}",
                    native.get(name)
                ));
            }
        }
        if !wrong.is_empty() {
            return Err(fail(wrong.join("\n")));
        }
    }
    Ok(())
}
