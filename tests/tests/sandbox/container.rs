//! Inside of a container of Docker's default settings: what its filter and its capabilities leave is enough, or the lack
//! is named.

use agentsh_tests::shell::Subject;
use agentsh_tests::{Ended, Outcome, Result, Shell, User, World, fail};

use crate::PROBE;

/// What the umask, the working directory and other users of the caller's come out in, from many processes at once.
const ACTS: &str = r#"cd "$1"; export LC_ALL=C
mkfifo q; (echo through > q) & for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 4; do timeout 9 touch w || echo waits; done; done; cat q; wait
umask 027; touch a; mkdir b; umask 0; touch c; mkdir d; umask 077; touch e; mkfifo p; umask 022
for i in 0 2 7; do (umask 0$i$i; n=0; while [ $n -lt 60 ]; do n=$((n+1)); : > $i-$n; done) & done; wait
stat -c '%n %a %U' [a-z]*; stat -c '%a %U' [0-9]-* | sort | uniq -c
python3 - <<END
import os, socket, stat
os.umask(0o137)
s = socket.socket(socket.AF_UNIX); s.bind('sock'); s.listen(1); print(oct(os.stat('sock').st_mode))
c = socket.socket(socket.AF_UNIX); c.connect('sock')
t = socket.socket(); t.bind(('127.0.0.1', 0)); t.listen(1); u = socket.create_connection(t.getsockname())
print(u.getpeername() == t.getsockname())
END
git init -q r && echo x > r/f && git -C r add f && git -C r -c user.name=a -c user.email=a@b commit -qm x && git -C r log --oneline | wc -l
chmod 777 d; su nobody -s /bin/sh -c 'id -u; cat /etc/shadow; umask 0; touch d/n' 2>&1; stat -c '%a %U' d/n
rm -rf r a [0-9]-*; ls
"#;

fn inside(world: &World, container: &str, shell: &str, folder: &str) -> Result<Outcome> {
    let script = world.workspace().join("acts.sh").display().to_string();
    // Its first process is in it as well.
    Shell::program("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", PROBE, container])
        .args(["sh", "-c", "\"$@\"; exit $?", "sh", shell, &script, folder])
        .cwd(world.workspace())
        .run_with(world, &Subject::Real)
}

/// Only root has capabilities to give up.
fn world() -> Result<World> {
    let world = World::new(User::root())?;
    let workspace = world.workspace();
    world.user().write_file(&workspace.join("acts.sh"), ACTS, 0o644)?;
    world.user().make_folder(&workspace.join("native"))?;
    world.user().make_folder(&workspace.join("shimmed"))?;
    Ok(world)
}

#[test]
fn where_descriptors_can_be_fetched_the_shell_is_the_real_one() -> Result {
    let world = world()?;
    let shim = Subject::shims().shell("bash").display().to_string();
    let native = inside(&world, "container-that-reads", "/bin/bash", "native")?;
    let shimmed = inside(&world, "container-that-reads", &shim, "shimmed")?;
    native.expect_success("the acts")?;
    match native.out() == shimmed.out() && native.err() == shimmed.err() && native.ended == shimmed.ended {
        true => Ok(()),
        false => Err(fail(format!("{native:#?}\n{shimmed:#?}"))),
    }
}

#[test]
fn where_none_can_be_fetched_the_lack_is_named_and_nothing_runs() -> Result {
    let world = world()?;
    let shim = Subject::shims().shell("bash").display().to_string();
    let outcome = inside(&world, "container", &shim, "shimmed")?;
    let told = ["pidfd_getfd", "CAP_SYS_PTRACE"]
        .iter()
        .all(|word| outcome.err().contains(word));
    let empty = std::fs::read_dir(world.workspace().join("shimmed"))?.next().is_none();
    match outcome.ended == Ended::Exit(126) && told && empty && outcome.stdout.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn a_procfs_that_hides_the_supervisor_from_its_user_is_named() -> Result {
    let world = World::new(User::agent())?;
    let shim = Subject::shims().shell("bash").display().to_string();
    for (hidden, wanted) in [("2", None), ("1", None), ("2,gid=4242", Some("in\n"))] {
        let text = format!(
            "mount -o remount,hidepid={hidden} /proc && exec setpriv --reuid {0} --regid {0} --init-groups {shim} -c 'echo in'",
            world.user().uid
        );
        let outcome = Shell::program("unshare")
            .args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &text])
            .inherit(|inherit| inherit.as_root = true)
            .run_with(&world, &Subject::Real)?;
        let told = match wanted {
            Some(wanted) => outcome.out() == wanted && outcome.ended == Ended::Exit(0),
            None => outcome.err().contains("hidepid") && outcome.ended == Ended::Exit(126),
        };
        if !told {
            return Err(fail(format!("{hidden}: {outcome:?}")));
        }
    }
    Ok(())
}

/// Tries each way to its own process, having changed its user.
const OWN: &str = r#"import os, re, threading
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
def tried(path, what):
    try:
        return what(path)
    except OSError as error:
        return error.errno
def ways(who):
    me, task = os.getpid(), threading.get_native_id()
    def named(text):
        return re.sub(r"\b%d\b" % me, "ME", re.sub(r"\b%d\b" % task, "TASK", text)) if isinstance(text, str) else text
    for start in "self", "thread-self", "%d" % me, "%d" % task, "self/task/%d" % task:
        for end in "", "/status", "/cwd/etc/passwd", "/fd/0", "/exe", "/exe/x", "/environ", "/maps", "/../self/stat":
            path = "/proc/" + start + end
            for what in (lambda path: os.close(os.open(path, os.O_RDONLY))), os.readlink, (lambda path: os.stat(path).st_mode):
                print(who, named(path), named(tried(path, what)))
ways("main")
thread = threading.Thread(target=ways, args=("thread",)); thread.start(); thread.join()
"#;

#[test]
fn a_process_sees_itself_in_a_procfs_that_hides_others_whatever_it_has_become() -> Result {
    let world = World::new(User::root())?;
    let script = world.workspace().join("own.py");
    world.user().write_file(&script, OWN, 0o644)?;
    for hidden in ["0", "1", "2"] {
        let run = |shell: String| {
            let text = format!(
                "mount -o remount,hidepid={hidden} /proc && cd / && {shell} -c 'exec python3 -S {}'; exit $?",
                script.display()
            );
            Shell::program("unshare")
                .args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &text])
                .run_with(&world, &Subject::Real)
        };
        let native = run("/bin/bash".into())?;
        let shimmed = run(Subject::shims().shell("bash").display().to_string())?;
        agentsh_tests::oracle::same(&native, &shimmed, 250)?;
    }
    Ok(())
}
