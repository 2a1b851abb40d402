//! The seccomp filter: what is denied for ever, what is notified, and nothing else.
//!
//! It is built with libseccomp and exported as classic BPF; the shim loads it with `seccomp(2)`
//! itself, because libseccomp 2.5 cannot ask for killable waits. All that is never denied or
//! notified costs nothing: the kernel answers it from its per-call bitmap (Linux 5.11+).

pub mod across;
mod deny;

use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libseccomp::error::SeccompError;
use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};

/// The newest call this build knows (`file_setattr`, Linux 6.17). Later ones answer ENOSYS, so that
/// programs fall back to calls that are judged. x32 numbers lie above it too.
pub const NEWEST_CALL: u32 = 469;

/// Flags with which the shim loads the filter: a listener, and waits that only a fatal signal ends.
pub const LOAD_FLAGS: u32 =
    (libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) as u32;

/// A call that is notified: always, or when one of the conditions holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// Number of the call on this architecture.
    pub call: i64,
    /// Any of them makes the call notified; none given means always.
    pub when: Vec<Condition>,
}

/// When a call is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// A register has these bits.
    Bits(MaskedEqual),
    /// Two registers have them.
    Both(MaskedEqual, MaskedEqual),
    /// A register has another value.
    Not { argument: u32, value: u64 },
}

impl Condition {
    fn compare(self) -> Vec<ScmpArgCompare> {
        match self {
            Condition::Bits(bits) => vec![bits.compare()],
            Condition::Both(one, other) => vec![one.compare(), other.compare()],
            Condition::Not { argument, value } => vec![ScmpArgCompare::new(argument, ScmpCompareOp::NotEqual, value)],
        }
    }
}

impl Notified {
    /// Notified whatever the arguments are.
    pub fn always(call: i64) -> Notified {
        Notified { call, when: Vec::new() }
    }

    /// Notified if any of these holds.
    pub fn when(call: i64, when: impl IntoIterator<Item = Condition>) -> Notified {
        let when = when.into_iter().collect();
        Notified { call, when }
    }

    /// Notified if the register `argument` has any bit of `mask`.
    pub fn if_any_bit(call: i64, argument: u32, mask: u64) -> Notified {
        let bits = (0..64).map(|bit| 1u64 << bit).filter(|bit| mask & bit != 0);
        Notified {
            call,
            when: bits
                .map(|bit| {
                    Condition::Bits(MaskedEqual {
                        argument,
                        mask: bit,
                        value: bit,
                    })
                })
                .collect(),
        }
    }
}

/// `register & mask == value`. Registers are all that a filter sees, and all that cannot be raced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskedEqual {
    pub argument: u32,
    pub mask: u64,
    pub value: u64,
}

impl MaskedEqual {
    fn compare(self) -> ScmpArgCompare {
        ScmpArgCompare::new(self.argument, ScmpCompareOp::MaskedEqual(self.mask), self.value)
    }
}

/// What a filter is made from.
#[derive(Debug, Clone, Default)]
pub struct FilterSpec {
    pub notified: Vec<Notified>,
    /// Whether a Landlock domain confines `ptrace` and `process_vm_*`; without one they are denied.
    pub confined: bool,
    /// Whether the supervisor needs the commands' consent to read their memory, having no right of its own to: then
    /// `PR_SET_DUMPABLE` (`prctl(2)`) of 0, as key agents do it, is said to be done and is not. A process that
    /// could not be read could do nothing that is judged.
    pub stays_readable: bool,
    /// Whether looks are notified if they come from where [`across`] says.
    pub across: bool,
}

/// Why no filter could be made.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error("libseccomp: {0}")]
    Build(#[from] SeccompError),
    #[error("exporting the filter: {0}")]
    Export(#[from] std::io::Error),
}

/// A compiled filter: `struct sock_filter` in the machine's byte order.
#[derive(Debug, Clone)]
pub struct CompiledFilter {
    program: Vec<u8>,
}

impl CompiledFilter {
    /// As the launch protocol carries it.
    pub fn to_plan(&self) -> agentsh_protocol::launch::Filter {
        agentsh_protocol::launch::Filter {
            program: STANDARD.encode(&self.program),
            flags: LOAD_FLAGS,
        }
    }

    /// As this process loads it into itself (a probe).
    pub(crate) fn instructions_for_here(&self) -> Vec<libc::sock_filter> {
        crate::bpf::instructions(&self.program)
    }

    /// Number of BPF instructions (the kernel takes at most 4,096).
    pub fn instructions(&self) -> usize {
        self.program.len() / 8
    }
}

/// Compiles `spec`.
pub fn compile(spec: &FilterSpec) -> Result<CompiledFilter, FilterError> {
    let mut context = ScmpFilterContext::new(ScmpAction::Allow)?;
    context.set_act_badarch(ScmpAction::Errno(libc::ENOSYS))?;
    context.set_ctl_optimize(2)?;
    deny::add_rules(&mut context, spec.confined, spec.stays_readable)?;
    for notified in &spec.notified {
        let call = syscall(notified.call);
        if notified.when.is_empty() {
            context.add_rule_exact(ScmpAction::Notify, call)?;
        }
        for condition in &notified.when {
            context.add_rule_conditional_exact(ScmpAction::Notify, call, &condition.compare())?;
        }
    }
    let mut file = memory_file()?;
    context.export_bpf(file.as_fd())?;
    file.seek(SeekFrom::Start(0))?;
    let across = if spec.across { across::steps() } else { Vec::new() };
    // Ahead of libseccomp's program, whose jumps are all relative.
    let mut program: Vec<u8> = known_calls().into_iter().chain(across).flat_map(Step::bytes).collect();
    file.read_to_end(&mut program)?;
    Ok(CompiledFilter { program })
}

fn syscall(number: i64) -> ScmpSyscall {
    ScmpSyscall::from(number as i32)
}

fn memory_file() -> std::io::Result<std::fs::File> {
    let fd = rustix::fs::memfd_create("filter", rustix::fs::MemfdFlags::CLOEXEC)?;
    Ok(std::fs::File::from(fd))
}

/// `if nr > NEWEST_CALL return ENOSYS`. The call's number stays in the accumulator.
fn known_calls() -> [Step; 3] {
    [
        Step::load(0),
        Step::jump(libc::BPF_JGT, NEWEST_CALL, 0, 1),
        Step::answer(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ]
}

/// One instruction of ours, `struct sock_filter` (`linux/filter.h`).
#[derive(Debug, Clone, Copy)]
struct Step {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    operand: u32,
}

impl Step {
    /// Reads 32 bits of `struct seccomp_data`.
    fn load(offset: u32) -> Step {
        Step::new(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
    }

    /// Compares, and leaves out so many steps.
    fn jump(test: u32, operand: u32, if_true: usize, if_false: usize) -> Step {
        Step {
            jump_true: if_true as u8,
            jump_false: if_false as u8,
            ..Step::new(libc::BPF_JMP | test | libc::BPF_K, operand)
        }
    }

    fn answer(value: u32) -> Step {
        Step::new(libc::BPF_RET | libc::BPF_K, value)
    }

    fn new(code: u32, operand: u32) -> Step {
        Step {
            code: code as u16,
            jump_true: 0,
            jump_false: 0,
            operand,
        }
    }

    fn bytes(self) -> [u8; 8] {
        let ([a, b], [c, d, e, f]) = (self.code.to_ne_bytes(), self.operand.to_ne_bytes());
        [a, b, self.jump_true, self.jump_false, c, d, e, f]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_small_enough_for_the_kernel() -> Result<(), FilterError> {
        let spec = FilterSpec {
            notified: vec![
                Notified::always(libc::SYS_execve),
                Notified::if_any_bit(libc::SYS_openat, 2, (libc::O_CREAT | libc::O_WRONLY) as u64),
            ],
            confined: true,
            stays_readable: true,
            across: true,
        };
        let filter = compile(&spec)?;
        assert!(
            filter.instructions() > 20 && filter.instructions() < 2_000,
            "{}",
            filter.instructions()
        );
        Ok(())
    }
}
