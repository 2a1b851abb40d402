//! The notification loop: answers, blocking handlers, signals, ends.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use agentsh_intercept::{Errno, Outcome};
use support::{Result, cage, compiled, program, text, with};

#[test]
fn answers_reach_the_caller_and_the_end_is_reported() -> Result {
    let caged = cage(
        program("/bin/sh", &["-c", "mkdir /nowhere/x; echo $?"]),
        &[libc::SYS_mkdir],
        |_| {
            with(|caller| match caller.read_path(caller.arg(0)) {
                Ok(path) if path.as_bytes() == b"/nowhere/x" => Outcome::Value(0),
                _ => Outcome::Errno(Errno::ACCESS),
            })
        },
    )?;
    let output = caged.output()?;
    assert_eq!(
        (text(&output.stdout), text(&output.stderr)),
        ("0\n".into(), String::new())
    );
    Ok(())
}

#[test]
fn many_blocked_calls_keep_no_other_waiting() -> Result {
    // Eight children block in mkdir until rmdir, called by a ninth, has been answered.
    let script = "for i in 1 2 3 4 5 6 7 8; do mkdir /x$i & done; rmdir /y; wait; echo done";
    let caged = cage(
        program("/bin/sh", &["-c", script]),
        &[libc::SYS_mkdir, libc::SYS_rmdir],
        |_| {
            let gate = (Mutex::new((0, false)), Condvar::new());
            with(move |caller| {
                let Ok(mut state) = gate.0.lock() else {
                    return Outcome::Errno(Errno::IO);
                };
                if caller.notification().nr == libc::SYS_rmdir {
                    // All eight are in their handlers before this one is answered.
                    while state.0 < 8 {
                        match gate.1.wait(state) {
                            Ok(next) => state = next,
                            Err(_) => return Outcome::Errno(Errno::IO),
                        }
                    }
                    state.1 = true;
                } else {
                    state.0 += 1;
                    gate.1.notify_all();
                    while !state.1 {
                        match gate.1.wait(state) {
                            Ok(next) => state = next,
                            Err(_) => return Outcome::Errno(Errno::IO),
                        }
                    }
                }
                gate.1.notify_all();
                Outcome::Value(0)
            })
        },
    )?;
    let output = caged.output()?;
    assert_eq!(text(&output.stdout), "done\n");
    Ok(())
}

const ALARM: &str = r#"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
static void hit(int s) { (void)s; }
int main(int c, char **v) {
  struct sigaction a; memset(&a, 0, sizeof a); a.sa_handler = hit; a.sa_flags = c > 1 ? SA_RESTART : 0;
  sigaction(SIGALRM, &a, 0);
  struct itimerval t = {{0, 0}, {0, 50000}}; setitimer(ITIMER_REAL, &t, 0);
  long r = syscall(SYS_mkdirat, -100, "/blocked", 0700);
  printf("%ld %s\n", r, r ? strerror(errno) : "ok"); return 0; }
"#;

/// A call that blocks for ever the first time and succeeds the second.
fn blocks_once(restart: bool) -> Result<String> {
    let victim = compiled("alarm", ALARM, &[])?;
    let calls = Arc::new(AtomicUsize::new(0));
    let args: &[&str] = if restart { &["restart"] } else { &[] };
    let caged = cage(program(victim, args), &[libc::SYS_mkdirat], move |_| {
        with(move |caller| {
            if calls.fetch_add(1, Ordering::SeqCst) == 1 {
                return Outcome::Value(0);
            }
            let never = std::io::pipe();
            let Ok((read, _write)) = never else {
                return Outcome::Errno(Errno::IO);
            };
            let mut byte = [0];
            match caller.slow(|| rustix::io::read(&read, &mut byte)) {
                Ok(_) => Outcome::Errno(Errno::IO),
                Err(outcome) => outcome,
            }
        })
    })?;
    Ok(text(&caged.output()?.stdout))
}

#[test]
fn a_blocked_call_ends_with_eintr_when_a_signal_with_a_handler_comes() -> Result {
    assert_eq!(blocks_once(false)?, "-1 Interrupted system call\n");
    Ok(())
}

#[test]
fn a_blocked_call_is_started_again_after_a_handler_that_asks_for_it() -> Result {
    assert_eq!(blocks_once(true)?, "0 ok\n");
    Ok(())
}

#[test]
fn a_caller_that_dies_ends_its_blocked_call() -> Result {
    let (sent, seen) = std::sync::mpsc::channel();
    let sent = Mutex::new(sent);
    let mut caged = cage(program("/bin/mkdir", &["/blocked"]), &[libc::SYS_mkdir], move |_| {
        with(move |caller| {
            if let Ok(sent) = sent.lock() {
                let _ = sent.send(());
            }
            let Ok((read, _write)) = std::io::pipe() else {
                return Outcome::Errno(Errno::IO);
            };
            let mut byte = [0];
            let end = caller.slow(|| rustix::io::read(&read, &mut byte));
            if let (Err(Outcome::Answered), Ok(sent)) = (end, sent.lock()) {
                let _ = sent.send(());
            }
            Outcome::Answered
        })
    })?;
    seen.recv_timeout(Duration::from_secs(20))?;
    caged.child.kill()?;
    seen.recv_timeout(Duration::from_secs(20))?;
    caged.output()?;
    Ok(())
}

#[test]
fn a_path_at_the_end_of_a_mapping_is_read_and_one_that_runs_off_is_a_fault() -> Result {
    let victim = compiled(
        "edges",
        r#"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
static void go(const char *p) { errno = 0; long r = syscall(SYS_mkdirat, -100, p, 0700); printf("%ld %d\n", r, errno); }
int main(void) {
  char *m = mmap(0, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); munmap(m + 4096, 4096);
  memcpy(m + 4096 - 5, "/end", 5); go(m + 4096 - 5);
  memset(m, 'a', 4096); go(m + 4000); go((char *)8); go(0);
  char *l = mmap(0, 16384, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(l, 'b', 4095); go(l); memset(l, 'b', 4096); go(l); l[0] = 0; go(l); return 0; }
"#,
        &[],
    )?;
    let caged = cage(program(victim, &[]), &[libc::SYS_mkdirat], |_| {
        with(|caller| match caller.read_path(caller.arg(1)) {
            Ok(path) => Outcome::Value(path.as_bytes().len() as i64),
            Err(errno) => Outcome::Errno(errno),
        })
    })?;
    let output = caged.output()?;
    assert_eq!(text(&output.stdout), "4 0\n-1 14\n-1 14\n-1 14\n4095 0\n-1 36\n0 0\n");
    Ok(())
}

#[test]
fn a_descriptor_handed_back_is_the_lowest_free_number_and_reads_our_file() -> Result {
    let caged = cage(
        program("/bin/sh", &["-c", "read line < /nowhere/file; echo $line"]),
        &[libc::SYS_openat],
        |_| {
            with(|caller| match caller.read_path(caller.arg(1)) {
                Ok(path) if path.as_bytes() == b"/nowhere/file" => {
                    let Ok((read, mut write)) = std::io::pipe() else {
                        return Outcome::Errno(Errno::IO);
                    };
                    let _ = std::io::Write::write_all(&mut write, b"from us\n");
                    Outcome::Descriptor {
                        fd: read.into(),
                        cloexec: true,
                    }
                }
                _ => Outcome::Continue,
            })
        },
    )?;
    let output = caged.output()?;
    assert_eq!(text(&output.stdout), "from us\n");
    Ok(())
}

#[test]
fn arguments_of_every_length_are_read_whole() -> Result {
    let (sent, seen) = std::sync::mpsc::channel();
    let sent = Mutex::new(sent);
    let long = "x".repeat(100_000);
    let many: Vec<String> = (0..2_000).map(|number| format!("{number}")).collect();
    let mut command = program("/bin/true", &[&long, ""]);
    command.args(&many);
    let caged = cage(command, &[libc::SYS_execve], move |_| {
        with(move |caller| {
            if let Ok(sent) = sent.lock() {
                let _ = sent.send(caller.read_string_array(caller.arg(1)));
            }
            Outcome::Continue
        })
    })?;
    assert!(caged.output()?.status.success());
    let strings = seen.recv()??;
    let strings: Vec<&[u8]> = strings.iter().map(|string| string.as_bytes()).collect();
    assert_eq!(
        (strings.len(), strings[1], strings[2]),
        (2_003, long.as_bytes(), &b""[..])
    );
    assert_eq!(strings[2_002], b"1999");
    Ok(())
}

#[test]
#[ignore = "a measurement: cargo test -p agentsh-intercept --test loop -- --ignored --nocapture"]
fn measure_a_continued_call() -> Result {
    let victim = compiled(
        "spin",
        r#"
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int main(void) { struct timespec a, b; clock_gettime(CLOCK_MONOTONIC, &a);
  for (int i = 0; i < 20000; i++) syscall(SYS_getppid);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%.0f\n", ((b.tv_sec - a.tv_sec) * 1e9 + b.tv_nsec - a.tv_nsec) / 20000); return 0; }
"#,
        &["-O2"],
    )?;
    for _ in 0..5 {
        let started = Instant::now();
        let caged = cage(program(&victim, &[]), &[libc::SYS_getppid], |_| {
            with(|_| Outcome::Continue)
        })?;
        println!(
            "ns a call: {} ({:?})",
            text(&caged.output()?.stdout).trim(),
            started.elapsed()
        );
    }
    Ok(())
}
