//! `agentsh checkpoint`: the state before, the way back, and the way back from that.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use agentsh_tests::{Result, User, World, fail, record, session};
use serde_json::Value;

/// Every path below the workspace with its mode and contents, the repository's own folder left out.
fn state(world: &World) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![world.workspace()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let about = fs::symlink_metadata(&path)?;
            let contents = match (about.is_symlink(), about.is_dir()) {
                (true, _) => format!("{:?}", fs::read_link(&path)?),
                (_, true) => String::new(),
                _ => fs::read_to_string(&path)?,
            };
            if about.is_dir() && !path.ends_with(".git") && !path.to_string_lossy().contains(".agentsh-trash") {
                folders.push(path.clone());
            }
            if !path.ends_with(".git") && !path.to_string_lossy().contains(".agentsh-trash") {
                found.push(format!("{path:?} {:o} {contents}", about.permissions().mode()));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn lay_out(world: &World) -> Result {
    for (file, text, mode) in [
        ("a", "one\n", 0o644),
        (".hidden", "two\n", 0o600),
        ("b/c", "three\n", 0o755),
    ] {
        world.user().write_file(&world.workspace().join(file), text, mode)?;
    }
    world.user().make_folder(&world.workspace().join("empty"))?;
    let link = world.workspace().join("link");
    std::os::unix::fs::symlink("a", &link)?;
    Ok(std::os::unix::fs::lchown(
        link,
        Some(world.user().uid),
        Some(world.user().gid),
    )?)
}

fn id_of(world: &World, args: &[&str]) -> Result<String> {
    let outcome = world.agentsh(["checkpoint", "create"].iter().chain(args))?;
    outcome.expect_success("checkpoint create")?;
    Ok(outcome.out().trim_end().to_owned())
}

#[test]
fn a_rollback_brings_the_state_back_and_is_undone_by_another() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        lay_out(&world)?;
        let session = session::create(&world, &[])?.id;
        let before = state(&world)?;
        let id = id_of(&world, &["--session", &session, "--label", "before"])?;
        let change = "rm -rf b empty link; echo changed > a; chmod 700 .hidden; mkdir -p new/deep; echo x > new/deep/y";
        session::run(&world, &session, &["bash", "-c", change])?.expect_success("changes")?;
        let after = state(&world)?;
        if before == after {
            return Err(fail("nothing was changed"));
        }
        let changes: Value = world.agentsh(["checkpoint", "show", &id, "--diff", "--json"])?.json()?;
        let words = changes.to_string();
        for word in ["created", "removed", "contents", "attributes", "new/deep/y", ".hidden"] {
            if !words.contains(word) {
                return Err(fail(format!("{word} is not in {words}")));
            }
        }
        let diff = world.agentsh(["checkpoint", "show", &id, "--diff", "a"])?.out();
        if !diff.contains("-one") || !diff.contains("+changed") {
            return Err(fail(diff));
        }
        let dry: Value = world
            .agentsh(["checkpoint", "rollback", &id, "--dry-run", "--json"])?
            .json()?;
        if !dry["undo"].is_null() || state(&world)? != after {
            return Err(fail(format!("a dry run: {dry}")));
        }
        let done = world.agentsh(["checkpoint", "rollback", &id, "--json"])?;
        done.expect_success("rollback")?;
        let done: Value = done.json()?;
        if state(&world)? != before {
            return Err(fail(format!("{:#?}\n{before:#?}", state(&world)?)));
        }
        let undo = done["undo"].as_str().ok_or_else(|| fail(format!("no undo: {done}")))?;
        world
            .agentsh(["checkpoint", "rollback", undo])?
            .expect_success("undo")?;
        if state(&world)? != after {
            return Err(fail(format!("{:#?}\n{after:#?}", state(&world)?)));
        }
    }
    Ok(())
}

#[test]
fn a_command_that_policy_names_has_a_checkpoint_made_before_it() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        lay_out(&world)?;
        let before = state(&world)?;
        let policy = format!(
            "{}checkpoints: {{auto: [\"rm -rf *\", truncate], keep: 2}}\n",
            session::BASE
        );
        let path = session::write_policy(&world, "auto", &policy)?;
        let session = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
        let bash = |text: &str| session::run(&world, &session, &["bash", "-c", text]);
        bash("rm -f nothing; cat a")?.expect_success("what is not named")?;
        let listed = || -> Result<Vec<Value>> { world.agentsh(["checkpoint", "list", "--json"])?.json() };
        if !listed()?.is_empty() {
            return Err(fail(format!("{:?}", listed()?)));
        }
        bash("rm -rf b empty; rm link")?.expect_success("rm")?;
        let [made] = &listed()?[..] else {
            return Err(fail(format!("{:?}", listed()?)));
        };
        let id = made["id"].as_str().unwrap_or_default().to_owned();
        record::await_event(&world, "the checkpoint", |event| {
            event.kind == "checkpoint_created" && event.fields.get("id") == Some(&Value::from(id.as_str()))
        })?;
        world
            .agentsh(["checkpoint", "rollback", &id])?
            .expect_success("rollback")?;
        if state(&world)? != before {
            return Err(fail(format!("{:#?}\n{before:#?}", state(&world)?)));
        }
        bash("truncate -s 0 a; truncate -s 0 .hidden; rm -rf b")?.expect_success("more")?;
        if listed()?.len() != 2 {
            return Err(fail(format!("{:?}", listed()?)));
        }
    }
    Ok(())
}

#[test]
fn checkpoints_are_listed_for_their_workspace_and_purged() -> Result {
    let world = World::new(User::agent())?;
    lay_out(&world)?;
    let ids = [
        id_of(&world, &["--label", "one"])?,
        id_of(&world, &["--label", "two"])?,
        id_of(&world, &[])?,
    ];
    let list = |options: &[&str]| -> Result<Vec<Value>> {
        world
            .agentsh(["checkpoint", "list", "--json"].iter().chain(options))?
            .json()
    };
    let listed = list(&[])?;
    if listed.len() != 3 || listed[0]["id"] != ids[2].as_str() || listed[2]["label"] != "one" {
        return Err(fail(format!("{listed:?}")));
    }
    if !list(&["--workspace", "b"])?.is_empty() {
        return Err(fail("another folder has these checkpoints too"));
    }
    world.agentsh(["checkpoint", "purge"])?.expect_exit(2, "no condition")?;
    world
        .agentsh(["checkpoint", "show", "nothing"])?
        .expect_exit(1, "unknown")?;
    world
        .agentsh(["checkpoint", "purge", "--keep", "1"])?
        .expect_success("purge")?;
    match list(&[])?.as_slice() {
        [left] if left["id"] == ids[2].as_str() => Ok(()),
        left => Err(fail(format!("{left:?}"))),
    }
}

#[test]
fn what_a_person_keeps_and_brings_back_is_in_the_record_of_the_workspace_s_session() -> Result {
    let world = World::new(User::agent())?;
    lay_out(&world)?;
    let session = session::create(&world, &[])?.id;
    let id = id_of(&world, &["--session", &session, "--label", "here"])?;
    let made = record::await_event(&world, "the checkpoint", |event| event.kind == "checkpoint_created")?;
    fs::write(world.workspace().join("a"), "changed\n")?;
    let rollback = ["checkpoint", "rollback", "--session", &session, &id];
    world
        .agentsh(rollback.iter().chain(&["--dry-run"]))?
        .expect_success("dry run")?;
    world.agentsh(rollback)?.expect_success("rollback")?;
    let back = record::await_event(&world, "the rollback", |event| event.kind == "checkpoint_restored")?;
    let field = |event: &record::Event, name: &str| event.fields.get(name).cloned().unwrap_or_default();
    let restored = record::events(&world)?
        .iter()
        .filter(|event| event.kind == "checkpoint_restored")
        .count();
    match field(&made, "id") == id.as_str()
        && field(&made, "label") == "here"
        && field(&back, "id") == id.as_str()
        && field(&back, "changes") == 1
        && field(&back, "undo") != ""
        && restored == 1
    {
        true => Ok(()),
        false => Err(fail(format!("{made:?} {back:?}"))),
    }
}
