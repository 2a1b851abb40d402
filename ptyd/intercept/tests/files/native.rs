//! What a program sees is what it sees without us.

use std::process::Command;

use crate::rig::{Rig, Rules};
use crate::support::{Result, program, text};

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/table.py");

fn numbers() -> String {
    let known: &[(&str, i64)] = &[
        ("openat", libc::SYS_openat),
        ("openat2", libc::SYS_openat2),
        ("unlinkat", libc::SYS_unlinkat),
        ("mkdirat", libc::SYS_mkdirat),
        ("mknodat", libc::SYS_mknodat),
        ("symlinkat", libc::SYS_symlinkat),
        ("linkat", libc::SYS_linkat),
        ("renameat", libc::SYS_renameat),
        ("renameat2", libc::SYS_renameat2),
        ("truncate", libc::SYS_truncate),
        ("fchmodat", libc::SYS_fchmodat),
        ("fchmodat2", libc::SYS_fchmodat2),
        ("fchownat", libc::SYS_fchownat),
        ("utimensat", libc::SYS_utimensat),
        ("setxattr", libc::SYS_setxattr),
        ("lsetxattr", libc::SYS_lsetxattr),
        ("getxattr", libc::SYS_getxattr),
        ("lgetxattr", libc::SYS_lgetxattr),
        ("listxattr", libc::SYS_listxattr),
        ("llistxattr", libc::SYS_llistxattr),
        ("removexattr", libc::SYS_removexattr),
        ("lremovexattr", libc::SYS_lremovexattr),
        ("readlinkat", libc::SYS_readlinkat),
        ("newfstatat", libc::SYS_newfstatat),
        ("statx", libc::SYS_statx),
        ("faccessat", libc::SYS_faccessat),
        ("faccessat2", libc::SYS_faccessat2),
    ];
    #[cfg(target_arch = "x86_64")]
    let old: &[(&str, i64)] = &[
        ("open", libc::SYS_open),
        ("creat", libc::SYS_creat),
        ("unlink", libc::SYS_unlink),
        ("rmdir", libc::SYS_rmdir),
        ("mkdir", libc::SYS_mkdir),
        ("mknod", libc::SYS_mknod),
        ("symlink", libc::SYS_symlink),
        ("link", libc::SYS_link),
        ("rename", libc::SYS_rename),
        ("chmod", libc::SYS_chmod),
        ("chown", libc::SYS_chown),
        ("lchown", libc::SYS_lchown),
        ("utime", libc::SYS_utime),
        ("utimes", libc::SYS_utimes),
        ("futimesat", libc::SYS_futimesat),
        ("readlink", libc::SYS_readlink),
        ("stat", libc::SYS_stat),
        ("lstat", libc::SYS_lstat),
        ("access", libc::SYS_access),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let old: &[(&str, i64)] = &[];
    let pairs: Vec<String> = known
        .iter()
        .chain(old)
        .map(|(name, number)| format!("\"{name}\": {number}"))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

fn table(who: &str) -> Result {
    if who != "self" && !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can be {who}");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    // Whoever the program becomes must be able to come here.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let base = folder.path().join("base");
    let command = || -> Command {
        let mut command = program("python3", &["-S", TABLE, &numbers()]);
        command
            .arg(&base)
            .arg(who)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    let native = command().output()?;
    assert!(native.status.success(), "{}", text(&native.stderr));
    let caged = Rig::new(Rules::allow_all())?.run(command())?;
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
    table("self")
}

#[test]
fn a_caller_that_changed_its_uid_has_its_own_rights_and_owns_what_it_makes() -> Result {
    table("nobody")
}

#[test]
fn a_caller_in_a_chroot_stays_in_it() -> Result {
    table("chrooted")
}
