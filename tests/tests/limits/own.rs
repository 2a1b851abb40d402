//! Limits that the caller has of itself hold on inside, also where a worker does the call.

use agentsh_tests::{Result, User, World, fail};

#[test]
fn a_file_does_not_grow_over_the_callers_limit() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let text = "ulimit -f 8; trap '' XFSZ; echo a > grown; python3 -c '
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for act in (lambda: os.truncate(\"grown\", 1 << 20), lambda: os.ftruncate(os.open(\"grown\", os.O_RDWR), 1 << 20),
            lambda: os.pwrite(os.open(\"grown\", os.O_RDWR), b\"x\", 1 << 20)):
    try:
        act()
        print(\"grew\")
    except OSError as error:
        print(error.errno)
'";
        let outcome = world.shimmed(text)?;
        let size = std::fs::metadata(world.workspace().join("grown"))?.len();
        let refused = format!("{}\n", libc::EFBIG).repeat(3);
        if outcome.out() != refused || size > 8 << 10 {
            return Err(fail(format!("{size} bytes: {outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn a_caller_without_descriptors_left_creates_and_loses_nothing() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let text = "printf content > kept; python3 -c '
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
while True:
    try:
        os.dup(0)
    except OSError:
        break
for name, flags in ((\"new\", os.O_WRONLY | os.O_CREAT), (\"kept\", os.O_WRONLY | os.O_TRUNC)):
    try:
        os.open(name, flags)
        print(\"opened\")
    except OSError as error:
        print(error.errno)
'";
        let outcome = world.shimmed(text)?;
        let kept = std::fs::read_to_string(world.workspace().join("kept"))?;
        let made = world.workspace().join("new").exists();
        if outcome.out() != format!("{}\n", libc::EMFILE).repeat(2) || made || kept != "content" {
            return Err(fail(format!("made: {made}, kept: {kept:?}: {outcome:?}")));
        }
    }
    Ok(())
}
