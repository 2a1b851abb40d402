//! Programs that execute what stands in their arguments: what that is.
//!
//! What a wrapper executes is judged when it does. To know it before is for a clear answer at once, for what lies
//! inside of the wrapper itself, and for the depth, in which wrappers do not count.

mod grammar;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

pub use grammar::Payload;
use grammar::{Grammar, UNKNOWN};

use crate::policy::{Policy, base_name};

/// The wrappers of a policy.
#[derive(Debug)]
pub struct Wrappers {
    known: HashMap<Box<[u8]>, Grammar>,
    /// Those that only a policy which narrows another takes for wrappers.
    added: HashSet<Box<[u8]>>,
}

impl Policy {
    /// The wrappers whose payload is judged: those that are known, and what `transparent_commands` adds and removes.
    pub fn wrappers(&self) -> Wrappers {
        let Wrappers { mut known, mut added } = Wrappers::known();
        let mut layers = self.layers.iter().map(|layer| &layer.file.transparent_commands);
        if let Some(base) = layers.next() {
            for name in &base.remove {
                known.remove(name.as_bytes());
            }
            for name in &base.add {
                known.entry(name.as_bytes().into()).or_insert(UNKNOWN);
            }
            // Who narrows may add, never take away.
            for name in layers.flat_map(|other| &other.add) {
                if !known.contains_key(name.as_bytes()) {
                    known.insert(name.as_bytes().into(), UNKNOWN);
                    added.insert(name.as_bytes().into());
                }
            }
        }
        Wrappers { known, added }
    }
}

impl Wrappers {
    /// Those that are known, whatever policies add and remove.
    pub fn known() -> Wrappers {
        let known = table::WRAPPERS.iter().map(|one| (Box::from(one.name.as_bytes()), *one));
        Wrappers {
            known: known.collect(),
            added: HashSet::new(),
        }
    }

    /// Whether what this wrapper starts is as deep as itself. Of one that only a narrowing policy calls so it is not: depth
    /// is what the user's own rules ask for.
    pub fn is_transparent(&self, program: &[u8], called: &[u8]) -> bool {
        let own = base_name(program);
        let name = match self.known.contains_key(own) {
            true => own,
            false => base_name(called),
        };
        !self.added.contains(name)
    }

    /// What a program is told to execute, if it is a wrapper by what it is or by how it was called.
    pub fn payload(&self, program: &[u8], called: &[u8], argv: &[&[u8]]) -> Option<Payload> {
        let own = base_name(program);
        let grammar = self.known.get(own).or_else(|| self.known.get(base_name(called)))?;
        let (zero, args) = argv.split_first()?;
        // A box of programs is the one by whose name it was called, which a caller is free to choose.
        let zero = base_name(zero);
        let zero = zero.strip_prefix(b"-").unwrap_or(zero);
        let boxed = grammar.then == grammar::Then::Applet && own == grammar.name.as_bytes();
        if boxed && !zero.is_empty() && !zero.starts_with(own) {
            let argv = std::iter::once(zero).chain(args.iter().copied());
            return Some(Payload::Applet {
                argv: argv.map(<[u8]>::to_vec).collect(),
            });
        }
        grammar.payload(args)
    }
}
