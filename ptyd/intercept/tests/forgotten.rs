//! What is expected of an exec is not forgotten because of who else calls: another thread of the process that ends it,
//! or a thread whose number the process has got.
//!
//! The race of the path is won each time: the judge itself rewrites it once it has judged.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use agentsh_intercept::{
    Errno, ExecDecision, ExecRequest, ExecSettled, Fork, Guard, Guarded, Handler, Judge, Locator, Observer, Stage,
    Table,
};
use support::judge::{Nobody, beginning};
use support::{Result, cage, compiled, program, text};

const PATIENCE: Duration = Duration::from_secs(10);

/// Lets `good` run and turns it into `evil`.
#[derive(Default)]
struct Swap {
    /// Ends that came while an exec of the same process was on its way, and that lost.
    lost: AtomicU32,
    killed: AtomicU32,
}

fn is(tgid: i32, name: &str) -> bool {
    std::fs::read_link(format!("/proc/{tgid}/exe")).is_ok_and(|exe| exe.ends_with(name))
}

impl Judge for Swap {
    fn exec(&self, request: &ExecRequest<'_>) -> ExecDecision {
        let first = request.subjects.first();
        let called = |name: &str| {
            first
                .and_then(|one| one.place.path())
                .is_some_and(|path| path.ends_with(name))
        };
        if called("evil") {
            return ExecDecision::Deny(Errno::ACCESS);
        }
        if request.stage == Stage::Asked && called("good") {
            let argument = first.and_then(|one| one.argv.get(1)).map(|word| text(word.as_bytes()));
            let go = argument
                .and_then(|word| u64::from_str_radix(&word, 16).ok())
                .unwrap_or(0);
            let written = request.caller.write_bytes(request.caller.arg(0), b"./evil\0");
            if written.and_then(|()| request.caller.write_bytes(go, &[1])).is_err() {
                return ExecDecision::Deny(Errno::FAULT);
            }
        }
        ExecDecision::Allow
    }

    fn nameless_programs(&self) -> bool {
        false
    }
}

impl Observer for Swap {
    fn forked(&self, _fork: Fork) {}

    /// An end takes until the exec that it competes with has won, if it does.
    fn exited(&self, tgid: i32, status: u8) {
        let until = Instant::now() + PATIENCE;
        while status == 42 && Instant::now() < until {
            if is(tgid, "evil") {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            std::thread::yield_now();
        }
    }

    fn exec_refused(&self, _request: &ExecRequest<'_>, _errno: Errno) {}

    fn exec_settled(&self, _tgid: i32, settled: &ExecSettled) {
        if matches!(settled, ExecSettled::Killed(_)) {
            self.killed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

const EVIL: &str = r#"
#include <unistd.h>
int main(void) { return write(1, "evil ran\n", 9) != 9; }
"#;

/// `caller ends`: a thread ends the process as soon as another's exec was judged. `caller number`: a process executes
/// whose number a thread had that has just called.
const CALLER: &str = r#"
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile char go; static char path[] = "./good"; static volatile pid_t number;
static void run(void) {
  char word[20]; sprintf(word, "%lx", (unsigned long)&go); char *a[] = {"good", word, 0}, *e[] = {0};
  execve(path, a, e); _exit(9);
}
static void *end(void *x) { while (!go); syscall(SYS_exit_group, 42); return x; }
static void *call(void *x) { number = syscall(SYS_gettid); if (chdir(".")) _exit(8); return x; }
int main(int c, char **v) {
  pthread_t t; pid_t p; (void)c;
  if (!strcmp(v[1], "ends")) {
    if (!(p = fork())) { pthread_create(&t, 0, end, 0); run(); }
  } else {
    pthread_create(&t, 0, call, 0); pthread_join(t, 0);
    pid_t wish[1] = {number}; uint64_t words[11] = {0}; words[4] = SIGCHLD; words[8] = (uint64_t)wish; words[9] = 1;
    while ((p = syscall(SYS_clone3, words, sizeof words)) < 0 && !kill(number, 0));
    if (p < 0) return 7;
    if (!p) run();
  }
  int s; waitpid(p, &s, 0); return 0; }
"#;

fn run(kind: &str) -> Result<(Arc<Swap>, String)> {
    let folder = tempfile::tempdir()?;
    let evil = compiled("evil", EVIL, &["-static"])?;
    let caller = compiled("caller", CALLER, &["-w"])?;
    std::fs::copy(evil, folder.path().join("evil"))?;
    std::fs::copy("/bin/true", folder.path().join("good"))?;
    let swap = Arc::new(Swap::default());
    let judge = Arc::clone(&swap);
    let mut command = program(caller, &[kind]);
    command.current_dir(folder.path());
    let handler = move |root| -> Arc<dyn Handler> {
        match Locator::new(Arc::new(Nobody), false) {
            Ok(locator) => {
                let guard = Guard::new(&beginning(root), locator, Arc::clone(&judge) as _, judge as _);
                Arc::new(Guarded::new(guard, Arc::new(Table::new())))
            }
            Err(_) => Arc::new(Table::new()),
        }
    };
    let output = cage(command, &Guard::CALLS, handler)?.output()?;
    assert!(output.status.success(), "{kind}: {output:?}");
    Ok((swap, text(&output.stdout)))
}

#[test]
fn an_end_that_loses_to_an_exec_does_not_make_it_forgotten() -> Result {
    for _ in 0..500 {
        let (swap, out) = run("ends")?;
        assert_eq!(out, "");
        if swap.lost.load(Ordering::Relaxed) > 0 {
            assert_eq!(swap.killed.load(Ordering::Relaxed), 1);
            return Ok(());
        }
    }
    Err("no end ever came while an exec was on its way: it proves nothing".into())
}

#[test]
fn a_process_that_got_a_threads_number_is_compared_as_itself() -> Result {
    let (swap, out) = run("number")?;
    assert_eq!((out, swap.killed.load(Ordering::Relaxed)), (String::new(), 1));
    Ok(())
}
