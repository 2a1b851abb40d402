//! Broker and supervisor: nobody inside reaches them, nor takes somebody else for one of the session.

use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, fail, session};

use crate::{PATIENCE, python, still_guards, world};

/// What reaches a process of those that are not to be reached: prints what worked.
pub const ATTEMPTS: &str = r#"
import ctypes, os, resource, signal
libc = ctypes.CDLL(None, use_errno=True)
worked = []
def tried(what, go):
    try:
        if go() not in (-1,): worked.append(what)
    except OSError: pass
for pid in PIDS:
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
        tried((pid, name), lambda: os.read(os.open(f"/proc/{pid}/{name}", os.O_RDONLY), 1) and 0)
    for name in ("mem", "oom_score_adj", "comm", "clear_refs", "coredump_filter", "sched", "timerslack_ns"):
        tried((pid, "write", name), lambda: os.write(os.open(f"/proc/{pid}/{name}", os.O_WRONLY), b"1"))
    tried((pid, "limit"), lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3)))
    tried((pid, "cpu"), lambda: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1)))
    tried((pid, "nice"), lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    tried((pid, "idle"), lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)))
    tried((pid, "cpus"), lambda: os.sched_setaffinity(pid, [0]))
print(worked)
"#;

#[test]
fn the_daemons_are_not_signalled_stopped_traced_or_read() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        let daemons: Vec<i32> = world.daemons().iter().map(|daemon| daemon.pid).collect();
        let text = ATTEMPTS.replace("PIDS", &format!("{daemons:?}"));
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
