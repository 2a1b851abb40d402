//! What does not speak the protocol, or stops in the middle.

use std::time::Duration;

use agentsh_protocol::frame;
use agentsh_protocol::launch::{LaunchRequest, Start};
use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::{Process, signal_all};
use agentsh_tests::{Ended, Outcome, Result, Shell, User, World, enforced, fail, session};

fn socket(world: &World) -> String {
    format!("/run/agentsh/{}/launch.sock", world.user().uid)
}

fn talk(world: &World, bytes: &[u8]) -> Result<Outcome> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Shell::program(world.helper("probe"))
        .args(["talk", &socket(world), &hex])
        .run(world)
}

fn request(version: u32) -> LaunchRequest {
    LaunchRequest {
        version,
        start: Start::Shell {
            name: Some("bash".into()),
        },
        argv: vec!["bash".into(), "-c".into(), "echo in".into()],
        env: Vec::new(),
        terminal: None,
        turns: false,
        detached: None,
    }
}

fn still_serves(world: &World) -> Result {
    let outcome = world.shimmed("echo serves")?;
    match outcome.out() == "serves\n" && world.brokers().len() == 1 {
        true => enforced::prove(world),
        false => Err(fail(format!("{outcome:?} {:#?}", world.daemons()))),
    }
}

#[test]
fn frames_that_end_early_are_too_long_or_no_message_harm_nobody() -> Result {
    let world = World::new(User::agent())?;
    world.shimmed("true")?.expect_success("start")?;
    let whole = frame::encode(&request(agentsh_protocol::VERSION))?;
    let mut broken: Vec<Vec<u8>> = [0, 1, 3, 4, 5, whole.len() / 2, whole.len() - 1]
        .map(|cut| whole[..cut].to_vec())
        .into();
    broken.push(u32::MAX.to_le_bytes().to_vec());
    broken.push((16u32 << 20).to_le_bytes().to_vec());
    broken.push([&20u32.to_le_bytes()[..], &[0xff; 20]].concat());
    broken.push([&4u32.to_le_bytes()[..], b"null"].concat());
    broken.push([&2u32.to_le_bytes()[..], b"{}"].concat());
    broken.push(b"GET /v1/status HTTP/1.1\r\n\r\n".to_vec());
    for bytes in broken {
        let outcome = talk(&world, &bytes)?;
        if outcome
            .out()
            .contains(&"Enter".bytes().map(|byte| format!("{byte:02x}")).collect::<String>())
        {
            return Err(fail(format!("{bytes:?} was let in: {outcome:?}")));
        }
    }
    still_serves(&world)
}

/// Sends `frame` (a file in the workspace) to the launch socket and prints the answer's beginning.
fn send_file(world: &World) -> Result<Outcome> {
    let text = format!(
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect({:?})\ntry: s.sendall(open('frame', 'rb').read())\nexcept BrokenPipeError: pass\nprint(s.recv(60)[4:].decode())",
        socket(world)
    );
    Shell::program("python3").args(["-c", &text]).run(world)
}

#[test]
fn a_frame_of_the_largest_size_is_taken_and_a_larger_one_is_not() -> Result {
    let world = World::new(User::agent())?;
    world.shimmed("true")?;
    let mut large = request(agentsh_protocol::VERSION);
    // What the broker adds for the supervisor has its place in the same frame.
    let longest = frame::MAX_FRAME - (4 << 10);
    let left = longest - frame::encode(&large)?.len();
    large.env.push("x".repeat(left).into());
    let whole = frame::encode(&large)?;
    let file = world.workspace().join("frame");
    world.user().write_file(&file, whole.clone(), 0o644)?;
    let outcome = send_file(&world)?;
    if !outcome.out().contains("enter") {
        return Err(fail(format!("{} bytes: {outcome:?}", whole.len())));
    }
    world.user().write_file(
        &file,
        [&(longest as u32 + 1).to_le_bytes()[..], &whole[4..], b"    "].concat(),
        0o644,
    )?;
    let outcome = send_file(&world)?;
    if !outcome.out().contains("refused") {
        return Err(fail(format!("a byte too many: {outcome:?}")));
    }
    still_serves(&world)
}

#[test]
fn hundreds_who_say_nothing_or_half_a_request_keep_nobody_waiting() -> Result {
    let world = World::new(User::agent())?;
    world.shimmed("true")?;
    let run = format!("/run/agentsh/{}", world.user().uid);
    let text = format!(
        "import socket, time\nheld = []\nfor n in range(150):\n  for name, text in (('launch', b'\\xff\\0'), ('api', b'GET /v1/sta'), ('launch', b''), ('api', b'')):\n    s = socket.socket(socket.AF_UNIX); s.connect('{run}/' + name + '.sock'); s.send(text); held.append(s)\nopen('held', 'w').write('x')\ntime.sleep(1000)"
    );
    let mut child = Shell::program("python3").args(["-c", &text]).spawn(&world)?;
    let held = world.workspace().join("held");
    if !agentsh_tests::world::processes::wait_until(Duration::from_secs(30), || held.exists()) {
        return Err(fail("they do not connect"));
    }
    still_serves(&world)?;
    world.agentsh(["status"])?.expect_success("status")?;
    child.signal(libc::SIGKILL)?;
    child.wait(Duration::from_secs(30))?;
    still_serves(&world)
}

/// Longer than a shim waits.
const STOPPED: Duration = Duration::from_secs(80);

#[test]
fn a_stopped_broker_or_supervisor_is_not_waited_for_for_ever() -> Result {
    // Side by side: each takes what a shell waits.
    std::thread::scope(|scope| {
        let both = [World::brokers, World::supervisors].map(|daemons| scope.spawn(move || is_given_up(daemons)));
        both.into_iter()
            .try_for_each(|one| one.join().unwrap_or_else(|_| Err(fail("it panicked"))))
    })
}

fn is_given_up(daemons: fn(&World) -> Vec<Process>) -> Result {
    let world = World::new(User::agent())?;
    world.shimmed("true")?;
    let stopped = daemons(&world);
    signal_all(&stopped, libc::SIGSTOP);
    let shell = Shell::named("bash").args(["-c", "echo in"]).deadline(STOPPED);
    let outcome = shell.run_shimmed(&world);
    signal_all(&stopped, libc::SIGCONT);
    let outcome = outcome?;
    if outcome.ended != Ended::Exit(126) || !outcome.err().contains("does not answer") || !outcome.stdout.is_empty() {
        return Err(fail(format!("{stopped:?}: {outcome:?}")));
    }
    still_serves(&world)
}

#[test]
fn every_verb_says_soon_that_the_broker_is_stopped() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let id = session::create(&world, &[])?.id;
        let stopped = world.brokers();
        signal_all(&stopped, libc::SIGSTOP);
        let verbs: [(&[&str], i32); 7] = [
            (&["status"], 1),
            (&["session", "list"], 1),
            (&["kill", "--all"], 1),
            (&["approve", "--watch"], 1),
            (&["attach", &id], 1),
            (&["broker", "stop"], 1),
            (&["exec", "--output", "json", &id, "--", "true"], 125),
        ];
        let begun = std::time::Instant::now();
        let said = verbs.map(|(verb, status)| (verb, status, world.agentsh(verb)));
        let took = begun.elapsed();
        signal_all(&stopped, libc::SIGCONT);
        for (verb, status, outcome) in said {
            let outcome = outcome?;
            outcome.expect_exit(status, &format!("{verb:?}"))?;
            if !outcome.err().contains("is stopped") || !outcome.err().contains("kill -CONT") {
                return Err(fail(format!("{verb:?}: {outcome:?}")));
            }
        }
        if took > Duration::from_secs(40) {
            return Err(fail(format!("it took {took:?}")));
        }
        still_serves(&world)?;
    }
    Ok(())
}

#[test]
fn another_major_version_is_refused_with_a_reason() -> Result {
    let world = World::new(User::agent())?;
    world.shimmed("true")?;
    for version in [0, 2, u32::MAX] {
        let outcome = talk(&world, &frame::encode(&request(version))?)?;
        let answer: Vec<u8> = (0..outcome.out().trim().len() / 2)
            .filter_map(|at| u8::from_str_radix(outcome.out().get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        let text = String::from_utf8_lossy(answer.get(4..).unwrap_or_default()).into_owned();
        if !text.contains("refused") || !text.contains("126") || !text.contains("protocol") {
            return Err(fail(format!("version {version}: {text:?} {outcome:?}")));
        }
    }
    still_serves(&world)
}

#[test]
fn a_client_that_goes_away_after_its_request_harms_nobody() -> Result {
    let world = World::new(User::agent())?;
    world.shimmed("true")?;
    for _ in 0..20 {
        // The probe half-closes after its request and never enters the plan that comes back.
        talk(&world, &frame::encode(&request(agentsh_protocol::VERSION))?)?;
    }
    still_serves(&world)
}

#[test]
fn a_stand_in_that_is_killed_at_any_moment_harms_nobody() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        world.shimmed("true")?;
        for micros in (0..60).map(|step| step * 150) {
            let mut child = Shell::named("bash")
                .args(["-c", "exec sleep 1000"])
                .spawn_with(&world, &Subject::shims())?;
            // Not a wait for something: the moment of death is what varies.
            std::thread::sleep(Duration::from_micros(micros));
            child.signal(libc::SIGKILL)?;
            child.wait(Duration::from_secs(30))?;
        }
        still_serves(&world)?;
        if !agentsh_tests::world::processes::wait_until(Duration::from_secs(30), || world.strays().is_empty()) {
            return Err(fail(format!("{:#?}", world.strays())));
        }
    }
    Ok(())
}

#[test]
fn another_user_is_not_served() -> Result {
    let world = World::new(User::agent())?;
    world.shimmed("true")?;
    let request = frame::encode(&request(agentsh_protocol::VERSION))?;
    let hex: String = request.iter().map(|byte| format!("{byte:02x}")).collect();
    let shell = Shell::program(world.helper("probe"))
        .args(["talk", &socket(&world), &hex])
        .inherit(|inherit| inherit.as_root = true);
    let outcome = shell.cwd("/").run(&world)?;
    let enter: String = "\"enter\"".bytes().map(|byte| format!("{byte:02x}")).collect();
    match outcome.out().contains(&enter) {
        true => Err(fail(format!("root was served by a user's broker: {outcome:?}"))),
        false => still_serves(&world),
    }
}
