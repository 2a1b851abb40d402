//! Our own processes die: nothing passes, and the record is complete.

use std::fs;
use std::time::Duration;

use agentsh_tests::shell::Subject;
use agentsh_tests::world::people::SECRET;
use agentsh_tests::world::processes::{Process, signal_all, wait_until};
use agentsh_tests::{Output, Result, Shell, User, World, enforced, fail, record};

const PATIENCE: Duration = Duration::from_secs(30);

/// Tries the denied acts for ever, with built-ins and with programs, and counts its rounds.
const TRIES: &str = "n=0; while :; do n=$((n+1)); echo $n > rounds; { read -r line < ~/.ssh/id_ed25519 && echo \"$line\" >> got; } 2>/dev/null; echo x >> ~/.bashrc; cat ~/.ssh/id_ed25519 >> got; md5sum --version > ran; done 2>/dev/null";

struct Scene {
    world: World,
    child: agentsh_tests::child::Child,
    start_file: Vec<u8>,
}

impl Scene {
    fn new(user: User) -> Result<Scene> {
        let world = World::new(user)?;
        enforced::control(&world)?;
        enforced::prove(&world)?;
        let start_file = fs::read(world.user().home.join(".bashrc"))?;
        let shell = Shell::named("bash")
            .args(["-c", TRIES])
            .stdout(Output::Null)
            .stderr(Output::Null);
        let child = shell.spawn_with(&world, &Subject::shims())?;
        let rounds = world.workspace().join("rounds");
        if !wait_until(PATIENCE, || {
            fs::read_to_string(&rounds).is_ok_and(|text| text.trim().parse().is_ok_and(|n: u32| n > 3))
        }) {
            return Err(fail("the tries do not start"));
        }
        Ok(Scene {
            world,
            child,
            start_file,
        })
    }

    /// Nothing that was tried has worked, whoever was dead.
    fn nothing_passed(&self) -> Result {
        let got = fs::read_to_string(self.world.workspace().join("got")).unwrap_or_default();
        let start_file = fs::read(self.world.user().home.join(".bashrc"))?;
        match !got.contains(SECRET.trim()) && start_file == self.start_file {
            true => Ok(()),
            false => Err(fail(format!(
                "it passed: {got:?} {:?}",
                String::from_utf8_lossy(&start_file)
            ))),
        }
    }

    /// The next command works, is judged, and finds nobody of the old ones; the record is whole.
    fn starts_anew(mut self, accepted: usize) -> Result {
        let outcome = self.world.shimmed("echo new")?;
        if outcome.out() != "new\n" {
            return Err(fail(format!("no new command starts: {outcome:?}")));
        }
        if !wait_until(PATIENCE, || self.world.strays().is_empty()) {
            return Err(fail(format!(
                "what the dead session served lives on: {:#?}",
                self.world.strays()
            )));
        }
        self.child.wait(PATIENCE)?;
        enforced::prove(&self.world)?;
        self.nothing_passed()?;
        let events = record::events(&self.world)?;
        let before = events.iter().filter(|event| event.kind == "process_exec").count();
        match before >= accepted {
            true => audit_is_whole(&self.world),
            false => Err(fail(format!(
                "{accepted} execs were on record before, {before} are now"
            ))),
        }
    }
}

fn audit_is_whole(world: &World) -> Result {
    for session in record::sessions(world)? {
        let id = session.file_name().unwrap_or_default().to_string_lossy().into_owned();
        world
            .agentsh(["audit", "verify", &id])?
            .expect_success("audit verify")?;
    }
    Ok(())
}

fn execs(world: &World) -> Result<usize> {
    record::await_event(world, "an exec", |event| event.kind == "process_exec")?;
    Ok(record::events(world)?
        .iter()
        .filter(|event| event.kind == "process_exec")
        .count())
}

#[test]
fn a_killed_supervisor_takes_its_commands_with_it() -> Result {
    for user in User::both() {
        let mut scene = Scene::new(user)?;
        let accepted = execs(&scene.world)?;
        let brokers = scene.world.brokers();
        signal_all(&scene.world.supervisors(), libc::SIGKILL);
        scene.child.wait(PATIENCE)?;
        scene.nothing_passed()?;
        if scene.world.brokers() != brokers {
            return Err(fail("the broker went with it"));
        }
        scene.starts_anew(accepted)?;
    }
    Ok(())
}

#[test]
fn a_session_without_supervisor_and_broker_can_do_nothing() -> Result {
    for user in User::both() {
        let scene = Scene::new(user)?;
        let accepted = execs(&scene.world)?;
        // Stopped first, so that none of them can react to the other's end.
        for signal in [libc::SIGSTOP, libc::SIGKILL] {
            signal_all(&scene.world.daemons(), signal);
        }
        if !wait_until(PATIENCE, || scene.world.daemons().is_empty()) {
            return Err(fail("they do not die"));
        }
        // The command may go on with what needs no judgement, for as long as it likes; here for some rounds.
        let rounds = scene.world.workspace().join("rounds");
        let before = fs::read(&rounds)?;
        wait_until(Duration::from_secs(3), || {
            fs::read(&rounds).is_ok_and(|now| now != before)
        });
        scene.nothing_passed()?;
        scene.starts_anew(accepted)?;
    }
    Ok(())
}

#[test]
fn a_listener_of_ones_own_does_not_answer_for_a_dead_supervisor() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::control(&world)?;
        let key = world.user().home.join(".ssh/id_ed25519");
        let (go, up) = (world.workspace().join("go"), world.workspace().join("up"));
        let text = format!(
            "exec {} shadow-listener-after {} {} {}",
            world.helper("probe").display(),
            go.display(),
            key.display(),
            up.display()
        );
        let shell = Shell::named("bash").args(["-c", &text]);
        let child = shell.spawn_with(&world, &Subject::shims())?;
        let probes = || {
            let is_probe = |process: &Process| process.exe.ends_with("probe");
            fs::read(&up).is_ok_and(|text| !text.is_empty()) && world.processes().iter().any(is_probe)
        };
        if !wait_until(PATIENCE, probes) {
            return Err(fail("the probe does not start"));
        }
        // Stopped first, so that none of them can react to the other's end.
        for signal in [libc::SIGSTOP, libc::SIGKILL] {
            signal_all(&world.daemons(), signal);
        }
        if !wait_until(PATIENCE, || world.daemons().is_empty()) {
            return Err(fail("they do not die"));
        }
        world.user().write_file(&go, "", 0o644)?;
        let outcome = child.finish(PATIENCE)?;
        if outcome.out().contains(SECRET.trim()) || !outcome.err().contains("listener:") {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn a_killed_broker_leaves_nobody_unjudged() -> Result {
    for user in User::both() {
        let scene = Scene::new(user)?;
        let accepted = execs(&scene.world)?;
        signal_all(&scene.world.brokers(), libc::SIGKILL);
        if !wait_until(PATIENCE, || scene.world.brokers().is_empty()) {
            return Err(fail("it does not die"));
        }
        scene.nothing_passed()?;
        let starts = || {
            scene
                .world
                .shimmed("echo new")
                .is_ok_and(|outcome| outcome.out() == "new\n")
        };
        if !wait_until(PATIENCE, starts) {
            return Err(fail("no new command starts"));
        }
        enforced::prove(&scene.world)?;
        scene.nothing_passed()?;
        let now = record::events(&scene.world)?
            .iter()
            .filter(|event| event.kind == "process_exec")
            .count();
        if now < accepted {
            return Err(fail(format!("{accepted} execs were on record before, {now} are now")));
        }
    }
    Ok(())
}

#[test]
fn the_end_of_everything_leaves_nothing_behind() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        world.shimmed(
            "setsid sleep 1000 </dev/null >/dev/null 2>&1 & nohup sh -c 'sleep 1000' </dev/null >/dev/null 2>&1 & echo",
        )?;
        if world.strays().is_empty() {
            return Err(fail("nothing outlived the shell"));
        }
        world.close(PATIENCE)?;
    }
    Ok(())
}
