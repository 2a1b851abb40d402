//! Rules on unix sockets.

use super::compile::{Common, Compiler};
use super::folded::stricter;
use super::{Layer, Verdict};
use crate::error::LoadError;
use crate::glob::Glob;
use crate::model::{UnixOpWord, UnixSocketRule};
use crate::place::At;
use crate::words::{Decision, List, UnixOp};

/// Where a unix socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnixAddress<'a> {
    /// Resolved, absolute.
    Path(&'a [u8]),
    /// A name of the abstract namespace, without the zero byte.
    Abstract(&'a [u8]),
}

#[derive(Debug)]
pub(crate) struct CompiledUnix {
    pub common: Common,
    paths: Vec<Glob>,
    names: Vec<Glob>,
    operations: Vec<UnixOpWord>,
}

impl CompiledUnix {
    pub fn compile(compiler: Compiler<'_>, rule: &UnixSocketRule) -> Result<CompiledUnix, LoadError> {
        let (mut paths, mut names) = (Vec::new(), Vec::new());
        for text in &rule.paths {
            match text.strip_prefix('@') {
                Some(name) => {
                    let name = At {
                        value: name.to_owned(),
                        span: text.span,
                    };
                    names.extend(compiler.name_glob(&name, b'/')?);
                }
                None => {
                    paths.extend(compiler.path_globs(text)?);
                    if rule.decision.value == Decision::Deny {
                        paths.extend(compiler.led_glob(text, true)?);
                    }
                }
            }
        }
        Ok(CompiledUnix {
            common: Common::new(&rule.name, rule.decision.value, rule.message.as_ref(), rule.timeout),
            paths,
            names,
            operations: rule.operations.clone(),
        })
    }

    pub fn matches(&self, op: UnixOp, address: UnixAddress<'_>) -> bool {
        let (globs, name) = match address {
            UnixAddress::Path(path) => (&self.paths, path),
            UnixAddress::Abstract(name) => (&self.names, name),
        };
        self.covers(op) && globs.iter().any(|glob| glob.is_match(name))
    }

    pub fn covers(&self, op: UnixOp) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|word| word.covers(op))
    }
}

impl Layer {
    pub(crate) fn unix_socket(&self, op: UnixOp, address: UnixAddress<'_>) -> Option<Verdict<'_>> {
        let written = match self.unix_matching(op, address).next() {
            Some(index) => Some(self.unix_verdict(index)),
            None => self
                .defaults
                .unix_socket
                .map(|decision| Verdict::by_default(decision, List::UnixSockets, &self.name)),
        };
        stricter(written, self.unix_folded(op, address))
    }

    pub(crate) fn unix_matching<'a>(
        &'a self,
        op: UnixOp,
        address: UnixAddress<'a>,
    ) -> impl Iterator<Item = usize> + 'a {
        let rules = self.unix_sockets.iter().enumerate();
        rules
            .filter(move |(_, rule)| rule.matches(op, address))
            .map(|(index, _)| index)
    }

    pub(crate) fn unix_verdict(&self, index: usize) -> Verdict<'_> {
        self.unix_sockets[index]
            .common
            .verdict(List::UnixSockets, self.place(index), &self.name)
    }
}

impl super::Policy {
    /// Whether some endpoint is denied or asked about: then names matter.
    pub fn stops_sockets(&self) -> bool {
        self.layers.iter().any(|layer| {
            let default = layer.defaults.unix_socket.is_some_and(|decision| !decision.passes());
            default || layer.unix_sockets.iter().any(|rule| !rule.common.decision.passes())
        })
    }
}
