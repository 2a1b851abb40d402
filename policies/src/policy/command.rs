//! Rules on programs that are started.

use std::collections::{BTreeMap, HashMap};

use regex::bytes::RegexSet;

use super::compile::{Common, Compiler};
use super::environment::EnvOverride;
use super::folded::stricter;
use super::{Layer, Redirect, RuleRef, Verdict};
use crate::error::LoadError;
use crate::glob::{Glob, PathIndex};
use crate::model::{CommandRedirect, CommandRule, Context};
use crate::place::At;
use crate::words::{Decision, List};

/// The start of a program.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommandQuery<'a> {
    /// Resolved path of what really runs.
    pub program: &'a [u8],
    /// The path or name by which it was called.
    pub called: &'a [u8],
    /// Arguments without argv[0].
    pub args: &'a [&'a [u8]],
    /// 0 is the session's command itself; each exec below a fork counts one more.
    pub depth: u32,
}

/// What runs instead of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandTarget {
    pub command: Box<[u8]>,
    /// Stand before the original arguments.
    pub args: Vec<String>,
    /// Stand behind the original arguments.
    pub args_append: Vec<String>,
    pub environment: BTreeMap<String, String>,
}

/// What a word of `commands` selects.
#[derive(Debug)]
pub(crate) enum Selector {
    /// `*`: every program.
    Every,
    Name(Glob),
    Path(Vec<Glob>),
}

/// A rule on commands.
#[derive(Debug)]
pub(crate) struct CompiledCommand {
    pub common: Common,
    pub selectors: Vec<Selector>,
    pub args: Option<RegexSet>,
    pub context: Context,
    pub target: Option<CommandTarget>,
    pub environment: EnvOverride,
}

impl CompiledCommand {
    /// Whether the rule counts whatever the arguments and the depth.
    pub fn is_unconditional(&self) -> bool {
        self.args.is_none() && self.context.is_any()
    }

    fn names_every(&self) -> bool {
        self.selectors
            .iter()
            .any(|selector| matches!(selector, Selector::Every))
    }
}

/// All rules on commands of a layer.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    pub rules: Vec<CompiledCommand>,
    by_name: HashMap<Box<[u8]>, Vec<u32>>,
    name_globs: Vec<(u32, Glob)>,
    paths: PathIndex,
    every: Vec<u32>,
}

impl Commands {
    pub fn compile(compiler: Compiler<'_>, rules: &[CommandRule]) -> Result<Commands, LoadError> {
        let mut commands = Commands::default();
        for (rule, place) in rules.iter().zip(0u32..) {
            let compiled = compile(compiler, rule)?;
            for selector in &compiled.selectors {
                commands.index(selector, place);
            }
            commands.rules.push(compiled);
        }
        Ok(commands)
    }

    fn index(&mut self, selector: &Selector, place: u32) {
        match selector {
            Selector::Every => self.every.push(place),
            Selector::Name(glob) => match glob.literal() {
                Some(name) => self.by_name.entry(name.into()).or_default().push(place),
                None => self.name_globs.push((place, glob.clone())),
            },
            Selector::Path(globs) => globs.iter().for_each(|glob| self.paths.add(glob, place, 1)),
        }
    }

    /// The first rule at or after `from` that selects the program by this path or name.
    fn candidate(&self, path: &[u8], from: u32) -> Option<u32> {
        let first = |places: &[u32]| places.iter().copied().find(|place| *place >= from);
        let name = base_name(path);
        let by_name = self.by_name.get(name).and_then(|places| first(places));
        let by_glob = self
            .name_globs
            .iter()
            .find(|(place, glob)| *place >= from && glob.is_match(name));
        let by_path = path
            .starts_with(b"/")
            .then(|| self.paths.first(path, 1, from))
            .flatten();
        [by_name, by_glob.map(|(place, _)| *place), by_path, first(&self.every)]
            .into_iter()
            .flatten()
            .min()
    }

    /// The first rule of which selector, arguments and depth all match under one of the identities.
    fn first(&self, identities: &[&[u8]], call: &mut Call<'_>, named_only: bool, from: usize) -> Option<usize> {
        let mut from = u32::try_from(from).ok()?;
        loop {
            let found = identities.iter().filter_map(|path| self.candidate(path, from)).min()?;
            let rule = &self.rules[found as usize];
            if !(named_only && rule.names_every()) && call.fits(rule) {
                return Some(found as usize);
            }
            from = found + 1;
        }
    }

    /// All rules that match, in their order.
    pub fn matching(&self, query: &CommandQuery<'_>) -> Vec<usize> {
        let mut call = Call::new(query);
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(place) = self.first(&[query.program, query.called], &mut call, false, from) {
            found.push(place);
            from = place + 1;
        }
        found
    }

    /// The rule that decides.
    ///
    /// A program is judged by what it is and by how it was called, whichever a rule names first. But a
    /// name by which it was called opens no door that a rule about the program itself closes (`*` is not
    /// about the program itself): otherwise a link named like an allowed program would do.
    pub fn decide(&self, query: &CommandQuery<'_>) -> Option<usize> {
        let mut call = Call::new(query);
        let first = self.first(&[query.program, query.called], &mut call, false, 0)?;
        let decision = self.rules[first].common.decision;
        if decision.strictness() >= Decision::Deny.strictness() || self.selects(first, query.program) {
            return Some(first);
        }
        match self.first(&[query.program], &mut call, true, first) {
            Some(own) if self.rules[own].common.decision.strictness() > decision.strictness() => Some(own),
            _ => Some(first),
        }
    }

    fn selects(&self, place: usize, path: &[u8]) -> bool {
        u32::try_from(place).is_ok_and(|place| self.candidate(path, place) == Some(place))
    }
}

/// A call with its arguments joined once, when the first rule asks for them.
struct Call<'a> {
    query: &'a CommandQuery<'a>,
    joined: Option<Vec<u8>>,
}

impl<'a> Call<'a> {
    fn new(query: &'a CommandQuery<'a>) -> Call<'a> {
        Call { query, joined: None }
    }

    fn fits(&mut self, rule: &CompiledCommand) -> bool {
        if !rule.context.contains(self.query.depth) {
            return false;
        }
        let Some(patterns) = &rule.args else { return true };
        let joined = self.joined.get_or_insert_with(|| self.query.args.join(&b' '));
        patterns.is_match(joined)
    }
}

/// The part behind the last separator.
pub(crate) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

fn compile(compiler: Compiler<'_>, rule: &CommandRule) -> Result<CompiledCommand, LoadError> {
    let mut selectors = Vec::new();
    for word in &rule.commands {
        selectors.extend(selector(compiler, word)?);
    }
    let mut decision = rule.decision.value;
    if decision == Decision::Deny {
        // A program's own link is left: it may be that of one program of many names, and its name is judged too.
        for word in rule.commands.iter().filter(|word| is_path(word)) {
            let led = compiler.led_glob(word, false)?;
            selectors.extend(led.map(|glob| Selector::Path(vec![glob])));
        }
    }
    let target = match &rule.redirect_to {
        None => None,
        Some(target) => {
            let command = At {
                value: target.command.clone(),
                span: target.span,
            };
            let command = compiler.text(&command)?;
            if command.as_ref().is_some_and(Vec::is_empty) {
                return Err(compiler.source.error(target.range(), "`command` is empty"));
            }
            let texts = |list: &[String]| -> Result<Option<Vec<String>>, LoadError> {
                list.iter().map(|one| text_of(compiler, target, one)).collect()
            };
            let environment = target.environment.iter().map(|(name, value)| {
                let value = text_of(compiler, target, value)?;
                Ok(value.map(|value| (name.clone(), value)))
            });
            let environment: Option<BTreeMap<String, String>> = environment.collect::<Result<_, LoadError>>()?;
            let parts = (command, texts(&target.args)?, texts(&target.args_append)?, environment);
            match parts {
                (Some(command), Some(args), Some(args_append), Some(environment)) => Some(CommandTarget {
                    command: command.into(),
                    args,
                    args_append,
                    environment,
                }),
                // Something of it has no value in this session: nothing can stand in, so nothing runs.
                _ => {
                    decision = Decision::Deny;
                    None
                }
            }
        }
    };
    Ok(CompiledCommand {
        common: Common::new(&rule.name, decision, rule.message.as_ref(), rule.timeout),
        selectors,
        args: compiler.regexes(&rule.args_patterns)?,
        context: rule.context,
        target,
        environment: EnvOverride::compile(compiler, rule)?,
    })
}

/// A text of a redirect with its variables replaced; `None` where one has no value in this session, or none that is text.
fn text_of(compiler: Compiler<'_>, target: &At<CommandRedirect>, text: &str) -> Result<Option<String>, LoadError> {
    let text = At {
        value: text.to_owned(),
        span: target.span,
    };
    Ok(compiler.text(&text)?.and_then(|bytes| String::from_utf8(bytes).ok()))
}

/// What a word of `commands` selects; `None` where a variable has no value in this session.
pub(crate) fn selector(compiler: Compiler<'_>, word: &At<String>) -> Result<Option<Selector>, LoadError> {
    if matches!(word.as_str(), "*" | "**" | "/**") {
        return Ok(Some(Selector::Every));
    }
    if word.is_empty() {
        return Err(compiler.source.error(word.range(), "an empty name matches nothing"));
    }
    if is_path(word) {
        let globs = compiler.path_globs(word)?;
        return Ok((!globs.is_empty()).then_some(Selector::Path(globs)));
    }
    if word.contains(char::is_whitespace) {
        return Err(compiler
            .source
            .error(word.range(), format!("`{}` is no name of a program", word.value))
            .expecting("a base name, a path, or a glob on one of them")
            .suggesting(
                "arguments go to `args_patterns`; a name with spaces is written with its folder, such as `**/a b`",
            ));
    }
    Ok(compiler.name_glob(word, b'/')?.map(Selector::Name))
}

/// Whether a word of `commands` is about paths, not base names.
fn is_path(word: &str) -> bool {
    word.contains('/') || word.starts_with("${")
}

impl Layer {
    pub(crate) fn command(&self, query: &CommandQuery<'_>) -> Option<Verdict<'_>> {
        let written = match self.commands.decide(query) {
            Some(index) => Some(self.command_verdict(index)),
            None => self.command_default(),
        };
        stricter(written, self.command_folded(query))
    }

    pub(crate) fn command_verdict(&self, index: usize) -> Verdict<'_> {
        let rule = &self.commands.rules[index];
        let place: RuleRef = self.place(index);
        Verdict {
            redirect: rule.target.as_ref().map_or(Redirect::None, Redirect::Command),
            ..rule.common.verdict(List::Commands, place, &self.name)
        }
    }

    pub(crate) fn command_default(&self) -> Option<Verdict<'_>> {
        self.defaults
            .command
            .map(|decision| Verdict::by_default(decision, List::Commands, &self.name))
    }
}

impl super::Policy {
    /// The base names that rules of any decision but a plain yes select, whatever the arguments, each with its rule.
    pub fn stopped_by_name(&self) -> Vec<(Box<[u8]>, Verdict<'_>)> {
        let mut found = Vec::new();
        for layer in &self.layers {
            for (index, rule) in layer.commands.rules.iter().enumerate() {
                let names = rule.selectors.iter().filter_map(|selector| match selector {
                    Selector::Name(glob) if !rule.common.decision.passes() => glob.literals(),
                    _ => None,
                });
                found.extend(names.flatten().map(|name| (name, layer.command_verdict(index))));
            }
        }
        found
    }
}
