//! A first caller to whom orphans come: the first process of a namespace, as in a container, or one that adopts them. The
//! broker that it starts becomes its child, and is no process of the session for that.

use agentsh_tests::shell::Subject;
use agentsh_tests::world::PRODUCT;
use agentsh_tests::{Outcome, Result, Shell, User, World, fail};

use crate::daemons::ATTEMPTS;

/// `PR_SET_CHILD_SUBREAPER`, then the program.
const ADOPTER: &str = "import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
";
/// Everybody in the namespace but the command itself.
const OTHERS: &str =
    "[pid for pid in map(int, filter(str.isdigit, os.listdir('/proc'))) if pid not in (os.getpid(), os.getppid())]";

/// Runs `text` in a pid namespace of its own, in which nobody else is; `$SHIM` is the stand-in.
fn alone(world: &World, text: &str) -> Result<Outcome> {
    let workspace = world.workspace();
    world.user().write_file(&workspace.join("adopter.py"), ADOPTER, 0o644)?;
    let attempts = ATTEMPTS.replace("PIDS", OTHERS);
    world
        .user()
        .write_file(&workspace.join("attempts.py"), attempts, 0o644)?;
    Shell::program("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", text])
        .env("SHIM", Subject::shims().shell("bash"))
        .env("AGENTSH", format!("{PRODUCT}/agentsh"))
        .cwd(workspace)
        .run_with(world, &Subject::Real)
}

#[test]
fn the_daemons_are_not_its_own() -> Result {
    for text in [
        "exec $SHIM -c 'python3 attempts.py; true'",
        "python3 adopter.py $SHIM -c 'python3 attempts.py; true'; $SHIM -c true",
    ] {
        // Namespaces need root here; a user's daemons are as much its own as root's.
        let world = World::new(User::root())?;
        let outcome = alone(&world, text)?;
        if outcome.out() != "[]\n" || !outcome.err().is_empty() {
            return Err(fail(format!("{text}: {outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn its_end_is_not_theirs() -> Result {
    let world = World::new(User::root())?;
    let text = "python3 adopter.py $SHIM -c 'sleep 4875; true' &
until pgrep -xf 'sleep 4875' > /dev/null; do sleep 0.02; done
$AGENTSH kill --all > /dev/null; wait; pgrep -xf 'sleep 4875'
$AGENTSH kill --lift > /dev/null; $SHIM -c 'echo served'; pgrep -c agentsh-ptyd";
    let outcome = alone(&world, text)?;
    match outcome.out() == "served\n1\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}
