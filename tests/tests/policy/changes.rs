//! Policy files that change under a running session: what cannot be taken is told and changes nothing, and what leads to
//! them may be exchanged.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use agentsh_tests::mirror::Session;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, World, fail, record, session};

const PATIENCE: Duration = Duration::from_secs(30);

/// The policy of the suites, under which this program does not run.
fn without(program: &str) -> String {
    let rules = format!("command_rules:\n  - {{name: no, commands: [{program}], decision: deny}}\n");
    format!(
        "{}{rules}  - {{name: rest, commands: [\"*\"], decision: allow}}\n",
        session::BASE
    )
}

fn info(world: &World, id: &str) -> Result<Session> {
    world.agentsh(["session", "info", "--json", id])?.json()
}

/// Waits until what is said of the session is as wanted.
fn await_refusal(world: &World, id: &str, what: &str, is_it: impl Fn(Option<&str>) -> bool) -> Result {
    let mut told = None;
    let seen = wait_until(PATIENCE, || {
        told = info(world, id).ok().and_then(|info| info.policy_refused);
        is_it(told.as_deref())
    });
    match seen {
        true => Ok(()),
        false => Err(fail(format!("{what}: {told:?}"))),
    }
}

fn await_denied(world: &World, id: &str, program: &str) -> Result {
    let denied = || {
        session::run(
            world,
            id,
            &["bash", "-c", &format!("{program} --version >/dev/null 2>&1; echo $?")],
        )
    };
    match wait_until(PATIENCE, || denied().is_ok_and(|outcome| outcome.out() == "126\n")) {
        true => Ok(()),
        false => Err(fail(format!("{program} runs on: {:?}", denied()?))),
    }
}

#[test]
fn a_change_that_cannot_be_taken_is_told_and_taken_once_it_is_right() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let path = session::write_policy(&world, "suite", &without("sha1sum"))?;
        let id = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
        await_denied(&world, &id, "sha1sum")?;
        session::write_policy(&world, "suite", &without("md5sum").replace("deny", "dny"))?;
        let place = "suite.yaml:";
        await_refusal(&world, &id, "the refusal", |told| {
            told.is_some_and(|told| told.contains(place) && told.contains("did you mean `deny`"))
        })?;
        let event = record::await_event(&world, "the refusal", |event| {
            event.kind == "policy_changed" && event.fields.contains_key("refused")
        })?;
        if !event.fields["refused"].to_string().contains(place) {
            return Err(fail(format!("{:?}", event.fields)));
        }
        for args in [&["session", "info", &id][..], &["session", "list"]] {
            let shown = world.agentsh(args)?;
            if !shown.out().contains("not taken") {
                return Err(fail(format!("{shown:?}")));
            }
        }
        await_denied(&world, &id, "sha1sum")?;
        // By a rename, as editors do it.
        let new = session::write_policy(&world, "new", &without("md5sum"))?;
        std::fs::rename(&new, &path)?;
        await_denied(&world, &id, "md5sum")?;
        await_refusal(&world, &id, "the change", |told| told.is_none())?;
        // Nothing of it but its rights is wrong, and is made good.
        if world.user().uid != 0 {
            session::write_policy(&world, "suite", &without("sha1sum"))?;
            await_denied(&world, &id, "sha1sum")?;
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o000))?;
            await_refusal(&world, &id, "no right to read", |told| told.is_some())?;
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
            await_refusal(&world, &id, "the right to read", |told| told.is_none())?;
        }
    }
    Ok(())
}

#[test]
fn a_link_above_the_policy_that_is_turned_and_a_folder_that_is_exchanged_are_noticed() -> Result {
    let world = World::new(User::agent())?;
    let home = world.user().home.clone();
    let write = |set: &str, text: &str| {
        world
            .user()
            .write_file(&home.join(set).join("in/suite.yaml"), text, 0o644)
    };
    write("dots/one", &without("sha1sum"))?;
    write("dots/two", &without("md5sum"))?;
    write("later", &without("sha224sum"))?;
    symlink("dots/one", home.join("policies"))?;
    let path = home.join("policies/in/suite.yaml");
    let id = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
    await_denied(&world, &id, "sha1sum")?;
    let turned = |target: &Path| -> Result {
        symlink(target, home.join("turned"))?;
        Ok(std::fs::rename(home.join("turned"), home.join("policies"))?)
    };
    turned(Path::new("dots/two"))?;
    await_denied(&world, &id, "md5sum")?;
    std::fs::rename(home.join("dots"), home.join("away"))?;
    await_refusal(&world, &id, "no folder", |told| told.is_some())?;
    std::fs::create_dir(home.join("dots"))?;
    std::fs::rename(home.join("later"), home.join("dots/two"))?;
    await_denied(&world, &id, "sha224sum")
}

#[test]
fn a_policy_whose_file_is_gone_for_a_moment_is_not_the_pack_of_that_name() -> Result {
    let world = World::new(User::agent())?;
    let file = world.user().home.join(".config/agentsh/policies/default.yaml");
    world.user().write_file(&file, without("sha1sum"), 0o644)?;
    let id = session::create(&world, &["--policy", "default"])?.id;
    await_denied(&world, &id, "sha1sum")?;
    let aside = file.with_extension("aside");
    std::fs::rename(&file, &aside)?;
    await_refusal(&world, &id, "no file", |told| {
        told.is_some_and(|told| told.contains("is gone"))
    })?;
    await_denied(&world, &id, "sha1sum")?;
    std::fs::rename(&aside, &file)?;
    await_refusal(&world, &id, "the file again", |told| told.is_none())
}
