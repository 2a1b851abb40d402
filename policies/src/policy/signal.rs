//! Rules on signals.

use super::command::{Selector, base_name, selector};
use super::compile::{Common, Compiler};
use super::{Layer, Redirect, Verdict};
use crate::error::LoadError;
use crate::model::SignalRule;
use crate::place::At;
use crate::words::{Decision, List, TargetType};

/// What a process is to the one that signals it. A process can be several things at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Targets(u16);

impl Targets {
    pub const NONE: Targets = Targets(0);
    /// The set of one.
    pub const fn of(kind: TargetType) -> Targets {
        Targets(1 << kind as u16)
    }
    /// Both sets together.
    #[must_use]
    pub const fn with(self, kind: TargetType) -> Targets {
        Targets(self.0 | 1 << kind as u16)
    }
    pub const fn contains(self, kind: TargetType) -> bool {
        self.0 & (1 << kind as u16) != 0
    }
    /// Whether it is of the session: those may be signalled where nothing else is said.
    pub const fn is_own(self) -> bool {
        self.contains(TargetType::Itself)
            || self.contains(TargetType::Children)
            || self.contains(TargetType::Descendants)
            || self.contains(TargetType::Session)
    }
}

/// A signal for one process.
#[derive(Debug, Clone, Copy)]
pub struct SignalQuery<'a> {
    /// 1 to 64; 0 tests whether the process is there.
    pub signal: i32,
    pub target: Targets,
    /// Path of the target's program.
    pub program: &'a [u8],
    pub pid: u32,
}

#[derive(Debug)]
pub(crate) struct CompiledSignal {
    pub common: Common,
    set: u128,
    target: Target,
    redirect: Option<(i32, Decision)>,
}

#[derive(Debug)]
enum Target {
    Any,
    Kind(TargetType),
    Program(Vec<Selector>),
    Pids(u32, u32),
}

impl CompiledSignal {
    pub fn compile(compiler: Compiler<'_>, rule: &SignalRule) -> Result<CompiledSignal, LoadError> {
        let target = match &rule.target {
            None => Target::Any,
            Some(target) => match target.kind {
                TargetType::Process => {
                    let pattern = At {
                        value: target.pattern.clone().unwrap_or_default(),
                        span: target.span,
                    };
                    Target::Program(selector(compiler, &pattern)?.into_iter().collect())
                }
                TargetType::PidRange => Target::Pids(target.min.unwrap_or(0), target.max.unwrap_or(u32::MAX)),
                kind => Target::Kind(kind),
            },
        };
        let fallback = rule.fallback.as_ref().map_or(Decision::Deny, |fallback| fallback.value);
        Ok(CompiledSignal {
            common: Common::new(&rule.name, rule.decision.value, rule.message.as_ref(), rule.timeout),
            set: rule.signals.iter().fold(0, |set, word| set | word.set),
            target,
            redirect: rule
                .redirect_to
                .as_ref()
                .and_then(|word| Some((word.single()?, fallback))),
        })
    }

    fn matches(&self, query: &SignalQuery<'_>) -> bool {
        let bit = u32::try_from(query.signal)
            .ok()
            .and_then(|signal| 1u128.checked_shl(signal))
            .unwrap_or(0);
        if self.set & bit == 0 {
            return false;
        }
        match &self.target {
            Target::Any => true,
            Target::Kind(kind) => query.target.contains(*kind),
            Target::Pids(min, max) => (*min..=*max).contains(&query.pid),
            Target::Program(selectors) => selectors.iter().any(|selector| match selector {
                Selector::Every => true,
                Selector::Name(glob) => glob.is_match(base_name(query.program)),
                Selector::Path(globs) => globs.iter().any(|glob| glob.is_match(query.program)),
            }),
        }
    }
}

impl Layer {
    pub(crate) fn signal(&self, query: &SignalQuery<'_>) -> Option<Verdict<'_>> {
        let default = |decision| Some(Verdict::by_default(decision, List::Signals, &self.name));
        if query.signal == 0 {
            // Nothing is sent; who is there can be seen in /proc as well.
            return default(Decision::Allow);
        }
        match (self.signal_matching(query).next(), self.signal_default()) {
            (Some(index), _) => Some(self.signal_verdict(index)),
            (None, Some(verdict)) => Some(verdict),
            (None, None) if self.at > 0 => None,
            (None, None) if query.target.is_own() => default(Decision::Allow),
            (None, None) => default(Decision::Deny),
        }
    }

    pub(crate) fn signal_matching<'a>(&'a self, query: &'a SignalQuery<'a>) -> impl Iterator<Item = usize> + 'a {
        let rules = self.signals.iter().enumerate();
        rules
            .filter(move |(_, rule)| rule.matches(query))
            .map(|(index, _)| index)
    }

    /// What is answered where no rule matches, if the policy says so.
    pub(super) fn signal_default(&self) -> Option<Verdict<'_>> {
        self.defaults
            .signal
            .map(|decision| Verdict::by_default(decision, List::Signals, &self.name))
    }

    pub(crate) fn signal_verdict(&self, index: usize) -> Verdict<'_> {
        let rule = &self.signals[index];
        Verdict {
            redirect: rule
                .redirect
                .map_or(Redirect::None, |(signal, fallback)| Redirect::Signal {
                    signal,
                    fallback,
                }),
            ..rule.common.verdict(List::Signals, self.place(index), &self.name)
        }
    }
}

impl super::Policy {
    /// Whether rules or defaults ask people about signals.
    pub fn signals_can_ask(&self) -> bool {
        self.layers.iter().any(|layer| {
            let mut rules = layer.signals.iter().map(|rule| rule.common.decision);
            layer.defaults.signal == Some(Decision::Approve) || rules.any(|decision| decision == Decision::Approve)
        })
    }
}
