//! Protection of ourselves: from inside of a session nothing of what guards it can be written, signalled, stopped,
//! traced, exhausted or impersonated. By effect: the session still judges afterwards.

use std::time::Duration;

use agentsh_tests::world::PRODUCT;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, World, enforced, fail, record, session};

const PATIENCE: Duration = Duration::from_secs(30);

/// Everything but what protects itself is free here: what is refused, is refused by us.
const RULES: &str = r#"version: 1
name: open
defaults: {read: allow, write: allow, command: allow, network: allow, unix_socket: allow, signal: allow}
command_rules:
  - {name: banned, commands: [factor], decision: deny}
  - {name: rest, commands: ["*"], decision: allow}
"#;

fn world(user: User) -> Result<(World, String)> {
    let world = World::new(user)?;
    enforced::prove(&world)?;
    for session in world
        .agentsh(["session", "list", "--json"])?
        .json::<Vec<serde_json::Value>>()?
    {
        let id = session["id"].as_str().unwrap_or_default().to_owned();
        world.agentsh(["session", "destroy", &id])?.expect_success("destroy")?;
    }
    let path = session::write_policy(&world, "open", RULES)?;
    let id = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
    Ok((world, id))
}

/// The session still judges and records.
fn still_guards(world: &World, id: &str, what: &str) -> Result {
    let outcome = session::run(world, id, &["sh", "-c", "factor 7; echo $?"])?;
    if outcome.out() != "126\n" {
        return Err(fail(format!("{what}: {outcome:?}")));
    }
    if world.brokers().len() != 1 || world.supervisors().is_empty() {
        return Err(fail(format!("{what}: {:#?}", world.daemons())));
    }
    Ok(())
}

fn python(world: &World, id: &str, text: &str) -> Result<String> {
    world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
    let outcome = session::run(world, id, &["python3", "p.py"])?;
    outcome.expect_success("p.py")?;
    Ok(outcome.out())
}

#[test]
fn the_daemons_are_not_signalled_stopped_traced_or_read() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let daemons: Vec<i32> = world.daemons().iter().map(|daemon| daemon.pid).collect();
        let text = format!(
            r#"
import ctypes, os, resource, signal
libc = ctypes.CDLL(None, use_errno=True)
worked = []
def tried(what, go):
    try:
        if go() not in (-1,): worked.append(what)
    except OSError: pass
for pid in {daemons:?}:
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        tried((pid, number), lambda: os.kill(pid, number))
        tried((pid, "pidfd", number), lambda: signal.pidfd_send_signal(os.pidfd_open(pid), number))
    tried((pid, "group"), lambda: os.killpg(os.getpgid(pid), signal.SIGKILL) if os.getpgid(pid) != os.getpgid(0) else -1)
    for request in (16, 0x4206):
        tried((pid, "ptrace"), lambda: libc.ptrace(request, pid, 0, 0))
    tried((pid, "getfd"), lambda: libc.syscall(438, os.pidfd_open(pid), 0, 0))
    buffer = ctypes.create_string_buffer(8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    tried((pid, "vm"), lambda: libc.process_vm_readv(pid, vector, 1, (ctypes.c_size_t * 2)(0x400000, 8), 1, 0))
    for name in ("mem", "environ", "maps", "fd/0", "root/etc/passwd", "cwd"):
        tried((pid, name), lambda: os.read(os.open(f"/proc/{{pid}}/{{name}}", os.O_RDONLY), 1) and 0)
    for name in ("mem", "oom_score_adj", "comm", "clear_refs", "coredump_filter", "sched", "timerslack_ns"):
        tried((pid, "write", name), lambda: os.write(os.open(f"/proc/{{pid}}/{{name}}", os.O_WRONLY), b"1"))
    tried((pid, "limit"), lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3)))
    tried((pid, "cpu"), lambda: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1)))
    tried((pid, "nice"), lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    tried((pid, "idle"), lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)))
    tried((pid, "cpus"), lambda: os.sched_setaffinity(pid, [0]))
print(worked)
"#
        );
        let out = python(&world, &id, &text)?;
        if out != "[]\n" {
            return Err(fail(out));
        }
        still_guards(&world, &id, "after all that")?;
        let now: Vec<i32> = world.daemons().iter().map(|daemon| daemon.pid).collect();
        if daemons.iter().any(|pid| !now.contains(pid)) {
            return Err(fail(format!("{daemons:?}, now {now:?}")));
        }
    }
    Ok(())
}

#[test]
fn record_policy_configuration_and_sockets_are_not_changed() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let config = world.user().home.join(".config/agentsh");
        world
            .user()
            .write_file(&config.join("config.yaml"), "log: {level: info}\n", 0o600)?;
        let folder = world.state_dir().join("sessions").join(&id);
        let run = match world.user().uid {
            0 => "/run/agentsh/0".to_owned(),
            uid => format!("/run/agentsh/{uid}"),
        };
        let kept = |path: &std::path::Path| std::fs::read(path).unwrap_or_default();
        let policy = kept(&folder.join("policy.yaml"));
        let before = kept(&folder.join("events.jsonl"));
        let state = world.state_dir();
        let text = format!(
            "for f in {folder}/policy.yaml {folder}/events.jsonl {folder}/session.json {config}/config.yaml {run}/launch.sock {run}/api.sock; do
  echo evil >> $f; : > $f; rm -f $f; mv $f /tmp/x; ln -f $f /tmp/l; chmod 666 $f; ln -sf /tmp/y $f; truncate -s 0 $f; cp /etc/passwd $f; touch -d 2000-01-01 $f
done; rm -rf {state} {run} {config}; mv {state} /tmp/s; mv {run} /tmp/r; mv {config} /tmp/c; mkdir -p {state}/new {config}/new {run}/new; chmod 777 {state} {run} {config}
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"{run}/other.sock\")'",
            folder = folder.display(),
            config = config.display(),
            state = state.display(),
        );
        session::run(&world, &id, &["bash", "-c", &text])?;
        let after = kept(&folder.join("events.jsonl"));
        let sockets = ["launch.sock", "api.sock"]
            .iter()
            .all(|name| std::path::Path::new(&run).join(name).exists());
        let changed = [
            ("policy", kept(&folder.join("policy.yaml")) != policy),
            ("record", !after.starts_with(&before)),
            (
                "configuration",
                kept(&config.join("config.yaml")) != b"log: {level: info}\n",
            ),
            ("sockets", !sockets),
            ("state", state.join("new").exists()),
            ("configuration's folder", config.join("new").exists()),
            ("run folder", std::path::Path::new(&run).join("other.sock").exists()),
        ];
        let changed: Vec<_> = changed.iter().filter(|(_, changed)| *changed).collect();
        if !changed.is_empty() {
            return Err(fail(format!("{changed:?}")));
        }
        still_guards(&world, &id, "after all that")?;
        world
            .agentsh(["audit", "verify", &id])?
            .expect_success("audit verify")?;
    }
    Ok(())
}

#[test]
fn no_other_folder_comes_in_the_place_of_one_of_ours() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let (home, state) = (world.user().home.clone(), world.state_dir());
        let above = state.parent().unwrap_or(&state).to_owned();
        // There is no configuration yet: what the agent puts there would be believed at the next start.
        std::fs::remove_dir_all(home.join(".config")).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let text = format!(
            r#"mkdir -p evil/agentsh; echo 'shim: {{output: json}}' > evil/agentsh/config.yaml
ln -s $PWD/evil ~/.config; ln -sfn $PWD/evil ~/.config; mv evil ~/.config; mv -T evil ~/.config
mkdir ~/.config; mv -T ~/.config ~/.config.old; mv --exchange evil ~/.config
python3 -c 'import ctypes; ctypes.CDLL(None).renameat2(-100, b"evil", -100, b"{home}/.config", 2)'
cp -r evil/agentsh ~/.config/; ln -s $PWD/evil/agentsh ~/.config/agentsh; mkdir ~/.config/agentsh
mv {above} {above}.old && cat {above}.old/agentsh/sessions/{id}/events.jsonl
python3 -c 'import ctypes; ctypes.CDLL(None).renameat2(-100, b"evil", -100, b"{above}", 2)'
rmdir {above}; mv ~ /tmp/home; mv /run/agentsh /run/other; ln -sfn $PWD/evil /run/agentsh
mkdir -p /etc/agentsh; cp evil/agentsh/config.yaml /etc/agentsh/; ln -sfn $PWD/evil/agentsh /etc/agentsh"#,
            home = home.display(),
            above = above.display(),
        );
        let outcome = session::run(&world, &id, &["bash", "-c", &text])?;
        let wrong = [
            ("record was read", outcome.out().contains("session_id")),
            ("state", !state.join("sessions").join(&id).join("events.jsonl").exists()),
            ("configuration", home.join(".config/agentsh").exists()),
            ("link", home.join(".config").is_symlink()),
            ("system's configuration", std::path::Path::new("/etc/agentsh").exists()),
            (
                "sockets",
                !std::path::Path::new("/run/agentsh")
                    .join(world.user().uid.to_string())
                    .join("api.sock")
                    .exists(),
            ),
        ];
        let wrong: Vec<_> = wrong.iter().filter(|(_, wrong)| *wrong).collect();
        if !wrong.is_empty() {
            return Err(fail(format!("{}: {wrong:?} {outcome:?}", world.user().name)));
        }
        still_guards(&world, &id, "after all that")?;
        world
            .agentsh(["audit", "verify", &id])?
            .expect_success("audit verify")?;
    }
    Ok(())
}

#[test]
fn our_programs_and_stand_ins_are_not_replaced() -> Result {
    let (world, id) = world(User::root())?;
    let text = format!(
        r#"cd {PRODUCT}; for f in agentsh agentsh-ptyd agentsh-shell-shim shims/bash; do
  echo >> $f; cp /bin/true $f; rm -f $f; ln -sf /bin/true $f; mv $f /tmp/x; chmod 0 $f; truncate -s 0 $f; cp /bin/true other; mv other $f
done; rm -rf shims; mv shims other; mkdir other; mv -T other shims; echo x > shims/new; mv {PRODUCT} {PRODUCT}.old; ls -d {PRODUCT}.old shims/new"#
    );
    let outcome = session::run(&world, &id, &["bash", "-c", &text])?;
    let link = std::fs::read_link(format!("{PRODUCT}/shims/bash"))?;
    if !outcome.stdout.is_empty() || link != std::path::Path::new("../agentsh-shell-shim") {
        return Err(fail(format!("{link:?} {outcome:?}")));
    }
    still_guards(&world, &id, "after all that")
}

/// Gives the number of an ended process to a new one (`clone3(2)` with a wish), which holds a secret.
const TAKE_NUMBER: &str = r#"
import ctypes, os, sys
pid, uid = int(sys.argv[1]), int(sys.argv[2])
wish = (ctypes.c_int * 1)(pid)
words = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(wish), 1, 0)
found = ctypes.CDLL(None, use_errno=True).syscall(435, words, 88)
if found < 0: sys.exit(os.strerror(ctypes.get_errno()))
if found == 0:
    os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
    os.chdir("/tmp")
    for fd in (0, 1, 2): os.dup2(os.open("/dev/null", os.O_RDWR), fd)
    os.execve("/bin/sleep", ["sleep", "1000"], {"SECRET": "of-somebody-else"})
print(found)
"#;

#[test]
fn a_process_that_got_the_number_of_one_of_the_sessions_is_not_of_the_session() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        // Killed, it says no goodbye; the command lives on and remembers it.
        let text = "sh -c 'echo $$ > pid; exec sleep 1000' & while ! kill -9 $(cat pid); do :; done; wait; touch dead; while [ ! -e go ]; do sleep 0.05; done
p=$(cat pid); cat /proc/$p/environ; readlink /proc/$p/cwd /proc/$p/exe; ls /proc/$p/root/; cat /proc/$p/maps | head -n 1; true";
        let mut child = session::exec(&id, &[], &["bash", "-c", text]).spawn(&world)?;
        let workspace = world.workspace();
        if !wait_until(PATIENCE, || workspace.join("dead").exists()) {
            return Err(fail("the process is not dead"));
        }
        let pid = std::fs::read_to_string(workspace.join("pid"))?;
        let uid = world.user().uid.to_string();
        let taken = agentsh_tests::Shell::program("python3")
            .args(["-c", TAKE_NUMBER, pid.trim(), &uid])
            .inherit(|inherit| inherit.as_root = true)
            .run(&world)?;
        taken.expect_success("taking the number")?;
        if taken.out().trim() != pid.trim() {
            return Err(fail(format!("{taken:?} instead of {pid}")));
        }
        world.user().write_file(&workspace.join("go"), "", 0o644)?;
        child.wait(PATIENCE)?;
        let outcome = child.finish(PATIENCE)?;
        if !outcome.stdout.is_empty() {
            return Err(fail(format!("{}: {outcome:?}", world.user().name)));
        }
        std::fs::remove_file(workspace.join("go"))?;
        still_guards(&world, &id, "after that")?;
    }
    Ok(())
}

#[test]
fn the_record_is_read_from_inside_only_as_its_own_policy() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let folder = world.state_dir().join("sessions").join(&id);
        let text = format!(
            "cat {0}/events.jsonl {0}/session.json; ls {0}; grep -c ^name: {0}/policy.yaml; {PRODUCT}/agentsh policy show | grep -c ^name:",
            folder.display()
        );
        let outcome = session::run(&world, &id, &["bash", "-c", &text])?;
        if outcome.out() != "1\n1\n" {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn nobody_inside_is_taken_for_an_operator_or_a_broker() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        for words in [
            format!("session destroy {id}"),
            format!("kill {id}"),
            "session create --workspace .".to_owned(),
            "broker stop".to_owned(),
            "approve list".to_owned(),
            "grants list".to_owned(),
            format!("exec {id} -- factor 7"),
        ] {
            let outcome = session::run(&world, &id, &["sh", "-c", &format!("{PRODUCT}/agentsh {words}")])?;
            let did = outcome.ended == agentsh_tests::Ended::Exit(0);
            if did && words != "session create --workspace ." || outcome.out().contains("7: 7") {
                return Err(fail(format!("{words}: {outcome:?}")));
            }
        }
        // A broker of its own would serve without walls: it does not begin.
        session::run(
            &world,
            &id,
            &[
                "sh",
                "-c",
                &format!("timeout 5 {PRODUCT}/agentsh-ptyd; timeout 5 {PRODUCT}/agentsh-ptyd supervise < /dev/null"),
            ],
        )?;
        still_guards(&world, &id, "after a broker of its own")?;
    }
    Ok(())
}

#[test]
fn floods_do_not_exhaust_the_supervisor() -> Result {
    let (world, id) = world(User::agent())?;
    let before = descriptors(&world)?;
    let text = r#"
import os, socket, threading
# Many threads, connections that say nothing, refused calls, and children that die in the middle.
for _ in range(300):
    try:
        s = socket.socket(socket.AF_UNIX); s.connect("/run/agentsh/%d/api.sock" % os.getuid()); s.close()
    except OSError: pass
def storm():
    for n in range(300):
        pid = os.fork()
        if pid == 0:
            try: os.execv("/usr/bin/factor", ["factor", "x" * (n * 100)])
            except OSError: os._exit(0)
        if n % 3 == 0: os.kill(pid, 9)
        os.waitpid(pid, 0)
threads = [threading.Thread(target=storm) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print("done")
"#;
    let out = python(&world, &id, text)?;
    if out != "done\n" {
        return Err(fail(out));
    }
    still_guards(&world, &id, "after a flood")?;
    if !wait_until(PATIENCE, || descriptors(&world).is_ok_and(|now| now <= before + 8)) {
        return Err(fail(format!(
            "{before} descriptors before, {} now",
            descriptors(&world)?
        )));
    }
    record::await_event(&world, "the denials", |event| {
        event.is("process_exec", "deny", "/usr/bin/factor")
    })?;
    Ok(())
}

/// How many descriptors broker and supervisors have open.
fn descriptors(world: &World) -> Result<usize> {
    let mut count = 0;
    for daemon in world.daemons() {
        count += std::fs::read_dir(format!("/proc/{}/fd", daemon.pid))?.count();
    }
    Ok(count)
}
