//! Runtime folders that cannot be trusted, variables that name others, and the documented way past a broken broker.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use agentsh_tests::{Ended, Outcome, Result, Shell, User, World, enforced, fail};

fn refused(outcome: &Outcome) -> Result {
    match outcome.ended == Ended::Exit(126) && outcome.stdout.is_empty() && outcome.err().lines().count() == 1 {
        true => Ok(()),
        false => Err(fail(format!("expected one line and 126: {outcome:?}"))),
    }
}

#[test]
fn a_runtime_folder_of_somebody_else_is_refused() -> Result {
    let world = World::new(User::agent())?;
    let folder = Path::new("/run/agentsh/4242");
    fs::create_dir(folder)?;
    chown(folder, Some(65534), Some(65534))?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    refused(&world.shimmed("echo in")?)
}

#[test]
fn a_runtime_folder_that_others_can_write_is_refused() -> Result {
    let world = World::new(User::agent())?;
    let folder = Path::new("/run/agentsh/4242");
    world.user().make_folder(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
    refused(&world.shimmed("echo in")?)
}

#[test]
fn a_state_folder_of_somebody_else_is_refused_and_an_open_one_is_closed() -> Result {
    let world = World::new(User::agent())?;
    let state = world.user().home.join(".local/state/agentsh");
    world.user().make_folder(&state)?;
    chown(&state, Some(65534), Some(65534))?;
    refused(&world.shimmed("echo in")?)?;
    chown(&state, Some(4242), Some(4242))?;
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777))?;
    world.shimmed("true")?.expect_success("in an open folder")?;
    match fs::metadata(&state)?.permissions().mode() & 0o777 {
        0o755 => Ok(()),
        mode => Err(fail(format!("the folder has mode {mode:o}"))),
    }
}

#[test]
fn a_runtime_folder_that_is_a_link_is_refused() -> Result {
    let world = World::new(User::agent())?;
    let real = Path::new("/tmp/elsewhere");
    world.user().make_folder(real)?;
    fs::set_permissions(real, fs::Permissions::from_mode(0o700))?;
    symlink(real, "/run/agentsh/4242")?;
    refused(&world.shimmed("echo in")?)
}

#[test]
fn without_the_common_folder_a_user_is_refused_and_root_makes_it() -> Result {
    let world = World::new(User::agent())?;
    fs::remove_dir("/run/agentsh")?;
    refused(&world.shimmed("echo in")?)?;
    drop(world);
    let world = World::new(User::root())?;
    fs::remove_dir("/run/agentsh")?;
    world.shimmed("true")?.expect_success("root")?;
    match fs::metadata("/run/agentsh")?.permissions().mode() & 0o7777 == 0o1777 {
        true => enforced::prove(&world),
        false => Err(fail(format!("{:?}", fs::metadata("/run/agentsh")))),
    }
}

#[test]
fn the_login_managers_folder_is_used_where_there_is_one() -> Result {
    let world = World::new(User::agent())?;
    world.user().make_folder(Path::new("/run/user"))?;
    chown("/run/user", Some(0), Some(0))?;
    let login = Path::new("/run/user/4242");
    fs::create_dir(login)?;
    chown(login, Some(4242), Some(4242))?;
    fs::set_permissions(login, fs::Permissions::from_mode(0o700))?;
    world.shimmed("true")?.expect_success("a command")?;
    match login.join("agentsh/launch.sock").exists() && !Path::new("/run/agentsh/4242").exists() {
        true => enforced::prove(&world),
        false => Err(fail("another folder was used")),
    }
}

#[test]
fn no_variable_names_another_broker_or_policy() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::control(&world)?;
        let fake = Path::new("/tmp/fake");
        world.user().make_folder(&fake.join("agentsh"))?;
        let permissive = fake.join("agentsh/config.yaml");
        world
            .user()
            .write_file(&permissive, "sessions: {default_policy: agent-observe}\n", 0o644)?;
        let names = [
            "XDG_RUNTIME_DIR",
            "XDG_CONFIG_HOME",
            "XDG_STATE_HOME",
            "HOME",
            "TMPDIR",
            "AGENTSH_RUN",
            "AGENTSH_RUNTIME_DIR",
            "AGENTSH_CONFIG",
            "AGENTSH_POLICY",
            "AGENTSH_SOCKET",
            "AGENTSH_HOME",
        ];
        let flags = [
            "AGENTSH_INSIDE",
            "AGENTSH_IN_SESSION",
            "AGENTSH_ACTIVE",
            "AGENTSH_SHIM_FORCE",
            "AGENTSH_DISABLE",
            "AGENTSH_NO_SANDBOX",
            "AGENTSH_BYPASS",
        ];
        let key = world.user().home.join(".ssh/id_ed25519");
        let mut shell =
            Shell::named("bash").args(["-c", &format!("cat {}; grep Seccomp: /proc/self/status", key.display())]);
        for name in names {
            shell = shell.env(name, fake);
        }
        for name in flags {
            shell = shell.env(name, "1");
        }
        let outcome = shell
            .env("AGENTSH_SESSION_ID", "0199aaaa-0000-7000-8000-000000000000")
            .run_shimmed(&world)?;
        if outcome.out() != "Seccomp:\t2\n" || fake.join("agentsh/launch.sock").exists() {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn variables_of_the_loader_do_not_reach_into_the_stand_in() -> Result {
    let world = World::new(User::agent())?;
    enforced::control(&world)?;
    let key = world.user().home.join(".ssh/id_ed25519");
    let shell = Shell::named("bash").args(["-c", &format!("cat {}; grep Seccomp: /proc/self/status", key.display())]);
    let outcome = shell
        .env("LD_PRELOAD", "/tmp/none.so")
        .env("LD_LIBRARY_PATH", "/tmp")
        .env("MALLOC_PERTURB_", "1")
        .run_shimmed(&world)?;
    match outcome.out() == "Seccomp:\t2\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn only_roots_file_opens_the_way_past_a_broken_broker() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let file = Path::new("/run/agentsh/disabled");
        fs::write(file, "")?;
        let outcome = world.shimmed("grep Seccomp: /proc/self/status; exit 5")?;
        if outcome.out() != "Seccomp:\t0\n" || outcome.ended != Ended::Exit(5) || !world.daemons().is_empty() {
            return Err(fail(format!("{outcome:?}")));
        }
        chown(file, Some(4242), Some(4242))?;
        let outcome = world.shimmed("grep Seccomp: /proc/self/status")?;
        if outcome.out() != "Seccomp:\t2\n" {
            return Err(fail(format!("a file of another user opened it: {outcome:?}")));
        }
    }
    Ok(())
}
