//! Looks of programs that look at other processes, told by where their code lies.
//!
//! Each command is a Landlock domain of its own, and the kernel shows a process of one no link of procfs that belongs
//! to another: what `lsof(8)`, `fuser(1)` and their like ask for has to be answered for them. A filter that is in
//! force is never changed, and to be asked about every look would cost all others too much. But a filter sees where a
//! call comes from. An image that is executed under a stack limit (`setrlimit(2)`) of [`STACK`] has its libraries in a
//! part of the address space ([`HIGHEST`] and below) where no other layout of the kernel's puts any. Who moves there by
//! itself is asked about its looks, and gains nothing.

use super::ARCHITECTURE;
use super::step::{ADDRESS, ARCH, ARGUMENTS, NUMBER, Step};

/// The soft limit of the stack, in bytes, under which such an image is executed: the kernel leaves so much room below
/// the top of the address space and puts libraries under it (`mmap_base`, `arch/x86/mm/mmap.c`).
pub const STACK: u64 = 48 << 40;

/// Upper halves of addresses between which its libraries then lie: 2^47 less [`STACK`], less what the kernel takes
/// off at random, which is at most 2^44 (`vm.mmap_rnd_bits`). A layout from below (`ADDR_COMPAT_LAYOUT`) ends lower,
/// programs themselves begin higher.
const LOWEST: u32 = 0x3f00;
const HIGHEST: u32 = 0x5000;

/// Whether such an image can be told from others here.
pub const TELLS: bool = !CALLS.is_empty();

/// With one of these a look follows no link.
const NOT_FOLLOWING: u32 = (libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH) as u32;

/// The calls, each with the register that holds its flags. Other architectures lay their address space out otherwise.
#[cfg(target_arch = "x86_64")]
const CALLS: &[(i64, Option<u32>)] = &[
    (libc::SYS_newfstatat, Some(3)),
    (libc::SYS_readlink, None),
    (libc::SYS_readlinkat, None),
    (libc::SYS_statx, Some(2)),
    (libc::SYS_stat, None),
];
#[cfg(not(target_arch = "x86_64"))]
const CALLS: &[(i64, Option<u32>)] = &[];

/// What is asked of a field: the jump, its operand, and whether it must be taken.
type Condition = (u32, u32, u32, bool);

/// What goes before a program that begins with loading what it needs. The number of the call is in the accumulator
/// before and after each of them.
pub(super) fn steps() -> Vec<Step> {
    CALLS
        .iter()
        .flat_map(|(call, flags)| of(*call as u32, *flags))
        .collect()
}

fn of(call: u32, flags: Option<u32>) -> Vec<Step> {
    let from_there: [Condition; 3] = [
        (ARCH, libc::BPF_JEQ, ARCHITECTURE, true),
        (ADDRESS, libc::BPF_JGE, LOWEST, true),
        (ADDRESS, libc::BPF_JGE, HIGHEST, false),
    ];
    let follows = flags.map(|register| (ARGUMENTS + 8 * register, libc::BPF_JSET, NOT_FOLLOWING, false));
    let conditions: Vec<Condition> = from_there.into_iter().chain(follows).collect();
    // Two steps for each, then the answer, then the number again.
    let length = 2 * conditions.len() + 2;
    let mut steps = vec![Step::jump(libc::BPF_JEQ, call, 0, length)];
    for (index, (field, test, operand, wanted)) in conditions.into_iter().enumerate() {
        let end = length - 2 * index - 3;
        steps.push(Step::load(field));
        steps.push(match wanted {
            true => Step::jump(test, operand, 0, end),
            false => Step::jump(test, operand, end, 0),
        });
    }
    steps.push(Step::answer(libc::SECCOMP_RET_USER_NOTIF));
    steps.push(Step::load(NUMBER));
    steps
}

#[cfg(test)]
mod tests {
    use super::super::interpreter::{self, answer};
    use super::*;

    fn call(number: i64, architecture: u32, address: u64, flags: (usize, u64)) -> [u8; 64] {
        let mut registers = [0; 6];
        registers[flags.0] = flags.1;
        interpreter::call(number as u32, architecture, address, &registers)
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn only_a_look_that_follows_links_and_comes_from_there_is_notified() {
        let all = [vec![Step::load(NUMBER)], steps()].concat();
        let notified = Some(libc::SECCOMP_RET_USER_NOTIF);
        let (there, usual) = (0x4f79_8110_4123, 0x7f41_f007_c000);
        for (number, flags) in CALLS {
            let flags = flags.map_or(5, |register| register as usize);
            assert_eq!(
                answer(&all, &call(*number, ARCHITECTURE, there, (flags, 0))),
                notified,
                "{number}"
            );
            assert_eq!(
                answer(&all, &call(*number, ARCHITECTURE, usual, (flags, 0))),
                None,
                "{number}"
            );
            assert_eq!(
                answer(&all, &call(*number, 0x4000_0003, there, (flags, 0))),
                None,
                "{number}"
            );
        }
        let stat = |address, flags| answer(&all, &call(libc::SYS_newfstatat, ARCHITECTURE, address, (3, flags)));
        assert_eq!(stat(there, libc::AT_SYMLINK_NOFOLLOW as u64), None);
        assert_eq!(stat(there, libc::AT_EMPTY_PATH as u64), None);
        assert_eq!(stat(there, libc::AT_NO_AUTOMOUNT as u64), notified);
        // From below, of a program itself, and of a library as usual.
        for address in [0x2aaa_aaaa_b000, 0x3aaa_0000_0000, 0x5555_5555_4000, 0x40_1000, usual] {
            assert_eq!(stat(address, 0), None, "{address:x}");
        }
        assert_eq!(answer(&all, &call(libc::SYS_openat, ARCHITECTURE, there, (3, 0))), None);
    }
}
