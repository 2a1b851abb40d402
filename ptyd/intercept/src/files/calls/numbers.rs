//! Which number is which call, on x86-64 and aarch64.

use crate::files::sys::FILE_GETATTR;

use super::{Handle, attributes, length, links, look, make, open, remove, rename, requests, watch, xattr};

/// Numbers of the calls that `libc` does not name yet; the same on all architectures.
const SETXATTRAT: i64 = 463;
const GETXATTRAT: i64 = 464;
const LISTXATTRAT: i64 = 465;
const REMOVEXATTRAT: i64 = 466;

const TABLE: &[(i64, Handle)] = &[
    (libc::SYS_openat, open::openat),
    (libc::SYS_openat2, open::openat2),
    (libc::SYS_unlinkat, remove::unlinkat),
    (libc::SYS_renameat2, rename::renameat2),
    (libc::SYS_linkat, links::linkat),
    (libc::SYS_symlinkat, links::symlinkat),
    (libc::SYS_mkdirat, make::mkdirat),
    (libc::SYS_mknodat, make::mknodat),
    (libc::SYS_truncate, length::truncate),
    (libc::SYS_ftruncate, length::ftruncate),
    (libc::SYS_fallocate, length::fallocate),
    (libc::SYS_fchmod, attributes::fchmod),
    (libc::SYS_fchmodat, attributes::fchmodat),
    (libc::SYS_fchmodat2, attributes::fchmodat2),
    (libc::SYS_fchown, attributes::fchown),
    (libc::SYS_fchownat, attributes::fchownat),
    (libc::SYS_utimensat, attributes::utimensat),
    (libc::SYS_setxattr, xattr::setxattr),
    (libc::SYS_lsetxattr, xattr::lsetxattr),
    (libc::SYS_fsetxattr, xattr::fsetxattr),
    (SETXATTRAT, xattr::setxattrat),
    (libc::SYS_getxattr, xattr::getxattr),
    (libc::SYS_lgetxattr, xattr::lgetxattr),
    (libc::SYS_fgetxattr, xattr::fgetxattr),
    (GETXATTRAT, xattr::getxattrat),
    (libc::SYS_listxattr, xattr::listxattr),
    (libc::SYS_llistxattr, xattr::llistxattr),
    (libc::SYS_flistxattr, xattr::flistxattr),
    (LISTXATTRAT, xattr::listxattrat),
    (libc::SYS_removexattr, xattr::removexattr),
    (libc::SYS_lremovexattr, xattr::lremovexattr),
    (libc::SYS_fremovexattr, xattr::fremovexattr),
    (REMOVEXATTRAT, xattr::removexattrat),
    (libc::SYS_readlinkat, look::readlinkat),
    (libc::SYS_newfstatat, look::newfstatat),
    (libc::SYS_statx, look::statx),
    (libc::SYS_faccessat, look::faccessat),
    (libc::SYS_faccessat2, look::faccessat2),
    (libc::SYS_name_to_handle_at, look::name_to_handle_at),
    (FILE_GETATTR, look::file_getattr),
    (libc::SYS_inotify_add_watch, watch::inotify_add_watch),
    (libc::SYS_ioctl, requests::ioctl),
];

/// Calls that only the older architecture has.
#[cfg(target_arch = "x86_64")]
const OLD: &[(i64, Handle)] = &[
    (libc::SYS_open, open::open),
    (libc::SYS_creat, open::creat),
    (libc::SYS_unlink, remove::unlink),
    (libc::SYS_rmdir, remove::rmdir),
    (libc::SYS_rename, rename::rename),
    (libc::SYS_renameat, rename::renameat),
    (libc::SYS_link, links::link),
    (libc::SYS_symlink, links::symlink),
    (libc::SYS_mkdir, make::mkdir),
    (libc::SYS_mknod, make::mknod),
    (libc::SYS_chmod, attributes::chmod),
    (libc::SYS_chown, attributes::chown),
    (libc::SYS_lchown, attributes::lchown),
    (libc::SYS_utime, attributes::utime),
    (libc::SYS_utimes, attributes::utimes),
    (libc::SYS_futimesat, attributes::futimesat),
    (libc::SYS_readlink, look::readlink),
    (libc::SYS_stat, look::stat),
    (libc::SYS_lstat, look::lstat),
    (libc::SYS_access, look::access),
];
#[cfg(target_arch = "aarch64")]
const OLD: &[(i64, Handle)] = &[(libc::SYS_renameat, rename::renameat)];

/// Beyond the highest number.
const END: usize = 512;

static BY_NUMBER: [Option<Handle>; END] = by_number();

const fn by_number() -> [Option<Handle>; END] {
    let mut table = [None; END];
    let mut index = 0;
    while index < TABLE.len() {
        table[TABLE[index].0 as usize] = Some(TABLE[index].1);
        index += 1;
    }
    index = 0;
    while index < OLD.len() {
        table[OLD[index].0 as usize] = Some(OLD[index].1);
        index += 1;
    }
    table
}

/// The handler of call `number`.
pub fn handler(number: i64) -> Option<Handle> {
    *BY_NUMBER.get(usize::try_from(number).ok()?)?
}

/// Every number that has one.
pub fn numbers() -> Vec<i64> {
    (0..)
        .zip(&BY_NUMBER)
        .filter_map(|(number, handler)| handler.map(|_| number))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_both_tables_has_its_handler_and_nothing_else() {
        assert_eq!(numbers().len(), TABLE.len() + OLD.len());
        assert!(handler(libc::SYS_openat).is_some());
        assert!(handler(libc::SYS_read).is_none());
        assert!(handler(-1).is_none());
        assert!(handler(i64::MAX).is_none());
    }

    /// The kernel's tables of both architectures, from the `syscalls` crate. On the other one the calls of
    /// this file were never made.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn aarch64_misses_no_call_of_this_table_that_it_has() {
        use std::collections::BTreeSet;
        use syscalls::{aarch64, x86_64};
        const OLD_THERE: [&str; 1] = ["renameat"];

        let name = |number: i64| match x86_64::Sysno::from(u32::try_from(number).unwrap_or(u32::MAX)).name() {
            // The same call, which that table calls otherwise.
            "newfstatat" => "fstatat",
            name => name,
        };
        let handled: BTreeSet<&str> = numbers().into_iter().map(name).collect();
        let there: BTreeSet<&str> = TABLE.iter().map(|(number, _)| name(*number)).chain(OLD_THERE).collect();
        let has: BTreeSet<&str> = aarch64::Sysno::iter().map(|call| call.name()).collect();
        let missed: Vec<&&str> = handled
            .intersection(&has)
            .filter(|call| !there.contains(*call))
            .collect();
        assert!(missed.is_empty(), "{missed:?}");
        assert!(there.is_subset(&has), "{:?}", there.difference(&has));
        for (call, number) in [
            (aarch64::Sysno::setxattrat, SETXATTRAT),
            (aarch64::Sysno::getxattrat, GETXATTRAT),
            (aarch64::Sysno::listxattrat, LISTXATTRAT),
            (aarch64::Sysno::removexattrat, REMOVEXATTRAT),
        ] {
            assert_eq!(i64::from(call.id()), number, "{}", call.name());
        }
    }
}
