//! Environments that no well-behaved program makes.

use agentsh_tests::{Result, User, World, fail, session};

/// A program under a stricter rule than to be allowed, which becomes one that prints what it got, byte for byte.
const RULES: &str = r#"env_policy: {deny: [KEPT_OUT, "SECRET_*"]}
command_rules:
  - {name: stand-in, commands: [uptime], decision: redirect, redirect_to: {command: /usr/bin/env, args: ["-0"]}}
  - {name: rest, commands: ["*"], decision: allow}
"#;

/// Executes a program with these entries exactly, and prints the entries that it says it has.
const EXEC: &str = r#"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
entries = ENTRIES
def run(program, argv):
    read, write = os.pipe()
    if os.fork() == 0:
        os.dup2(write, 1)
        words = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
        environment = (ctypes.c_char_p * (len(entries) + 1))(*entries, None)
        libc.execve(program, words, environment)
        os._exit(9)
    os.close(write)
    text = b""
    while part := os.read(read, 65536): text += part
    os.wait()
    return sorted(text.split(b"\0")[:-1])
print(run(b"/usr/bin/env", [b"env", b"-0"]))
print(run(b"/usr/bin/uptime", [b"uptime"]))
"#;

fn seen(user: User, entries: &str) -> Result<String> {
    let world = World::new(user)?;
    session::with_rules(&world, RULES)?;
    let text = EXEC.replace("ENTRIES", entries);
    world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
    let outcome = world.shimmed("python3 p.py")?;
    outcome.expect_success("p.py")?;
    Ok(outcome.out())
}

fn expect(found: &str, plain: &str, guarded: &str) -> Result {
    match found == format!("{plain}\n{guarded}\n") {
        true => Ok(()),
        false => Err(fail(format!("expected {plain}\n{guarded}, found {found}"))),
    }
}

#[test]
fn entries_that_are_doubled_nameless_or_no_text_are_filtered_as_they_are() -> Result {
    for user in User::both() {
        let entries = r#"[b"KEPT_OUT=1", b"A=1", b"KEPT_OUT=2", b"A=2", b"KEPT_OUT", b"NO_EQUALS", b"=no name", b"", b"B=\xff\xfe", b"SECRET_\xff=x", b"\xffKEPT_OUT=y", b"KEPT_OUT =z"]"#;
        let left =
            r#"[b'', b'=no name', b'A=1', b'A=2', b'B=\xff\xfe', b'KEPT_OUT =z', b'NO_EQUALS', b'\xffKEPT_OUT=y']"#;
        expect(&seen(user, entries)?, left, left)?;
    }
    Ok(())
}

#[test]
fn all_classes_of_injection_are_kept_from_a_program_under_a_stricter_rule() -> Result {
    let injecting = [
        "LD_PRELOAD=",
        "LD_AUDIT=",
        "LD_LIBRARY_PATH=",
        "LD_",
        "GLIBC_TUNABLES=",
        "GCONV_PATH=",
        "LOCPATH=",
        "MALLOC_TRACE=",
        "NODE_OPTIONS=",
        "NODE_PATH=",
        "npm_config_node_options=",
        "PYTHONPATH=",
        "PYTHONSTARTUP=",
        "PYTHONWARNINGS=",
        "PYTHONHOME=",
        "PERL5OPT=",
        "PERL5LIB=",
        "PERL5DB=",
        "RUBYOPT=",
        "RUBYLIB=",
        "BASH_ENV=",
        "ENV=",
        "ZDOTDIR=",
        "PS4=",
        "SHELLOPTS=",
        "PROMPT_COMMAND=",
        "BASH_FUNC_ls%%=() {  evil; }",
        "BASH_FUNC_x()=() { :; }",
        "GIT_SSH_COMMAND=",
        "GIT_EXTERNAL_DIFF=",
        "GIT_CONFIG_COUNT=",
        "GIT_CONFIG_KEY_0=",
        "GIT_EXEC_PATH=",
        "GIT_ASKPASS=",
        "GIT_PAGER=",
        "GIT_EDITOR=",
        "JAVA_TOOL_OPTIONS=",
        "_JAVA_OPTIONS=",
        "JDK_JAVA_OPTIONS=",
        "CLASSPATH=",
        "MAVEN_OPTS=",
        "DOTNET_STARTUP_HOOKS=",
        "CORECLR_PROFILER_PATH=",
        "GOFLAGS=",
        "GOENV=",
        "MAKEFLAGS=",
        "MAKEFILES=",
        "RUSTC_WRAPPER=",
        "TAR_OPTIONS=",
        "RSYNC_RSH=",
        "PAGER=",
        "EDITOR=",
        "VISUAL=",
        "BROWSER=",
        "LESSOPEN=",
        "SSH_ASKPASS=",
        "SUDO_ASKPASS=",
        "LUA_INIT=",
        "PHPRC=",
        "OPENSSL_CONF=",
        "VIMINIT=",
    ];
    let staying = [
        "GIT_DIR=",
        "LANG=",
        "HOME=",
        "PATH=",
        "TERM=",
        "LDX=",
        "ENVY=",
        "NODE_ENV=",
        "CI=",
    ];
    let list = |words: &[&str]| {
        let mut words: Vec<String> = words.iter().map(|word| format!("b'{word}'")).collect();
        words.sort();
        format!("[{}]", words.join(", "))
    };
    let all: Vec<&str> = injecting.into_iter().chain(staying).collect();
    for user in User::both() {
        expect(&seen(user, &list(&all))?, &list(&all), &list(&staying))?;
    }
    Ok(())
}

#[test]
fn an_environment_that_is_too_large_is_the_kernels_to_refuse() -> Result {
    let world = World::new(User::agent())?;
    session::with_rules(&world, RULES)?;
    let text = r#"
import os, subprocess
for size, count in ((100, 10000), (131000, 12), (200000, 1)):
    try: print(subprocess.run(["env"], env={"KEPT_OUT%d" % n if n else "KEPT_OUT": "x" * size for n in range(count)}, capture_output=True).stdout.count(b"KEPT_OUT"))
    except OSError as error: print(error.errno)
"#;
    world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
    let outcome = world.shimmed("python3 p.py")?;
    match outcome.out() == "9999\n11\n7\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
