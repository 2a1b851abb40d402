//! The rules in force: the resolved policy and what it was compiled to for this host.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use agentsh_policy::config::Landlock;
use agentsh_policy::model::Switch;
use agentsh_policy::{CommandQuery, Decision, Errno, FileOp, Policy, Subject, Verdict, Wrappers};
use agentsh_protocol::Bytes;
use agentsh_protocol::api::PolicyOutcome;
use agentsh_protocol::launch::LaunchRequest;
use agentsh_sandbox::cgroup::Resource;
use agentsh_sandbox::filter::{CompiledFilter, FilterError};
use agentsh_sandbox::hull::Hull;
use agentsh_sandbox::ruleset::{self, RulesetFailure};
use agentsh_sandbox::wall::Wall;
use agentsh_terminal::redact::{PatternError, Patterns};

use super::execs::Filtered;
use super::limits::Limited;
use super::plan::Asked;
use super::territory::{self, Extra, Outlooks};

/// Why rules cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Ruleset(#[from] RulesetFailure),
    #[error("a ruleset cannot be handed on: {0}")]
    Handed(#[from] std::io::Error),
    #[error("the control groups of this host: {0}")]
    Groups(#[source] std::io::Error),
}

/// A policy in force.
pub(crate) struct Rules {
    pub policy: Arc<Policy>,
    /// Programs whose payload is judged with them.
    pub wrappers: Wrappers,
    /// The filter of every command.
    pub filter: CompiledFilter,
    /// Capabilities that commands keep.
    pub capabilities: u64,
    /// Whether files without a name may be executed.
    pub memfd_exec: bool,
    /// Whether some denials must look like absent names.
    pub hides_names: bool,
    /// Whether some rule cares for names, attributes and the texts of links.
    pub looks_matter: bool,
    /// Whether some rule puts another file in a file's place.
    pub redirects_files: bool,
    /// Whether some rule holds for certain content only.
    pub judges_content: bool,
    /// Whether file operations that are simply allowed are put on record.
    pub logs_allowed: bool,
    /// Limits of resources and time.
    pub limited: Limited,
    /// The wall in the kernel around its commands.
    pub wall: Wall,
    /// Whether they have a network of the session's own.
    pub private: bool,
    /// Those of them that control groups were found to hold.
    pub held_by_groups: Vec<Resource>,
    /// Whether a command with a terminal gets one of ours.
    pub records_terminals: bool,
    /// What recordings must not show, compiled when the first one is made.
    patterns: OnceLock<Patterns>,
    abi: u32,
    extra: Extra,
    walls: Mutex<Walls>,
}

/// The hull as it was when its rulesets were made.
struct Walls {
    outlooks: Outlooks,
    hull: Arc<Hull>,
    plain: Option<OwnedFd>,
    /// Behind the wall connections that its tables let through are the command's own.
    walled: Option<OwnedFd>,
}

impl Walls {
    fn build(policy: &Policy, extra: &Extra, outlooks: Outlooks) -> Walls {
        Walls {
            hull: Arc::new(territory::hull(policy, extra, &outlooks)),
            outlooks,
            plain: None,
            walled: None,
        }
    }

    /// The ruleset of commands behind the wall, or of others; made when the first one needs it.
    fn ruleset(&mut self, walled: bool, abi: u32) -> Result<OwnedFd, RulesError> {
        let place = if walled { &mut self.walled } else { &mut self.plain };
        let made = match place {
            Some(made) => made,
            None => place.insert(ruleset::build(&self.hull, abi, walled)?),
        };
        Ok(made.try_clone()?)
    }
}

/// What becomes of a command's environment.
#[derive(Default)]
pub(crate) struct Environment {
    pub remove: Vec<u32>,
    pub add: Vec<Bytes>,
    /// Names that were removed, for the record; never values.
    pub names: Vec<String>,
}

impl Rules {
    pub(crate) fn new(
        policy: Policy,
        asked: Asked,
        capabilities: u64,
        abi: u32,
        landlock: &Landlock,
        unread: Option<Vec<PathBuf>>,
        wall: Wall,
    ) -> Result<Rules, RulesError> {
        let logs_allowed = policy.settings().is_none_or(|settings| settings.file.audit.log_allowed);
        let extra = Extra::new(landlock, unread.unwrap_or_default());
        let memfd_exec = policy
            .settings()
            .is_some_and(|settings| settings.file.sandbox.memfd_exec);
        let hides_names = policy.hides_names();
        let looks_matter = super::files::looks_matter(&policy);
        let redirects_files = policy.redirects_files();
        let records_terminals = policy
            .settings()
            .is_none_or(|settings| settings.file.record.terminal != Some(Switch::Off));
        let judges_content = policy.judges_content();
        let walls = Mutex::new(Walls::build(&policy, &extra, Outlooks::default()));
        let rules = Rules {
            wrappers: policy.wrappers(),
            filter: asked.filter(&policy)?,
            policy: Arc::new(policy),
            capabilities,
            memfd_exec,
            hides_names,
            looks_matter,
            redirects_files,
            judges_content,
            logs_allowed,
            limited: Limited::default(),
            wall,
            private: false,
            held_by_groups: Vec::new(),
            records_terminals,
            patterns: OnceLock::new(),
            abi,
            extra,
            walls,
        };
        // What cannot be made is said now, and not to the first command.
        rules.walls(wall != Wall::None)?;
        Ok(rules)
    }

    /// Where our own folders are left out of the hull, this file of them is not.
    pub(crate) fn also_readable(&mut self, path: PathBuf) -> Result<(), RulesError> {
        if self.extra.also_readable(path) {
            self.walls = Mutex::new(Walls::build(&self.policy, &self.extra, Outlooks::default()));
            self.walls(self.wall != Wall::None)?;
        }
        Ok(())
    }

    /// Whether the operator's configuration keeps it out of every session (`landlock.deny_paths`); `moved`: or something
    /// below it, which would have another name.
    pub(super) fn keeps_out(&self, path: &Path, moved: bool) -> bool {
        self.extra.keeps_out(path, moved)
    }

    /// Hull and ruleset for the next command, behind the wall or not: made anew if names in a lowered folder have changed.
    pub(crate) fn walls(&self, walled: bool) -> Result<(Arc<Hull>, OwnedFd), RulesError> {
        let mut walls = self.walls.lock().unwrap_or_else(PoisonError::into_inner);
        if !walls.hull.is_current() {
            let outlooks = std::mem::take(&mut walls.outlooks);
            *walls = Walls::build(&self.policy, &self.extra, outlooks);
        }
        let ruleset = walls.ruleset(walled, self.abi)?;
        Ok((Arc::clone(&walls.hull), ruleset))
    }

    /// What recordings must not show.
    pub(crate) fn patterns(&self) -> Result<Patterns, PatternError> {
        if let Some(patterns) = self.patterns.get() {
            return Ok(patterns.clone());
        }
        let extra: Vec<String> = self
            .policy
            .settings()
            .iter()
            .flat_map(|settings| &settings.file.record.redact)
            .map(|pattern| pattern.value.clone())
            .collect();
        let patterns = Patterns::credentials(&extra)?;
        Ok(self.patterns.get_or_init(|| patterns).clone())
    }

    /// What policy says of a program.
    pub(crate) fn command(&self, resolved: &Path, request: &LaunchRequest) -> Verdict<'_> {
        self.policy.command(&CommandQuery {
            program: resolved.as_os_str().as_encoded_bytes(),
            called: request.argv.first().map(|name| name.0.as_slice()).unwrap_or_default(),
            args: &arguments(request),
            depth: 0,
        })
    }

    /// A verdict in the API's words.
    pub(crate) fn outcome(&self, verdict: &Verdict<'_>, program: &Path, args: &[&[u8]]) -> PolicyOutcome {
        let joined = args.join(&b' ');
        let command = program.as_os_str().as_encoded_bytes();
        let subject = Subject {
            command,
            args: &joined,
            ..Subject::default()
        };
        PolicyOutcome {
            decision: verdict.decision.word().to_owned(),
            rule: verdict.rule.map(str::to_owned),
            message: verdict.message(&subject),
        }
    }

    /// The verdict that makes what is at this path look absent, if one does.
    pub(crate) fn hidden(&self, path: &[u8]) -> Option<Verdict<'_>> {
        let hides = |verdict: &Verdict<'_>| verdict.decision == Decision::Deny && verdict.errno == Errno::NoEnt;
        let asked = self.hides_names.then(|| self.policy.file(FileOp::Stat, path));
        asked.filter(hides)
    }

    /// One line for the caller of a refused command.
    pub(crate) fn refusal_line(&self, program: &Path, outcome: &PolicyOutcome) -> String {
        let rule = match &outcome.rule {
            Some(rule) => format!("rule `{rule}`"),
            None => "no rule allows it".to_owned(),
        };
        let what = match outcome.decision.as_str() {
            "redirect" => "redirected".to_owned(),
            _ => "denied".to_owned(),
        };
        let line = format!(
            "{}: {what} by policy {} ({rule})",
            program.display(),
            self.policy.name()
        );
        match &outcome.message {
            Some(message) => format!("{line}: {}", message.lines().next().unwrap_or_default()),
            None => line,
        }
    }

    /// What policy removes from and adds to a command's environment.
    pub(crate) fn environment(&self, request: &LaunchRequest, verdict: &Verdict<'_>) -> Environment {
        let filter = self.policy.environment(verdict);
        if filter.is_noop() && !verdict.guards() {
            return Environment::default();
        }
        let entries: Vec<&[u8]> = request.env.iter().map(|entry| entry.0.as_slice()).collect();
        let filtered = Filtered::new(&[filter], &entries, verdict.guards());
        Environment {
            remove: filtered
                .removed
                .iter()
                .filter_map(|place| u32::try_from(*place).ok())
                .collect(),
            add: filtered.added.into_iter().map(Bytes).collect(),
            names: filtered.names,
        }
    }
}

/// What a command is started with, its name left out.
pub(super) fn arguments(request: &LaunchRequest) -> Vec<&[u8]> {
    let words = request.argv.iter().skip(1);
    words.map(|argument| argument.0.as_slice()).collect()
}

/// Whether a decision on a command lets it run in this build.
pub(crate) trait LetsRun {
    /// A plain yes. What asks is asked at the exec, and there another program is put in its place.
    fn lets_run(self) -> bool;
}

impl LetsRun for Decision {
    fn lets_run(self) -> bool {
        self.passes()
    }
}
