//! What is left of a program, each part of it once.

use std::collections::HashMap;

use crate::filter::step::{JUMP, LOAD};

const EQUAL: u16 = JUMP | libc::BPF_JEQ as u16;
const LEAST: u16 = JUMP | libc::BPF_JGE as u16;
const ANY_BIT: u16 = JUMP | libc::BPF_JSET as u16;

/// A place in the program that is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Node {
    Answer(u32),
    /// Code and operand of an instruction that does not jump, and what follows.
    Then(u16, u32, usize),
    /// A conditional jump: its code and operand, where it leads if it is taken and if not.
    Test(u16, u32, usize, usize),
}

#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    known: HashMap<Node, usize>,
}

impl Graph {
    pub fn node(&mut self, node: Node) -> usize {
        let node = match node {
            Node::Test(_, _, yes, no) if yes == no => return yes,
            Node::Test(ANY_BIT, bits, yes, no) => match self.nodes[no] {
                Node::Test(ANY_BIT, more, same, rest) if same == yes => Node::Test(ANY_BIT, bits | more, yes, rest),
                _ => node,
            },
            _ => node,
        };
        *self.known.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        })
    }

    pub fn at(&self, node: usize) -> Node {
        self.nodes[node]
    }

    pub fn load(&mut self, field: u32, rest: usize) -> usize {
        self.node(Node::Then(LOAD, field, rest))
    }

    /// A search for the range that the accumulator lies in. Each begins where it says and ends where the next one
    /// begins, the last at `end`. Where the others are single numbers, and `row` at most, they are told one by one.
    pub fn search(&mut self, ranges: &[(u32, usize)], end: u64, row: usize) -> usize {
        let starts = ranges.iter().map(|(start, _)| u64::from(*start));
        let ends = starts.clone().skip(1).chain([end]);
        let sized: Vec<(u32, u64, usize)> = ranges
            .iter()
            .zip(ends)
            .map(|((start, node), end)| (*start, end - u64::from(*start), *node))
            .collect();
        let mut sizes: HashMap<usize, u64> = HashMap::new();
        for (_, size, node) in &sized {
            *sizes.entry(*node).or_default() += size;
        }
        let usual = sizes
            .iter()
            .max_by_key(|(node, size)| (**size, **node))
            .map_or(0, |(node, _)| *node);
        let others = || sized.iter().filter(|(_, _, node)| *node != usual);
        if others().count() <= row && others().all(|(_, size, _)| *size == 1) {
            return others().rev().fold(usual, |rest, (number, _, node)| {
                self.node(Node::Test(EQUAL, *number, *node, rest))
            });
        }
        // There are two ranges at least, and what is cut off is none of them.
        let first = starts.clone().next().unwrap_or(0);
        let middle = first + (end - first) / 2;
        let cut = (1..ranges.len())
            .min_by_key(|index| u64::from(ranges[*index].0).abs_diff(middle))
            .unwrap_or(1);
        let (below, above) = ranges.split_at(cut);
        let border = above[0].0;
        let (below, above) = (self.search(below, border.into(), row), self.search(above, end, row));
        self.node(Node::Test(LEAST, border, above, below))
    }
}
