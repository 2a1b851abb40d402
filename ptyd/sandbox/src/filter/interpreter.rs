//! Runs programs of a filter, as the kernel does.

use super::step::{AND, ARCH, JUMP, LOAD, NUMBER, RETURN, Step};

/// `struct seccomp_data`.
pub(super) fn call(number: u32, architecture: u32, address: u64, registers: &[u64; 6]) -> [u8; 64] {
    let mut data = [0; 64];
    data[..4].copy_from_slice(&number.to_ne_bytes());
    data[4..8].copy_from_slice(&architecture.to_ne_bytes());
    data[8..16].copy_from_slice(&address.to_ne_bytes());
    for (register, place) in registers.iter().zip(data[16..].chunks_exact_mut(8)) {
        place.copy_from_slice(&register.to_ne_bytes());
    }
    data
}

/// What a program answers; `None`: it ends without an answer.
pub(super) fn answer(program: &[Step], data: &[u8; 64]) -> Option<u32> {
    let mut steps = Steps::of(program, data);
    steps.by_ref().for_each(drop);
    steps.answer
}

/// After how many steps the kernel knows whether it always allows a call.
pub(super) fn steps_to_know(program: &[Step], number: u32, architecture: u32) -> usize {
    let data = call(number, architecture, 0, &[0; 6]);
    let known = |step: &Step| step.code != LOAD || [NUMBER, ARCH].contains(&step.operand);
    1 + Steps::of(program, &data).take_while(known).count()
}

struct Steps<'a> {
    program: &'a [Step],
    data: &'a [u8; 64],
    at: usize,
    accumulator: u32,
    answer: Option<u32>,
}

impl Steps<'_> {
    fn of<'a>(program: &'a [Step], data: &'a [u8; 64]) -> Steps<'a> {
        Steps {
            program,
            data,
            at: 0,
            accumulator: 0,
            answer: None,
        }
    }
}

impl Iterator for Steps<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.answer.is_some() {
            return None;
        }
        let step = *self.program.get(self.at)?;
        let (operand, field) = (step.operand, step.operand as usize);
        let at = self.at;
        let by = |taken: bool| step.next(at, taken);
        self.at = match (step.code, u32::from(step.code & !JUMP)) {
            (LOAD, _) => {
                let word = [0, 1, 2, 3].map(|byte| self.data[field + byte]);
                self.accumulator = u32::from_ne_bytes(word);
                at + 1
            }
            (AND, _) => {
                self.accumulator &= operand;
                at + 1
            }
            (RETURN, _) => {
                self.answer = Some(operand);
                at
            }
            (_, libc::BPF_JA) => at + 1 + operand as usize,
            (_, libc::BPF_JEQ) => by(self.accumulator == operand),
            (_, libc::BPF_JGT) => by(self.accumulator > operand),
            (_, libc::BPF_JGE) => by(self.accumulator >= operand),
            (_, libc::BPF_JSET) => by(self.accumulator & operand != 0),
            _ => unreachable!("{step:?}"),
        };
        Some(step)
    }
}
