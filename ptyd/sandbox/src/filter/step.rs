//! One instruction of a filter.

/// Codes of `linux/bpf_common.h`: reads 32 bits of `struct seccomp_data`; keeps some bits; answers; the class of jumps.
pub(super) const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
pub(super) const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
pub(super) const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
pub(super) const JUMP: u16 = libc::BPF_JMP as u16;

/// Offsets in `struct seccomp_data` (`seccomp(2)`): the number, the architecture, the upper half of the caller's
/// address, the lower half of the first register.
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCH: u32 = 4;
pub(super) const ADDRESS: u32 = 12;
pub(super) const ARGUMENTS: u32 = 16;

/// `struct sock_filter` (`linux/filter.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub code: u16,
    pub jump_true: u8,
    pub jump_false: u8,
    pub operand: u32,
}

impl Step {
    /// Reads 32 bits of `struct seccomp_data`.
    pub fn load(offset: u32) -> Step {
        Step::new(LOAD.into(), offset)
    }

    /// Compares, and leaves out so many steps.
    pub fn jump(test: u32, operand: u32, if_true: usize, if_false: usize) -> Step {
        Step {
            jump_true: if_true as u8,
            jump_false: if_false as u8,
            ..Step::new(libc::BPF_JMP | test | libc::BPF_K, operand)
        }
    }

    pub fn answer(value: u32) -> Step {
        Step::new(RETURN.into(), value)
    }

    pub fn new(code: u32, operand: u32) -> Step {
        Step {
            code: code as u16,
            jump_true: 0,
            jump_false: 0,
            operand,
        }
    }

    /// Where a jump at `at` leads.
    pub fn next(self, at: usize, taken: bool) -> usize {
        at + 1 + usize::from(if taken { self.jump_true } else { self.jump_false })
    }

    /// In the machine's byte order.
    pub fn bytes(self) -> [u8; 8] {
        let ([a, b], [c, d, e, f]) = (self.code.to_ne_bytes(), self.operand.to_ne_bytes());
        [a, b, self.jump_true, self.jump_false, c, d, e, f]
    }

    /// The steps of a program from its bytes.
    pub fn all(bytes: &[u8]) -> Vec<Step> {
        crate::bpf::instructions(bytes)
            .into_iter()
            .map(|step| Step {
                code: step.code,
                jump_true: step.jt,
                jump_false: step.jf,
                operand: step.k,
            })
            .collect()
    }
}
