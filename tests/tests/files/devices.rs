//! Devices that a rule on paths says too little about: other people's terminals, and disks, which hold every file.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::PathBuf;

use agentsh_tests::pty::Terminal;
use agentsh_tests::shell::Subject;
use agentsh_tests::{Result, Shell, User, World, enforced, fail, record, session, skips};

/// Everything may be read and written.
const OPEN: &str = r#"version: 1
name: open
defaults: {read: allow, write: allow, command: allow, network: allow, unix_socket: allow, signal: allow}
"#;

/// A session under the pack of this name, or under [`OPEN`].
fn session(world: &World, policy: &str) -> Result<String> {
    let policy = match policy {
        "open" => session::write_policy(world, "open", OPEN)?
            .to_string_lossy()
            .into_owned(),
        pack => pack.to_owned(),
    };
    Ok(session::create(world, &["--policy", &policy])?.id)
}

#[test]
fn a_terminal_that_somebody_else_works_at_is_neither_read_nor_written_nor_changed() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        for policy in ["default", "agent-strict", "open"] {
            let person = Shell::program("sh").args(["-c", "tty; exec cat"]).on_terminal();
            let mut person = Terminal::open(&person, &world, &Subject::Real)?;
            let name = person.expect("/dev/pts/[0-9]+\r")?;
            let name = name.trim();
            // Without us the same user can.
            Shell::program("sh")
                .args(["-c", &format!("echo native > {name}")])
                .run(&world)?;
            person.expect("native")?;
            let id = session(&world, policy)?;
            let text = format!(
                "echo forged > {name}; echo forged 1<> {name} >&1; head -c 1 < {name}; \
                 python3 -c 'import os; print(os.open(\"{name}\", os.O_RDONLY | os.O_NONBLOCK))'; \
                 exec 9< /proc/self/root{name} && echo opened; chmod 666 {name} && echo changed; chown $(id -u) {name} && echo changed; \
                 touch {name} && echo changed"
            );
            let before = std::fs::metadata(name)?;
            let outcome = session::run(&world, &id, &["bash", "-c", &text])?;
            person.send("typed\r")?;
            person.expect("typed\r\ntyped")?;
            let after = std::fs::metadata(name)?;
            let same = (before.mode(), before.uid(), before.gid()) == (after.mode(), after.uid(), after.gid());
            if !outcome.stdout.is_empty() || person.text().contains("forged") || !same {
                return Err(fail(format!("{policy}: {outcome:?}; it shows {}", person.text())));
            }
            person.child().signal(libc::SIGKILL)?;
        }
    }
    Ok(())
}

#[test]
fn terminals_of_ones_own_are_used_as_ever() -> Result {
    for user in User::both() {
        let world = World::new(user)?;
        enforced::prove(&world)?;
        let text = "script -qec 'tty > name; echo again > $(cat name)' /dev/null < /dev/null";
        let outcome = world.shimmed(text)?;
        if !outcome.out().contains("again") {
            return Err(fail(format!("a terminal made inside: {outcome:?}")));
        }
        let shell = Shell::named("bash")
            .args(["-c", "echo named > $(tty); read line < $(tty); echo got:$line"])
            .on_terminal();
        let mut terminal = Terminal::open(&shell, &world, &Subject::shims())?;
        terminal.expect("named")?;
        terminal.send("line\r")?;
        terminal.expect("got:line")?;
        terminal.finish()?;
    }
    Ok(())
}

/// A disk of this machine that root can open, if it has one.
fn disk() -> Result<Option<PathBuf>> {
    let nodes = std::fs::read_dir("/dev")?.flatten().map(|entry| entry.path());
    let is_disk = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|file| file.file_type().is_block_device());
    let mut found = nodes.filter(is_disk).filter(|path| std::fs::File::open(path).is_ok());
    Ok(found.next())
}

#[test]
fn a_disk_is_opened_only_where_a_rule_speaks_of_it() -> Result {
    let Some(disk) = disk()? else {
        return skips::skip("disks", "root can open no block device here");
    };
    let world = World::new(User::root())?;
    enforced::prove(&world)?;
    let open = format!("exec 9< {0} && echo read; exec 9<> {0} && echo written", disk.display());
    for policy in ["default", "system-readonly", "open"] {
        let id = session(&world, policy)?;
        let outcome = session::run(&world, &id, &["bash", "-c", &open])?;
        if !outcome.stdout.is_empty() {
            return Err(fail(format!("{policy}: {outcome:?}")));
        }
    }
    let rule = format!(
        "{OPEN}file_rules:\n  - {{name: disk, paths: [\"{}\"], operations: [read], decision: allow}}\n",
        disk.display()
    );
    let path = session::write_policy(&world, "disk", &rule)?;
    let id = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
    let outcome = session::run(&world, &id, &["bash", "-c", &open])?;
    match outcome.out().as_str() {
        "read\n" => Ok(()),
        _ => Err(fail(format!("named: {outcome:?}"))),
    }
}

/// Numbers of what the machine's keys, screens, memory and disks are reached by, whether a driver is there or not; the
/// first of each driver that got its number when it started.
fn nodes() -> Result<Vec<(String, u32, u32)>> {
    let known = [
        ("memory", 1, 1),
        ("screen", 29, 0),
        ("flash", 90, 0),
        ("usb", 189, 0),
        ("keys", 10, 239),
    ];
    let mut nodes: Vec<_> = known.map(|(name, major, minor)| (name.to_owned(), major, minor)).into();
    for line in std::fs::read_to_string("/proc/devices")?.lines() {
        if let Some((number, name @ ("hidraw" | "bsg"))) = line.trim().split_once(' ') {
            nodes.push((name.to_owned(), number.parse()?, 0));
        }
    }
    Ok(nodes)
}

#[test]
fn keys_screens_and_disks_are_refused_by_number_whatever_their_names() -> Result {
    let world = World::new(User::root())?;
    enforced::prove(&world)?;
    let nodes = nodes()?;
    for (name, major, minor) in &nodes {
        let (major, minor) = (major.to_string(), minor.to_string());
        let node = world.workspace().join(name);
        let node = node.to_string_lossy();
        let made = Shell::program("mknod")
            .args([&*node, "c", &major, &minor])
            .run(&world)?;
        made.expect_success("mknod")?;
    }
    let id = session(&world, "open")?;
    for (name, ..) in &nodes {
        let text = format!("import os; os.open('{name}', os.O_RDONLY | os.O_NONBLOCK)");
        let outcome = session::run(&world, &id, &["python3", "-c", &text])?;
        if !outcome.err().contains("Errno 13") {
            return Err(fail(format!("{name}: {outcome:?}")));
        }
        record::await_event(&world, name, |event| {
            let rule = event.policy.as_ref().and_then(|policy| policy.rule.as_deref());
            event.is("file_read", "deny", &world.workspace().join(name).to_string_lossy())
                && rule == Some("agentsh-itself")
        })?;
    }
    Ok(())
}

#[test]
fn the_kernel_is_steered_only_where_a_rule_speaks_of_it() -> Result {
    let world = World::new(User::root())?;
    enforced::prove(&world)?;
    let knobs = "/proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sysrq-trigger /proc/sys/vm/swappiness /sys/kernel/uevent_helper /sys/kernel/mm/ksm/run";
    let text = format!(
        "for f in {knobs} $(find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs -o -maxdepth 2 -name release_agent); do [ -e $f ] && (exec 9>>$f) && echo $f; done; true"
    );
    let control = Shell::program("sh")
        .args(["-c", "exec 9>>/proc/sys/vm/swappiness"])
        .run(&world)?;
    control.expect_success("the real shell opens a setting")?;
    for policy in ["default", "open"] {
        let id = session(&world, policy)?;
        let outcome = session::run(&world, &id, &["bash", "-c", &text])?;
        if !outcome.stdout.is_empty() {
            return Err(fail(format!("{policy}: {outcome:?}")));
        }
        let own = session::run(
            &world,
            &id,
            &[
                "sh",
                "-c",
                "echo 500 > /proc/self/oom_score_adj && cat /proc/self/oom_score_adj",
            ],
        )?;
        if own.out() != "500\n" {
            return Err(fail(format!("{policy}: of oneself: {own:?}")));
        }
    }
    let rule = format!(
        "{OPEN}file_rules:\n  - {{name: swap, paths: [\"/proc/sys/vm/swappiness\"], operations: [write], decision: allow}}\n"
    );
    let path = session::write_policy(&world, "named", &rule)?;
    let id = session::create(&world, &["--policy", &path.to_string_lossy()])?.id;
    let outcome = session::run(
        &world,
        &id,
        &["sh", "-c", "exec 9>>/proc/sys/vm/swappiness && echo opened"],
    )?;
    match outcome.out().as_str() {
        "opened\n" => Ok(()),
        _ => Err(fail(format!("named: {outcome:?}"))),
    }
}
