//! Files outside of what policy could ever allow.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use agentsh_tests::world::people::SECRET;
use agentsh_tests::{Result, Shell, User, World, enforced, fail, session};

/// Ways to read the private key. `KEY` is its path.
const READS: [&str; 14] = [
    "cat ~/.ssh/id_ed25519",
    "cat KEY",
    "cat /proc/self/rootKEY",
    "cd ~/.ssh && cat ./id_ed25519",
    "ln -s KEY ./link; cat ./link",
    "ln -s ~/.ssh ./folder; cat ./folder/id_ed25519",
    "ln KEY ./hard; cat ./hard",
    "cp KEY ./copy; cat ./copy",
    "mv KEY ./moved; cat ./moved",
    "exec 3<KEY; cat <&3",
    "while read -r line; do echo \"$line\"; done < KEY",
    "dd if=KEY status=none",
    "tar cf - -C ~ .ssh | strings",
    "perl -e 'open F, \"KEY\"; print <F>'",
];

/// Ways to change the start file. `FILE` is its path.
const WRITES: [&str; 13] = [
    "echo x >> FILE",
    "echo x > FILE",
    ": >| FILE",
    "echo x | tee -a FILE",
    "ln -s FILE ./link; echo x >> ./link",
    "ln FILE ./hard; echo x >> ./hard",
    "ln -s ~ ./home; echo x >> ./home/.bashrc",
    "echo x > new; mv -f new FILE",
    "cp /etc/hostname FILE",
    "rm -f FILE",
    "truncate -s 0 FILE",
    "sed -i s/start/end/ FILE",
    "dd if=/dev/zero of=FILE bs=1 count=1 status=none",
];

fn world(user: User) -> Result<World> {
    let world = World::new(user)?;
    enforced::control(&world)?;
    enforced::prove(&world)?;
    Ok(world)
}

#[test]
fn every_try_succeeds_with_the_real_shell() -> Result {
    for user in User::both() {
        let world = World::bare(user)?;
        let (key, file) = (
            world.user().home.join(".ssh/id_ed25519"),
            world.user().home.join(".bashrc"),
        );
        let before = fs::read(&file)?;
        let mut failed = Vec::new();
        for text in READS {
            let text = text.replace("KEY", &key.to_string_lossy());
            let outcome = Shell::named("bash").args(["-c", &text]).run(&world)?;
            if !outcome.out().contains(SECRET.trim()) {
                failed.push(format!("{text}: {outcome:?}"));
            }
            fs::read_dir(world.workspace())?
                .flatten()
                .for_each(|entry| drop(fs::remove_file(entry.path())));
            world.user().write_file(&key, SECRET, 0o600)?;
        }
        for text in WRITES {
            let text = text.replace("FILE", &file.to_string_lossy());
            let outcome = Shell::named("bash").args(["-c", &text]).run(&world)?;
            if fs::read(&file).unwrap_or_default() == before {
                failed.push(format!("{text}: {outcome:?}"));
            }
            fs::read_dir(world.workspace())?
                .flatten()
                .for_each(|entry| drop(fs::remove_file(entry.path())));
            world.user().write_file(&file, &before, 0o644)?;
        }
        if !failed.is_empty() {
            return Err(fail(format!("these prove nothing: {failed:#?}")));
        }
    }
    Ok(())
}

fn keys_are_out_of_reach(user: User) -> Result {
    let world = world(user)?;
    let key = world.user().home.join(".ssh/id_ed25519");
    let mut got = Vec::new();
    for text in READS {
        let text = text.replace("KEY", &key.to_string_lossy());
        let outcome = world.shimmed(&text)?;
        if (outcome.out() + &outcome.err()).contains(SECRET.trim()) || fs::read(&key)? != SECRET.as_bytes() {
            got.push(text);
        }
    }
    match got.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("the key was read: {got:#?}"))),
    }
}

fn start_files_are_not_changed(user: User) -> Result {
    let world = world(user)?;
    let file = world.user().home.join(".bashrc");
    let before = fs::read(&file)?;
    let mut changed = Vec::new();
    for text in WRITES {
        let text = text.replace("FILE", &file.to_string_lossy());
        world.shimmed(&text)?;
        if fs::read(&file).unwrap_or_default() != before {
            changed.push(text);
            world.user().write_file(&file, &before, 0o644)?;
        }
    }
    match changed.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("the start file was changed: {changed:#?}"))),
    }
}

#[test]
fn keys_are_out_of_reach_of_root() -> Result {
    keys_are_out_of_reach(User::root())
}

#[test]
fn keys_are_out_of_reach_of_a_user() -> Result {
    keys_are_out_of_reach(User::agent())
}

#[test]
fn root_does_not_change_start_files() -> Result {
    start_files_are_not_changed(User::root())
}

#[test]
fn a_user_does_not_change_start_files() -> Result {
    start_files_are_not_changed(User::agent())
}

#[test]
fn root_does_not_reach_the_system_or_our_own_places() -> Result {
    let world = world(User::root())?;
    let places = [
        "/etc/agentsh/config.yaml",
        "/var/lib/agentsh/x",
        "/run/agentsh/0/x",
        "/usr/local/lib/agentsh/agentsh",
        "/usr/local/lib/agentsh/shims/x",
        "/etc/ld.so.preload",
        "/sys/kernel/uevent_helper",
        "/proc/sys/kernel/core_pattern",
    ];
    let mut reached = Vec::new();
    for place in places {
        let before = fs::read(place).ok();
        let outcome = world.shimmed(&format!(
            "mkdir -p $(dirname {place}) 2>/dev/null; echo x >> {place}; echo $?"
        ))?;
        if fs::read(place).ok() != before || outcome.out().trim() == "0" {
            reached.push(format!("{place}: {outcome:?}"));
        }
    }
    match reached.is_empty() {
        true => Ok(()),
        false => Err(fail(format!("{reached:#?}"))),
    }
}

#[test]
fn the_workspace_and_tmp_work_as_ever() -> Result {
    for user in User::both() {
        let world = world(user)?;
        let text = "set -e; mkdir -p d/e; echo a > d/e/f; mv d/e/f d/g; ln -s g d/l; cp d/g d/h; chmod 700 d/h; rm d/h; echo b > /tmp/x; cat /tmp/x d/l; rm /tmp/x; git add -A; git commit -q -m m; git clone -q . /tmp/clone; ls /tmp/clone; echo > /dev/null; rm -rf /tmp/clone";
        let outcome = world.shimmed(text)?;
        if outcome.out() != "b\na\nd\n" {
            return Err(fail(format!("{outcome:?}")));
        }
    }
    Ok(())
}

#[test]
fn set_user_id_programs_gain_nothing() -> Result {
    let world = world(User::agent())?;
    let program = world.workspace().join("suid");
    fs::copy("/usr/bin/id", &program)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755))?;
    let control = Shell::program(&program).args(["-u"]).run(&world)?;
    let outcome = world.shimmed("./suid -u")?;
    match outcome.out() == "4242\n" {
        true => Ok(()),
        false => Err(fail(format!("{control:?}\n{outcome:?}"))),
    }
}

#[test]
fn where_a_name_may_be_read_anywhere_programs_run_where_all_may_be() -> Result {
    let rules = r#"version: 1
name: named
defaults: {read: deny, command: allow, write: deny}
file_rules:
  - {name: system, paths: ["/usr/**", "/lib*/**", "/etc/**", "/proc/**", "**/*.md"], operations: [read, list, open, stat, access, readlink], decision: allow}
"#;
    let world = World::new(User::agent())?;
    let path = session::write_policy(&world, "named", rules)?;
    let id = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
    for name in ["a.md", "a.txt"] {
        world
            .user()
            .write_file(&world.workspace().join(name), "text\n", 0o644)?;
    }
    let outcome = session::run(&world, &id, &["bash", "-c", "cat a.md; cat a.txt"])?;
    match outcome.out() == "text\n" && outcome.err().contains("Permission denied") {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?}"))),
    }
}

#[test]
fn what_the_operator_keeps_out_is_reached_by_no_policy() -> Result {
    let world = World::new(User::root())?;
    let kept = world.workspace().join("above/kept");
    // Not there yet, and said by a link to the folder above it.
    let later = world.workspace().join("led/later");
    std::os::unix::fs::symlink("above", world.workspace().join("led"))?;
    let config = format!("landlock: {{deny_paths: [{}, {}]}}\n", kept.display(), later.display());
    world
        .user()
        .write_file("/etc/agentsh/config.yaml".as_ref(), config, 0o644)?;
    world.user().write_file(&kept.join("f"), "secret\n", 0o644)?;
    world
        .user()
        .write_file(&world.workspace().join("open"), "open\n", 0o644)?;
    let text = "cat open above/kept/f; ls above/kept; cat < above/kept/f; ln above/kept/f l && cat l
mv above/kept/f m && cat m; mv above moved && cat moved/kept/f; mv above/kept k && cat k/f; ln -s above s; cat s/kept/f
echo x > above/kept/g; rm above/kept/f; (cd above/kept && cat f)
mkdir above/later; echo x > above/later";
    let outcome = world.shimmed(text)?;
    let left = fs::read_to_string(kept.join("f"))?;
    match outcome.out() == "open\n" && left == "secret\n" && !kept.join("g").exists() && !later.exists() {
        true => Ok(()),
        false => Err(fail(format!("{outcome:?} {left}"))),
    }
}
