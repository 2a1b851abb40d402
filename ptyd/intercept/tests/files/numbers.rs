//! The calls of the table, by name, as the JSON that `table.py` takes.

/// `{"openat": 257, …}` for this machine.
pub fn numbers() -> String {
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
        ("ftruncate", libc::SYS_ftruncate),
        ("fallocate", libc::SYS_fallocate),
        ("fchmod", libc::SYS_fchmod),
        ("fchown", libc::SYS_fchown),
        ("fsetxattr", libc::SYS_fsetxattr),
        ("fgetxattr", libc::SYS_fgetxattr),
        ("flistxattr", libc::SYS_flistxattr),
        ("fremovexattr", libc::SYS_fremovexattr),
        ("chdir", libc::SYS_chdir),
        ("fchdir", libc::SYS_fchdir),
        ("chroot", libc::SYS_chroot),
        ("name_to_handle_at", libc::SYS_name_to_handle_at),
        // Linux 6.13; `libc` does not name them yet.
        ("setxattrat", 463),
        ("getxattrat", 464),
        ("listxattrat", 465),
        ("removexattrat", 466),
        // Linux 6.17.
        ("file_getattr", 468),
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
