//! What no session may do, decided by registers alone.

use libseccomp::error::SeccompError;
use libseccomp::{ScmpAction, ScmpFilterContext};

use super::{FilterSpec, MaskedEqual, syscall};

const LOW_HALF: u64 = 0xffff_ffff;

/// Namespace flags of `clone(2)` and `unshare(2)`.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

/// The errno of a call that is said to be done.
const DONE: i32 = 0;

/// `CLONE_NEWTIME`: a flag of unshare only, in clone the same bit belongs to the exit signal.
const NEW_TIME: u64 = 0x80;

/// Interfaces that reach around every other check: absent, so that programs fall back.
const ABSENT: &[i64] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Flags in memory cannot be filtered; libc falls back to clone.
    libc::SYS_clone3,
    // Sets inode flags by path (Linux 6.17); chattr falls back to ioctl on a descriptor.
    469,
];

/// Domains of one's own would not hold for what is carried out for a caller, so that there are none: who wants one is
/// told what a kernel says that was started without Landlock (`landlock_create_ruleset(2)`).
const LANDLOCK: &[i64] = &[
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// Interfaces that are refused.
const FORBIDDEN: &[i64] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    // open_tree_attr (Linux 6.15).
    467,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_open_by_handle_at,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_fanotify_init,
];

/// Reach into other processes; harmless only inside a Landlock domain.
const REACHING: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
];

/// `ioctl(2)` requests that type into a terminal, with what a kernel says to them that lets nobody
/// (`dev.tty.legacy_tiocsti`, `ioctl_console(2)`).
const TERMINAL_INJECTION: [(u64, i32); 2] = [(libc::TIOCSTI, libc::EIO), (libc::TIOCLINUX, libc::EPERM)];

/// Requests that take content away as `fallocate(2)` does, which is what programs fall back to: the `FS_IOC_` forms of
/// RESVSP, RESVSP64, UNRESVSP, UNRESVSP64 and ZERO_RANGE (`include/linux/falloc.h`).
const LOSING: &[u64] = &[0x4030_5828, 0x4030_582a, 0x4030_5829, 0x4030_582b, 0x4030_5839];

/// Requests by which btrfs makes and removes whole trees in a folder that is only open for reading: `BTRFS_IOC_`
/// SNAP_CREATE, SUBVOL_CREATE, SNAP_DESTROY, SNAP_CREATE_V2, SUBVOL_CREATE_V2, SNAP_DESTROY_V2 (`linux/btrfs.h`).
const SUBVOLUMES: &[u64] = &[
    0x5000_9401,
    0x5000_940e,
    0x5000_940f,
    0x5000_9417,
    0x5000_9418,
    0x5000_943f,
];

/// Requests by which files are changed for everybody through any descriptor of them or of their file system: fs-verity
/// makes a file unchangeable for ever, encryption policies and keys lock folders away (`FS_IOC_ENABLE_VERITY`,
/// `FS_IOC_SET_ENCRYPTION_POLICY`, `FS_IOC_ADD_ENCRYPTION_KEY`, `_REMOVE_ENCRYPTION_KEY` and its form for all users), and
/// btrfs turns a tree into a received one (`BTRFS_IOC_SET_RECEIVED_SUBVOL`).
const LOCKING: &[u64] = &[
    0x4080_6685,
    0x800c_6613,
    0xc050_6617,
    0xc040_6618,
    0xc040_6619,
    0xc0c8_9425,
];

/// `USERFAULTFD_IOC_NEW`: what userfaultfd(2) does, by way of `/dev/userfaultfd`.
const FAULTS: u64 = 0xaa00;

/// `FIOSETOWN` and `SIOCSPGRP`, `ioctl(2)`, and `F_SETOWN_EX`, `fcntl(2)`.
const OWNER_IN_MEMORY: &[u64] = &[0x8901, 0x8902];
const OWNER_BY_STRUCT: u64 = 15;

/// `F_NOTIFY`, `fcntl(2)`: signals about a folder, for whom a descriptor belongs to. inotify took its place.
const FOLDER_SIGNALS: u64 = 1026;

/// Socket families that stay: the others reach drivers and hypervisors that no rule names.
const FAMILIES: &[i32] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
const LAST_FAMILY: u64 = 63;

/// Protocols over IP that stay: TCP and UDP, echo requests (1, 58) and MPTCP (262). No rule knows the others; SCTP
/// connects through options, UDP-Lite and DCCP by ways of their own. From 263 on the kernel knows none.
const IP_PROTOCOLS: &[i32] = &[
    libc::IPPROTO_IP,
    libc::IPPROTO_ICMP,
    libc::IPPROTO_TCP,
    libc::IPPROTO_UDP,
    libc::IPPROTO_ICMPV6,
    libc::IPPROTO_MPTCP,
];
const LAST_PROTOCOL: u64 = libc::IPPROTO_MPTCP as u64;

/// Types of sockets over IP that stay, and the bits of the register that hold the type (`SOCK_TYPE_MASK`).
const KINDS: &[i32] = &[libc::SOCK_STREAM, libc::SOCK_DGRAM];
const SOCKET_KIND: u64 = 0xf;

/// Options by which packets go another way than to their address: routing headers of IPv6 (`ipv6(7)`; the numbers
/// of RFC 2292, 5 and 6, and that of RFC 3542, which asks for no right), flow labels, which bring such a header along
/// wherever they stand behind an address (`struct in6_flowlabel_req`), and source routes of IPv4 (`ip(7)`).
const ROUTING: &[(i32, i32)] = &[
    (libc::IPPROTO_IPV6, 5),
    (libc::IPPROTO_IPV6, 6),
    (libc::IPPROTO_IPV6, 57),
    (libc::IPPROTO_IPV6, libc::IPV6_FLOWLABEL_MGR),
    (libc::IPPROTO_IP, libc::IP_OPTIONS),
];

/// Netlink protocols that stay: routes and addresses (libc asks for them), socket listings (`ss`),
/// and audit (`su` and PAM write their login records there).
const NETLINK: &[i32] = &[libc::NETLINK_ROUTE, libc::NETLINK_SOCK_DIAG, libc::NETLINK_AUDIT];
const LAST_NETLINK: u64 = 31;

pub(super) fn add_rules(context: &mut ScmpFilterContext, spec: &FilterSpec) -> Result<(), SeccompError> {
    for call in ABSENT {
        context.add_rule_exact(ScmpAction::Errno(libc::ENOSYS), syscall(*call))?;
    }
    for call in LANDLOCK {
        context.add_rule_exact(ScmpAction::Errno(libc::EOPNOTSUPP), syscall(*call))?;
    }
    for call in FORBIDDEN {
        context.add_rule_exact(ScmpAction::Errno(libc::EPERM), syscall(*call))?;
    }
    if !spec.confined {
        for call in REACHING {
            context.add_rule_exact(ScmpAction::Errno(libc::EPERM), syscall(*call))?;
        }
    }
    let mut refuse = |errno: i32, call: i64, conditions: &[MaskedEqual]| -> Result<(), SeccompError> {
        let compares: Vec<_> = conditions.iter().map(|condition| condition.compare()).collect();
        context
            .add_rule_conditional_exact(ScmpAction::Errno(errno), syscall(call), &compares)
            .map(drop)
    };
    for bit in bits(NAMESPACES) {
        refuse(libc::EPERM, libc::SYS_clone, &[flag(0, bit)])?;
    }
    for bit in bits(NAMESPACES | NEW_TIME) {
        refuse(libc::EPERM, libc::SYS_unshare, &[flag(0, bit)])?;
    }
    if spec.stays_readable {
        let dumpable = equal(0, libc::PR_SET_DUMPABLE as u64);
        refuse(DONE, libc::SYS_prctl, &[dumpable, equal(1, 0)])?;
    }
    // Where an image says that it lies tells it from others (`PR_SET_MM_MAP` asks for no right).
    let layout = equal(0, libc::PR_SET_MM as u64);
    refuse(libc::EPERM, libc::SYS_prctl, &[layout])?;
    // When our supervisor dies the newest filter's listener would answer: there must never be another.
    let operation = equal(0, libc::SECCOMP_SET_MODE_FILTER as u64);
    refuse(
        libc::EBUSY,
        libc::SYS_seccomp,
        &[operation, flag(1, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)],
    )?;
    for (request, errno) in TERMINAL_INJECTION {
        refuse(errno, libc::SYS_ioctl, &[equal(1, request)])?;
    }
    for request in SUBVOLUMES {
        refuse(libc::EPERM, libc::SYS_ioctl, &[equal(1, *request)])?;
    }
    refuse(libc::EPERM, libc::SYS_ioctl, &[equal(1, FAULTS)])?;
    for request in LOCKING {
        refuse(libc::EOPNOTSUPP, libc::SYS_ioctl, &[equal(1, *request)])?;
    }
    for request in LOSING {
        refuse(libc::ENOTTY, libc::SYS_ioctl, &[equal(1, *request)])?;
    }
    // Who is signalled about a descriptor: only `F_SETOWN` names it in a register, where it can be judged.
    for request in OWNER_IN_MEMORY {
        refuse(libc::EINVAL, libc::SYS_ioctl, &[equal(1, *request)])?;
    }
    for request in [OWNER_BY_STRUCT, FOLDER_SIGNALS] {
        refuse(libc::EINVAL, libc::SYS_fcntl, &[equal(1, request)])?;
    }
    for call in [libc::SYS_socket, libc::SYS_socketpair] {
        for family in all_but(0, FAMILIES, LAST_FAMILY) {
            refuse(libc::EAFNOSUPPORT, call, &[family])?;
        }
    }
    let over_ip = [libc::AF_INET, libc::AF_INET6].map(|family| equal(0, family as u64));
    for family in over_ip {
        for protocol in all_but(2, IP_PROTOCOLS, LAST_PROTOCOL) {
            refuse(libc::EPROTONOSUPPORT, libc::SYS_socket, &[family, protocol])?;
        }
        if spec.walled {
            let several = equal(2, libc::IPPROTO_MPTCP as u64);
            refuse(libc::EPROTONOSUPPORT, libc::SYS_socket, &[family, several])?;
        }
    }
    // Raw sockets write addresses themselves, SOCK_PACKET is one of whole frames, and of the other types each has a
    // protocol of its own, which a zero in the register of protocols means.
    for kind in all_but(1, KINDS, SOCKET_KIND) {
        let of_kind = MaskedEqual {
            mask: kind.mask & SOCKET_KIND,
            ..kind
        };
        let errno = match kind.value as i32 {
            libc::SOCK_RAW => libc::EPERM,
            _ => libc::ESOCKTNOSUPPORT,
        };
        for family in over_ip {
            refuse(errno, libc::SYS_socket, &[family, of_kind])?;
        }
    }
    for (level, option) in ROUTING {
        let level = equal(1, *level as u64);
        refuse(libc::EPERM, libc::SYS_setsockopt, &[level, equal(2, *option as u64)])?;
    }
    let netlink = equal(0, libc::AF_NETLINK as u64);
    for protocol in all_but(2, NETLINK, LAST_NETLINK) {
        refuse(libc::EPROTONOSUPPORT, libc::SYS_socket, &[netlink, protocol])?;
    }
    Ok(())
}

/// Every value of a register from 0 to `last` but those that stay, as aligned blocks: each is one comparison.
fn all_but(argument: u32, stay: &[i32], last: u64) -> Vec<MaskedEqual> {
    let stays = |value: u64| stay.iter().any(|stay| *stay as u64 == value);
    let mut blocks = Vec::new();
    let mut first = 0;
    while first <= last {
        let fits = |size: &u64| first % size == 0 && first + size - 1 <= last && !(first..first + size).any(stays);
        // None only where the value itself stays.
        let block = (0..32).rev().map(|bit| 1u64 << bit).find(fits);
        blocks.extend(block.map(|size| MaskedEqual {
            argument,
            mask: LOW_HALF & !(size - 1),
            value: first,
        }));
        first += block.unwrap_or(1);
    }
    blocks
}

/// The kernel reads these registers as 32-bit values: whatever stands in the upper half is ignored.
fn equal(argument: u32, value: u64) -> MaskedEqual {
    MaskedEqual {
        argument,
        mask: LOW_HALF,
        value,
    }
}

fn flag(argument: u32, bit: u64) -> MaskedEqual {
    MaskedEqual {
        argument,
        mask: bit,
        value: bit,
    }
}

fn bits(mask: u64) -> impl Iterator<Item = u64> {
    (0..32).map(|bit| 1u64 << bit).filter(move |bit| mask & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_what_is_named_stays() {
        for (stay, last) in [
            (FAMILIES, LAST_FAMILY),
            (IP_PROTOCOLS, LAST_PROTOCOL),
            (NETLINK, LAST_NETLINK),
        ] {
            let blocks = all_but(0, stay, last);
            let refused = |value: u64| blocks.iter().any(|block| value & block.mask == block.value);
            for value in 0..1024 {
                let stays = value > last || stay.contains(&(value as i32));
                assert_eq!(refused(value), !stays, "{value} of {stay:?}");
            }
        }
    }
}
