//! A yes counts for what was shown: what is changed while a person looks is a no.

use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, World, fail, session};

use crate::{PATIENCE, the_question, watcher};

const RULES: &str = r#"command_rules:
  - {name: ask, commands: [tool], decision: approve}
  - {name: rest, commands: ["*"], decision: allow}
approvals: {timeout: 60s}
"#;

fn asks(user: User) -> Result<(World, String)> {
    let world = World::new(user)?;
    let id = session::with_rules(&world, RULES)?.id;
    let tool = world.workspace().join("tool");
    world.user().write_file(&tool, "#!/bin/sh\necho good >> ran\n", 0o755)?;
    Ok((world, id))
}

fn ran(world: &World) -> String {
    std::fs::read_to_string(world.workspace().join("ran")).unwrap_or_default()
}

#[test]
fn another_content_or_file_in_its_place_does_not_run() -> Result {
    for user in User::both() {
        for change in [
            "echo 'echo bad >> ran' >> tool",
            "cp tool new; echo 'echo bad >> ran' >> new; mv new tool",
        ] {
            let (world, id) = asks(user.clone())?;
            let _watcher = watcher(&world, &id)?;
            let child = session::exec(&id, &[], &["sh", "-c", "./tool; echo $?"]).spawn(&world)?;
            let question = the_question(&world)?;
            session::run(&world, &id, &["sh", "-c", change])?.expect_success(change)?;
            world
                .agentsh(["approve", "allow", &question.id])?
                .expect_success("allow")?;
            let outcome = child.finish(PATIENCE)?;
            if outcome.out() != "126\n" || !ran(&world).is_empty() {
                return Err(fail(format!("{change}: {outcome:?} {}", ran(&world))));
            }
        }
    }
    Ok(())
}

#[test]
fn arguments_that_a_thread_rewrites_after_the_yes_do_not_run() -> Result {
    let (world, id) = asks(User::agent())?;
    let _watcher = watcher(&world, &id)?;
    world.user().write_file(
        &world.workspace().join("tool"),
        "#!/bin/sh\necho \"$1\" >> ran\n",
        0o755,
    )?;
    // The child shares its parent's memory; a thread of the parent goes on writing there.
    let text = r#"
import ctypes, os, threading, time
libc = ctypes.CDLL(None)
word = ctypes.create_string_buffer(b"good")
argv = (ctypes.c_char_p * 3)(b"./tool", ctypes.cast(word, ctypes.c_char_p), None)
done = False
def flip():
    # Until the question is there.
    while not os.path.exists("asked"):
        time.sleep(0.01)
    word.value = b"evil"
    open("flipped", "w").close()
    while not done:
        word.value = b"evil"
threading.Thread(target=flip).start()
pid = ctypes.c_int()
print(libc.posix_spawn(ctypes.byref(pid), b"./tool", None, None, argv, None))
status = ctypes.c_int()
libc.waitpid(pid, ctypes.byref(status), 0)
done = True
"#;
    world.user().write_file(&world.workspace().join("p.py"), text, 0o644)?;
    let child = session::exec(&id, &[], &["python3", "p.py"]).spawn(&world)?;
    let question = the_question(&world)?;
    world.user().write_file(&world.workspace().join("asked"), "", 0o644)?;
    if question.argv.last().map(|word| word.lossy()).as_deref() != Some("good") {
        return Err(fail(format!("{question:?}")));
    }
    // By now the words are others.
    let flipped = || world.workspace().join("flipped").exists();
    if !wait_until(PATIENCE, flipped) {
        return Err(fail("the thread does not run"));
    }
    world
        .agentsh(["approve", "allow", &question.id])?
        .expect_success("allow")?;
    let outcome = child.finish(PATIENCE)?;
    match ran(&world).contains("evil") {
        false => Ok(()),
        true => Err(fail(format!("{outcome:?} {}", ran(&world)))),
    }
}
