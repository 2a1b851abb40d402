//! Writes a program down.

use std::collections::HashMap;

use super::graph::{Graph, Node};
use crate::filter::step::{JUMP, Step};

/// How far a conditional jump reaches, less what may still be put before it.
const NEAR: usize = 250;

/// The program that begins with `start`.
pub(super) fn of(graph: &Graph, start: usize) -> Vec<Step> {
    let mut lines = Lines {
        graph,
        backwards: Vec::new(),
        places: HashMap::new(),
    };
    lines.place(start);
    lines.backwards.reverse();
    lines.backwards
}

/// A program as it is written: from its end, so that what a step leads to is there before it.
struct Lines<'a> {
    graph: &'a Graph,
    backwards: Vec<Step>,
    /// Where a node's first step is, counted from the end.
    places: HashMap<usize, usize>,
}

impl Lines<'_> {
    /// Sees to it that a conditional jump that comes next reaches `node`.
    fn place(&mut self, node: usize) {
        match (self.places.get(&node), self.graph.at(node)) {
            (Some(place), _) if self.backwards.len() - place <= NEAR => return,
            (_, Node::Answer(value)) => self.backwards.push(Step::answer(value)),
            (Some(_), _) => self.lead_to(node),
            (None, Node::Then(code, operand, rest)) => {
                self.place(rest);
                self.lead_to(rest);
                self.backwards.push(Step::new(code.into(), operand));
            }
            (None, Node::Test(code, operand, yes, no)) => {
                self.place(yes);
                self.place(no);
                // What was written in between may have moved it out of reach.
                self.place(yes);
                let (yes, no) = (self.distance(yes), self.distance(no));
                self.backwards.push(Step {
                    jump_true: yes as u8,
                    jump_false: no as u8,
                    ..Step::new(code.into(), operand)
                });
            }
        }
        self.places.insert(node, self.backwards.len() - 1);
    }

    /// Sees to it that the next step is followed by `node`, which has a place.
    fn lead_to(&mut self, node: usize) {
        match (self.distance(node), self.graph.at(node)) {
            (0, _) => {}
            (_, Node::Answer(value)) => self.backwards.push(Step::answer(value)),
            (distance, _) => self
                .backwards
                .push(Step::new((JUMP | libc::BPF_JA as u16).into(), distance as u32)),
        }
    }

    /// How many steps the next one has to leave out.
    fn distance(&self, node: usize) -> usize {
        self.backwards.len() - 1 - self.places[&node]
    }
}
