//! Engines that cannot be had: no session, no command.

use agentsh_tests::network::Far;
use agentsh_tests::world::SHIMS;
use agentsh_tests::{Outcome, Result, Shell, User, World, fail, session, skips};

use crate::{Engine, expect};

const ALL: &str = "network_rules:\n  - {name: all, decision: allow}\n";

/// A world whose sessions that begin by themselves have this engine.
fn world(user: User, engine: Engine) -> Result<World> {
    let world = World::new(user)?;
    let policy = session::write_policy(&world, "suite", &format!("{}{}{ALL}", session::BASE, engine.key()))?;
    std::fs::create_dir_all("/etc/agentsh")?;
    let config = format!("sessions: {{default_policy: \"{}\"}}\n", policy.display());
    std::fs::write("/etc/agentsh/config.yaml", config)?;
    Ok(world)
}

/// Starts a program of a user in a user namespace that knows the same people and has limits of its own on namespaces
/// (`namespaces(7)`).
const WITHIN: &str = r#"
import ctypes, os, sys
limits, uid, gid, argv = sys.argv[1].split(), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
left, mapped = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    os.close(mapped[1])
    assert ctypes.CDLL(None).unshare(0x10000000) == 0
    os.write(left[1], b"x"); os.read(mapped[0], 1)
    for limit in limits: open("/proc/sys/user/" + limit, "w").write("0")
    os.setgroups([]); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid)
    os.execvp(argv[0], argv)
os.read(left[0], 1)
for ids in ("uid_map", "gid_map"): open(f"/proc/{child}/{ids}", "w").write("0 0 65536")
os.write(mapped[1], b"x")
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
"#;

fn within(world: &World, limits: &[&str], argv: &[&str]) -> Result<Outcome> {
    let user = world.user();
    let (limits, uid, gid) = (limits.join(" "), user.uid.to_string(), user.gid.to_string());
    let shell = Shell::program("python3")
        .args(["-c", WITHIN, &limits, &uid, &gid])
        .args(argv);
    shell.inherit(|inherit| inherit.as_root = true).run(world)
}

/// A command by the stand-in is refused with one line that says why, and has not run.
fn is_refused(world: &World, run: impl Fn(&[&str]) -> Result<Outcome>, why: &str) -> Result {
    let ran = world.workspace().join("ran");
    let shim = format!("{SHIMS}/bash");
    let outcome = run(&[&shim, "-c", "echo ran >ran; echo ran"])?;
    outcome.expect_exit(126, "the stand-in")?;
    let told = outcome.err();
    if ran.exists() || !outcome.out().is_empty() || told.lines().count() != 1 || !told.contains(why) {
        return Err(fail(format!("{outcome:?}")));
    }
    Ok(())
}

#[test]
fn where_no_network_can_be_made_a_session_that_wants_one_is_refused() -> Result {
    for user in User::both() {
        let world = world(user, Engine::Private)?;
        let _far = Far::enter()?;
        let limits: &[&str] = match world.user().uid {
            0 => &["max_net_namespaces"],
            _ => &["max_net_namespaces", "max_user_namespaces"],
        };
        for limit in limits {
            is_refused(
                &world,
                |argv| within(&world, &[limit], argv),
                "network.namespace is private",
            )?;
            for broker in world.brokers() {
                broker.signal(libc::SIGKILL);
            }
        }
        // It was nothing else that was missing there.
        let shim = format!("{SHIMS}/bash");
        let outcome = within(&world, &[], &[&shim, "-c", "echo ran"])?;
        expect(&outcome.out(), "ran\n").map_err(|_| fail(format!("{outcome:?}")))?;
    }
    Ok(())
}

/// Where there is no right to load it. What a group is missing that it would be put around is tried in the suite `wall`.
#[test]
fn where_no_wall_can_be_raised_a_session_that_wants_one_is_refused() -> Result {
    let ebpf = agentsh_sandbox::probe::ebpf();
    if !ebpf.works() {
        return skips::skip("network-engines", ebpf.detail());
    }
    let world = world(User::root(), Engine::Ebpf)?;
    let _far = Far::enter()?;
    // Programs of the kernel are for those who have rights over the machine, not over a user namespace.
    is_refused(&world, |argv| within(&world, &[], argv), "network.engine is ebpf")?;
    for broker in world.brokers() {
        broker.signal(libc::SIGKILL);
    }
    // It was nothing else that was missing there.
    expect(&world.shimmed("echo ran")?.out(), "ran\n")
}

/// Who shares its folders with another process cannot get into the user namespace of a network before it has folders of
/// its own, `setns(2)`.
#[test]
fn a_caller_that_shares_its_folders_gets_into_the_network_too() -> Result {
    for user in User::both() {
        let world = world(user, Engine::Private)?;
        let _far = Far::enter()?;
        let text = format!(
            "import ctypes, os
child = ctypes.CDLL(None).syscall(56, 0x200 | 17, 0, 0, 0, 0)
if child == 0: os.execv('{SHIMS}/bash', ['bash', '-c', 'readlink /proc/self/ns/net; pwd'])
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), os.readlink('/proc/self/ns/net'), os.getcwd())"
        );
        let outcome = Shell::program("python3").args(["-c", &text]).run(&world)?;
        let told = outcome.out();
        let lines: Vec<&str> = told.lines().collect();
        let [inside, folder, after] = lines.as_slice() else {
            return Err(fail(format!("{outcome:?}")));
        };
        let apart = !after.contains(inside) && after.starts_with("0 ") && after.ends_with(folder);
        if !apart || !outcome.err().is_empty() {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}
