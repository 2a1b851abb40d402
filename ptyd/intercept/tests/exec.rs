//! Judging exec: every way to name a program, what runs instead of what is named, processes and depth.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use agentsh_intercept::{ExecSettled, Guard};
use support::judge::Log;
use support::{Result, cage, compiled, program, text};

fn run(log: &Arc<Log>, command: std::process::Command) -> Result<Output> {
    let log = Arc::clone(log);
    cage(command, &Guard::CALLS, move |root| log.handler(root))?.output()
}

fn shell(log: &Arc<Log>, script: &str, folder: &Path) -> Result<Output> {
    let mut command = program("/bin/bash", &["-c", script]);
    command.current_dir(folder);
    run(log, command)
}

/// A folder with `banned`, a static program that says so.
fn folder() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let says = compiled(
        "says",
        "#include <unistd.h>\nint main(void) { return write(1, \"banned ran\\n\", 11) != 11; }\n",
        &["-static"],
    )?;
    std::fs::copy(says, folder.path().join("banned"))?;
    Ok(folder)
}

fn executable(path: &Path, content: &str) -> Result {
    std::fs::write(path, content)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Runs `script` in a folder with a banned program: it must not run, and the shell must say why.
fn is_banned(script: &str) -> Result {
    let folder = folder()?;
    symlink("banned", folder.path().join("link"))?;
    std::fs::hard_link(folder.path().join("banned"), folder.path().join("hard"))?;
    std::fs::create_dir(folder.path().join("sub"))?;
    let log = Arc::new(Log::banning(&["banned", "hard"]));
    let output = shell(&log, script, folder.path())?;
    assert_eq!(text(&output.stdout), "", "{script}: {}", text(&output.stderr));
    assert!(!output.status.success(), "{script}");
    assert!(!text(&output.stderr).is_empty(), "{script}");
    Ok(())
}

#[test]
fn what_is_allowed_runs_and_settles() -> Result {
    let log = Arc::new(Log::default());
    let output = shell(&log, "/bin/echo one; /bin/echo two | cat; exit 7", Path::new("/"))?;
    assert_eq!(
        (text(&output.stdout), output.status.code()),
        ("one\ntwo\n".into(), Some(7))
    );
    let mut asked = log.asked();
    asked.sort();
    let expected = ["0 Program:bash", "1 Program:cat", "1 Program:echo", "1 Program:echo"];
    assert_eq!(asked, expected.map(String::from));
    assert_eq!(log.count(|one| *one == ExecSettled::Ran), 4);
    assert_eq!(log.count(|_| true), 4);
    Ok(())
}

#[test]
fn a_banned_program_is_refused_with_the_judges_errno() -> Result {
    is_banned("./banned")
}

#[test]
fn every_way_to_name_it_is_the_same_program() -> Result {
    for way in [
        "./link",
        "exec ./banned",
        "\"$PWD\"//./sub/../banned",
        "/proc/self/cwd/banned",
        "cd sub && ../banned",
        "/proc/self/root/$PWD/banned",
        "/proc/$$/cwd/banned",
        "exec 9<./banned; /proc/self/fd/9",
        "exec 9<./banned; /dev/fd/9",
        "./hard",
        "PATH=. banned",
        "command ./banned",
        "env ./banned",
        "ln -s \"$PWD\" far; mv far sub/; sub/far/banned",
    ] {
        is_banned(way)?;
    }
    Ok(())
}

#[test]
fn a_program_behind_a_loader_counts_as_what_it_is() -> Result {
    let loader = loader()?;
    for options in [
        "",
        "--inhibit-cache",
        "--argv0 ls --library-path /lib",
        "--preload /nothing.so",
    ] {
        is_banned(&format!("{loader} {options} ./banned"))?;
        is_banned(&format!("cp {loader} mine; ./mine {options} \"$PWD/banned\""))?;
    }
    is_banned(&format!("{loader} {loader} ./banned"))?;
    is_banned(&format!("LD_LIBRARY_PATH=. {loader} banned"))
}

fn loader() -> Result<String> {
    let known = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let found = known.into_iter().find(|path| Path::new(path).exists());
    Ok(found.ok_or("no loader of this architecture")?.to_owned())
}

#[test]
fn a_loader_that_is_told_to_run_something_allowed_runs_it() -> Result {
    let log = Arc::new(Log::banning(&["banned"]));
    let output = shell(&log, &format!("{} /bin/echo hello", loader()?), Path::new("/"))?;
    assert_eq!(text(&output.stdout), "hello\n", "{}", text(&output.stderr));
    assert!(
        log.asked().last().is_some_and(|last| last.ends_with(" Loaded:echo")),
        "{:?}",
        log.asked()
    );
    assert_eq!(log.count(|one| *one != ExecSettled::Ran), 0);
    Ok(())
}

#[test]
fn a_banned_program_as_somebodys_loader_is_refused() -> Result {
    let folder = folder()?;
    let interpreter = folder.path().join("banned");
    let flag = format!("-Wl,--dynamic-linker={}", interpreter.display());
    let name = format!("odd{}", std::process::id());
    let odd = compiled(&name, "int main(void) { return 0; }\n", &[&flag])?;
    // Class and byte order are the file's to name and nobody's to heed.
    for (class, order) in [(2, 1), (1, 1), (0, 2)] {
        let mut bytes = fs::read(&odd)?;
        (bytes[4], bytes[5]) = (class, order);
        let named = folder.path().join("odd");
        fs::write(&named, bytes)?;
        fs::set_permissions(&named, fs::Permissions::from_mode(0o755))?;
        let log = Arc::new(Log::banning(&["banned"]));
        let output = shell(&log, "./odd", folder.path())?;
        assert_eq!((text(&output.stdout), output.status.code()), (String::new(), Some(126)));
        assert!(
            log.asked().iter().any(|asked| asked.contains("Interpreter:banned")),
            "{class}: {:?}",
            log.asked()
        );
    }
    Ok(())
}

#[test]
fn a_script_is_judged_with_its_interpreters() -> Result {
    let folder = folder()?;
    executable(&folder.path().join("one"), "#!/bin/sh\necho script $0 $1\n")?;
    executable(&folder.path().join("two"), "#! ./one  -x y \n")?;
    let log = Arc::new(Log::banning(&["banned"]));
    let output = shell(&log, "./one a; ./two b", folder.path())?;
    assert_eq!(
        text(&output.stdout),
        "script ./one a\nscript ./one -x y\n",
        "{}",
        text(&output.stderr)
    );
    let shell = std::fs::canonicalize("/bin/sh")?
        .display()
        .to_string()
        .replace("/usr/bin/", "");
    let expected = [
        "0 Program:bash".to_owned(),
        format!("1 Program:one Interpreter:{shell}"),
        format!("1 Program:two Interpreter:one Interpreter:{shell}"),
    ];
    assert_eq!(log.asked(), expected);
    assert_eq!(log.count(|one| *one != ExecSettled::Ran), 0);
    Ok(())
}

#[test]
fn a_banned_interpreter_and_a_banned_script_are_refused() -> Result {
    is_banned("printf '#!%s/banned\\n' \"$PWD\" > s; chmod +x s; ./s")?;
    is_banned("printf '#!./banned -x\\n' > s; printf '#!./s\\n' > t; chmod +x s t; ./t")?;
    is_banned("printf '#!/bin/sh\\necho banned ran\\n' > x; chmod +x x; mkdir b; mv x b/banned; b/banned")
}

const MEMORY: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int c, char **v) {
  char b[1 << 16]; int in = open("/bin/true", O_RDONLY), out; ssize_t n;
  if (!strcmp(v[1], "memfd")) out = memfd_create("x", 0); else { out = open("gone", O_RDWR | O_CREAT, 0755); }
  while ((n = read(in, b, sizeof b)) > 0) if (write(out, b, n) != n) return 9;
  if (strcmp(v[1], "memfd")) { close(out); out = open("gone", O_PATH); unlink("gone"); }
  char *a[] = {"true", 0}, *e[] = {0};
  syscall(SYS_execveat, out, "", a, e, AT_EMPTY_PATH);
  printf("%s\n", strerror(errno)); char p[64]; sprintf(p, "/proc/self/fd/%d", out);
  execve(p, a, e); printf("%s\n", strerror(errno)); return c; }
"#;

#[test]
fn files_without_a_name_are_refused_unless_the_judge_takes_them() -> Result {
    let victim = compiled("memory", MEMORY, &[])?.display().to_string();
    for way in ["memfd", "unlinked"] {
        let log = Arc::new(Log::default());
        let output = shell(&log, &format!("{victim} {way}"), tempfile::tempdir()?.path())?;
        assert_eq!(text(&output.stdout), "Permission denied\nPermission denied\n", "{way}");
        let log = Arc::new(Log {
            nameless: true,
            ..Log::default()
        });
        let output = shell(&log, &format!("{victim} {way}"), tempfile::tempdir()?.path())?;
        assert_eq!(
            (text(&output.stdout), output.status.code()),
            (String::new(), Some(0)),
            "{way}"
        );
    }
    Ok(())
}

#[test]
fn errors_are_those_that_the_kernel_gives() -> Result {
    let folder = folder()?;
    std::fs::write(folder.path().join("plain"), "text")?;
    executable(&folder.path().join("lost"), "#!/nowhere/x\n")?;
    executable(&folder.path().join("loop"), "#!./loop\n")?;
    let script = "for p in ./nothing ./plain . ./lost ./loop '' ./plain/x; do
        python3 -c 'import os,sys\ntry: os.execv(sys.argv[1],[\"x\"])\nexcept OSError as e: print(e.errno)' \"$p\"; done";
    let script = script.replace("\\n", "\n");
    let native = program("/bin/bash", &["-c", &script])
        .current_dir(folder.path())
        .output()?;
    let log = Arc::new(Log::default());
    let caged = shell(&log, &script, folder.path())?;
    assert_eq!(text(&caged.stdout), text(&native.stdout));
    assert_eq!(text(&native.stdout).lines().count(), 7);
    Ok(())
}

#[test]
fn an_exec_that_the_kernel_refuses_settles_as_failed_and_the_program_goes_on() -> Result {
    let folder = folder()?;
    executable(&folder.path().join("text"), "no program\n")?;
    let log = Arc::new(Log::default());
    let output = shell(
        &log,
        "python3 -c 'import os\ntry: os.execv(\"./text\",[\"x\"])\nexcept OSError: print(1, flush=True)\nos.execv(\"/bin/echo\",[\"echo\",\"2\"])'",
        folder.path(),
    )?;
    assert_eq!(text(&output.stdout), "1\n2\n", "{}", text(&output.stderr));
    assert_eq!(log.count(|one| *one == ExecSettled::Failed), 1);
    assert_eq!(
        log.count(|one| !matches!(one, ExecSettled::Failed | ExecSettled::Ran)),
        0
    );
    Ok(())
}

#[test]
fn depth_counts_the_programs_on_the_way() -> Result {
    let log = Arc::new(Log::default());
    let output = shell(&log, "sh -c '(env nice true); true' ; true", Path::new("/"))?;
    assert!(output.status.success());
    let depths: Vec<String> = log.asked().iter().map(|asked| asked.replace("dash", "sh")).collect();
    let depths: Vec<String> = depths.iter().map(|asked| asked.replace("Program:", "")).collect();
    assert_eq!(
        depths,
        ["0 bash", "1 sh", "2 env", "3 nice", "4 true"].map(String::from)
    );
    Ok(())
}

#[test]
fn an_orphan_is_as_deep_as_the_program_was_that_made_it() -> Result {
    let log = Arc::new(Log::default());
    let folder = tempfile::tempdir()?;
    // Who started it is gone before it is seen for the first time.
    let program = "import os, time
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent: time.sleep(0.001)
    os.execv('/bin/true', ['true'])
";
    std::fs::write(folder.path().join("p.py"), program)?;
    let script = "sh -c 'sh -c \"exec python3 p.py\"; :'";
    let output = shell(&log, script, folder.path())?;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let asked = log.asked();
    // The last one: what is called so may lead to it by scripts.
    let is_python = |asked: &&String| asked.contains(" Program:python3") && !asked.starts_with("running");
    let deep = asked.iter().rfind(is_python).cloned().unwrap_or_default();
    let depth = |asked: &str| asked.split(' ').next().and_then(|depth| depth.parse::<u32>().ok());
    let of_orphan = asked.iter().find(|asked| asked.ends_with("Program:true"));
    assert_eq!(
        of_orphan.and_then(|asked| depth(asked)),
        depth(&deep).map(|depth| depth + 1),
        "{asked:?}"
    );
    Ok(())
}

#[test]
fn processes_are_seen_with_their_parents_and_their_ends() -> Result {
    let log = Arc::new(Log::default());
    let output = shell(&log, "(exit 3); (/bin/true; exit 4); echo $$", Path::new("/"))?;
    let root: i32 = text(&output.stdout).trim().parse()?;
    let forks = log.forks.lock().map_err(|_| "poisoned")?.clone();
    let exits = log.exits.lock().map_err(|_| "poisoned")?.clone();
    assert_eq!(forks.len(), 3, "{forks:?}");
    assert_eq!(
        (forks[0].ppid, forks[1].ppid, forks[2].ppid),
        (root, root, forks[1].tgid),
        "{forks:?}"
    );
    let of = |tgid: i32| exits.iter().find(|(one, _)| *one == tgid).map(|(_, status)| *status);
    assert_eq!(
        (of(forks[0].tgid), of(forks[1].tgid), of(forks[2].tgid), of(root)),
        (Some(3), Some(4), Some(0), Some(0))
    );
    Ok(())
}

#[test]
fn vfork_posix_spawn_and_many_threads_that_start_programs_work() -> Result {
    let log = Arc::new(Log::default());
    let script = "import subprocess,threading,os
def go():
    for _ in range(20): subprocess.run(['/bin/true'], check=True)
    os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)
ts=[threading.Thread(target=go) for _ in range(8)]
[t.start() for t in ts]; [t.join() for t in ts]; print('done')";
    let output = run(&log, program("/usr/bin/env", &["python3", "-c", script]))?;
    assert_eq!(
        (text(&output.stdout), text(&output.stderr)),
        ("done\n".into(), String::new())
    );
    assert_eq!(log.count(|one| matches!(one, ExecSettled::Killed(_))), 0);
    Ok(())
}

#[test]
#[ignore = "a measurement: cargo test --release -p agentsh-intercept --test exec -- --ignored --nocapture"]
fn measure_a_loop_that_starts_processes() -> Result {
    let script = "for i in {1..500}; do /bin/true; done";
    let mut ratios = Vec::new();
    for _ in 0..7 {
        let started = std::time::Instant::now();
        program("/bin/bash", &["-c", script]).output()?;
        let native = started.elapsed();
        let log = Arc::new(Log::default());
        let started = std::time::Instant::now();
        shell(&log, script, Path::new("/"))?;
        let caged = started.elapsed();
        ratios.push(caged.as_secs_f64() / native.as_secs_f64());
        println!("native {native:?} intercepted {caged:?}");
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}", ratios[ratios.len() / 2]);
    Ok(())
}
