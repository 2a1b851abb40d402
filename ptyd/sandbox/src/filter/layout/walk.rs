//! Follows a program for one number of a call.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::graph::{Graph, Node};
use crate::filter::step::{AND, ARCH, JUMP, LOAD, NUMBER, RETURN, Step};

const GOTO: u16 = JUMP | libc::BPF_JA as u16;
const ANY_BIT: u16 = JUMP | libc::BPF_JSET as u16;

/// All bits of a word.
const ALL: u32 = u32::MAX;

/// Some bits of a word of `struct seccomp_data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Word {
    field: u32,
    mask: u32,
}

/// What the program followed has in the accumulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Accumulator {
    Value(u32),
    /// The architecture, which is none that the program asks for.
    Foreign,
    Word(Word),
}

/// What is known at a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    at: usize,
    accumulator: Accumulator,
    /// What the program that is made has in the accumulator there.
    held: Option<Word>,
    /// Fields of which is known between which of the numbers they are compared with they lie: the least that does.
    found: Vec<(u32, u32)>,
}

pub(super) struct Walk<'a> {
    program: &'a [Step],
    number: u32,
    /// `None`: none of those that the program asks for.
    architecture: Option<u32>,
    seen: HashMap<State, usize>,
}

impl<'a> Walk<'a> {
    pub fn new(program: &'a [Step], number: u32, architecture: Option<u32>) -> Walk<'a> {
        Walk {
            program,
            number,
            architecture,
            seen: HashMap::new(),
        }
    }

    /// What is left of the program; nothing if it has steps that are not understood.
    pub fn follow(mut self, graph: &mut Graph) -> Option<usize> {
        let start = State {
            at: 0,
            accumulator: Accumulator::Value(0),
            held: None,
            found: Vec::new(),
        };
        self.rest(graph, start)
    }

    /// What can be told is followed at once; only from where it cannot the node is remembered.
    fn rest(&mut self, graph: &mut Graph, mut state: State) -> Option<usize> {
        loop {
            let (at, step) = (state.at, *self.program.get(state.at)?);
            state.at += 1;
            match (step.code, state.accumulator) {
                (RETURN, _) => return Some(graph.node(Node::Answer(step.operand))),
                (LOAD, _) => state.accumulator = self.load(step.operand, &state.found),
                (AND, accumulator) => state.accumulator = accumulator.and(step.operand)?,
                (GOTO, _) => state.at += usize::try_from(step.operand).ok()?,
                (code, _) if code & 7 != JUMP => return None,
                (_, Accumulator::Word(word)) => {
                    state.at = at;
                    if let Some(node) = self.seen.get(&state) {
                        return Some(*node);
                    }
                    let node = self.told_later(graph, &state, step, word)?;
                    self.seen.insert(state, node);
                    return Some(node);
                }
                (_, known) => state.at = step.next(at, known.told(step)?),
            }
        }
    }

    fn load(&self, field: u32, found: &[(u32, u32)]) -> Accumulator {
        match (field, self.architecture) {
            (NUMBER, _) => Accumulator::Value(self.number),
            (ARCH, Some(architecture)) => Accumulator::Value(architecture),
            (ARCH, None) => Accumulator::Foreign,
            (field, _) => match found.iter().find(|(known, _)| *known == field) {
                Some((_, value)) => Accumulator::Value(*value),
                None => Accumulator::Word(Word { field, mask: ALL }),
            },
        }
    }

    /// A test that only the finished program can make.
    fn told_later(&mut self, graph: &mut Graph, state: &State, step: Step, word: Word) -> Option<usize> {
        let whole = Word { mask: ALL, ..word };
        if let Some(starts) = self.starts(state, word.field) {
            let ranges = starts.into_iter().map(|start| {
                let mut state = state.clone();
                state.accumulator = Accumulator::Value(start & word.mask);
                state.held = Some(whole);
                state.found.push((word.field, start));
                Some((start, self.rest(graph, state)?))
            });
            let mut ranges = ranges.collect::<Option<Vec<_>>>()?;
            ranges.dedup_by_key(|(_, node)| *node);
            let told = match *ranges {
                [(_, only)] => return Some(only),
                _ => graph.search(&ranges, 1 << 32, usize::MAX),
            };
            return Some(state.with(graph, whole, told));
        }
        let equal = step.code == JUMP | libc::BPF_JEQ as u16;
        let one_bit = equal && word.mask.is_power_of_two() && [0, word.mask].contains(&step.operand);
        let (test, operand, held) = match one_bit {
            true => (ANY_BIT, word.mask, whole),
            false => (step.code, step.operand, word),
        };
        let mut branch = |taken: bool| {
            let mut state = state.clone();
            state.at = step.next(state.at, taken);
            state.held = Some(held);
            self.rest(graph, state)
        };
        let (yes, no) = (branch(true)?, branch(false)?);
        let (yes, no) = if one_bit && step.operand == 0 {
            (no, yes)
        } else {
            (yes, no)
        };
        let told = graph.node(Node::Test(test, operand, yes, no));
        Some(if yes == no { told } else { state.with(graph, held, told) })
    }

    /// The least numbers of the ranges of a field between which all that is asked of it from there on can tell; nothing
    /// if something else is asked of it.
    fn starts(&self, state: &State, field: u32) -> Option<BTreeSet<u32>> {
        let mut starts = BTreeSet::from([0]);
        let (mut todo, mut seen) = (vec![(state.at, state.accumulator)], HashSet::new());
        while let Some((at, accumulator)) = todo.pop() {
            let step = *self.program.get(at)?;
            if step.code == RETURN || !seen.insert((at, accumulator)) {
                continue;
            }
            let next = at + 1;
            match (step.code, accumulator) {
                (LOAD, _) => todo.push((next, self.load(step.operand, &state.found))),
                (AND, accumulator) => todo.push((next, accumulator.and(step.operand)?)),
                (GOTO, _) => todo.push((next + usize::try_from(step.operand).ok()?, accumulator)),
                (code, _) if code & 7 != JUMP => return None,
                (_, Accumulator::Word(word)) => {
                    if word.field == field {
                        starts.extend(word.ranges(step)?);
                    }
                    todo.extend([true, false].map(|taken| (step.next(at, taken), accumulator)));
                }
                (_, known) => todo.push((step.next(at, known.told(step)?), known)),
            }
        }
        Some(starts)
    }
}

impl State {
    /// `rest`, which needs `word` in the accumulator.
    fn with(&self, graph: &mut Graph, word: Word, rest: usize) -> usize {
        if self.held == Some(word) {
            return rest;
        }
        let masked = match word.mask {
            ALL => rest,
            mask => graph.node(Node::Then(AND, mask, rest)),
        };
        match self.held == Some(Word { mask: ALL, ..word }) {
            true => masked,
            false => graph.load(word.field, masked),
        }
    }
}

impl Accumulator {
    fn and(self, mask: u32) -> Option<Accumulator> {
        match self {
            Accumulator::Value(value) => Some(Accumulator::Value(value & mask)),
            Accumulator::Word(word) if word.mask & mask == 0 => Some(Accumulator::Value(0)),
            Accumulator::Word(word) => Some(Accumulator::Word(Word {
                mask: word.mask & mask,
                ..word
            })),
            Accumulator::Foreign => None,
        }
    }

    /// Whether a jump is taken; nothing if that is not known, or not understood.
    fn told(self, step: Step) -> Option<bool> {
        match (self, u32::from(step.code & !JUMP)) {
            (Accumulator::Value(value), libc::BPF_JEQ) => Some(value == step.operand),
            (Accumulator::Value(value), libc::BPF_JGT) => Some(value > step.operand),
            (Accumulator::Value(value), libc::BPF_JGE) => Some(value >= step.operand),
            (Accumulator::Value(value), libc::BPF_JSET) => Some(value & step.operand != 0),
            (Accumulator::Foreign, libc::BPF_JEQ) => Some(false),
            _ => None,
        }
    }
}

impl Word {
    /// Where ranges of the whole word begin between which a test tells; nothing if it tells something else.
    fn ranges(self, step: Step) -> Option<impl Iterator<Item = u32>> {
        let upper = self.mask.leading_ones() + self.mask.trailing_zeros() == u32::BITS;
        let behind = |last: u32| last.checked_add(1);
        let starts = match u32::from(step.code & !JUMP) {
            libc::BPF_JEQ if step.operand & !self.mask != 0 => [None, None],
            libc::BPF_JEQ if upper => [Some(step.operand), behind(step.operand | !self.mask)],
            libc::BPF_JGE if self.mask == ALL => [Some(step.operand), None],
            libc::BPF_JGT if self.mask == ALL => [None, behind(step.operand)],
            _ => return None,
        };
        Some(starts.into_iter().flatten())
    }
}
