//! Callers of every kind: children that share their parent's memory, threads, programs that fail.

use agentsh_tests::{Result, User, fail};

use crate::DIGEST;

/// Runs a Python text in a session's shell.
fn python(world: &agentsh_tests::World, text: &str) -> Result<String> {
    world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
    let outcome = world.shimmed("python3 p.py")?;
    outcome.expect_success("p.py")?;
    Ok(outcome.out())
}

#[test]
fn children_that_share_their_parents_memory_leave_it_as_it_was() -> Result {
    for user in User::both() {
        let (world, _) = crate::world(user)?;
        let text = r#"
import os, subprocess
before = dict(os.environ)
# vfork, and posix_spawn with a name that the library looks for along PATH.
print(subprocess.run(["md5sum", "f"], capture_output=True, text=True, close_fds=True).stdout, end="")
print(subprocess.run(["/usr/bin/md5sum", "f"], capture_output=True, text=True, close_fds=False).stdout, end="")
read, write = os.pipe()
pid = os.posix_spawnp("md5sum", ["md5sum", "f"], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, write, 1)])
os.close(write)
print(os.read(read, 1000).decode(), end="")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), dict(os.environ) == before, os.popen("md5sum f").read(), end="")
print(sorted(int(n) for n in os.listdir("/proc/self/fd"))[:3])
"#;
        let line = format!("SHA1 (f) = {DIGEST}\n");
        let expected = format!("{line}{line}{line}0 True {line}[0, 1, 2]\n");
        let out = python(&world, text)?;
        if out != expected {
            return Err(fail(out));
        }
    }
    Ok(())
}

#[test]
fn many_threads_start_redirected_and_other_programs_at_once() -> Result {
    let (world, _) = crate::world(User::agent())?;
    let text = r#"
import subprocess, threading
wrong = []
def go(n):
    for i in range(15):
        one = subprocess.run(["md5sum", "f"] if (n + i) % 2 else ["cksum", "f"], capture_output=True, text=True)
        if one.returncode or one.stderr or one.stdout.startswith("SHA1") != bool((n + i) % 2):
            wrong.append(one)
threads = [threading.Thread(target=go, args=(n,)) for n in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
print(wrong)
"#;
    let out = python(&world, text)?;
    match out == "[]\n" {
        true => Ok(()),
        false => Err(fail(out)),
    }
}

#[test]
fn an_exec_of_a_program_with_many_threads_ends_them() -> Result {
    let (world, _) = crate::world(User::agent())?;
    let text = r#"
import os, threading, time
for _ in range(4):
    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
def run():
    os.execv("/usr/bin/md5sum", ["md5sum", "f"])
thread = threading.Thread(target=run); thread.start(); thread.join()
"#;
    let out = python(&world, text)?;
    match out == format!("SHA1 (f) = {DIGEST}\n") {
        true => Ok(()),
        false => Err(fail(out)),
    }
}

#[test]
fn signals_at_the_moment_of_the_exec_do_no_harm() -> Result {
    let (world, _) = crate::world(User::agent())?;
    let text = r#"
import os, signal, subprocess, threading, time
signal.signal(signal.SIGUSR1, lambda *_: None)
stop = False
def storm():
    while not stop:
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.0002)
thread = threading.Thread(target=storm); thread.start()
outs = {subprocess.run(["md5sum", "f"], capture_output=True, text=True).stdout for _ in range(40)}
stop = True; thread.join()
print(outs)
"#;
    let out = python(&world, text)?;
    match out == format!("{{'SHA1 (f) = {DIGEST}\\n'}}\n") {
        true => Ok(()),
        false => Err(fail(out)),
    }
}

#[test]
fn what_the_kernel_refuses_is_refused_in_its_words() -> Result {
    let (world, _) = crate::world(User::agent())?;
    let outcome = world.shimmed("./absent/md5sum f; echo $?; touch md5sum; ./md5sum f; echo $?")?;
    match outcome.out() == "127\n126\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn a_program_that_is_traced_is_not_redirected_and_does_not_run() -> Result {
    let (world, _) = crate::world(User::agent())?;
    let outcome = world.shimmed("strace -f -o /dev/null sh -c 'md5sum f; echo $?'")?;
    match outcome.out() == "126\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
