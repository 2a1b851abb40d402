//! Floods of calls, connections and children.

use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, World, fail, record, session};

use crate::{PATIENCE, python, still_guards, world};

#[test]
fn floods_do_not_exhaust_the_supervisor() -> Result {
    for user in User::both() {
        exhausted_by_nothing(user)?;
    }
    Ok(())
}

fn exhausted_by_nothing(user: User) -> Result {
    let (world, id) = world(user)?;
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

#[test]
fn what_is_told_to_it_from_inside_does_not_fill_its_memory() -> Result {
    let (world, id) = world(User::root())?;
    let text = r#"
import os, socket, struct, threading, time
def talk(name):
    s = socket.socket(socket.AF_UNIX); s.connect("/run/agentsh/%d/%s.sock" % (os.getuid(), name)); return s
def tell(s):
    try: s.sendall(struct.pack("<I", 16 << 20) + b'["' + b"x" * (15 << 20))
    except OSError: pass
talks = [talk("launch") for _ in range(30)]
for s in talks: threading.Thread(target=tell, args=(s,), daemon=True).start()
time.sleep(1.5)
idle = [talk("api") for _ in range(300)]
time.sleep(0.3)
for s in idle: s.setblocking(False)
def ended(s):
    try: return s.recv(1) == b""
    except BlockingIOError: return False
print(sum(map(ended, idle)) > 40, flush=True)
os._exit(0)
"#;
    let out = python(&world, &id, text)?;
    if out != "True\n" {
        return Err(fail(out));
    }
    for daemon in world.daemons() {
        let most = daemon.most_memory();
        if most > 200 << 10 {
            return Err(fail(format!("{most} KiB: {daemon:?}")));
        }
    }
    still_guards(&world, &id, "after floods of requests")
}

#[test]
fn who_asks_for_the_record_again_and_again_keeps_nobody_else_waiting() -> Result {
    let (world, id) = world(User::root())?;
    let text = r#"
import os, select, socket
for n in range(8000): os.mkdir("/tmp/made%d" % n)
def ask():
    s = socket.socket(socket.AF_UNIX); s.connect("/run/agentsh/%d/api.sock" % os.getuid())
    s.sendall(b"GET /v1/self/why HTTP/1.1\r\nHost: agentsh\r\nConnection: close\r\n\r\n"); return s
asked = [ask() for _ in range(200)]
os.mkdir("/tmp/asked")
while asked:
    for s in select.select(asked, [], [])[0]:
        if not s.recv(65536): asked.remove(s); os.mkdir("/tmp/asked/%d" % s.fileno())
"#;
    let shell = session::exec(&id, &[], &["python3", "-c", text]);
    let mut flood = shell.spawn(&world)?;
    if !wait_until(PATIENCE, || std::path::Path::new("/tmp/asked").exists()) {
        return Err(fail("nobody asked"));
    }
    let answered = || std::fs::read_dir("/tmp/asked").map_or(0, Iterator::count);
    session::run(&world, &id, &["true"])?.expect_exit(0, "a program meanwhile")?;
    if answered() == 200 {
        return Err(fail("a program waited for all answers"));
    }
    flood.signal(libc::SIGKILL)?;
    flood.wait(PATIENCE)?;
    still_guards(&world, &id, "after many questions")
}

/// How many descriptors broker and supervisors have open.
fn descriptors(world: &World) -> Result<usize> {
    let mut count = 0;
    for daemon in world.daemons() {
        count += std::fs::read_dir(format!("/proc/{}/fd", daemon.pid))?.count();
    }
    Ok(count)
}
