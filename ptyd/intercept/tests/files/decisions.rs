//! What policy says is what happens, by effect.

use std::fs;
use std::path::Path;

use agentsh_intercept::Errno;
use agentsh_intercept::files::{Answer, Operation, Verdict};

use crate::rig::{Rig, Rules};
use crate::support::Result;

/// A folder with a file that is guarded, one that is not, and a hostile link.
pub fn folder() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let top = folder.path();
    fs::create_dir_all(top.join("guarded/below"))?;
    fs::create_dir_all(top.join("free"))?;
    fs::write(top.join("guarded/secret"), "secret text")?;
    fs::write(top.join("guarded/below/deep"), "deep text")?;
    fs::write(top.join("free/file"), "free text")?;
    std::os::unix::fs::symlink(top.join("guarded/secret"), top.join("free/link"))?;
    std::os::unix::fs::symlink("../guarded", top.join("free/linked"))?;
    Ok(folder)
}

fn guarded(top: &Path) -> Rules {
    Rules::allow_all().deny(top.join("guarded"))
}

#[test]
fn a_denied_file_is_unread_and_unchanged_whatever_it_is_called() -> Result {
    let folder = folder()?;
    let top = folder.path();
    let rig = Rig::new(Rules::allow_all().deny(top.join("guarded/secret")))?;
    let names = [
        "guarded/secret",
        "free/link",
        "free/linked/secret",
        "free/../guarded/./secret",
        "/proc/self/cwd/guarded/secret",
        "/proc/thread-self/root$PWD/guarded/secret",
        "/dev/fd/9/secret",
        "/proc/$$/fd/9/secret",
    ];
    for name in names {
        // A folder that is open is a path as well.
        let line = format!(
            "cat {name}; echo x > {name}; echo x >> {name}; chmod 777 {name}; true > {name}; cp {name} free/copy"
        );
        let mut command = crate::support::program("/bin/sh", &["-c", &format!("exec 9<guarded 2>&1; {line}")]);
        command.current_dir(top);
        let shown = rig.start(command)?.output()?;
        let shown = crate::support::text(&shown.stdout);
        assert!(!shown.contains("secret text"), "{name}: {shown}");
        assert_eq!(fs::read_to_string(top.join("guarded/secret"))?, "secret text", "{name}");
        assert!(
            !fs::exists(top.join("free/copy"))? || fs::read(top.join("free/copy"))?.is_empty(),
            "{name}"
        );
    }
    assert!(
        rig.lines().iter().any(|line| line.contains("guarded/secret Refused")),
        "{:?}",
        rig.lines()
    );
    Ok(())
}

#[test]
fn denied_names_are_not_made_removed_moved_or_linked() -> Result {
    let folder = folder()?;
    let top = folder.path();
    let rig = Rig::new(guarded(top))?;
    for line in [
        "rm -f guarded/secret",
        "rm -rf guarded",
        "mv guarded/secret free/got",
        "mv guarded free/got",
        "mv free/file guarded/secret",
        "ln guarded/secret free/got",
        "ln -L free/link free/got",
        "ln free/file guarded/made",
        "ln -s x guarded/made",
        "mkdir guarded/made",
        "mkfifo guarded/made",
        "touch guarded/made guarded/secret",
        "truncate -s 0 guarded/secret",
        "truncate -s 0 free/link",
        "rmdir guarded/below",
        "chown 1 guarded/secret",
        "python3 -c 'import os; os.setxattr(\"guarded/secret\", \"user.x\", b\"1\")'",
        "python3 -c 'import os; os.rename(\"free\", \"guarded/made\")'",
    ] {
        let shown = rig.sh(top, &format!("{line} && echo DONE"))?;
        assert!(!shown.contains("DONE"), "{line}: {shown}");
        assert_eq!(fs::read_to_string(top.join("guarded/secret"))?, "secret text", "{line}");
        assert_eq!(
            fs::read_to_string(top.join("guarded/below/deep"))?,
            "deep text",
            "{line}"
        );
        assert!(
            !fs::exists(top.join("guarded/made"))? && !fs::exists(top.join("free/got"))?,
            "{line}"
        );
        assert!(fs::exists(top.join("free/file"))?, "{line}");
    }
    Ok(())
}

#[test]
fn a_rule_on_absent_names_holds_for_a_folder_made_elsewhere_and_renamed_over() -> Result {
    let folder = folder()?;
    let top = folder.path();
    fs::create_dir(top.join("repo"))?;
    let rig = Rig::new(Rules::allow_all().deny(top.join("repo/.git/hooks")))?;
    let shown = rig.sh(
        top,
        "mkdir -p x/hooks && echo evil > x/hooks/pre-commit && mv x repo/.git && echo DONE",
    )?;
    assert!(!shown.contains("DONE"), "{shown}");
    assert!(!fs::exists(top.join("repo/.git/hooks"))?);
    let shown = rig.sh(top, "rm -r x/hooks; echo ok > x/config; mv x repo/.git && echo DONE")?;
    assert!(shown.contains("DONE"), "{shown}");
    assert_eq!(fs::read_to_string(top.join("repo/.git/config"))?, "ok\n");
    Ok(())
}

#[test]
fn moving_or_linking_never_weakens_a_rule() -> Result {
    let folder = folder()?;
    let top = folder.path();
    // Only reading is denied: names may be moved, but not to where they could be read.
    let deny = Verdict::Deny(Errno::ACCESS);
    let rules = Rules::allow_all().rule(
        top.join("guarded"),
        true,
        &[Operation::Read, Operation::List],
        deny.clone(),
    );
    let rig = Rig::new(rules)?;
    let shown = rig.sh(
        top,
        "mv guarded/secret free/s; ln guarded/secret free/s; mv guarded free/g; cat free/s free/g/secret",
    )?;
    assert!(!shown.contains("secret text"), "{shown}");
    assert!(fs::exists(top.join("guarded/secret"))? && fs::exists(top.join("guarded/below/deep"))?);
    assert!(
        rig.sh(top, "mv guarded/secret guarded/other && echo DONE")?
            .contains("DONE")
    );
    // A link to what may only be read cannot be written through.
    let read_only = Rules::allow_all().rule(top.join("free/file"), false, &[Operation::Write], deny);
    let shown = Rig::new(read_only)?.sh(top, "ln free/file free/second && echo x > free/second && echo DONE")?;
    assert!(!shown.contains("DONE"), "{shown}");
    assert_eq!(fs::read_to_string(top.join("free/file"))?, "free text");
    Ok(())
}

#[test]
fn an_approval_decides_and_is_recorded() -> Result {
    for (answer, happens) in [(Answer::Yes, true), (Answer::No(Errno::PERM), false)] {
        let folder = folder()?;
        let top = folder.path();
        let mut rules = Rules::allow_all().rule(
            top.join("free"),
            true,
            &[Operation::Delete, Operation::Write],
            Verdict::Approve,
        );
        rules.answer = answer;
        let rig = Rig::new(rules)?;
        let shown = rig.sh(top, "echo new > free/file; cat free/file; rm free/file")?;
        assert_eq!(shown.contains("new"), happens, "{shown}");
        assert_eq!(!fs::exists(top.join("free/file"))?, happens, "{shown}");
    }
    Ok(())
}

#[test]
fn zeroes_over_what_is_there_are_a_loss_by_every_mode_that_writes_them() -> Result {
    // FALLOC_FL_ZERO_RANGE, FALLOC_FL_WRITE_ZEROES (Linux 6.17); the second only where the disk below does it.
    for mode in [0x10, 0x80] {
        let folder = folder()?;
        let top = folder.path();
        let rules = Rules::allow_all().rule(top, true, &[Operation::Truncate], Verdict::Deny(Errno::PERM));
        let script = format!(
            "python3 -c 'import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate(os.open(\"free/file\", os.O_RDWR), {mode}, ctypes.c_long(0), ctypes.c_long(4)); print(ctypes.get_errno())'"
        );
        assert_eq!(Rig::new(rules)?.sh(top, &script)?, "1\n", "{mode}");
        assert_eq!(fs::read_to_string(top.join("free/file"))?, "free text");
    }
    Ok(())
}

#[test]
fn every_way_to_lose_bytes_is_kept_first() -> Result {
    let soft =
        |top: &Path| Rules::allow_all().rule(top, true, &[Operation::Delete, Operation::Rmdir], Verdict::SoftDelete);
    for (line, loss) in [
        ("rm free/file", "Unlink"),
        ("mv guarded/secret free/file", "Replace"),
        (": > free/file", "Truncate(0)"),
        ("truncate -s 3 free/file", "Truncate(3)"),
        (
            "python3 -c 'import os; os.ftruncate(os.open(\"free/file\", os.O_RDWR), 2)'",
            "Truncate(2)",
        ),
        ("dd if=/dev/null of=free/file 2>/dev/null", "Truncate(0)"),
        ("fallocate -p -o 0 -l 2 free/file", "Punch"),
        ("rm free/file; rm free/link; rm free/linked; rmdir free", "Rmdir"),
    ] {
        let folder = folder()?;
        let top = folder.path();
        let rig = Rig::new(soft(top))?;
        let shown = rig.sh(top, &format!("{line} && echo DONE"))?;
        assert!(shown.contains("DONE"), "{line}: {shown}");
        assert!(
            rig.kept().iter().any(|kept| kept.starts_with(loss)),
            "{line}: {:?}",
            rig.kept()
        );
        // A trash that cannot keep: nothing is lost.
        let folder = crate::decisions::folder()?;
        let top = folder.path();
        let rig = Rig::with_trash(soft(top), Some(Errno::NOSPC))?;
        let shown = rig.sh(top, &format!("{line} && echo DONE"))?;
        assert!(!shown.contains("DONE"), "{line}: {shown}");
        assert_eq!(fs::read_to_string(top.join("free/file"))?, "free text", "{line}");
    }
    Ok(())
}

#[test]
fn a_deletion_that_the_kernel_refuses_is_not_kept() -> Result {
    let folder = folder()?;
    let top = folder.path();
    let rig = Rig::new(Rules::allow_all().rule(top, true, &[Operation::Rmdir], Verdict::SoftDelete))?;
    rig.sh(top, "rmdir guarded")?;
    assert!(
        rig.kept().iter().all(|kept| kept.ends_with("(not lost)")),
        "{:?}",
        rig.kept()
    );
    assert!(fs::exists(top.join("guarded/secret"))?);
    Ok(())
}

#[test]
fn a_verdict_that_a_call_cannot_carry_out_is_a_refusal() -> Result {
    let folder = folder()?;
    let top = folder.path();
    let to = Verdict::Redirect {
        to: top.join("else"),
        if_there: false,
    };
    let rig = Rig::new(Rules::allow_all().rule(top.join("free"), true, &[Operation::Chmod, Operation::Delete], to))?;
    let shown = rig.sh(top, "chmod 777 free/file && echo DONE; rm -f free/file && echo DONE")?;
    assert!(!shown.contains("DONE") && fs::exists(top.join("free/file"))?, "{shown}");
    Ok(())
}

#[test]
fn where_no_content_is_judged_a_file_whose_name_is_gone_is_written_by_its_descriptor() -> Result {
    let folder = folder()?;
    let top = folder.path();
    let rig = Rig::new(guarded(top))?;
    let script = r#"python3 -c '
import os
os.link("free/file", "free/second"); held = os.open("free/file", os.O_RDONLY); os.unlink("free/file")
print(os.write(os.open(f"/proc/self/fd/{held}", os.O_WRONLY), b"FREE"))'"#;
    assert_eq!(rig.sh(top, script)?, "4\n");
    assert_eq!(fs::read_to_string(top.join("free/second"))?, "FREE text");
    Ok(())
}
