//! Which environment variables a program gets.

use std::collections::HashSet;
use std::time::Duration;

use super::compile::Compiler;
use super::passed::{Passed, What};
use super::variable::{is_injecting, secret_shape};
use super::{Deciding, Layer, Policy, Verdict};
use crate::error::LoadError;
use crate::glob::Glob;
use crate::model::{CommandRule, EnvPolicy};
use crate::place::At;
use crate::words::List;

/// What one source (the policy, or a rule) says about variables.
#[derive(Debug, Default)]
pub(crate) struct EnvNames {
    allow: Names,
    deny: Names,
}

/// Patterns on names; those that are plain words are looked up.
#[derive(Debug, Default)]
struct Names {
    words: HashSet<Box<[u8]>>,
    globs: Vec<Glob>,
}

impl Names {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.globs.is_empty()
    }

    fn contains(&self, name: &[u8]) -> bool {
        self.words.contains(name) || self.globs.iter().any(|glob| glob.is_match(name))
    }

    /// Whether a pattern that does not match every name matches this one.
    fn names(&self, name: &[u8]) -> bool {
        let named = |glob: &Glob| !glob.is_universal() && glob.is_match(name);
        self.words.contains(name) || self.globs.iter().any(named)
    }
}

/// The general part of a layer.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    names: EnvNames,
    max_bytes: Option<u64>,
    max_keys: Option<u32>,
    block_iteration: bool,
    pub inject: Vec<(Box<str>, Box<[u8]>)>,
}

/// What a command rule says on its own: its denials add up with the general ones; its `env_allow` and
/// limits, where given, stand in for the general ones.
#[derive(Debug, Default)]
pub(crate) struct EnvOverride {
    names: EnvNames,
    max_bytes: Option<u64>,
    max_keys: Option<u32>,
    block_iteration: Option<bool>,
}

fn globs(compiler: Compiler<'_>, names: &[At<String>]) -> Result<Names, LoadError> {
    let mut found = Names::default();
    for name in names {
        let Some(glob) = compiler.name_glob(name, b'/')? else {
            continue;
        };
        match glob.literals() {
            Some(words) => found.words.extend(words),
            None => found.globs.push(glob),
        }
    }
    Ok(found)
}

impl Environment {
    pub fn compile(
        compiler: Compiler<'_>,
        policy: &EnvPolicy,
        inject: &std::collections::BTreeMap<String, At<String>>,
    ) -> Result<Environment, LoadError> {
        let mut injected = Vec::new();
        for (name, value) in inject {
            if let Some(value) = compiler.text(value)? {
                injected.push((name.as_str().into(), value.into()));
            }
        }
        Ok(Environment {
            names: EnvNames {
                allow: globs(compiler, &policy.allow)?,
                deny: globs(compiler, &policy.deny)?,
            },
            max_bytes: policy.max_bytes.map(|size| size.0).filter(|size| *size > 0),
            max_keys: policy.max_keys.filter(|keys| *keys > 0),
            block_iteration: policy.block_iteration,
            inject: injected,
        })
    }
}

impl EnvOverride {
    pub fn compile(compiler: Compiler<'_>, rule: &CommandRule) -> Result<EnvOverride, LoadError> {
        Ok(EnvOverride {
            names: EnvNames {
                allow: globs(compiler, &rule.env_allow)?,
                deny: globs(compiler, &rule.env_deny)?,
            },
            max_bytes: rule.env_max_bytes.map(|size| size.0).filter(|size| *size > 0),
            max_keys: rule.env_max_keys.filter(|keys| *keys > 0),
            block_iteration: rule.env_block_iteration,
        })
    }
}

/// Why a variable is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Removed {
    /// A glob of `deny` or `env_deny` names it.
    Denied,
    /// No glob of `allow` or `env_allow` names it.
    NotAllowed,
    /// Its value looks like a credential, the policy keeps variables out, and no `allow` names this one.
    Secret,
    /// It would bring code of its setter into a program that runs under a stricter rule.
    Injecting,
    /// It is one too many, or its bytes are.
    OverLimit,
}

/// The filter for one program.
#[derive(Debug, Clone, Copy)]
pub struct EnvFilter<'p> {
    layers: &'p [Layer],
    passed: &'p Passed,
    /// Of each policy the rule that decided there, which has its own say.
    rules: Deciding,
}

/// What one policy says about a program's variables.
#[derive(Debug, Clone, Copy)]
struct Part<'p> {
    general: &'p Environment,
    own: Option<&'p EnvOverride>,
}

impl Part<'_> {
    /// Whether it lets a variable of this name through by more than a `*`.
    fn names(&self, name: &[u8]) -> bool {
        self.general.names.allow.names(name) || self.own.is_some_and(|own| own.names.allow.names(name))
    }

    /// Whether it keeps any variable from the program by name.
    fn keeps_out(&self) -> bool {
        !self.general.names.deny.is_empty() || self.own.is_some_and(|own| !own.names.deny.is_empty())
    }
}

impl Policy {
    /// The filter for a program that was judged so.
    pub fn environment(&self, verdict: &Verdict<'_>) -> EnvFilter<'_> {
        EnvFilter {
            layers: &self.layers,
            passed: &self.passed,
            rules: match verdict.list {
                List::Commands => verdict.deciding,
                _ => Deciding::default(),
            },
        }
    }
}

impl<'p> EnvFilter<'p> {
    /// Whether these filters leave a whole environment as it is (`block`: each entry with its NUL): as it was found before,
    /// or as `examine` finds, which looks at all of it.
    pub fn leave_alone(filters: &[Self], guarded: bool, block: &[u8], examine: impl FnOnce() -> bool) -> bool {
        let Some(first) = filters.first() else { return true };
        let rules: Vec<Deciding> = filters.iter().map(|filter| filter.rules).collect();
        first.passed.stays(What::Whole(&rules, block), guarded, examine)
    }

    fn parts(&self) -> impl Iterator<Item = Part<'p>> {
        self.layers.iter().zip(self.rules).map(|(layer, rule)| Part {
            general: &layer.environment,
            own: rule.and_then(|place| Some(&layer.commands.rules.get(place.index)?.environment)),
        })
    }

    /// Why the variable is removed by its name; `None`: it stays.
    pub(super) fn removes(&self, name: &[u8]) -> Option<Removed> {
        self.parts().find_map(|Part { general, own }| {
            if general.names.deny.contains(name) || own.is_some_and(|own| own.names.deny.contains(name)) {
                return Some(Removed::Denied);
            }
            let allow = own.map(|own| &own.names.allow).filter(|allow| !allow.is_empty());
            let allow = allow.unwrap_or(&general.names.allow);
            (!allow.is_empty() && !allow.contains(name)).then_some(Removed::NotAllowed)
        })
    }

    /// Why an entry (`NAME=value`) is removed from the environment of a program; `guarded`: it runs under a rule
    /// that does more than allow it.
    pub fn removes_entry(&self, entry: &[u8], guarded: bool) -> Option<Removed> {
        let end = entry.iter().position(|byte| *byte == b'=').unwrap_or(entry.len());
        let (name, value) = (&entry[..end], entry.get(end + 1..).unwrap_or_default());
        if self.sets(entry) {
            return None;
        }
        if let Some(removed) = self.removes(name) {
            return Some(removed);
        }
        // What the user's policy names stays; a policy that narrows it takes back what it keeps out itself, no more.
        let mut parts = self.parts();
        let base = parts.next();
        let named = base.is_some_and(|base| base.names(name));
        if guarded && is_injecting(name) && !named {
            return Some(Removed::Injecting);
        }
        let mut kept_out = || {
            let narrowing = parts.any(|part| part.keeps_out() && !part.names(name));
            narrowing || base.is_some_and(|base| base.keeps_out())
        };
        (!named && secret_shape(value).is_some() && kept_out()).then_some(Removed::Secret)
    }

    /// [`EnvFilter::removes_entry`], looked up where the entry was found to stay before.
    fn removes_again(&self, entry: &[u8], guarded: bool) -> Option<Removed> {
        let mut removed = None;
        self.passed.stays(What::Entry(self.rules, entry), guarded, || {
            removed = self.removes_entry(entry, guarded);
            removed.is_none()
        });
        removed
    }

    /// The entries of an environment that are removed, by their place, and why.
    pub fn removed<E: AsRef<[u8]>>(&self, entries: &[E], guarded: bool) -> Vec<(usize, Removed)> {
        let (max_bytes, max_keys) = (self.max_bytes(), self.max_keys());
        let (mut bytes, mut keys) = (0u64, 0u32);
        let mut removed = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let entry = entry.as_ref();
            if self.sets(entry) {
                continue;
            }
            if let Some(why) = self.removes_again(entry, guarded) {
                removed.push((place, why));
                continue;
            }
            let (more, one) = (bytes + entry.len() as u64, keys + 1);
            if max_bytes.is_some_and(|limit| more > limit) || max_keys.is_some_and(|limit| one > limit) {
                removed.push((place, Removed::OverLimit));
            } else {
                (bytes, keys) = (more, one);
            }
        }
        removed
    }

    /// Whether nothing is ever removed, injected or limited.
    pub fn is_noop(&self) -> bool {
        let any_names = |names: &EnvNames| !names.allow.is_empty() || !names.deny.is_empty();
        self.max_bytes().is_none()
            && self.max_keys().is_none()
            && !self.block_iteration()
            && self.inject().next().is_none()
            && self
                .parts()
                .all(|Part { general, own }| !any_names(&general.names) && own.is_none_or(|own| !any_names(&own.names)))
    }

    /// The most bytes that names and values may have together.
    pub fn max_bytes(&self) -> Option<u64> {
        self.parts()
            .filter_map(|Part { general, own }| own.and_then(|own| own.max_bytes).or(general.max_bytes))
            .min()
    }

    /// The most variables.
    pub fn max_keys(&self) -> Option<u32> {
        self.parts()
            .filter_map(|Part { general, own }| own.and_then(|own| own.max_keys).or(general.max_keys))
            .min()
    }

    /// Whether the program is kept from listing what it has.
    pub fn block_iteration(&self) -> bool {
        self.parts().any(|Part { general, own }| {
            own.and_then(|own| own.block_iteration)
                .unwrap_or(general.block_iteration)
        })
    }

    /// What is missing of what the operator sets, or differs from it, in an environment.
    pub fn unset<'e, E: AsRef<[u8]>>(&self, entries: &'e [E]) -> Vec<(&'p str, &'p [u8])> {
        let is_set = |(name, value): &(&str, &[u8])| {
            let of_name = |entry: &&E| variable_name(entry.as_ref()) == name.as_bytes();
            let mut own = entries.iter().filter(of_name);
            own.next()
                .is_some_and(|entry| entry.as_ref().get(name.len() + 1..) == Some(*value))
                && own.next().is_none()
        };
        self.inject().filter(|one| !is_set(one)).collect()
    }

    /// Whether an entry is what the operator sets: that beats filtering, also where a program hands it on.
    fn sets(&self, entry: &[u8]) -> bool {
        self.inject().any(|(name, value)| {
            let rest = entry
                .strip_prefix(name.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="));
            rest == Some(value)
        })
    }

    /// What the operator sets (the user's policy; one that narrows sets nothing).
    pub fn inject(&self) -> impl Iterator<Item = (&'p str, &'p [u8])> {
        let base = self.layers.first();
        base.into_iter()
            .flat_map(|layer| &layer.environment.inject)
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

/// The part of an entry before its equals sign.
pub fn variable_name(entry: &[u8]) -> &[u8] {
    entry.split(|byte| *byte == b'=').next().unwrap_or(entry)
}

/// The shortest of limits that are set; zero is none.
pub(crate) fn shortest(limits: impl Iterator<Item = Duration>) -> Option<Duration> {
    limits.filter(|limit| !limit.is_zero()).min()
}
