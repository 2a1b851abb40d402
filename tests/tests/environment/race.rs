//! An environment that another thread exchanges while it is judged.

use std::time::Duration;

use agentsh_tests::{Result, Shell, User, World, fail, record, session};

const RULES: &str = r#"env_policy: {deny: [EVIL]}
command_rules:
  - {name: rest, commands: ["*"], decision: allow}
"#;

/// Executes `printenv EVIL WORD` many times, with a thread that writes the name into the call's memory and takes it out again
/// all the time: half of the calls are looked at while the name is another one, and half of these read it nevertheless. So
/// it does with the word, which nobody cares for: as often as not something else runs than what was judged.
const EXCHANGE: &str = r#"
import ctypes, os, sys, threading, time
sys.setswitchinterval(0.0001)
libc = ctypes.CDLL(None)
entry, word = ctypes.create_string_buffer(b"LIVE=1"), ctypes.create_string_buffer(b"ONE")
path = b"/usr/bin/printenv"
texts = [ctypes.create_string_buffer(text) for text in (path, b"EVIL")]
argv = (ctypes.c_void_p * 4)(*map(ctypes.addressof, texts + [word]), None)
envp = (ctypes.c_void_p * 2)(ctypes.addressof(entry), None)
given = killed = 0
for number in range(400):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(w, 1)
        def exchange():
            while True:
                ctypes.memmove(entry, b"EVIL", 4); ctypes.memmove(word, b"TWO", 3)
                ctypes.memmove(entry, b"LIVE", 4); ctypes.memmove(word, b"ONE", 3)
        threading.Thread(target=exchange, daemon=True).start()
        time.sleep(number % 40 * 0.00001)
        libc.execve(path, argv, envp)
        os._exit(9)
    os.close(w)
    given += os.read(r, 10) == b"1\n"
    os.close(r)
    killed += os.waitpid(pid, 0)[1] == 9
print(given, killed)
"#;

#[test]
fn what_was_exchanged_behind_the_judges_back_does_not_run() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let id = session::with_rules(&world, RULES)?.id;
        world
            .user()
            .write_file(&world.workspace().join("p.py"), EXCHANGE, 0o644)?;
        let real = Shell::program("python3").args(["p.py"]).run(&world)?;
        if real.out().starts_with("0 ") {
            return Err(fail(format!(
                "nothing is shown, no exchange works outside either: {real:?}"
            )));
        }
        let outcome = session::exec(&id, &[], &["python3", "p.py"])
            .deadline(Duration::from_secs(120))
            .run(&world)?;
        let out = outcome.out();
        let (given, killed) = out.trim().split_once(' ').unwrap_or_default();
        let killed: u32 = killed.parse().map_err(|_| fail(format!("{outcome:?}")))?;
        if given != "0" || killed == 0 {
            return Err(fail(format!("{}: {outcome:?}", world.user().name)));
        }
        record::await_event(&world, "that it was killed", |event| {
            event.kind == "process_exec"
                && event.fields.get("killed").is_some_and(|killed| *killed == true)
                && event.line().starts_with("/usr/bin/printenv EVIL ")
        })?;
    }
    Ok(())
}
