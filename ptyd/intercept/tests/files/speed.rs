//! What one judged call costs: `cargo test --release -p agentsh-intercept --test files speed -- --ignored --nocapture`.
//!
//! Times include the call itself and, for opens, a close that is not notified.

use agentsh_intercept::files::Verdict;

use crate::rig::{Rig, Rules};
use crate::support::{Result, compiled, program};

const PROBE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { N = 8000 };
static double times[N];
static int by_size(const void *a, const void *b) { double x = *(double *)a - *(double *)b; return (x > 0) - (x < 0); }
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e6 + t.tv_nsec / 1e3; }

static void measure(const char *name, int callers) {
    int go[2], out[2];
    if (pipe(go) || pipe(out)) exit(1);
    for (int c = 0; c < callers; c++) {
        if (fork()) continue;
        char byte, file[32];
        sprintf(file, "d/f%d", c);
        close(open(file, O_CREAT | O_WRONLY, 0644));
        if (read(go[0], &byte, 1) != 1) _exit(1);
        for (int i = 0; i < N; i++) {
            double from = now();
            if (!strcmp(name, "open")) close(open(file, O_RDONLY));
            else if (!strcmp(name, "missing")) open("d/missing", O_RDONLY);
            else if (!strcmp(name, "create")) { close(open("d/new", O_CREAT | O_WRONLY, 0644)); }
            else { chmod(file, 0600); }
            times[i] = now() - from;
            if (!strcmp(name, "create")) unlink("d/new");
        }
        qsort(times, N, sizeof *times, by_size);
        double both[2] = {times[N / 2], times[N * 99 / 100]};
        if (write(out[1], both, sizeof both) < 0) _exit(1);
        _exit(0);
    }
    char bytes[64] = {0};
    if (write(go[1], bytes, callers) < 0) exit(1);
    double p50 = 0, p99 = 0, both[2];
    for (int c = 0; c < callers; c++) {
        if (read(out[0], both, sizeof both) != sizeof both) exit(1);
        p50 += both[0] / callers; p99 += both[1] / callers;
    }
    while (wait(0) > 0) {}
    printf("  %-8s %2d callers  p50 %6.1f us  p99 %6.1f us\n", name, callers, p50, p99);
}

int main(void) {
    mkdir("d", 0755);
    measure("open", 1); measure("open", 4); measure("open", 16);
    measure("missing", 1); measure("create", 1); measure("chmod", 1);
    return 0;
}
"#;

#[test]
#[ignore = "a measurement, not a test"]
fn the_cost_of_one_judged_call() -> Result {
    let probe = compiled("probe", PROBE, &["-O2"])?;
    let folder = tempfile::tempdir_in("/dev/shm")?;
    let command = || {
        let mut command = program(&probe, &[]);
        command.current_dir(folder.path());
        command
    };
    println!("native\n{}", String::from_utf8(command().output()?.stdout)?);
    let mut continued = Rules::allow_all();
    continued.default = Verdict::Continue;
    for (name, rules) in [("reads continued", continued), ("carried out", Rules::allow_all())] {
        let rig = Rig::new(rules)?;
        rig.seen.quiet.store(true, std::sync::atomic::Ordering::Relaxed);
        println!("{name}\n{}", rig.run(command())?);
    }
    Ok(())
}
