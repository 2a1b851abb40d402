//! Rules on files.

use super::compile::{Common, Compiler};
use super::folded::stricter;
use super::linked::every;
use super::{Layer, Redirect, RuleRef, Verdict};
use crate::content::Content;
use crate::error::LoadError;
use crate::glob::{Glob, PathIndex};
use crate::message::{self, Subject};
use crate::model::FileRule;
use crate::words::{ALL_FILE_OPS, Decision, Errno, FileOp, List};

/// Operations that find a file by its name and learn nothing of what it holds.
const LOOKS: [FileOp; 4] = [FileOp::Open, FileOp::Stat, FileOp::Access, FileOp::Readlink];

/// A rule on files.
#[derive(Debug)]
pub(crate) struct CompiledFile {
    pub common: Common,
    pub globs: Vec<Glob>,
    /// Where links of this host lead what the globs begin with.
    pub linked: Vec<Glob>,
    /// Bits of the operations.
    pub mask: u32,
    pub errno: Errno,
    /// It holds only for this content.
    pub content: Option<Content>,
    folder: Option<Box<[u8]>>,
    preserve_tree: bool,
}

/// All rules on files of a layer.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub rules: Vec<CompiledFile>,
    pub index: PathIndex,
    /// The same of the places that links lead to, where there are any.
    pub linked: Option<PathIndex>,
}

impl Files {
    pub fn compile(compiler: Compiler<'_>, rules: &[FileRule]) -> Result<Files, LoadError> {
        let mut files = Files::default();
        for (rule, place) in rules.iter().zip(0u32..) {
            let compiled = CompiledFile::compile(compiler, rule)?;
            for glob in &compiled.globs {
                files.index.add(glob, place, compiled.mask);
            }
            for glob in &compiled.linked {
                let linked = files.linked.get_or_insert_default();
                linked.add(glob, place, compiled.mask);
            }
            files.rules.push(compiled);
        }
        Ok(files)
    }

    /// All rules that match, in their order.
    pub fn matching(&self, op: FileOp, path: &[u8]) -> impl Iterator<Item = usize> {
        every(&self.index, op, path)
    }

    /// The rule that decides.
    pub fn decide(&self, op: FileOp, path: &[u8], content: Option<&[u8]>) -> Option<usize> {
        let mut from = 0;
        loop {
            let index = self.index.first(path, op.bit(), from)?;
            if self.rules[index as usize].may_hold(path, content) {
                return Some(index as usize);
            }
            from = index + 1;
        }
    }
}

impl CompiledFile {
    /// Whether it holds for what the file will hold, if that is known.
    pub fn may_hold(&self, path: &[u8], content: Option<&[u8]>) -> bool {
        match (self.content, content) {
            (Some(wanted), Some(content)) => wanted.is_in(path, content),
            _ => true,
        }
    }

    fn compile(compiler: Compiler<'_>, rule: &FileRule) -> Result<CompiledFile, LoadError> {
        let mut globs = Vec::new();
        for path in &rule.paths {
            globs.extend(compiler.path_globs(path)?);
        }
        let mask = match rule.operations.as_slice() {
            [] => ALL_FILE_OPS,
            words => words.iter().fold(0, |mask, word| mask | word.mask()),
        };
        let mut decision = rule.decision.value;
        let folder = match &rule.redirect_to {
            None => None,
            Some(text) => {
                let folder = compiler.text(text)?.map(|folder| crate::vars::normal(&folder));
                if folder.as_ref().is_some_and(|folder| !folder.starts_with(b"/")) {
                    return Err(compiler.source.error(text.range(), "not an absolute path"));
                }
                if folder.is_none() {
                    // The folder has no name in this session: nothing can stand in, so nothing is done.
                    decision = Decision::Deny;
                }
                folder
            }
        };
        let mut linked = Vec::new();
        if decision != Decision::Allow {
            for path in &rule.paths {
                linked.extend(compiler.led_glob(path, true)?);
            }
        }
        if compiler.folds && decision == Decision::Deny {
            // Folded rules only add to what is said.
            globs.append(&mut linked);
        }
        // What is to look absent is found by no call that names it.
        let errno = rule.errno.unwrap_or(Errno::Acces);
        let stops = matches!(decision, Decision::Deny | Decision::Approve);
        let absent = errno == Errno::NoEnt && stops && mask & FileOp::Read.bit() != 0;
        let mask = LOOKS
            .iter()
            .filter(|_| absent)
            .fold(mask, |mask, look| mask | look.bit());
        // What sets times or attributes brings no other content.
        let mask = match rule.content {
            Some(_) => mask & !(FileOp::Xattr.bit() | FileOp::Utime.bit()),
            None => mask,
        };
        Ok(CompiledFile {
            common: Common::new(&rule.name, decision, rule.message.as_ref(), rule.timeout),
            globs,
            linked,
            mask,
            errno,
            content: rule.content,
            folder: folder.map(Vec::into_boxed_slice),
            preserve_tree: rule.preserve_tree,
        })
    }

    pub fn verdict<'p>(&'p self, place: RuleRef, policy: &'p str) -> Verdict<'p> {
        Verdict {
            errno: self.errno,
            by_content: self.content.is_some(),
            redirect: match &self.folder {
                Some(folder) => Redirect::Folder {
                    folder,
                    preserve_tree: self.preserve_tree,
                },
                None => Redirect::None,
            },
            ..self.common.verdict(List::Files, place, policy)
        }
    }
}

impl Layer {
    pub(crate) fn file(&self, op: FileOp, path: &[u8], content: Option<&[u8]>) -> Option<Verdict<'_>> {
        let written = stricter(
            self.file_written(op, path, content),
            self.file_linked(op, path, content),
        );
        stricter(written, self.file_folded(op, path, content))
    }

    fn file_written(&self, op: FileOp, path: &[u8], content: Option<&[u8]>) -> Option<Verdict<'_>> {
        if let Some(index) = self.files.decide(op, path, content) {
            return Some(self.file_verdict(index));
        }
        match self.file_default(op) {
            // Programs look at every folder on the way to where they are, whose names they know already.
            Some(_) if LOOKS.contains(&op) && self.leads_to_work(path) => {
                Some(Verdict::by_default(Decision::Allow, List::Files, &self.name))
            }
            default => default,
        }
    }

    /// Whether it is a folder above the workspace or its repository.
    fn leads_to_work(&self, path: &[u8]) -> bool {
        let roots = self
            .variables
            .iter()
            .filter(|(name, _)| matches!(*name, "PROJECT_ROOT" | "GIT_ROOT"))
            .filter_map(|(_, root)| root.as_deref());
        let mut below = roots.filter_map(|root| root.strip_prefix(path));
        below.any(|rest| rest.first() == Some(&b'/') || path == b"/" && !rest.is_empty())
    }

    pub(crate) fn file_verdict(&self, index: usize) -> Verdict<'_> {
        self.files.rules[index].verdict(self.place(index), &self.name)
    }

    pub(crate) fn file_default(&self, op: FileOp) -> Option<Verdict<'_>> {
        let decision = if op.is_read() {
            self.defaults.read
        } else {
            self.defaults.write
        };
        decision.map(|decision| Verdict::by_default(decision, List::Files, &self.name))
    }
}

impl super::Policy {
    /// Whether some rule holds for certain content only.
    pub fn judges_content(&self) -> bool {
        let mut rules = self.layers.iter().flat_map(|layer| &layer.files.rules);
        rules.any(|rule| rule.content.is_some())
    }

    /// Whether some rule puts another file in a file's place.
    pub fn redirects_files(&self) -> bool {
        let mut rules = self.layers.iter().flat_map(|layer| &layer.files.rules);
        rules.any(|rule| rule.common.decision == Decision::Redirect)
    }

    /// What the file rule at this place says to whoever it stops.
    pub fn file_rule_message(&self, place: RuleRef, subject: &Subject<'_>) -> Option<String> {
        let rule = self.layers.get(place.layer)?.files.rules.get(place.index)?;
        let template = rule.common.template.as_deref()?;
        Some(message::render(template, subject))
    }

    /// The name of the file rule at this place.
    pub fn file_rule_name(&self, place: RuleRef) -> Option<&str> {
        let rule = self.layers.get(place.layer)?.files.rules.get(place.index)?;
        Some(&rule.common.name)
    }
}
