//! The seccomp filter: what is denied for ever, what is notified, and nothing else.
//!
//! It is built with libseccomp and exported as classic BPF; the shim loads it with `seccomp(2)`
//! itself, because libseccomp 2.5 cannot ask for killable waits. All that is never denied or
//! notified costs nothing: the kernel answers it from its per-call bitmap (Linux 5.11+).

pub mod across;
mod deny;
#[cfg(test)]
mod interpreter;
mod layout;
mod step;

use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libseccomp::error::SeccompError;
use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};

use self::step::{NUMBER, Step};

/// The newest call this build knows (`file_setattr`, Linux 6.17). Later ones answer ENOSYS, so that
/// programs fall back to calls that are judged. x32 numbers lie above it too.
pub const NEWEST_CALL: u32 = 469;

/// What `seccomp_data.arch` says of this machine's own calls (`linux/audit.h`).
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

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
    /// Whether the wall in the kernel is around the commands, which makes no sockets of MPTCP and can only say `EPERM`:
    /// then they are told here that there is none, and fall back to TCP.
    pub walled: bool,
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
    let program = program(spec)?;
    let arranged = layout::arranged(&program, ARCHITECTURE, NEWEST_CALL).unwrap_or(program);
    let program = arranged.into_iter().flat_map(Step::bytes).collect();
    Ok(CompiledFilter { program })
}

/// What libseccomp makes of `spec`, behind what it cannot say.
fn program(spec: &FilterSpec) -> Result<Vec<Step>, FilterError> {
    let mut context = ScmpFilterContext::new(ScmpAction::Allow)?;
    context.set_act_badarch(ScmpAction::Errno(libc::ENOSYS))?;
    context.set_ctl_optimize(2)?;
    deny::add_rules(&mut context, spec)?;
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
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // Ahead of libseccomp's program, whose jumps are all relative.
    Ok(known_calls()
        .into_iter()
        .chain(across)
        .chain(Step::all(&bytes))
        .collect())
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
        Step::load(NUMBER),
        Step::jump(libc::BPF_JGT, NEWEST_CALL, 0, 1),
        Step::answer(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(argument: u32, value: u64) -> MaskedEqual {
        let mask = u32::MAX.into();
        MaskedEqual { argument, mask, value }
    }

    fn spec() -> FilterSpec {
        FilterSpec {
            notified: vec![
                Notified::always(libc::SYS_execve),
                Notified::if_any_bit(libc::SYS_openat, 2, (libc::O_CREAT | libc::O_WRONLY) as u64),
                // Values, bits and their absence, in one register and in two, each as the plan asks for them.
                Notified::when(libc::SYS_kill, [Condition::Not { argument: 0, value: 0 }]),
                Notified::when(
                    libc::SYS_setpriority,
                    [0, 1].map(|argument| Condition::Not { argument, value: 0 }),
                ),
                Notified::when(
                    libc::SYS_fcntl,
                    [
                        Condition::Bits(is(1, 8)),
                        Condition::Both(
                            is(1, 1024),
                            MaskedEqual {
                                argument: 2,
                                mask: 2,
                                value: 0,
                            },
                        ),
                        Condition::Both(
                            is(1, 4),
                            MaskedEqual {
                                argument: 2,
                                mask: 0x2000,
                                value: 0x2000,
                            },
                        ),
                    ],
                ),
            ],
            confined: true,
            stays_readable: true,
            walled: true,
            across: true,
        }
    }

    /// Registers that `program` may tell apart: each with each bit and with each number that it compares with and the
    /// ones beside it, and mixtures of these.
    fn registers(program: &[Step]) -> Vec<[u64; 6]> {
        let numbers = program.iter().map(|step| u64::from(step.operand));
        let bits = (0..64).map(|bit| 1 << bit);
        let values: std::collections::BTreeSet<u64> = numbers
            .flat_map(|number| [number.wrapping_sub(1), number, number + 1, number << 32])
            .chain(bits)
            .collect();
        let each = values.iter().flat_map(|value| {
            (0..6).map(|register| {
                let mut registers = [0; 6];
                registers[register] = *value;
                registers
            })
        });
        let values: Vec<u64> = values.iter().copied().filter(|value| *value < 300).collect();
        let mixed =
            (0..2000).map(|turn: usize| [1, 7, 31, 127, 511, 2047].map(|step| values[turn * step % values.len()]));
        each.chain(mixed).chain([[0; 6], [u64::MAX; 6]]).collect()
    }

    #[test]
    fn whatever_is_asked_the_arranged_program_answers_the_same() -> Result<(), Box<dyn std::error::Error>> {
        let program = program(&spec())?;
        let arranged = layout::arranged(&program, ARCHITECTURE, NEWEST_CALL).ok_or("it was not understood")?;
        let same = |number, architecture, address, registers: &[u64; 6]| {
            let data = interpreter::call(number, architecture, address, registers);
            let answers = [&arranged, &program].map(|program| interpreter::answer(program, &data));
            assert_eq!(
                answers[0], answers[1],
                "{number} {architecture:x} {address:x} {registers:x?}"
            );
            assert!(answers[0].is_some());
        };
        let all = registers(&program);
        for number in (0..520).chain([0x4000_0000, 0x4000_003b, 0x7fff_ffff, u32::MAX]) {
            all.iter()
                .for_each(|registers| same(number, ARCHITECTURE, 0, registers));
            for registers in [[0; 6], [0x100; 6], [u64::MAX; 6]] {
                for address in [0x3eff_ffff_ffff, 0x4f79_8110_4123, 0x7f41_f007_c000] {
                    same(number, ARCHITECTURE, address, &registers);
                }
                for architecture in [0x4000_0003, 0xc000_00b8, 0] {
                    same(number, architecture, 0x4f79_8110_4123, &registers);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_program_that_is_not_understood_stays_as_it_is() {
        // Another architecture's calls that are told apart; a register that is shifted.
        let told = [
            Step::load(4),
            Step::jump(libc::BPF_JGT, 7, 0, 1),
            Step::answer(1),
            Step::answer(2),
        ];
        let shifted = [
            Step::load(16),
            Step::new(libc::BPF_ALU | libc::BPF_RSH, 3),
            Step::answer(1),
        ];
        assert_eq!(layout::arranged(&told, ARCHITECTURE, NEWEST_CALL), None);
        assert_eq!(layout::arranged(&shifted, ARCHITECTURE, NEWEST_CALL), None);
    }

    #[test]
    fn behind_the_wall_there_is_no_protocol_that_it_does_not_let_be_made() -> Result<(), FilterError> {
        let absent = libc::SECCOMP_RET_ERRNO | libc::EPROTONOSUPPORT as u32;
        for (walled, wanted) in [(true, absent), (false, libc::SECCOMP_RET_ALLOW)] {
            let program = Step::all(&compile(&FilterSpec { walled, ..spec() })?.program);
            for family in [libc::AF_INET, libc::AF_INET6] {
                let registers = |protocol: i32| {
                    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
                    [family as u64, kind as u64, protocol as u64, 0, 0, 0]
                };
                let made = |protocol| {
                    let registers = registers(protocol);
                    let data = interpreter::call(libc::SYS_socket as u32, ARCHITECTURE, 0, &registers);
                    interpreter::answer(&program, &data)
                };
                assert_eq!(made(libc::IPPROTO_MPTCP), Some(wanted), "{walled}");
                assert_eq!(made(libc::IPPROTO_TCP), Some(libc::SECCOMP_RET_ALLOW));
                assert_eq!(made(libc::IPPROTO_SCTP), Some(absent));
            }
        }
        Ok(())
    }

    #[test]
    fn what_jumps_cannot_reach_is_led_to() -> Result<(), Box<dyn std::error::Error>> {
        // Each number looks at another bit of the first register.
        let steps = (0..400u32).flat_map(|number| {
            [
                Step::load(NUMBER),
                Step::jump(libc::BPF_JEQ, number, 0, 4),
                Step::load(16),
                Step::jump(libc::BPF_JEQ, number, 0, 1),
                Step::answer(number),
                Step::answer(1000),
            ]
        });
        let program: Vec<Step> = steps.chain([Step::answer(2000)]).collect();
        let arranged = layout::arranged(&program, ARCHITECTURE, 400);
        assert_eq!(arranged, None, "numbers are told apart whatever the architecture");
        let guarded = [
            Step::load(4),
            Step::jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0),
            Step::answer(3000),
        ];
        let program: Vec<Step> = guarded.into_iter().chain(program).collect();
        let arranged = layout::arranged(&program, ARCHITECTURE, 400).ok_or("it was not understood")?;
        for number in 0..402 {
            for register in [0, u64::from(number)] {
                let data = interpreter::call(number, ARCHITECTURE, 0, &[register; 6]);
                assert_eq!(
                    interpreter::answer(&arranged, &data),
                    interpreter::answer(&program, &data),
                    "{number}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn a_filter_is_small_and_soon_gone_through() -> Result<(), FilterError> {
        let before = program(&spec())?;
        let after = compile(&spec())?;
        // Each number as this architecture's and as another's, as the kernel does it.
        let steps = |program: &[Step]| -> usize {
            let all = (0..=NEWEST_CALL).flat_map(|number| [(number, ARCHITECTURE), (number, 0x4000_0003)]);
            all.map(|(number, architecture)| interpreter::steps_to_know(program, number, architecture))
                .sum()
        };
        let arranged = Step::all(&after.program);
        assert!(after.instructions() > 20, "{}", after.instructions());
        assert!(
            3 * arranged.len() < 2 * before.len(),
            "{} {}",
            arranged.len(),
            before.len()
        );
        assert!(
            2 * steps(&arranged) < steps(&before),
            "{} {}",
            steps(&arranged),
            steps(&before)
        );
        Ok(())
    }
}
