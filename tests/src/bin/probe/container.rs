//! What a container of Docker's default settings is to those in it: its capabilities, and the calls that it refuses.

use std::io;

use caps::{CapSet, Capability, CapsHashSet};
use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};

use crate::cages;

const CAPABILITIES: [Capability; 14] = [
    Capability::CAP_AUDIT_WRITE,
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_MKNOD,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_SETFCAP,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_SETUID,
    Capability::CAP_SYS_CHROOT,
];

/// Refused without CAP_SYS_PTRACE.
const REACHING: [&str; 3] = ["kcmp", "pidfd_getfd", "process_madvise"];

/// Refused to everybody who has only these capabilities.
const REFUSED: [&str; 40] = [
    "acct",
    "add_key",
    "bpf",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_mempolicy",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kexec_load",
    "keyctl",
    "mbind",
    "migrate_pages",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "quotactl",
    "reboot",
    "request_key",
    "set_mempolicy",
    "setns",
    "settimeofday",
    "swapon",
    "umount2",
    "unshare",
    "userfaultfd",
];

/// Numbers that such a filter does not know yet, from `cachestat(2)` on.
const UNKNOWN: std::ops::Range<i32> = 451..480;
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Runs a program in it.
pub fn run(words: &[Vec<u8>]) -> i32 {
    cages::run(words, || enter(false))
}

/// Runs a program in one that has CAP_SYS_PTRACE as well.
pub fn run_reading(words: &[Vec<u8>]) -> i32 {
    cages::run(words, || enter(true))
}

fn enter(reads: bool) -> io::Result<()> {
    filter(reads).map_err(io::Error::other)?;
    let mut kept: CapsHashSet = CAPABILITIES.into_iter().collect();
    if reads {
        kept.insert(Capability::CAP_SYS_PTRACE);
    }
    for capability in caps::all().difference(&kept) {
        caps::drop(None, CapSet::Bounding, *capability).map_err(io::Error::other)?;
    }
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).map_err(io::Error::other)?;
    }
    Ok(())
}

fn filter(reads: bool) -> Result<(), libseccomp::error::SeccompError> {
    let mut filter = ScmpFilterContext::new(ScmpAction::Allow)?;
    filter.set_ctl_nnp(false)?;
    let refused = ScmpAction::Errno(libc::EPERM);
    let reaching = REACHING.iter().filter(|_| !reads);
    for name in REFUSED.iter().chain(reaching) {
        filter.add_rule(refused, ScmpSyscall::from_name(name)?)?;
    }
    for number in UNKNOWN.filter(|number| i64::from(*number) != libc::SYS_fchmodat2) {
        filter.add_rule(refused, ScmpSyscall::from(number))?;
    }
    filter.add_rule(ScmpAction::Errno(libc::ENOSYS), ScmpSyscall::from_name("clone3")?)?;
    for flag in NAMESPACES {
        let bit = u64::from(flag.cast_unsigned());
        let set = ScmpArgCompare::new(0, ScmpCompareOp::MaskedEqual(bit), bit);
        filter.add_rule_conditional(refused, ScmpSyscall::from_name("clone")?, &[set])?;
    }
    filter.load()
}
