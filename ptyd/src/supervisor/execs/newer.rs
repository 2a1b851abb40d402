//! Programs that are newer than their command's ruleset.
//!
//! Landlock knows files and folders that were there when a command entered. Below a folder that policy lets be read in
//! part only (a home with keys in it) it does not know what has come since, and the kernel executes nothing that may
//! not be read. Reading such a file is carried out by the supervisor, executing it cannot be. So what the kernel would do
//! itself is asked of it in words: the interpreter of a script, or the loader of a program, with the file as its
//! argument.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;

use agentsh_intercept::{Canonical, ExecDecision, ExecRequest, Instead, Role, Subject};
use agentsh_sandbox::hull::Right;

use super::environment::entries;
use super::place;
use crate::supervisor::judge::CommandJudge;

impl CommandJudge {
    /// `decision`, or the same by way of what the caller's ruleset knows. Where there is no such way the kernel refuses
    /// what was allowed.
    pub(super) fn within_hull(
        &self,
        request: &ExecRequest<'_>,
        decision: ExecDecision,
    ) -> Result<ExecDecision, ExecDecision> {
        let Some(known) = self.first_known(&request.subjects) else {
            return Ok(decision);
        };
        let (transparent, environment) = match &decision {
            ExecDecision::Allow => (false, None),
            ExecDecision::Transparent => (true, None),
            ExecDecision::Instead(instead) => (instead.transparent, Some(instead.environment.clone())),
            _ => return Ok(decision),
        };
        let Some((program, argv)) = by_way_of(request, known) else {
            return Ok(decision);
        };
        let Ok(other) = request.other(&program, argv.clone()) else {
            return Ok(decision);
        };
        if !is_judged(&request.subjects, known, &other.subjects) || self.first_known(&other.subjects).is_some() {
            return Ok(decision);
        }
        let (subjects, scripts) = (other.subjects, &request.subjects[..known]);
        let scripts = scripts
            .iter()
            .filter(|script| !subjects.iter().any(|one| one.file == script.file));
        Ok(ExecDecision::Instead(Box::new(Instead {
            environment: environment.map_or_else(|| entries(request), Ok)?,
            program,
            argv,
            scripts: scripts.cloned().collect(),
            subjects,
            redirected: false,
            transparent,
        })))
    }

    /// The place of the first file of a chain that can be executed, where one before it cannot; nothing where the first can.
    fn first_known(&self, subjects: &[Subject]) -> Option<usize> {
        // What has no name is not looked for below one.
        if subjects
            .iter()
            .any(|subject| !matches!(subject.place, Canonical::At(_)))
        {
            return None;
        }
        let moves = self.session().shared.members.moves();
        let is_known = |subject: &Subject| {
            let path = place(subject).as_os_str().as_bytes();
            [Right::Execute, Right::ReadFile]
                .iter()
                .all(|right| self.hull().grants_at(*right, path, moves))
        };
        let programs = subjects.iter().take_while(|subject| subject.role != Role::Loaded);
        let first = programs.clone().position(is_known).unwrap_or(programs.count());
        (first > 0).then_some(first)
    }
}

/// What executes the file before place `known` of a chain: the interpreter there, or the last file's loader.
fn by_way_of(request: &ExecRequest<'_>, known: usize) -> Option<(CString, Vec<CString>)> {
    if let Some(interpreter) = request.subjects.get(known) {
        return (interpreter.role == Role::Interpreter).then(|| (interpreter.called.clone(), interpreter.argv.clone()));
    }
    let last = request.subjects.last()?;
    let loader = request.loader_of(last)?;
    let mut argv = vec![loader.clone()];
    let (name, arguments) = last.argv.split_first()?;
    // Nobody can lead it elsewhere by a link on the way.
    let path = request.path_of(last)?;
    if *name != path {
        argv.extend([c"--argv0".to_owned(), name.clone()]);
    }
    argv.push(path);
    argv.extend_from_slice(arguments);
    Some((loader, argv))
}

/// Whether what was found on the other way is what was judged: names were looked up again.
fn is_judged(judged: &[Subject], known: usize, found: &[Subject]) -> bool {
    match judged.get(known..) {
        Some(rest @ [_, ..]) => {
            let file = |one: &Subject| one.file;
            rest.iter().map(file).eq(found.iter().map(file))
        }
        // Only a loader is found with what it loads.
        _ => {
            matches!(found, [_, loaded] if loaded.role == Role::Loaded && judged.last().is_some_and(|last| last.file == loaded.file))
        }
    }
}
