//! Callers that rewrite what was judged, from threads and from other processes, and swap files under
//! their names: no banned program gets as far as its output being seen.
//!
//! Each run prints which layer caught how many: the judge (refused), or the comparison at the first
//! notified call of what really ran (killed).

mod support;

use std::sync::Arc;

use agentsh_intercept::{ExecSettled, Guard};
use support::judge::Log;
use support::{Result, cage, compiled, program, text};

/// A static program, so that nothing of it is notified before its own first call; it writes what it
/// was called with into the pipe on descriptor 3.
const SAYS: &str = r#"
#include <stdio.h>
#include <unistd.h>
int main(int c, char **v) { char b[99]; (void)c; return write(3, b, snprintf(b, sizeof b, "[%s]", v[1])) < 0; }
"#;

/// `racer KIND COUNT GOOD BAD`: executes GOOD while somebody turns it into BAD and back.
const RACER: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int stop; static volatile char *text; static const char *good, *bad; static int names;
static void wait_a_bit(void) { for (volatile int i = 0; i < 1500; i++); }
static void put(const char *from) {
  if (names) { unlink("next"); if (symlink(from, "next") == 0) rename("next", "name"); return; }
  for (size_t i = strlen(from) + 1; i-- > 0;) text[i] = from[i];
}
static void *flip(void *x) {
  while (!stop) { put(good); wait_a_bit(); if (names) usleep(100); put(bad); wait_a_bit(); if (names) usleep(100); }
  return x;
}
static int flip_in(void *x) { flip(x); return 0; }
int main(int c, char **v) {
  (void)c; const char *kind = v[1]; int count = atoi(v[2]); good = v[3]; bad = v[4];
  int shared = !strcmp(kind, "memory") || !strcmp(kind, "names");
  names = !strcmp(kind, "names");
  text = mmap(0, 4096, PROT_READ | PROT_WRITE, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
  put(good);
  int argument = !strcmp(kind, "argument"); pthread_t t; pid_t other = 0;
  char *stack = malloc(65536) + 65536;
  if (shared) { other = fork(); if (!other) { flip(0); _exit(0); } }
  else if (!strcmp(kind, "clone")) other = clone(flip_in, stack, CLONE_VM | SIGCHLD, 0);
  else pthread_create(&t, 0, flip, 0);
  int refused = 0, killed = 0, ran = 0;
  for (int i = 0; i < count; i++) {
    pid_t p = strcmp(kind, "memory") ? vfork() : fork();
    if (!p) {
      char *a[] = {"says", argument ? (char *)text : "said", 0}, *e[] = {0};
      execve(argument ? "./says" : names ? "./name" : (char *)text, a, e); _exit(99);
    }
    int s; waitpid(p, &s, 0);
    if (WIFSIGNALED(s)) killed++; else if (WEXITSTATUS(s) == 99) refused++; else ran++;
  }
  stop = 1;
  if (other) kill(other, SIGKILL); else pthread_join(t, 0);
  printf("ran %d refused %d killed %d\n", ran, refused, killed);
  return 0; }
"#;

/// Races `count` times and returns what banned programs wrote.
fn race(kind: &str, good: &str, bad: &str, log: Log, count: u32) -> Result<usize> {
    let says = compiled("race_says", SAYS, &["-static", "-O2"])?;
    let racer = compiled("racer", RACER, &["-O1", "-w"])?;
    let folder = tempfile::tempdir()?;
    std::fs::copy(&says, folder.path().join("says"))?;
    std::fs::copy(&says, folder.path().join("banned"))?;
    let log = Arc::new(log);
    // The pipe on descriptor 3 of everything that the racer starts.
    let script = format!("exec 3> out; exec {} {kind} {count} {good} {bad}", racer.display());
    let mut command = program("/bin/sh", &["-c", &script]);
    command.current_dir(folder.path());
    let handler = Arc::clone(&log);
    let output = cage(command, &Guard::CALLS, move |root| handler.handler(root))?.output()?;
    let written = std::fs::read(folder.path().join("out"))?;
    let killed = log.count(|one| matches!(one, ExecSettled::Killed(_)));
    let leaked = text(&written)
        .matches(if kind == "argument" { "[bad]" } else { "[said]" })
        .count();
    println!(
        "{kind}: {}; killed by us {killed}; banned output {leaked}",
        text(&output.stdout).trim()
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    Ok(leaked)
}

const COUNT: u32 = 1000;

#[test]
fn a_thread_that_rewrites_the_path() -> Result {
    assert_eq!(
        race("thread", "/bin/true", "./banned", Log::banning(&["banned"]), COUNT)?,
        0
    );
    Ok(())
}

#[test]
fn a_thread_that_rewrites_an_argument() -> Result {
    let log = Log {
        banned_argument: Some(("says".into(), "bad".into())),
        ..Log::default()
    };
    assert_eq!(race("argument", "ok", "bad", log, COUNT)?, 0);
    Ok(())
}

#[test]
fn a_process_that_shares_the_memory_and_rewrites_the_path() -> Result {
    assert_eq!(
        race("clone", "/bin/true", "./banned", Log::banning(&["banned"]), COUNT)?,
        0
    );
    Ok(())
}

#[test]
fn a_process_that_rewrites_the_path_in_a_shared_mapping() -> Result {
    assert_eq!(
        race("memory", "/bin/true", "./banned", Log::banning(&["banned"]), COUNT)?,
        0
    );
    Ok(())
}

#[test]
fn a_process_that_swaps_the_link_under_the_name() -> Result {
    assert_eq!(
        race("names", "/bin/true", "banned", Log::banning(&["banned"]), COUNT)?,
        0
    );
    Ok(())
}
