//! The rules of a layer for file systems on which names that differ in case or form are one name.

use std::collections::BTreeSet;

use super::command::Commands;
use super::compile::Compiler;
use super::file::Files;
use super::layer::all;
use super::linked::every;
use super::socket::CompiledUnix;
use super::{CommandQuery, Layer, Policy, UnixAddress, Verdict};
use crate::error::LoadError;
use crate::folding::{Folding, before_short_name, fold};
use crate::glob::reaches;
use crate::model::PolicyFile;
use crate::words::{FileOp, UnixOp};

/// The same rules at the same places, of which the patterns are for folded names. They only add to what is said of a name
/// as it was written: where none of them matches they say nothing.
#[derive(Debug)]
pub(crate) struct Folded {
    pub folding: Folding,
    pub files: Files,
    pub commands: Commands,
    unix_sockets: Vec<CompiledUnix>,
}

impl Folded {
    /// Of a document; none where no such file system is mounted.
    pub fn compile(compiler: Compiler<'_>, file: &PolicyFile) -> Result<Option<Box<Folded>>, LoadError> {
        let folding = Folding::new(&compiler.variables.folding);
        if folding.is_empty() {
            return Ok(None);
        }
        let compiler = Compiler {
            folds: true,
            ..compiler
        };
        Ok(Some(Box::new(Folded {
            folding,
            files: Files::compile(compiler, &file.file_rules)?,
            commands: Commands::compile(compiler, &file.command_rules)?,
            unix_sockets: all(&file.unix_socket_rules, |rule| CompiledUnix::compile(compiler, rule))?,
        })))
    }
}

/// The stricter of what is said of a name as it was written and of all its spellings; of equals a rule's, not a default's.
pub(super) fn stricter<'p>(written: Option<Verdict<'p>>, folded: Option<Verdict<'p>>) -> Option<Verdict<'p>> {
    let weight = |one: &Verdict<'_>| (one.decision.strictness(), one.rule.is_some());
    match (written, folded) {
        (Some(one), Some(other)) if weight(&other) > weight(&one) => Some(other),
        (None, other) => other,
        (one, _) => one,
    }
}

impl Policy {
    /// The mount points below which names may fold.
    pub fn folding(&self) -> &[Vec<u8>] {
        let base = self.layers.first().and_then(|base| base.folded.as_deref());
        base.map_or(&[], |folded| folded.folding.mounts())
    }

    /// Whether a path lies where names that differ in case or form may be one name.
    pub fn folds(&self, path: &[u8]) -> bool {
        self.layers
            .first()
            .is_some_and(|base| base.folded_at(&[path]).is_some())
    }
}

impl Layer {
    /// The rules for folded names, if one of these paths lies where names fold.
    pub(crate) fn folded_at(&self, paths: &[&[u8]]) -> Option<&Folded> {
        let folded = self.folded.as_deref()?;
        paths.iter().any(|path| folded.folding.covers(path)).then_some(folded)
    }

    /// The places of all rules that match, in their order: the name as it is written, or where names fold any spelling.
    pub(crate) fn file_matching(&self, op: FileOp, path: &[u8]) -> BTreeSet<usize> {
        let linked = self.files.linked.iter().flat_map(|linked| every(linked, op, path));
        let written = self.files.matching(op, path).chain(linked);
        match self.folded_at(&[path]) {
            Some(folded) => written.chain(folded.files.matching(op, &fold(path))).collect(),
            None => written.collect(),
        }
    }

    /// The same of the start of a program.
    pub(crate) fn command_matching(&self, query: &CommandQuery<'_>) -> BTreeSet<usize> {
        let mut found = BTreeSet::from_iter(self.commands.matching(query));
        if let Some(folded) = self.folded_at(&[query.program, query.called]) {
            found.extend(folded.commands.matching(&CommandQuery {
                program: &fold(query.program),
                called: &fold(query.called),
                ..*query
            }));
        }
        found
    }

    /// The same of a unix socket.
    pub(crate) fn unix_places(&self, op: UnixOp, address: UnixAddress<'_>) -> BTreeSet<usize> {
        self.unix_matching(op, address)
            .chain(self.unix_folded_at(op, address))
            .collect()
    }

    pub(super) fn file_folded(&self, op: FileOp, path: &[u8], content: Option<&[u8]>) -> Option<Verdict<'_>> {
        let folded = self.folded_at(&[path])?;
        let path = fold(path);
        let named = folded
            .files
            .decide(op, &path, content)
            .map(|index| self.file_verdict(index));
        let Some(folder) = before_short_name(&path) else {
            return named;
        };
        // It may be anything that lies there.
        let rules = folded.files.rules.iter().enumerate();
        let possible = rules.filter(|(_, rule)| rule.mask & op.bit() != 0 && reaches(&rule.globs, folder));
        possible.fold(named, |strictest, (index, _)| {
            stricter(strictest, Some(self.file_verdict(index)))
        })
    }

    pub(super) fn command_folded(&self, query: &CommandQuery<'_>) -> Option<Verdict<'_>> {
        let folded = self.folded_at(&[query.program, query.called])?;
        let (program, called) = (fold(query.program), fold(query.called));
        let index = folded.commands.decide(&CommandQuery {
            program: &program,
            called: &called,
            ..*query
        })?;
        Some(self.command_verdict(index))
    }

    pub(super) fn unix_folded(&self, op: UnixOp, address: UnixAddress<'_>) -> Option<Verdict<'_>> {
        let first = self.unix_folded_at(op, address).into_iter().next()?;
        Some(self.unix_verdict(first))
    }

    fn unix_folded_at(&self, op: UnixOp, address: UnixAddress<'_>) -> Vec<usize> {
        let UnixAddress::Path(path) = address else {
            return Vec::new();
        };
        let Some(folded) = self.folded_at(&[path]) else {
            return Vec::new();
        };
        let path = fold(path);
        let rules = folded.unix_sockets.iter().enumerate();
        let met = rules.filter(|(_, rule)| rule.matches(op, UnixAddress::Path(&path)));
        met.map(|(index, _)| index).collect()
    }
}
