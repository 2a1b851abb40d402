//! What an agent would try to get out of the group, or to have it gone.

use std::fs;
use std::path::Path;

use agentsh_tests::network::Far;
use agentsh_tests::world::processes::{signal_all, wait_until};
use agentsh_tests::{Result, Shell, User, World, fail, record, session};

use crate::{PATIENCE, walled};

/// Rules that let the session write to control groups, as far as rules can.
const ALL_FILES: &str = "  - {name: groups, paths: [\"/sys/**\"], operations: [\"*\"], decision: allow}\n";

#[test]
fn nobody_inside_leaves_the_group() -> Result {
    let world = World::new(User::root())?;
    let Some(info) = walled(&world, "wall-leave", ALL_FILES)? else {
        return Ok(());
    };
    let text = format!(
        "python3 - <<'END'
import os, glob, subprocess, ctypes, errno
tops = [line.split()[1] for line in open('/proc/mounts') if line.split()[2] == 'cgroup2']
def word(error): return errno.errorcode.get(error.errno, str(error))
def attempt(name, act):
    try: act(); print(name, 'done')
    except OSError as error: print(name, word(error))
def write(path, text):
    f = os.open(path, os.O_WRONLY)
    os.write(f, text)
for top in tops:
    for name in ('cgroup.procs', 'cgroup.threads'):
        attempt('up', lambda: write(f'{{top}}/{{name}}', b'0'))
        attempt('up by number', lambda: write(f'{{top}}/{{name}}', str(os.getpid()).encode()))
    attempt('new', lambda: os.mkdir(f'{{top}}/tests-escape'))
    attempt('own', lambda: write(f'{{top}}/agentsh-{id}/cgroup.threads', b'0'))
    attempt('kind', lambda: write(f'{{top}}/agentsh-{id}/cgroup.type', b'threaded'))
    attempt('remove', lambda: os.rmdir(f'{{top}}/agentsh-{id}'))
    attempt('rename', lambda: os.rename(f'{{top}}/agentsh-{id}', f'{{top}}/x'))
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    if libc.syscall(number, *words) < 0: raise OSError(ctypes.get_errno(), '')
attempt('unshare', lambda: call(272, 0x02000000))
attempt('setns', lambda: call(308, os.open('/proc/self/ns/cgroup', os.O_RDONLY), 0x02000000))
attempt('mount', lambda: call(165, b'none', b'/tmp', b'cgroup2', 0, 0))
attempt('clone', lambda: call(56, 0x02000000 | 17, 0, 0, 0, 0))
class Args(ctypes.Structure): _fields_ = [(n, ctypes.c_uint64) for n in 'flags pidfd child parent exit stack size tls tids count group'.split()]
for top in tops:
    folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    args = Args(flags=0x200000000, exit=17, group=folder)
    attempt('into', lambda: call(435, ctypes.byref(args), ctypes.sizeof(args)))
# PROG_DETACH and PROG_ATTACH of bpf(2)
for command in (8, 9): attempt('bpf', lambda: call(321, command, ctypes.create_string_buffer(64), 64))
END",
        id = info.id
    );
    let outcome = world.shimmed(&text)?;
    let out = outcome.out();
    let done: Vec<&str> = out.lines().filter(|line| line.ends_with(" done")).collect();
    if !done.is_empty() || out.lines().count() < 14 {
        return Err(fail(format!("{done:?}: {outcome:?}")));
    }
    Ok(())
}

/// The numbers in a group's list of processes.
fn processes(folder: &Path) -> Vec<i32> {
    let text = fs::read_to_string(folder.join("cgroup.threads")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

#[test]
fn whoever_is_started_in_whatever_way_is_in_the_group() -> Result {
    let world = World::new(User::root())?;
    if walled(&world, "wall-started", "")?.is_none() {
        return Ok(());
    }
    // Forks from the first moment on, daemons, other users, setuid programs, threads, vfork and posix_spawn.
    let text = "for i in 1 2 3 4 5 6 7 8; do (sleep 2001 &) & done
setsid -f sleep 2001
su agent -c 'exec sleep 2001' &
python3 -c '
import os, threading, subprocess
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.execvp(\"sleep\", [\"sleep\", \"2001\"])
    os._exit(0)
threading.Thread(target=lambda: subprocess.Popen([\"sleep\", \"2001\"])).start()
os.posix_spawn(\"/usr/bin/sleep\", [\"sleep\", \"2001\"], os.environ)
subprocess.Popen([\"sleep\", \"2001\"], user=65534)
' &
wait %2 2>/dev/null; exec sleep 2001";
    let mut child = world.in_background(text)?;
    let sleepers = || -> Vec<i32> {
        let all = world
            .strays()
            .into_iter()
            .filter(|process| process.line == "sleep 2001");
        all.map(|process| process.pid).collect()
    };
    if !wait_until(PATIENCE, || sleepers().len() >= 15) {
        return Err(fail(format!("{:?}", world.strays())));
    }
    let event = record::await_event(&world, "the command", |event| event.fields.contains_key("wall"))?;
    let folder = event
        .fields
        .get("wall")
        .and_then(|wall| wall.as_str())
        .unwrap_or_default()
        .to_owned();
    let members = processes(Path::new(&folder));
    let outside: Vec<i32> = sleepers().into_iter().filter(|pid| !members.contains(pid)).collect();
    signal_all(&world.strays(), libc::SIGKILL);
    child.wait(PATIENCE)?;
    match outside.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("{outside:?} are not in {folder}"))),
    }
}

/// A socket that was made before the command entered is none of the wall's; every call on it is judged.
#[test]
fn a_socket_from_outside_is_judged_whoever_has_it() -> Result {
    let world = World::new(User::root())?;
    let far = Far::enter()?;
    let rules = "network_rules:
  - {name: one, cidrs: [203.0.113.10], ports: [443], decision: allow}
  - {name: rest, decision: deny}
";
    if walled(&world, "wall-inherited", rules)?.is_none() {
        return Ok(());
    }
    let (allowed, denied) = (far.serve("203.0.113.10:443")?, far.serve("203.0.113.12:443")?);
    let packets = far.echo("203.0.113.12:443")?;
    // A second thread puts the socket from outside under the number of one from inside, again and again.
    let inside = "
import socket, threading, os, errno
ways = {}
def note(act):
    try: act(); way = 'in'
    except OSError as error: way = errno.errorcode[error.errno]
    ways[way] = ways.get(way, 0) + 1
for way in (7, 8):
    s = socket.socket(fileno=os.dup(way))
    note(lambda: s.connect(('203.0.113.12', 443)) if way == 7 else s.sendto(b'x', ('203.0.113.12', 443)))
stop = threading.Event()
spot = os.dup(0)
def exchange():
    while not stop.is_set(): os.dup2(7, spot)
thread = threading.Thread(target=exchange); thread.start()
for _ in range(500):
    fresh = socket.socket(); os.dup2(fresh.fileno(), spot); fresh.close()
    s = socket.socket(fileno=os.dup(spot))
    note(lambda: s.connect(('203.0.113.12', 443)))
stop.set(); thread.join()
print(sorted(ways))
t = socket.socket(fileno=7); t.connect(('203.0.113.10', 443)); print('allowed')";
    let user = world.user();
    user.write_file(&world.workspace().join("inside.py"), inside, 0o644)?;
    let outside = format!(
        "import socket,os
t=socket.socket(); u=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
os.dup2(t.fileno(),17); os.dup2(u.fileno(),8); os.dup2(17,7)
os.execv('{}/bash',['bash','-c','exec python3 inside.py'])",
        agentsh_tests::world::SHIMS
    );
    user.write_file(&world.workspace().join("outside.py"), outside, 0o644)?;
    let outcome = Shell::program("python3").args(["outside.py"]).run(&world)?;
    let arrived = (denied.count(), packets.count());
    if outcome.out() != "['EACCES']\nallowed\n" || arrived != (0, 0) || allowed.count() != 1 {
        return Err(fail(format!("{arrived:?} {}: {outcome:?}", allowed.count())));
    }
    Ok(())
}

/// Groups of ours below this one.
fn ours(folder: &Path, session: &str) -> bool {
    folder.join(format!("agentsh-{session}")).exists()
}

#[test]
fn a_supervisor_that_dies_at_any_moment_leaves_no_group_and_nobody_in_it() -> Result {
    let world = World::new(User::root())?;
    if walled(&world, "wall-deaths", "")?.is_none() {
        return Ok(());
    }
    let own = std::process::id() as i32;
    let hierarchies = agentsh_sandbox::cgroup::Hierarchies::mounted()?;
    let here = hierarchies.group_of(own, agentsh_sandbox::cgroup::Version::V2, "")?;
    let here = here.ok_or_else(|| fail("no v2 hierarchy"))?;
    for round in 0..30_u64 {
        let mut starts = world.in_background("for i in 1 2 3 4 5 6 7 8 9; do sleep 3001 & done; wait")?;
        // From before the group is made until the command is well under way.
        let moment = std::time::Instant::now() + std::time::Duration::from_micros(round * 1_000);
        while std::time::Instant::now() < moment {
            std::hint::spin_loop();
        }
        // The first may have been that of the round before.
        let ended = wait_until(PATIENCE, || {
            signal_all(&world.supervisors(), libc::SIGKILL);
            world.strays().is_empty()
        });
        if !ended {
            return Err(fail(format!("round {round}: {:?}", world.strays())));
        }
        starts.wait(PATIENCE)?;
    }
    let sessions: Vec<String> = record::sessions(&world)?
        .iter()
        .filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let left = || {
        sessions
            .iter()
            .filter(|session| ours(&here, session))
            .collect::<Vec<_>>()
    };
    if !wait_until(PATIENCE, || left().is_empty()) {
        return Err(fail(format!("left: {:?}", left())));
    }
    session::with_rules(&world, "").map(drop)
}
