//! Ways around a rule: the same effect by another call, by another path, or by an object that was made elsewhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use agentsh_tests::{Result, User, World, fail, record, session};

use crate::attempts;

fn is(path: &Path, text: &str) -> Result {
    match fs::read_to_string(path) {
        Ok(found) if found == text => Ok(()),
        found => Err(fail(format!("{}: {found:?}", path.display()))),
    }
}

#[test]
fn what_may_not_be_deleted_or_cut_is_not_by_any_call() -> Result {
    let rules = r#"  - {name: keep, paths: ["${PROJECT_ROOT}/keep/**"], operations: [delete, rmdir, truncate], decision: deny}"#;
    for user in User::both() {
        let world = World::new(user)?;
        let keep = world.workspace().join("keep");
        for name in ["a", "b", "c"] {
            world.user().write_file(&keep.join(name), "precious\n", 0o644)?;
        }
        let session = attempts::session(&world, rules, "")?;
        let text = "echo x > o1; echo x > o2; : > keep/a; truncate -s 0 keep/a; rm -f keep/a; mv o1 keep/b; mv keep/b away; mv keep other
python3 -c 'import ctypes
print(ctypes.CDLL(None).renameat2(-100, b\"o2\", -100, b\"keep/c\", 2))'; echo more >> keep/a";
        let outcome = session::run(&world, &session, &["bash", "-c", text])?;
        if outcome.out() != "-1\n" {
            return Err(fail(format!("{outcome:?}")));
        }
        is(&keep.join("a"), "precious\nmore\n")?;
        is(&keep.join("b"), "precious\n")?;
        is(&keep.join("c"), "precious\n")?;
    }
    Ok(())
}

#[test]
fn what_may_not_be_made_does_not_come_from_elsewhere() -> Result {
    let rules = r#"  - {name: links, paths: ["${PROJECT_ROOT}/at/**"], operations: [symlink], decision: deny}
  - {name: nodes, paths: ["${PROJECT_ROOT}/at/**"], operations: [mknod], decision: deny}"#;
    let world = World::new(User::agent())?;
    let session = attempts::session(&world, rules, "")?;
    let text = "mkdir at; ln -s / l; mv l at/l; ln -s / m; ln -P m at/m; mkfifo p; mv p at/p; mkdir t; ln -s / t/l; mv t at/t; echo x > f; mv f at/f; ls at";
    let outcome = session::run(&world, &session, &["bash", "-c", text])?;
    match outcome.out().as_str() {
        "f\n" => Ok(()),
        _ => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn content_that_was_judged_is_not_changed_by_an_older_descriptor() -> Result {
    let world = World::new(User::agent())?;
    let config = world.workspace().join(".git/config");
    let text = "python3 - <<'P'
import os, time
fd = os.open('.git/config', os.O_RDWR | os.O_TRUNC); os.write(fd, b'[core]\\n\\tbare = false\\n')
r = os.open('/proc/self/fd/%d' % fd, os.O_RDONLY); os.close(fd); time.sleep(.5)
try:
    w = os.open('/proc/self/fd/%d' % r, os.O_WRONLY | os.O_APPEND)
    os.write(w, b'\\tfsmonitor = \"touch /tmp/evil\"\\n')
except OSError as error:
    print(error.strerror)
try:
    os.link('/proc/self/fd/%d' % r, 'x', follow_symlinks=True)
    open('x', 'a').write('evil')
except OSError as error:
    print(error.strerror)
P";
    let outcome = world.shimmed(text)?;
    // What the older descriptor is of has no name, and gets none: a copy of it was judged and took the name.
    if outcome.out() != "Permission denied\n" {
        return Err(fail(format!("{outcome:?}")));
    }
    is(&config, "[core]\n\tbare = false\n")
}

#[test]
fn what_is_judged_by_its_content_keeps_mode_and_attributes() -> Result {
    let world = World::new(User::agent())?;
    let text = "python3 - <<'P'
import os
open('new', 'w').write('[core]\\n')
os.setxattr('new', 'user.key', b'value'); os.chmod('new', 0o444); os.utime('new', (1, 2))
os.rename('new', '.git/config')
it = os.stat('.git/config')
print(oct(it.st_mode), it.st_mtime, os.getxattr('.git/config', 'user.key'))
P";
    let outcome = world.shimmed(text)?;
    match outcome.out() == "0o100444 2.0 b'value'\n" {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn a_workspaces_own_policy_opens_nothing_and_stays() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        let (home, top) = (world.user().home.clone(), world.workspace());
        world.user().write_file(&home.join(".ssh/id_rsa"), "PRIVATE\n", 0o600)?;
        let policy = "version: 1\nname: own\nfile_rules:\n  - {name: in, paths: [\"${PROJECT_ROOT}/out/**\"], decision: redirect, redirect_to: \"${HOME}/.ssh\"}\n  - {name: no, paths: [\"${PROJECT_ROOT}/no\"], decision: deny}\n";
        world
            .user()
            .write_file(&top.join(".agentsh/policy.yaml"), policy, 0o644)?;
        world.user().write_file(&top.join("no"), "no\n", 0o644)?;
        let text = "mkdir -p out; cat out/id_rsa; echo evil > out/authorized_keys; rm -r .agentsh; mv .agentsh x; echo > .agentsh/policy.yaml; sleep 1; cat no";
        let outcome = world.shimmed(text)?;
        if !outcome.out().is_empty() {
            return Err(fail(format!("{outcome:?}")));
        }
        is(&top.join(".agentsh/policy.yaml"), policy)?;
        if home.join(".ssh/authorized_keys").exists() {
            return Err(fail("what the session's policy denies was written by a redirect"));
        }
    }
    Ok(())
}

#[test]
fn by_another_mount_our_own_and_the_kernels_files_are_the_same() -> Result {
    let world = World::new(User::root())?;
    let top = world.workspace();
    let mount = |args: &[&str]| -> Result {
        let status = Command::new("mount")
            .args(args)
            .status()
            .map_err(|error| fail(error.to_string()))?;
        if status.success() {
            Ok(())
        } else {
            Err(fail(format!("mount {args:?}")))
        }
    };
    let (other, proc) = (top.join("run"), top.join("proc"));
    for folder in [&other, &proc] {
        fs::create_dir(folder).map_err(|error| fail(error.to_string()))?;
    }
    mount(&["--bind", "/run", &other.to_string_lossy()])?;
    mount(&["-t", "proc", "proc", &proc.to_string_lossy()])?;
    let outcome = world.shimmed("touch run/agentsh/disabled; (exec 3>> proc/sys/kernel/panic) && echo open; (exec 3>> /proc/self/comm) && echo own")?;
    for folder in [&other, &proc] {
        let _ = Command::new("umount").arg("-l").arg(folder).status();
    }
    if outcome.out() != "own\n" || Path::new("/run/agentsh/disabled").exists() {
        return Err(fail(format!("{outcome:?}")));
    }
    Ok(())
}

#[test]
fn a_denied_read_is_one_event_and_says_why() -> Result {
    let world = World::new(User::agent())?;
    let secret = world.user().home.join(".ssh/id_rsa");
    world.user().write_file(&secret, "PRIVATE\n", 0o600)?;
    world.shimmed("cat ~/.ssh/id_rsa")?;
    let path = secret.to_string_lossy().into_owned();
    let is_it = |event: &record::Event| event.is("file_read", "deny", &path);
    record::await_event(&world, "the denial", is_it)?;
    let all: Vec<_> = record::events(&world)?.into_iter().filter(is_it).collect();
    let message = all.first().and_then(|event| event.policy.as_ref()?.message.clone());
    match (all.len(), message) {
        (1, Some(text)) if text.contains("holds keys") => Ok(()),
        (count, message) => Err(fail(format!("{count} events, {message:?}"))),
    }
}

#[test]
fn a_folder_that_cannot_be_looked_through_stays_and_the_record_says_why() -> Result {
    let rules = r#"  - {name: no, paths: ["${PROJECT_ROOT}/**/no"], operations: ["*"], decision: deny}"#;
    let world = World::new(User::agent())?;
    let session = attempts::session(&world, rules, "")?;
    let text = "mkdir closed open; echo x > closed/x; chmod 300 closed; mv closed away || chmod 700 closed; mv open away; cat closed/x";
    let outcome = session::run(&world, &session, &["bash", "-c", text])?;
    if outcome.out() != "x\n" || !world.workspace().join("away").is_dir() {
        return Err(fail(format!("{outcome:?}")));
    }
    let path = world.workspace().join("closed").to_string_lossy().into_owned();
    record::await_event(&world, "the refusal and its reason", |event| {
        let message = event.policy.as_ref().and_then(|policy| policy.message.as_deref());
        let of_it = event.kind == "file_rename" && event.path.as_ref().is_some_and(|at| at.0 == path.as_bytes());
        of_it && message.is_some_and(|text| text.contains("cannot be listed"))
    })?;
    Ok(())
}
