//! A file system on which names that differ in case are one name: a rule holds however its names are spelt there.

use std::path::Path;
use std::process::Command;

use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Output, Result, Shell, User, World, fail, session, skips};

use crate::attempts;

const RULES: &str = r#"  - {name: hooks, paths: ["**/.git/hooks/**"], operations: [write, create, rename, link, symlink, mkdir], decision: deny}
  - {name: secret, paths: ["**/secret.txt"], operations: [read], decision: deny}"#;

const COMMANDS: &str = r#"command_rules:
  - {name: tool, commands: [tool], decision: deny}
"#;

/// Every way to get something to where hooks are, or to what is secret, by another spelling; what is allowed at the end.
const ATTEMPTS: &str = r#"
import os, subprocess, sys
os.chdir(sys.argv[1])
def opened(path, flags): os.close(os.open(path, flags, 0o644))
def show(name, act):
    try: print(name, act() or "done")
    except OSError as error: print(name, error.errno)
new = os.O_WRONLY | os.O_CREAT
for at in (".git/hooks", ".GIT/hooks", ".git/HOOKS", ".Git/Hooks"):
    show("make " + at, lambda: opened(at + "/Made", new))
    show("folder " + at, lambda: os.mkdir(at + "/folder"))
    open("plain", "w").close()
    show("rename " + at, lambda: os.rename("plain", at + "/renamed"))
    show("rename by descriptor " + at, lambda: os.rename("plain", "renamed", dst_dir_fd=os.open(at, os.O_RDONLY)))
    os.chdir(at); show("make inside " + at, lambda: opened("Inside", new)); os.chdir(sys.argv[1])
for name in ("secret.txt", "SECRET.txt", "Secret.TXT"):
    show("read " + name, lambda: open(name).read())
for name in ("./tool", "./TOOL"):
    show("run " + name, lambda: subprocess.run([name]).returncode)
show("other", lambda: open("Other.txt", "w").write("text"))
show("other again", lambda: open("OTHER.txt").read())
show("run another", lambda: subprocess.run(["./ALLOWED"]).returncode or "ran")
"#;

/// Mounts one at `at`, with a repository, a secret and two programs; false where this machine has none.
fn mount(world: &World, at: &Path) -> Result<bool> {
    if !skips::has_programs("file systems without case", &["mkntfs", "lowntfs-3g"])? {
        return Ok(false);
    }
    world.user().make_folder(at)?;
    let image = format!("/tmp/image-{}", at.file_name().unwrap_or_default().display());
    std::fs::File::create(&image)?.set_len(20 << 20)?;
    let user = world.user();
    let options = format!("ignore_case,allow_other,umask=0,uid={},gid={}", user.uid, user.gid);
    let at_text = at.to_string_lossy();
    for line in [
        &["mkntfs", "-F", "-q", &image][..],
        &["lowntfs-3g", "-o", &options, &image, &at_text],
    ] {
        let made = Command::new(line[0]).args(&line[1..]).output()?;
        if !made.status.success() {
            return Err(fail(format!("{line:?}: {made:?}")));
        }
    }
    std::fs::create_dir_all(at.join(".git/hooks"))?;
    std::fs::write(at.join("secret.txt"), "classified")?;
    for program in ["tool", "allowed"] {
        std::fs::copy("/usr/bin/true", at.join(program))?;
    }
    // Without us the other spelling leads there.
    match std::fs::read(at.join(".GIT/../Secret.TXT"))? == b"classified" {
        true => Ok(true),
        false => Err(fail("names do not fold there")),
    }
}

/// Tries all, and looks at what is there afterwards.
fn hold(world: &World, session: &str, at: &Path) -> Result {
    let script = world.user().home.join("attempts.py");
    world.user().write_file(&script, ATTEMPTS, 0o644)?;
    let argv = ["python3", "-S", &script.to_string_lossy(), &at.to_string_lossy()];
    let outcome = session::exec(session, &[], &argv).run(world)?;
    let told = outcome.out();
    let wrong = told.lines().filter(|line| match line.split_once(' ') {
        Some(("other", rest)) => !matches!(rest, "4" | "again text"),
        Some(("run", rest)) if rest.starts_with("another") => rest != "another ran",
        _ => !line.ends_with(" 13"),
    });
    let wrong: Vec<&str> = wrong.collect();
    let hooks: Vec<_> = std::fs::read_dir(at.join(".git/hooks"))?.flatten().collect();
    match wrong.is_empty() && told.lines().count() == 28 && hooks.is_empty() && !told.contains("classified") {
        true => Ok(()),
        false => Err(fail(format!("{wrong:#?} {hooks:?} {outcome:?}"))),
    }
}

#[test]
fn every_spelling_of_a_name_is_under_its_rule() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let share = world.workspace().join("share");
        if !mount(&world, &share)? {
            return Ok(());
        }
        let session = attempts::session(&world, RULES, COMMANDS)?;
        hold(&world, &session, &share)?;
    }
    Ok(())
}

#[test]
fn what_is_mounted_while_a_command_runs_counts_too() -> Result {
    let world = World::new(User::agent())?;
    let session = attempts::session(&world, RULES, COMMANDS)?;
    // It holds a hull of before.
    let (share, begun) = (world.workspace().join("later"), world.workspace().join("begun"));
    let waits =
        "touch begun; until [ -e later/go ]; do sleep 0.05; done; echo x > later/.GIT/Hooks/made; echo $? > result";
    let shell: Shell = session::exec(&session, &[], &["bash", "-c", waits]);
    let _command = shell.stdout(Output::Null).stderr(Output::Null).spawn(&world)?;
    let soon = std::time::Duration::from_secs(30);
    if !wait_until(soon, || begun.exists()) {
        return Err(fail("it does not begin"));
    }
    if !mount(&world, &share)? {
        return Ok(());
    }
    hold(&world, &session, &share)?;
    std::fs::write(share.join("go"), "")?;
    let result = world.workspace().join("result");
    let told = || std::fs::read_to_string(&result).unwrap_or_default();
    match wait_until(soon, || !told().is_empty()) && told() == "1\n" && !share.join(".git/hooks/made").exists() {
        true => Ok(()),
        false => Err(fail(format!(
            "{:?} {:?}",
            told(),
            std::fs::read_dir(share.join(".git/hooks"))
        ))),
    }
}
