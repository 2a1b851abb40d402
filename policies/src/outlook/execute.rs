//! Outlooks of exec: which programs never run, whatever their arguments.

use super::Outlook;
use crate::glob::{Glob, Token, residuals};
use crate::policy::{CompiledCommand, Layer, Policy, Selector};
use crate::words::{Decision, Decisions};

/// What can become of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramOutlook {
    /// It is denied whatever its arguments, its depth, and the name by which it is called: it can be left
    /// out of the hull.
    Never,
    /// It depends.
    Sometimes,
    /// Every start of it is a plain yes.
    Always,
}

/// A program that a rule denies whatever its arguments and depth, as the rule names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A base name, in whatever folder.
    Name(Vec<u8>),
    /// One file.
    Path(Vec<u8>),
    /// A glob on base names or paths; [`Policy::program`] answers for single files.
    Pattern,
}

impl Policy {
    /// What can become of this program (resolved path).
    pub fn program(&self, path: &[u8]) -> ProgramOutlook {
        let outlooks = self.layers.iter().map(|layer| layer.program(path));
        let mut whole = ProgramOutlook::Always;
        for outlook in outlooks {
            match outlook {
                ProgramOutlook::Never => return ProgramOutlook::Never,
                ProgramOutlook::Sometimes => whole = ProgramOutlook::Sometimes,
                ProgramOutlook::Always => {}
            }
        }
        whole
    }

    /// The programs that rules deny whatever their arguments and depth, as the rules name them, in the
    /// order of the rules. An earlier rule may allow some of them: [`Policy::program`] knows.
    pub fn denied_programs(&self) -> Vec<Program> {
        let rules = self.layers.iter().flat_map(|layer| &layer.commands.rules);
        let mut found = Vec::new();
        for rule in rules
            .into_iter()
            .filter(|rule| rule.common.decision == Decision::Deny && rule.is_unconditional())
        {
            for selector in &rule.selectors {
                match selector {
                    Selector::Every => {}
                    Selector::Name(glob) => found.push(named(glob, Program::Name)),
                    Selector::Path(globs) => found.extend(globs.iter().map(|glob| named(glob, Program::Path))),
                }
            }
        }
        found
    }

    /// What can be answered for programs strictly below a folder. A rule by base name can strike in every
    /// folder, so it counts as possible everywhere.
    pub fn execute_outlook(&self, folder: &[u8]) -> Outlook {
        let mut layers = self.layers.iter().map(|layer| layer.execute_outlook(folder));
        let first = layers.next().unwrap_or_default();
        layers.fold(first, Outlook::and).simplified()
    }

    /// Whether any rule on commands looks at arguments or depth.
    pub fn has_conditional_commands(&self) -> bool {
        self.layers
            .iter()
            .flat_map(|layer| &layer.commands.rules)
            .any(|rule| !rule.is_unconditional())
    }

    /// What any start of any program can be answered.
    pub fn command_decisions(&self) -> Decisions {
        self.execute_outlook(b"/").all()
    }
}

fn named(glob: &Glob, make: impl Fn(Vec<u8>) -> Program) -> Program {
    glob.literal().map_or(Program::Pattern, |name| make(name.to_vec()))
}

impl CompiledCommand {
    /// Whether the rule is about this program by what it is, not by how it is called.
    fn is_about(&self, path: &[u8]) -> bool {
        self.selectors.iter().any(|selector| match selector {
            Selector::Every => false,
            Selector::Name(glob) => glob.is_match(crate::policy::base_name(path)),
            Selector::Path(globs) => globs.iter().any(|glob| glob.is_match(path)),
        })
    }

    fn is_universal(&self) -> bool {
        self.selectors
            .iter()
            .any(|selector| matches!(selector, Selector::Every))
    }
}

impl Layer {
    /// Follows `Commands::decide` for every call of the program at once.
    fn program(&self, path: &[u8]) -> ProgramOutlook {
        match self.written_program(path) {
            // Under another spelling it may be another rule's.
            ProgramOutlook::Always if self.folded_at(&[path]).is_some() => ProgramOutlook::Sometimes,
            outlook => outlook,
        }
    }

    fn written_program(&self, path: &[u8]) -> ProgramOutlook {
        let rules = &self.commands.rules;
        let own = |rule: &CompiledCommand| rule.is_about(path) || rule.is_universal();
        let end = rules.iter().position(|rule| own(rule) && rule.is_unconditional());
        let reached = &rules[..end.map_or(rules.len(), |end| end + 1)];
        let default = self
            .command_default()
            .map_or(Decision::Allow, |verdict| verdict.decision);

        let start = if end.is_some() {
            Decisions::NONE
        } else {
            Decisions::of(default)
        };
        let answers = reached
            .iter()
            .filter(|rule| own(rule))
            .fold(start, |all, rule| all.with(Decisions::of(rule.common.decision)));
        // Rules that are met only by another name.
        let mut others = reached.iter().enumerate().filter(|(_, rule)| !own(rule));
        let opened = |(at, rule): (usize, &CompiledCommand)| {
            rule.common.decision != Decision::Deny && !self.closed_after(at, path)
        };
        if !answers.could_pass() && !others.clone().any(opened) {
            return ProgramOutlook::Never;
        }
        let stopped = rules
            .iter()
            .any(|rule| rule.is_about(path) && !rule.common.decision.passes());
        if answers.could_stop() || stopped || others.any(|(_, rule)| !rule.common.decision.passes()) {
            return ProgramOutlook::Sometimes;
        }
        ProgramOutlook::Always
    }

    /// Whether the rules about the program itself behind `at` deny every call of it.
    fn closed_after(&self, at: usize, path: &[u8]) -> bool {
        for rule in self.commands.rules[at..]
            .iter()
            .filter(|rule| rule.is_about(path) && !rule.is_universal())
        {
            if rule.common.decision != Decision::Deny {
                return false;
            }
            if rule.is_unconditional() {
                return true;
            }
        }
        false
    }

    fn execute_outlook(&self, folder: &[u8]) -> Outlook {
        let written = self.written_execute_outlook(folder);
        match &self.folded {
            Some(folded) => folded.narrow(written, folder, |below| folded.command_decisions(below)),
            None => written,
        }
    }

    fn written_execute_outlook(&self, folder: &[u8]) -> Outlook {
        let mut outlook = Outlook::default();
        for rule in &self.commands.rules {
            let conditional = !rule.is_unconditional();
            let mut covered = false;
            for selector in &rule.selectors {
                let decision = rule.common.decision;
                let mut take = |tokens: &[Token]| {
                    let whole = outlook.take(&residuals(tokens, folder, b'/'), folder, decision);
                    covered |= whole && !conditional;
                };
                match selector {
                    Selector::Every => take(&[Token::Deep]),
                    Selector::Name(_) => outlook.everywhere = outlook.everywhere.with(Decisions::of(decision)),
                    Selector::Path(globs) => {
                        // A program can be called by any path: a rule that passes by a path can open others.
                        globs
                            .iter()
                            .flat_map(|glob| glob.alternatives())
                            .for_each(|tokens| take(tokens));
                    }
                }
            }
            if covered {
                return outlook;
            }
        }
        let default = self
            .command_default()
            .map_or(Decision::Allow, |verdict| verdict.decision);
        outlook.everywhere = outlook.everywhere.with(Decisions::of(default));
        outlook
    }
}
