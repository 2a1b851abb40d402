//! Puts a program in the order that the kernel is through with soonest.
//!
//! For every command that starts the kernel translates each instruction of its filter, and goes through the program once
//! for each number of a call, natively and as another architecture, to know what is always allowed
//! (`seccomp_cache_prepare`, Linux 5.11). Both cost more than all that the filter is asked later. libseccomp tests each
//! number by itself, behind whatever goes before its program, and fetches a register anew for each thing it asks of it.
//! Here the program is followed for each number; what is left of it once architecture and number are known is kept once,
//! and found by a search over ranges of numbers.

mod graph;
mod lines;
mod walk;

use self::graph::{Graph, Node};
use self::walk::Walk;
use super::step::{ARCH, JUMP, NUMBER, Step};

/// Numbers that stand for all behind the newest call: one of x32, the last.
const BEYOND: [u32; 2] = [0x4000_0000, u32::MAX];

/// Exceptions in a range of equal numbers that are told by equality, one after the other: each step is one that the
/// kernel takes for every number in the range.
const ROW: usize = 3;

/// `program` in another order; nothing if it cannot be understood. `newest`: the last number that is told from the
/// following ones.
pub(super) fn arranged(program: &[Step], architecture: u32, newest: u32) -> Option<Vec<Step>> {
    let mut graph = Graph::default();
    let mut follow = |number, architecture| Walk::new(program, number, architecture).follow(&mut graph);
    let foreign = follow(0, None)?;
    let mut ranges: Vec<(u32, usize)> = Vec::new();
    for number in 0..=newest + 1 {
        let node = follow(number, Some(architecture))?;
        if ranges.last().is_none_or(|(_, last)| *last != node) {
            ranges.push((number, node));
        }
    }
    let (_, last) = *ranges.last()?;
    let same = BEYOND
        .iter()
        .all(|number| follow(*number, Some(architecture)) == Some(last))
        && (0..=newest)
            .chain(BEYOND)
            .all(|number| follow(number, None) == Some(foreign));
    if !same {
        return None;
    }
    let tree = graph.search(&ranges, u64::from(newest) + 2, ROW);
    let native = graph.load(NUMBER, tree);
    let told = graph.node(Node::Test(JUMP | libc::BPF_JEQ as u16, architecture, native, foreign));
    let start = graph.load(ARCH, told);
    Some(lines::of(&graph, start))
}
