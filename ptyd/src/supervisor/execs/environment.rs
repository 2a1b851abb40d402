//! The environment that a program gets.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;

use agentsh_intercept::{Errno, ExecDecision, ExecRequest, Instead};
use agentsh_policy::{EnvFilter, variable_name};

use super::{Judged, place};
use crate::supervisor::judge::CommandJudge;
use crate::supervisor::rules::Rules;

/// An environment as policy wants it.
pub(in crate::supervisor) struct Filtered {
    /// Which entries of the given one are removed.
    pub removed: Vec<usize>,
    /// Entries that are added; they replace those of the same names.
    pub added: Vec<Vec<u8>>,
    /// Names that were removed, for the record; never values.
    pub names: Vec<String>,
}

impl Filtered {
    /// What these filters make of an environment; `guarded`: the program runs under a rule that does more than allow.
    pub fn new<E: AsRef<[u8]>>(filters: &[EnvFilter<'_>], entries: &[E], guarded: bool) -> Filtered {
        let mut removed: Vec<usize> = filters
            .iter()
            .flat_map(|filter| filter.removed(entries, guarded))
            .map(|(place, _)| place)
            .collect();
        removed.sort_unstable();
        removed.dedup();
        let name = |place: &usize| String::from_utf8_lossy(variable_name(entries[*place].as_ref())).into_owned();
        let unset = filters.first().map(|filter| filter.unset(entries)).unwrap_or_default();
        Filtered {
            names: removed.iter().map(name).collect(),
            removed,
            added: unset
                .into_iter()
                .map(|(name, value)| [name.as_bytes(), b"=", value].concat())
                .collect(),
        }
    }

    fn is_noop(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    /// The environment that remains of `entries`.
    pub(super) fn apply(&self, entries: Vec<CString>) -> Vec<CString> {
        let replaced = |entry: &CString| {
            let name = variable_name(entry.as_bytes());
            self.added.iter().any(|added| variable_name(added) == name)
        };
        let kept = entries.into_iter().enumerate().filter(|(place, entry)| {
            let removed = self.removed.binary_search(place).is_ok();
            !removed && !replaced(entry)
        });
        let added = self
            .added
            .iter()
            .filter_map(|entry| CString::new(entry.as_slice()).ok());
        kept.map(|(_, entry)| entry).chain(added).collect()
    }
}

impl CommandJudge {
    /// Lets an exec through with the environment that policy leaves it.
    pub(super) fn with_environment(
        &self,
        rules: &Rules,
        request: &ExecRequest<'_>,
        all: &[Judged<'_>],
        transparent: bool,
    ) -> Result<ExecDecision, ExecDecision> {
        let plain = if transparent {
            ExecDecision::Transparent
        } else {
            ExecDecision::Allow
        };
        let filters: Vec<EnvFilter<'_>> = all.iter().map(|one| rules.policy.environment(&one.verdict)).collect();
        let guarded = all.iter().any(|one| one.verdict.guards());
        if !guarded && filters.iter().all(EnvFilter::is_noop) {
            return Ok(plain);
        }
        let words = request.environment().map_err(ExecDecision::Deny)?;
        let look = || Filtered::new(&filters, &words.iter().collect::<Vec<_>>(), guarded);
        let mut filtered = None;
        let alone = EnvFilter::leave_alone(&filters, guarded, words.block(), || filtered.insert(look()).is_noop());
        if alone {
            return Ok(plain);
        }
        let filtered = filtered.unwrap_or_else(look);
        self.tell_filtered(request, &filtered)?;
        let environment = filtered.apply(entries(request)?);
        let mut instead = same_program(request, environment).map_err(ExecDecision::Deny)?;
        instead.transparent = transparent;
        Ok(ExecDecision::Instead(Box::new(instead)))
    }

    /// Whether policy leaves a program that runs already the environment that it has.
    pub(super) fn keeps_environment(&self, rules: &Rules, request: &ExecRequest<'_>, all: &[Judged<'_>]) -> bool {
        let filters: Vec<EnvFilter<'_>> = all.iter().map(|one| rules.policy.environment(&one.verdict)).collect();
        let guarded = all.iter().any(|one| one.verdict.guards());
        if !request.tells_environment() || (!guarded && filters.iter().all(EnvFilter::is_noop)) {
            return true;
        }
        request.environment().is_ok_and(|words| {
            let words: Vec<&[u8]> = words.iter().collect();
            Filtered::new(&filters, &words, guarded).is_noop()
        })
    }

    /// Puts on record which names were removed.
    pub(super) fn tell_filtered(&self, request: &ExecRequest<'_>, filtered: &Filtered) -> Result<(), ExecDecision> {
        self.session()
            .environment_filtered(self.command(), request.tgid, &filtered.names)
            .map_err(|error| {
                tracing::error!("an exec is refused because it cannot be recorded: {error}");
                ExecDecision::Deny(Errno::ACCESS)
            })
    }
}

/// The environment that was asked for, to be changed.
pub(super) fn entries(request: &ExecRequest<'_>) -> Result<Vec<CString>, ExecDecision> {
    let words = request.environment().map_err(ExecDecision::Deny)?;
    words.to_strings().map_err(ExecDecision::Deny)
}

/// What was asked for, with another environment. A descriptor's file is executed by its path: the descriptor may be
/// closed on the way.
fn same_program(request: &ExecRequest<'_>, environment: Vec<CString>) -> Result<Instead, Errno> {
    let first = request.subjects.first().ok_or(Errno::ACCESS)?;
    let (program, subjects) = if first.called.as_bytes().starts_with(b"/dev/fd/") {
        let path = CString::new(place(first).as_os_str().as_bytes()).map_err(|_| Errno::ACCESS)?;
        let other = request.other(&path, first.argv.clone())?;
        let same = other.subjects.first().is_some_and(|other| other.file == first.file);
        if !same {
            return Err(Errno::ACCESS);
        }
        (path, other.subjects)
    } else {
        (first.called.clone(), request.subjects.clone())
    };
    Ok(Instead {
        program,
        argv: first.argv.clone(),
        environment,
        subjects,
        scripts: Vec::new(),
        redirected: false,
        transparent: false,
    })
}

/// `entries` with these variables set.
pub(super) fn set<'e>(
    mut entries: Vec<CString>,
    variables: impl IntoIterator<Item = (&'e String, &'e String)>,
) -> Result<Vec<CString>, Errno> {
    for (name, value) in variables {
        entries.retain(|entry| variable_name(entry.as_bytes()) != name.as_bytes());
        entries.push(CString::new(format!("{name}={value}")).map_err(|_| Errno::INVAL)?);
    }
    Ok(entries)
}

/// What is left of an environment for a program that runs in another's place.
pub(super) fn guarded(rules: &Rules, all: &[Judged<'_>], entries: &[CString]) -> Filtered {
    let filters: Vec<EnvFilter<'_>> = all.iter().map(|one| rules.policy.environment(&one.verdict)).collect();
    let words: Vec<&[u8]> = entries.iter().map(|entry| entry.as_bytes()).collect();
    Filtered::new(&filters, &words, true)
}
