//! What the programs and this side share byte for byte, and the one call that aya has not.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use crate::RULES;
use crate::table::Cidr;

/// `struct mask`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mask {
    pub words: [u64; RULES / 64],
}

/// `struct place`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub always: Mask,
    pub named: Mask,
    pub until: u64,
}

/// `struct endpoint`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Endpoint {
    address: [u8; 16],
    port: u32,
}

impl Endpoint {
    pub(crate) fn new(address: IpAddr, port: u16) -> Endpoint {
        Endpoint {
            address: Cidr::of(address).octets(),
            port: port.into(),
        }
    }
}

/// `struct config`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    pub any_port: Mask,
    pub operations: [Mask; 6],
    pub verdicts: [u8; RULES],
    pub otherwise: u32,
    pub exempt: u32,
    pub echo_sockets: u32,
    pub resolver4: Endpoint,
    pub resolver6: Endpoint,
    /// The programs set it.
    pub dead: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            any_port: Mask::default(),
            operations: [Mask::default(); 6],
            verdicts: [0; RULES],
            otherwise: 0,
            exempt: 0,
            echo_sockets: 0,
            resolver4: Endpoint::default(),
            resolver6: Endpoint::default(),
            dead: 0,
        }
    }
}

/// The part of `struct address_key` behind its length.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Octets(pub [u8; 16]);

/// A key of the trie.
pub(crate) type AddressKey = aya::maps::lpm_trie::Key<Octets>;

pub(crate) fn key(cidr: &Cidr) -> AddressKey {
    AddressKey::new(cidr.bits(), Octets(cidr.octets()))
}

// SAFETY: integers only, without padding; every pattern of bits is a value.
unsafe impl aya::Pod for Mask {}
// SAFETY: as a mask, and a number of the same size as its words.
unsafe impl aya::Pod for Place {}
// SAFETY: integers only; the member `end` is what would be padding.
unsafe impl aya::Pod for Config {}
// SAFETY: bytes.
unsafe impl aya::Pod for Octets {}

/// Nanoseconds since boot, as the programs count them (`clock_gettime(2)`, `CLOCK_BOOTTIME`).
pub(crate) fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`, which outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    (time.tv_sec as u64) * 1_000_000_000 + time.tv_nsec as u64
}

/// The calling thread, alone, sees nothing of the file system from now on but the folder with the kernel's types, in
/// which nobody looks for them.
pub(crate) fn see_little() -> io::Result<()> {
    // SAFETY: takes no pointers; what it parts is the calling thread's own.
    if unsafe { libc::unshare(libc::CLONE_FS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the path is a string with its end, which outlives the call.
    if unsafe { libc::chroot(c"/sys/kernel/btf".as_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// `BPF_PROG_ATTACH` and the fields of its `union bpf_attr` (`bpf(2)`).
const BPF_PROG_ATTACH: libc::c_long = 8;
const BPF_F_ALLOW_MULTI: u32 = 2;

#[repr(C)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Attaches a program to a control group for as long as that is there, beside those of others: without a
/// link, which would end with its last descriptor.
pub(crate) fn attach(program: BorrowedFd<'_>, group: BorrowedFd<'_>, kind: u32) -> io::Result<()> {
    let attributes = Attach {
        target_fd: group.as_raw_fd() as u32,
        attach_bpf_fd: program.as_raw_fd() as u32,
        attach_type: kind,
        attach_flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: the kernel reads as many bytes of `attributes` as are given, which outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_ATTACH,
            &raw const attributes,
            size_of::<Attach>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
