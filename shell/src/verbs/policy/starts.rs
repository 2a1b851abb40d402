//! What wrappers (`sudo`, `env`, `timeout`) are told to execute and what scripts are executed by, judged as a session judges
//! it: with the wrapper, and the stricter answer counts.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use agentsh_policy::{
    CommandOperation, FileOp, FileOperation, Operand, Operation, Payload, Policy, UnixOp, UnixOperation, Wrappers,
};

use super::operation;

/// So many wrappers may stand in each other, as in a session.
const MAX_DEPTH: usize = 8;

/// The programs that a command line of wrappers starts, from the outside in; nothing for other operations.
pub fn of(policy: &Policy, operation: &Operation) -> Vec<CommandOperation> {
    let Operation::Command(outer) = operation else {
        return Vec::new();
    };
    let wrappers = policy.wrappers();
    let mut found: Vec<CommandOperation> = Vec::new();
    // A box may run what it is told to execute inside of itself.
    let mut inside = false;
    while found.len() < MAX_DEPTH {
        let wrapper = found.last().unwrap_or(outer);
        let next = match inside {
            true => None,
            false => interpreter(wrapper).map(|interpreter| (interpreter, true)),
        };
        let Some((payload, is_program)) = next.or_else(|| payload(&wrappers, wrapper, inside)) else {
            break;
        };
        inside |= found.is_empty() && !is_program;
        found.push(payload);
    }
    found
}

/// The operation that decides: the one itself, or what it starts if the answer to that is stricter.
pub fn deciding(policy: &Policy, operation: &Operation) -> Operation {
    let strictness = |one: &Operation| policy.judge(one).decision.strictness();
    let started = of(policy, operation).into_iter().map(Operation::Command);
    started.chain(beside(operation)).fold(operation.clone(), |held, next| {
        match strictness(&next) > strictness(&held) {
            true => next,
            false => held,
        }
    })
}

/// What an operation is besides.
fn beside(operation: &Operation) -> Vec<Operation> {
    match operation {
        Operation::File(file) => left(file).into_iter().collect(),
        Operation::UnixSocket(unix) if unix.operation == UnixOp::Bind => bound(unix),
        _ => Vec::new(),
    }
}

/// A socket that is bound listens as well, and has a file if it has no abstract name.
fn bound(unix: &UnixOperation) -> Vec<Operation> {
    let listens = Operation::UnixSocket(UnixOperation {
        operation: UnixOp::Listen,
        ..unix.clone()
    });
    let file = Operation::File(FileOperation {
        operation: FileOp::Create,
        path: unix.path.clone(),
    });
    let has_file = !unix.path.as_bytes().starts_with(b"@");
    std::iter::once(listens).chain(has_file.then_some(file)).collect()
}

/// What a rename is besides at the name that it leaves.
fn left(file: &FileOperation) -> Option<Operation> {
    let path = Path::new(OsStr::from_bytes(file.path.as_bytes()));
    let gone = match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => FileOp::Rmdir,
        _ => FileOp::Delete,
    };
    (file.operation == FileOp::Rename).then(|| {
        Operation::File(FileOperation {
            operation: gone,
            path: file.path.clone(),
        })
    })
}

/// The most of a script's first line that the kernel looks at (`BINPRM_BUF_SIZE`).
const FIRST_LINE: u64 = 256;

/// What the kernel executes for a script (execve(2), "Interpreter scripts"), where this host has the file.
fn interpreter(script: &CommandOperation) -> Option<CommandOperation> {
    let path = Path::new(OsStr::from_bytes(script.program.as_bytes()));
    let mut head = Vec::new();
    if !path.is_absolute() || !path.metadata().ok()?.is_file() {
        return None;
    }
    let file = std::fs::File::open(path).ok()?;
    file.take(FIRST_LINE).read_to_end(&mut head).ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?
        .trim_ascii();
    let (program, argument) = match line.iter().position(|byte| matches!(byte, b' ' | b'\t')) {
        Some(end) => (&line[..end], line[end..].trim_ascii()),
        None => (line, &line[..0]),
    };
    let argument = (!argument.is_empty()).then(|| Operand::from(argument));
    let args = argument.into_iter().chain([script.program.clone()]);
    let command = CommandOperation {
        program: Operand::from(program),
        called: None,
        args: args.chain(script.args.iter().cloned()).collect(),
        depth: script.depth,
    };
    (!program.is_empty()).then(|| operation::found_in(command, None))
}

/// What one wrapper is told to execute, and whether it is a program of its own.
fn payload(wrappers: &Wrappers, wrapper: &CommandOperation, inside: bool) -> Option<(CommandOperation, bool)> {
    let called = wrapper.called.as_ref().unwrap_or(&wrapper.program);
    let program = if inside { called } else { &wrapper.program };
    let words = std::iter::once(called).chain(&wrapper.args);
    let argv: Vec<&[u8]> = words.map(|word| word.as_bytes()).collect();
    let (argv, variables) = match wrappers.payload(program.as_bytes(), called.as_bytes(), &argv)? {
        Payload::Text(_) => return None,
        Payload::Applet { argv } => (argv, None),
        Payload::Program { argv, variables } => (argv, Some(variables)),
    };
    let mut argv = argv.iter().map(Operand::from);
    let name = argv.next()?;
    let command = CommandOperation {
        program: name,
        called: None,
        args: argv.collect(),
        depth: wrapper.depth,
    };
    let Some(variables) = variables else {
        let applet = CommandOperation {
            called: Some(command.program),
            program: wrapper.program.clone(),
            ..command
        };
        return Some((applet, false));
    };
    let path = variables.iter().find_map(|entry| entry.strip_prefix(b"PATH="));
    Some((operation::found_in(command, path), true))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::Error;
    use crate::verbs::policy::answer::Answer;

    const RULES: &str = "version: 1\nname: t\ndefaults: {command: allow}\ncommand_rules:
  - {name: no-rm, commands: [rm], decision: deny, message: '{{.Command}} {{.Args}}'}
  - {name: no-su, commands: [su, chroot], decision: deny}
  - {name: publish, commands: [npm], args_patterns: ['publish'], decision: approve}
";

    fn answer(rules: &str, line: &str) -> Result<Answer, Error> {
        let variables = agentsh_policy::Variables {
            home: b"/h".to_vec(),
            ..Default::default()
        };
        let policy = agentsh_policy::parse(&format!("{RULES}{rules}"), Path::new("t.yaml"))?.resolve(&variables)?;
        let words: Vec<&str> = std::iter::once("command").chain(line.split(' ')).collect();
        let operation = Operation::parse(&words).map_err(|problem| Error::usage(problem, ""))?;
        Ok(Answer::of_all(&policy, &operation::found(operation)))
    }

    #[test]
    fn a_socket_that_is_bound_listens_and_has_a_file() -> Result<(), Error> {
        let rules = "version: 1\nname: t\nunix_socket_rules:
  - {name: no, paths: ['@no'], operations: [listen], decision: deny}
  - {name: rest, paths: ['**', '@**'], decision: allow}
file_rules: [{name: here, paths: ['/w/**'], decision: allow}]\n";
        let policy = agentsh_policy::parse(rules, Path::new("t.yaml"))?.resolve(&Default::default())?;
        for (words, decision) in [
            (["unix", "bind", "@no"], "deny"),
            (["unix", "bind", "@yes"], "allow"),
            (["unix", "bind", "/w/s"], "allow"),
            (["unix", "bind", "/x/s"], "deny"),
            (["unix", "connect", "/x/s"], "allow"),
        ] {
            let operation = Operation::parse(&words).map_err(|problem| Error::usage(problem, ""))?;
            let answer = Answer::of_all(&policy, &operation);
            assert_eq!(answer.decision.word(), decision, "{words:?}");
            assert!(answer.operation.contains(words[2]), "{answer:?}");
        }
        Ok(())
    }

    #[test]
    fn what_a_wrapper_starts_is_judged_with_it() -> Result<(), Error> {
        for (line, decision, rule) in [
            ("sudo rm -rf /", "deny", Some("no-rm")),
            ("sudo -u root env A=1 nice -n 5 timeout 9 rm x", "deny", Some("no-rm")),
            ("env PATH=/nowhere rm x", "deny", Some("no-rm")),
            ("xargs rm", "deny", Some("no-rm")),
            ("sudo sudo rm x", "deny", Some("no-rm")),
            ("busybox rm x", "deny", Some("no-rm")),
            ("busybox env rm x", "deny", Some("no-rm")),
            ("timeout 9 npm --tag next publish", "approve", Some("publish")),
            ("chroot / npm publish", "deny", Some("no-su")),
            ("sudo ls", "allow", None),
            // A shell reads its text when it runs.
            ("bash -c rm", "allow", None),
        ] {
            let answer = answer("", line)?;
            assert_eq!(
                (answer.decision.word(), answer.rule.as_deref()),
                (decision, rule),
                "{line}"
            );
        }
        let sudo = answer("", "sudo rm -rf /")?;
        assert!(
            sudo.operation.ends_with("rm -rf /") && sudo.operation.contains("sudo"),
            "{sudo:?}"
        );
        assert!(sudo.message.is_some_and(|message| message.ends_with("rm -rf /")));
        Ok(())
    }

    #[test]
    fn a_script_is_judged_as_what_executes_it() -> Result<(), Error> {
        let folder = tempfile::tempdir().map_err(|source| Error::file(Path::new("/tmp"), source))?;
        let script = folder.path().join("script");
        for (text, decision) in [
            ("#! /usr/sbin/chroot -x\n", "deny"),
            ("#!/usr/bin/env rm\n", "deny"),
            ("#!/bin/cat\n", "allow"),
            ("rm\n", "allow"),
        ] {
            std::fs::write(&script, text).map_err(|source| Error::file(&script, source))?;
            let answer = answer("", &format!("{} x", script.display()))?;
            assert_eq!(answer.decision.word(), decision, "{text}");
        }
        Ok(())
    }

    #[test]
    fn a_rename_is_judged_as_what_it_does_to_the_old_name() -> Result<(), Error> {
        let rules = "version: 1\nname: t\ndefaults: {write: allow}\nfile_rules:
  - {name: kept, paths: [/x/*], operations: [delete], decision: deny}\n";
        let policy =
            agentsh_policy::parse(rules, Path::new("t.yaml"))?.resolve(&agentsh_policy::Variables::default())?;
        let operation = Operation::parse(&["file", "rename", "/x/y"]).map_err(|problem| Error::usage(problem, ""))?;
        let answer = Answer::of_all(&policy, &operation);
        assert_eq!((answer.decision.word(), answer.rule.as_deref()), ("deny", Some("kept")));
        Ok(())
    }

    #[test]
    fn a_wrapper_is_what_the_policy_says_it_is() -> Result<(), Error> {
        let rules = "transparent_commands: {add: [mine], remove: [nice]}\n";
        assert_eq!(answer(rules, "mine -x rm y")?.decision.word(), "deny");
        assert_eq!(answer(rules, "nice rm y")?.decision.word(), "allow");
        Ok(())
    }
}
