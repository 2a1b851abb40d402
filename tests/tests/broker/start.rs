//! The first use, many first uses at once, and what is left of earlier ones.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

use agentsh_tests::shell::Subject;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::world::processes::{signal_all, wait_until};
use agentsh_tests::{Ended, Input, Result, Shell, User, World, enforced, fail, record, skips};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_first_use_starts_it_with_nothing_of_the_callers() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let shell = Shell::named("bash")
            .args(["-c", "echo first"])
            .env("MARK_OF_CALLER", "1")
            .inherit(|inherit| {
                inherit.nice = Some(9);
                inherit.ignored = vec![libc::SIGTERM, libc::SIGUSR1];
                inherit.umask = Some(0o777);
                inherit.rlimits = vec![(libc::RLIMIT_NOFILE, 64, 4096)];
                inherit.new_session = true;
            });
        let outcome = shell.run_shimmed(&world)?;
        if outcome.out() != "first\n" || !outcome.stderr.is_empty() {
            return Err(fail(format!("{outcome:?}")));
        }
        let brokers = world.brokers();
        let [broker] = brokers.as_slice() else {
            return Err(fail(format!("{brokers:#?}")));
        };
        let environment = fs::read(format!("/proc/{}/environ", broker.pid))?;
        let cwd = fs::read_link(format!("/proc/{}/cwd", broker.pid))?;
        let stat = fs::read_to_string(format!("/proc/{}/stat", broker.pid))?;
        let session: i32 = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(3)?.parse().ok())
            .unwrap_or_default();
        if !environment.is_empty() || cwd.to_str() != Some("/") || session == outcome.pid {
            return Err(fail(format!(
                "{:?} {cwd:?} {session}",
                String::from_utf8_lossy(&environment)
            )));
        }
        let ignored = broker
            .status("SigIgn")
            .and_then(|mask| u64::from_str_radix(&mask, 16).ok())
            .unwrap_or_default();
        if ignored & (1 << 9 | 1 << 14) != 0 {
            return Err(fail(format!("it ignores what the caller ignored: {ignored:x}")));
        }
        enforced::prove(&world)?;
    }
    Ok(())
}

#[test]
fn twenty_that_race_for_it_share_one_broker_and_one_session() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let shell = Shell::named("bash").args(["-c", "echo here"]);
        let children = (0..20)
            .map(|_| shell.spawn_with(&world, &Subject::shims()))
            .collect::<Result<Vec<_>>>()?;
        for child in children {
            let outcome = child.finish(PATIENCE)?;
            if outcome.ended != Ended::Exit(0) || outcome.out() != "here\n" || !outcome.stderr.is_empty() {
                return Err(fail(format!("{outcome:?}")));
            }
        }
        if world.brokers().len() != 1 || record::sessions(&world)?.len() != 1 {
            return Err(fail(format!("{:#?} {:?}", world.brokers(), record::sessions(&world))));
        }
        enforced::prove(&world)?;
    }
    Ok(())
}

#[test]
fn a_stale_socket_is_no_obstacle() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        world.shimmed("true")?.expect_success("first")?;
        signal_all(&world.daemons(), libc::SIGKILL);
        if !wait_until(PATIENCE, || world.daemons().is_empty()) {
            return Err(fail("the daemons do not die"));
        }
        let outcome = world.shimmed("echo again")?;
        if outcome.out() != "again\n" || !outcome.stderr.is_empty() || world.brokers().len() != 1 {
            return Err(fail(format!("{outcome:?}")));
        }
        enforced::prove(&world)?;
    }
    Ok(())
}

#[test]
fn its_folder_and_sockets_are_its_users_alone() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        world.shimmed("true")?;
        let folder = format!("/run/agentsh/{}", world.user().uid);
        let meta = fs::metadata(&folder)?;
        if meta.uid() != world.user().uid || meta.permissions().mode() & 0o777 != 0o700 {
            return Err(fail(format!("{folder}: {} {:o}", meta.uid(), meta.mode())));
        }
        let state = fs::metadata(world.state_dir())?;
        if state.permissions().mode() & 0o077 != 0 {
            return Err(fail(format!("{}: {:o}", world.state_dir().display(), state.mode())));
        }
    }
    Ok(())
}

#[test]
fn it_can_be_started_and_stopped_by_hand() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        world.agentsh(["broker", "start"])?.expect_success("broker start")?;
        if world.brokers().len() != 1 {
            return Err(fail(format!("{:#?}", world.daemons())));
        }
        world.shimmed("true")?.expect_success("a command")?;
        world.agentsh(["broker", "stop"])?.expect_success("broker stop")?;
        if !wait_until(PATIENCE, || world.processes().is_empty()) {
            return Err(fail(format!("{:#?}", world.processes())));
        }
    }
    Ok(())
}

/// Binds the broker's sockets as a service manager does, lets somebody connect before it runs, and becomes the broker.
const ACTIVATE: &str = "import os, socket, sys
folder, program = sys.argv[1:]
os.makedirs(folder, 0o700, exist_ok=True)
kept = []
for number, name in ((3, 'launch.sock'), (4, 'api.sock')):
    server = socket.socket(socket.AF_UNIX)
    server.bind(folder + '/' + name)
    server.listen(64)
    kept.append((server, number))
held = [(os.dup(server.fileno()), number) for server, number in kept]
held = [(__import__('fcntl').fcntl(fd, __import__('fcntl').F_DUPFD, 10), number) for fd, number in held]
for fd, number in held:
    os.dup2(fd, number)
os.closerange(5, 64)
print('bound', flush=True)
sys.stdin.readline()
os.environ.update(LISTEN_FDS='2', LISTEN_PID=str(os.getpid()))
os.execv(program, [program])
";

#[test]
fn a_service_managers_sockets_are_taken_over() -> Result {
    if !skips::has_programs("socket activation", &["python3"])? {
        return Ok(());
    }
    for user in User::both() {
        let world = World::new(user)?;
        let folder = format!("/run/agentsh/{}", world.user().uid);
        let program = format!("{PRODUCT}/agentsh-ptyd");
        let manager = Shell::program("python3")
            .args(["-c", ACTIVATE, &folder, &program])
            .stdin(Input::Bytes(b"go\n".to_vec()))
            .spawn(&world)?;
        let socket = PathBuf::from(&folder).join("launch.sock");
        if !wait_until(PATIENCE, || socket.exists()) {
            return Err(fail("the sockets are not bound"));
        }
        let inode = fs::metadata(&socket)?.ino();
        let outcome = world.shimmed("echo activated")?;
        if outcome.out() != "activated\n" || world.brokers().len() != 1 {
            return Err(fail(format!("{outcome:?} {:#?}", world.brokers())));
        }
        if fs::metadata(&socket)?.ino() != inode || world.brokers().iter().any(|broker| broker.pid != manager.pid()) {
            return Err(fail(format!("another broker answers: {:#?}", world.brokers())));
        }
        world.agentsh(["status"])?.expect_success("the second socket")?;
        enforced::prove(&world)?;
        world.close(PATIENCE)?;
    }
    Ok(())
}

#[test]
fn without_its_program_no_command_starts() -> Result {
    let world = World::new(User::agent())?;
    fs::remove_file(format!("{PRODUCT}/agentsh-ptyd"))?;
    let outcome = world.shimmed("echo in")?;
    match outcome.ended == Ended::Exit(126) && outcome.stdout.is_empty() && outcome.err().lines().count() == 1 {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
