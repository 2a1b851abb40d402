//! What a program sees is what it sees without us.

use std::process::Command;

use agentsh_intercept::files::{Answer, Verdict};

use crate::numbers::numbers;
use crate::rig::{Rig, Rules};
use crate::support::{Result, program, text};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/table.py");

fn table(who: &str, rules: Rules) -> Result {
    if who != "self" && !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can be {who}");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    // Whoever the program becomes must be able to come here.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let base = folder.path().join("base");
    for answer in ["asked", "answered"] {
        let fifo = folder.path().join(format!("base.{answer}"));
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0)?;
    }
    let command = |role: &str| -> Command {
        let mut command = program("python3", &["-S", TABLE, &numbers()]);
        command
            .arg(&base)
            .args([who, role])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    let mut gardener = command("gardener").spawn()?;
    let native = command("caller").output()?;
    assert!(native.status.success(), "{}", text(&native.stderr));
    assert!(gardener.wait()?.success());
    let mut gardener = command("gardener").spawn()?;
    let caged = Rig::new(rules)?.run(command("caller"))?;
    assert!(gardener.wait()?.success());
    let native = text(&native.stdout);
    let differences: Vec<String> = native
        .lines()
        .zip(caged.lines())
        .filter(|(native, caged)| native != caged)
        .take(25)
        .map(|(native, caged)| format!("native {native}\n caged {caged}"))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(native.lines().count(), caged.lines().count());
    assert!(native.lines().count() > 3000, "the table was made");
    Ok(())
}

#[test]
fn every_call_with_every_form_of_path_comes_out_as_without_us() -> Result {
    table("self", Rules::allow_all())
}

#[test]
fn every_call_comes_out_as_without_us_where_a_person_is_asked_and_says_yes() -> Result {
    let asked = Rules {
        default: Verdict::Approve,
        answer: Answer::Yes,
        ..Rules::allow_all()
    };
    table("self", asked)
}

#[test]
fn a_caller_that_changed_its_uid_has_its_own_rights_and_owns_what_it_makes() -> Result {
    table("nobody", Rules::allow_all())
}

#[test]
fn a_caller_in_a_chroot_stays_in_it() -> Result {
    table("chrooted", Rules::allow_all())
}
