//! Every way to name or start the banned program.

use agentsh_tests::shell::Subject;
use agentsh_tests::{Result, Shell, User, World, fail, session, skips};

use crate::TRACES;

/// Name, programs it needs, text. Each prints a trace of md5sum with the real shell.
const WAYS: [(&str, &[&str], &str); 50] = [
    ("by name", &[], "md5sum --version"),
    ("by path", &[], "/usr/bin/md5sum --version"),
    ("by the other path", &[], "/bin/md5sum --version"),
    ("with slashes and dots", &[], "//usr//bin/../bin/./md5sum --version"),
    ("relative to its folder", &[], "cd /usr/bin && ./md5sum --version"),
    ("relative from elsewhere", &[], "cd /usr/lib && ../bin/md5sum --version"),
    (
        "through the root of proc",
        &[],
        "/proc/self/root/usr/bin/md5sum --version",
    ),
    (
        "through the folder of proc",
        &[],
        "cd /usr/bin && /proc/self/cwd/md5sum --version",
    ),
    (
        "through a symbolic link of another name",
        &[],
        "ln -s /usr/bin/md5sum ./ok; ./ok --version",
    ),
    (
        "through a chain of links",
        &[],
        "ln -s /usr/bin/md5sum ./a; ln -s a ./b; ./b --version",
    ),
    (
        "through a linked folder",
        &[],
        "ln -s /usr/bin ./tools; ./tools/md5sum --version",
    ),
    (
        "first on the path by a link",
        &[],
        "mkdir -p bin; ln -sf /usr/bin/md5sum bin/git; PATH=$PWD/bin:$PATH git --version",
    ),
    (
        "as a copy of the same name",
        &[],
        "cp /usr/bin/md5sum ./md5sum; ./md5sum --version",
    ),
    ("under another argv0", &[], "exec -a sha1sum /usr/bin/md5sum --version"),
    ("by exec", &[], "exec md5sum --version"),
    ("in a child shell", &[], "sh -c 'md5sum --version; true'"),
    (
        "in a nest of shells",
        &[],
        "bash -c \"sh -c 'dash -c \\\"md5sum --version\\\"'\"",
    ),
    (
        "in a subshell in the background",
        &[],
        "(md5sum --version &) ; sleep 0.2",
    ),
    ("by eval", &[], "eval 'md5' ; eval \"md5\"\"sum --version\""),
    ("spelled in escapes", &[], "$'\\x6dd5sum' --version"),
    ("with empty quotes inside", &[], "m''d5\"\"sum --version"),
    ("by a glob", &[], "/usr/bin/md5su? --version"),
    ("by braces", &[], "/usr/bin/{md5sum,} --version"),
    ("by a variable", &[], "x=5sum; md$x --version"),
    (
        "by an alias",
        &[],
        "shopt -s expand_aliases\nalias ok=md5sum\nok --version",
    ),
    ("by a function", &[], "git() { command md5sum --version; }; git"),
    ("decoded", &[], "echo bWQ1c3VtIC0tdmVyc2lvbgo= | base64 -d | sh"),
    ("by env", &[], "env md5sum --version"),
    ("by env with nothing", &[], "env -i /usr/bin/md5sum --version"),
    (
        "by nice, nohup and setsid",
        &[],
        "nice nohup setsid -w md5sum --version",
    ),
    ("by timeout", &[], "timeout 20 md5sum --version"),
    ("by xargs", &[], "echo --version | xargs md5sum"),
    ("by find", &[], "find /usr/bin/md5sum -exec {} --version \\;"),
    (
        "by busybox's env",
        &["busybox"],
        "busybox env /usr/bin/md5sum --version",
    ),
    (
        "by perl",
        &["perl"],
        "perl -e 'exec \"/usr/bin/md5sum\", \"--version\"'",
    ),
    (
        "by perl with another name",
        &["perl"],
        "perl -e '$p=\"/usr/bin/md5sum\"; exec {$p} \"ls\", \"--version\"'",
    ),
    (
        "by python",
        &["python3"],
        "/usr/bin/python3 -c 'import os; os.execv(\"/usr/bin/md5sum\", [\"x\", \"--version\"])'",
    ),
    (
        "by python's spawn",
        &["python3"],
        "/usr/bin/python3 -c 'import subprocess; subprocess.run([\"md5sum\", \"--version\"])'",
    ),
    ("by awk", &["awk"], "awk 'BEGIN{system(\"md5sum --version\")}'"),
    ("by a git alias", &["git"], "git -c alias.x='!md5sum --version' x"),
    (
        "by make",
        &["make"],
        "printf 'all:\\n\\tmd5sum --version\\n' > Makefile; make -s",
    ),
    (
        "by tar",
        &["tar"],
        "echo x > f; tar cf t f --checkpoint=1 '--checkpoint-action=exec=md5sum --version'",
    ),
    (
        "by vim",
        &["vim"],
        "vim -u NONE -es -c '!md5sum --version > out' -c 'qa!'; cat out",
    ),
    (
        "by the loader",
        &[],
        "/lib64/ld-linux-x86-64.so.2 /usr/bin/md5sum --version",
    ),
    (
        "by the loader under another name",
        &[],
        "/lib64/ld-linux-x86-64.so.2 --argv0 ls /usr/bin/md5sum --version",
    ),
    (
        "as an interpreter",
        &[],
        "printf '#!/usr/bin/md5sum\\n' > script; chmod +x script; printf '' > empty; ./script --version",
    ),
    (
        "as an interpreter through env",
        &[],
        "printf '#!/usr/bin/env -S md5sum --version\\n' > script; chmod +x script; ./script",
    ),
    (
        "through its descriptor",
        &[],
        "/usr/local/lib/agentsh-tests/probe fd-exec /usr/bin/md5sum",
    ),
    (
        "from memory",
        &[],
        "/usr/local/lib/agentsh-tests/probe memfd-exec /usr/bin/md5sum",
    ),
    (
        "unlinked",
        &[],
        "cp /usr/bin/md5sum ./md5sum; exec 9<./md5sum; rm ./md5sum; /proc/self/fd/9 --version",
    ),
];

fn shows(out: &str) -> bool {
    TRACES.iter().any(|trace| out.contains(trace))
}

/// The folder of one try, empty.
fn folder(world: &World) -> Result<std::path::PathBuf> {
    let folder = world.workspace().join("try");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    world.user().make_folder(&folder)?;
    Ok(folder)
}

#[test]
fn every_way_leads_to_it_with_the_real_shell() -> Result {
    for user in User::both() {
        let world = World::bare(user)?;
        let mut nowhere = Vec::new();
        for (way, programs, text) in WAYS {
            if skips::has_programs(way, programs)? {
                let control = Shell::named("bash")
                    .args(["-c", text])
                    .cwd(folder(&world)?)
                    .run(&world)?;
                if !shows(&(control.out() + &control.err())) {
                    nowhere.push(format!("{way}: {control:?}"));
                }
            }
        }
        if !nowhere.is_empty() {
            return Err(fail(format!("these prove nothing:\n{}", nowhere.join("\n"))));
        }
    }
    Ok(())
}

fn no_way_leads_to_it(user: User) -> Result {
    let (world, id) = crate::world(user)?;
    let mut ran = Vec::new();
    for (way, programs, text) in WAYS {
        if !skips::has_programs(way, programs)? {
            continue;
        }
        let shell = Shell::named("bash").args(["-c", text]);
        let shimmed = shell.cwd(folder(&world)?).run_with(&world, &Subject::shims())?;
        let executed = session::exec(&id, &[], &["bash", "-c", text])
            .cwd(folder(&world)?)
            .run(&world)?;
        for (entry, outcome) in [("shim", shimmed), ("exec", executed)] {
            if shows(&(outcome.out() + &outcome.err())) {
                ran.push(format!("{way}, through {entry}: {outcome:?}"));
            }
        }
    }
    match ran.is_empty() {
        true => Ok(()),
        false => Err(fail(format!(
            "the banned program ran {} times:\n{}",
            ran.len(),
            ran.join("\n")
        ))),
    }
}

#[test]
fn no_name_leads_root_to_the_banned_program() -> Result {
    no_way_leads_to_it(User::root())
}

#[test]
fn no_name_leads_a_user_to_the_banned_program() -> Result {
    no_way_leads_to_it(User::agent())
}

#[test]
fn a_user_change_inside_the_session_changes_nothing() -> Result {
    if !skips::has_programs("su inside a session", &["su", "setpriv"])? {
        return Ok(());
    }
    let (world, _) = crate::world(User::root())?;
    for text in [
        "su -s /bin/sh nobody -c 'id -u; md5sum --version'",
        "setpriv --reuid 65534 --clear-groups sh -c 'id -u; md5sum --version'",
    ] {
        let control = Shell::named("bash").args(["-c", text]).run(&world)?;
        let outcome = Shell::named("bash").args(["-c", text]).run_shimmed(&world)?;
        if !control.out().starts_with("65534\nmd5sum (GNU") || outcome.out() != "65534\n" {
            return Err(fail(format!("{text}: {control:?}\nbecame\n{outcome:?}")));
        }
    }
    Ok(())
}
