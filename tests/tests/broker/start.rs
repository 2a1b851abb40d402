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

/// Limits of which a broker could never rid itself: those of the first caller would be everybody's.
const CRAMPED: [(u32, u64); 5] = [
    (libc::RLIMIT_FSIZE, 0),
    (libc::RLIMIT_NOFILE, 40),
    (libc::RLIMIT_AS, 1 << 30),
    (libc::RLIMIT_DATA, 100 << 20),
    (libc::RLIMIT_CPU, 60),
];

#[test]
fn one_that_the_kernel_does_not_execute_is_no_broker_and_the_kernels_word_is_told() -> Result {
    let world = World::new(User::agent())?;
    fs::write(format!("{PRODUCT}/agentsh-ptyd"), b"\x7fELF")?;
    let outcome = world.shimmed("echo ran")?;
    let told = outcome.err().contains("cannot start") && outcome.err().contains("os error");
    match outcome.ended == Ended::Exit(126) && told && outcome.stdout.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn a_machine_without_a_null_device_is_told_so() -> Result {
    let world = World::new(User::root())?;
    let text = "mount -t tmpfs none /dev && exec \"$0\" -c 'echo ran'";
    let outcome = Shell::program("unshare")
        .args([
            "-m",
            "sh",
            "-c",
            text,
            &Subject::shims().shell("bash").display().to_string(),
        ])
        .run_with(&world, &Subject::Real)?;
    let told = outcome.err().contains("cannot start") && outcome.err().contains("/dev/null: ");
    match outcome.ended == Ended::Exit(126) && told && outcome.stdout.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

/// A number that no account has, and that of an account without a home.
const HOMELESS: [u32; 2] = [61_234, 65_534];

#[test]
fn who_has_no_home_is_served_and_has_the_record_in_the_runtime_folder() -> Result {
    let world = World::new(User::root())?;
    let shim = Subject::shims().shell("bash").display().to_string();
    for uid in HOMELESS {
        let id = uid.to_string();
        let state = format!("/run/agentsh/{uid}/state");
        let text = format!("echo ran; ls {state}; echo x > {state}/events; echo $?");
        let outcome = Shell::program("setpriv")
            .args(["--reuid", &id, "--regid", &id, "--clear-groups", &shim, "-c", &text])
            .cwd("/tmp")
            .run_with(&world, &Subject::Real)?;
        if outcome.out() != "ran\n1\n" {
            return Err(fail(format!("{uid}: {outcome:?}")));
        }
        let record = walk(std::path::Path::new(&state), "events.jsonl")?;
        let is_told = || fs::read_to_string(&record).is_ok_and(|text| text.contains("command_finished"));
        if !wait_until(Duration::from_secs(30), is_told) || fs::metadata(&state)?.uid() != uid {
            return Err(fail(format!("{}: {:?}", record.display(), fs::read_to_string(&record))));
        }
    }
    Ok(())
}

#[test]
fn a_broker_of_another_pid_namespace_is_told_to_be_one() -> Result {
    let world = World::new(User::root())?;
    enforced::prove(&world)?;
    let shim = Subject::shims().shell("bash").display().to_string();
    let outcome = Shell::program("unshare")
        .args(["--pid", "--fork", "--mount-proc", &shim, "-c", "echo ran"])
        .run_with(&world, &Subject::Real)?;
    let told = outcome.err().contains("that broker is in another pid namespace");
    match outcome.ended == Ended::Exit(126) && told && outcome.stdout.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn without_the_folder_for_runtime_folders_root_is_asked_for_it() -> Result {
    let world = World::new(User::agent())?;
    fs::remove_dir("/run/agentsh")?;
    let outcome = world.shimmed("echo ran")?;
    let told = outcome.err().contains("install -d -m 1777 /run/agentsh");
    match outcome.ended == Ended::Exit(126) && told && outcome.stdout.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

/// The only file of this name somewhere below a folder.
fn walk(folder: &std::path::Path, name: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.ends_with(name) {
            return Ok(path);
        }
        if let (true, Ok(found)) = (path.is_dir(), walk(&path, name)) {
            return Ok(found);
        }
    }
    Err(fail(format!("no {name} below {}", folder.display())))
}

#[test]
fn a_first_caller_with_hardly_any_room_is_told_so_and_cramps_nobody() -> Result {
    for (resource, most) in CRAMPED {
        let world = World::new(User::agent())?;
        let cramped = Shell::named("bash")
            .args(["-c", "echo in"])
            .inherit(|inherit| inherit.rlimits = vec![(resource, most, most)]);
        let outcome = cramped.run_shimmed(&world)?;
        let said = outcome.err().contains("that it may not raise") && outcome.err().lines().count() == 1;
        // One that has refused may be on its way out.
        let nobody = wait_until(PATIENCE, || world.daemons().is_empty());
        if outcome.ended != Ended::Exit(126) || !said || !nobody {
            return Err(fail(format!("{resource}: {outcome:?} {:#?}", world.daemons())));
        }
        let outcome = world.shimmed("echo second; echo x > f; cat f")?;
        if outcome.out() != "second\nx\n" || !outcome.stderr.is_empty() {
            return Err(fail(format!("{resource}: {outcome:?}")));
        }
        // Where others have started one its limits are no matter.
        let outcome = cramped.run_shimmed(&world)?;
        if outcome.out() != "in\n" {
            return Err(fail(format!("{resource}, later: {outcome:?}")));
        }
    }
    Ok(())
}

/// What a caller has and a daemon must not; a user's has no way back from the idle scheduler (`sched(7)`).
const ODD: &str = "import ctypes, os, sys
libc = ctypes.CDLL(None)
os.sched_setaffinity(0, {0})
os.sched_setscheduler(0, os.SCHED_BATCH if os.getuid() else os.SCHED_IDLE, os.sched_param(0))
libc.syscall(251, 1, 0, 3 << 13)
libc.personality(0x0020000)
os.execv(sys.argv[1], ['bash', '-c', 'exec uname -r'])
";

#[test]
fn it_takes_the_usual_place_whoever_starts_it() -> Result {
    if !skips::has_programs("usual place", &["python3"])? {
        return Ok(());
    }
    for user in User::both() {
        let world = World::new(user)?;
        let shell = Shell::program("python3").args(["-S", "-c", ODD, "@bash@"]);
        let outcome = shell.run_shimmed(&world)?;
        if !outcome.out().starts_with("2.6.") {
            return Err(fail(format!("the caller's own is not what it was: {outcome:?}")));
        }
        let own = fs::read_to_string("/proc/self/status")?;
        for daemon in world.daemons() {
            let personality = fs::read_to_string(format!("/proc/{}/personality", daemon.pid))?;
            let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid))?;
            let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace());
            let policy = fields.and_then(|mut fields| fields.nth(38)).unwrap_or_default();
            let processors = daemon.status("Cpus_allowed").unwrap_or_default();
            let everywhere = own.contains(&format!("Cpus_allowed:\t{processors}\n"));
            if personality.trim() != "00000000" || policy != "0" || !everywhere {
                return Err(fail(format!("{daemon:?}: {personality} {policy} {processors}")));
            }
        }
    }
    Ok(())
}

/// The folders of sessions that have no `session.json`.
fn halves(world: &World) -> Result<Vec<PathBuf>> {
    let mut halves = record::sessions(world)?;
    halves.retain(|folder| !folder.join("session.json").exists());
    Ok(halves)
}

#[test]
fn of_a_session_whose_maker_is_killed_nothing_stays() -> Result {
    let world = World::new(User::agent())?;
    world.shimmed("true")?;
    // Killed at whatever moment: at first, and at the next steps of the making.
    for delay in 0..40 {
        let known = world.supervisors();
        let maker = Shell::program(format!("{PRODUCT}/agentsh")).args(["session", "create", "--workspace", "."]);
        let child = maker.spawn(&world)?;
        let mut new = Vec::new();
        wait_until(PATIENCE, || {
            new = world.supervisors();
            new.retain(|process| !known.iter().any(|old| old.pid == process.pid));
            !new.is_empty()
        });
        std::thread::sleep(Duration::from_millis(delay));
        signal_all(&new, libc::SIGKILL);
        child.finish(PATIENCE)?;
        let left = halves(&world)?;
        if !left.is_empty() {
            return Err(fail(format!("after {delay} ms: {left:?}")));
        }
    }
    // Of one whose broker died with it the next broker sees to it.
    let half = world
        .state_dir()
        .join("sessions")
        .join("0199f3a0-0000-7000-8000-000000000000");
    world.user().make_folder(&half.join("recordings"))?;
    world.agentsh(["broker", "stop"])?.expect_success("broker stop")?;
    world.agentsh(["status"])?.expect_success("status")?;
    world.shimmed("true")?;
    match half.exists() {
        false => Ok(()),
        true => Err(fail(format!("{} stays", half.display()))),
    }
}
