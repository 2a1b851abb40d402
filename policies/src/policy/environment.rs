//! Which environment variables a program gets.

use std::time::Duration;

use super::compile::Compiler;
use super::{Layer, Policy, Verdict};
use crate::error::LoadError;
use crate::glob::Glob;
use crate::model::{CommandRule, EnvPolicy};
use crate::place::At;
use crate::words::List;

/// What one source (the policy, or a rule) says about variables.
#[derive(Debug, Default)]
pub(crate) struct EnvNames {
    allow: Vec<Glob>,
    deny: Vec<Glob>,
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

fn globs(compiler: Compiler<'_>, names: &[At<String>]) -> Result<Vec<Glob>, LoadError> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        found.extend(compiler.name_glob(name, b'/')?);
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
}

/// The filter for one program.
#[derive(Debug, Clone, Copy)]
pub struct EnvFilter<'p> {
    layers: &'p [Layer],
    rule: Option<(usize, &'p EnvOverride)>,
}

impl Policy {
    /// The filter for a program that was judged so.
    pub fn environment(&self, verdict: &Verdict<'_>) -> EnvFilter<'_> {
        let rule = verdict
            .place
            .filter(|_| verdict.list == List::Commands)
            .and_then(|place| {
                let rule = self.layers.get(place.layer)?.commands.rules.get(place.index)?;
                Some((place.layer, &rule.environment))
            });
        EnvFilter {
            layers: &self.layers,
            rule,
        }
    }
}

impl<'p> EnvFilter<'p> {
    fn parts(&self) -> impl Iterator<Item = (&'p Environment, Option<&'p EnvOverride>)> {
        let rule = self.rule;
        let own = move |at: usize| rule.and_then(|(layer, own)| (layer == at).then_some(own));
        self.layers
            .iter()
            .enumerate()
            .map(move |(at, layer)| (&layer.environment, own(at)))
    }

    /// Why the variable is removed; `None`: it stays.
    pub fn removes(&self, name: &[u8]) -> Option<Removed> {
        let names = |globs: &[Glob]| globs.iter().any(|glob| glob.is_match(name));
        self.parts().find_map(|(general, own)| {
            if names(&general.names.deny) || own.is_some_and(|own| names(&own.names.deny)) {
                return Some(Removed::Denied);
            }
            let allow = own.map(|own| &own.names.allow).filter(|allow| !allow.is_empty());
            let allow = allow.unwrap_or(&general.names.allow);
            (!allow.is_empty() && !names(allow)).then_some(Removed::NotAllowed)
        })
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
                .all(|(general, own)| !any_names(&general.names) && own.is_none_or(|own| !any_names(&own.names)))
    }

    /// The most bytes that names and values may have together.
    pub fn max_bytes(&self) -> Option<u64> {
        self.parts()
            .filter_map(|(general, own)| own.and_then(|own| own.max_bytes).or(general.max_bytes))
            .min()
    }

    /// The most variables.
    pub fn max_keys(&self) -> Option<u32> {
        self.parts()
            .filter_map(|(general, own)| own.and_then(|own| own.max_keys).or(general.max_keys))
            .min()
    }

    /// Whether the program is kept from listing what it has.
    pub fn block_iteration(&self) -> bool {
        self.parts().any(|(general, own)| {
            own.and_then(|own| own.block_iteration)
                .unwrap_or(general.block_iteration)
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

/// What kind of credential a value looks like, by the fixed prefixes that issuers give their tokens.
pub fn secret_shape(value: &[u8]) -> Option<&'static str> {
    const SHAPES: [(&str, usize, &str); 16] = [
        ("ghp_", 40, "GitHub token"),
        ("gho_", 40, "GitHub token"),
        ("ghs_", 40, "GitHub token"),
        ("github_pat_", 60, "GitHub token"),
        ("glpat-", 26, "GitLab token"),
        ("AKIA", 20, "AWS key id"),
        ("ASIA", 20, "AWS key id"),
        ("sk-", 30, "model provider key"),
        ("xoxb-", 30, "Slack token"),
        ("xoxp-", 30, "Slack token"),
        ("npm_", 40, "npm token"),
        ("pypi-", 60, "PyPI token"),
        ("hf_", 30, "Hugging Face token"),
        ("AIza", 39, "Google key"),
        ("sk_live_", 24, "Stripe key"),
        ("-----BEGIN ", 60, "private key"),
    ];
    let plain = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    SHAPES
        .iter()
        .find(|(prefix, length, _)| {
            value.starts_with(prefix.as_bytes()) && value.len() >= *length && value.iter().all(plain)
        })
        .map(|(_, _, what)| *what)
}

/// The shortest of limits that are set; zero is none.
pub(crate) fn shortest(limits: impl Iterator<Item = Duration>) -> Option<Duration> {
    limits.filter(|limit| !limit.is_zero()).min()
}
