//! `errno: ENOENT`: what a rule stops looks absent.

use agentsh_tests::{Result, User, World, fail, record, session};

#[test]
fn what_looks_absent_is_absent_for_calls_that_are_no_file_operations_too() -> Result {
    let rules = r#"  - {name: gone, paths: ["${PROJECT_ROOT}/gone", "${PROJECT_ROOT}/gone/**"], operations: ["*"], decision: deny, errno: ENOENT}"#;
    for user in User::both() {
        let world = World::new(user)?;
        let gone = world.workspace().join("gone");
        world
            .user()
            .write_file(&gone.join("run"), "#!/bin/sh\necho ran\n", 0o755)?;
        let session = crate::attempts::session(&world, rules, "")?;
        let script = r#"
import errno, os, socket
os.mkdir("there")
for go in (
    lambda: os.chdir("gone"), lambda: os.chdir("gone/.."), lambda: os.execv("gone/run", ["run"]),
    lambda: socket.socket(socket.AF_UNIX).connect("gone/run"), lambda: os.mkdir("gone"), lambda: os.chdir("there"),
):
    try: print(go())
    except OSError as error: print(errno.errorcode[error.errno], end=" ")"#;
        let outcome = session::run(&world, &session, &["python3", "-c", script])?;
        if outcome.out() != "ENOENT None\nENOENT ENOENT ENOENT None\n" {
            return Err(fail(format!("{outcome:?}")));
        }
        let path = gone.join("run").to_string_lossy().into_owned();
        for kind in ["process_exec", "unix_connect"] {
            record::await_event(&world, kind, |event| event.is(kind, "deny", &path))?;
        }
    }
    Ok(())
}
