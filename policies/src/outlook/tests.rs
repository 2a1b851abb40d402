use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::policy::{CommandQuery, Policy};
use crate::words::{Decisions, FileOp};
use crate::{LoadError, Variables, parse};

fn policy(body: &str) -> Result<Policy, LoadError> {
    let text = format!("version: 1\nname: t\n{body}");
    parse(&text, Path::new("t.yaml"))?.resolve(&Variables {
        home: b"/home/u".to_vec(),
        ..Variables::default()
    })
}

const HOME: &str = r#"
file_rules:
  - {name: known, paths: ["${HOME}/.ssh/known_hosts"], operations: [read], decision: allow}
  - {name: ssh, paths: ["${HOME}/.ssh/**"], operations: ["*"], decision: deny}
  - {name: env, paths: ["/w/**/.env"], operations: [read], decision: deny}
  - {name: all, paths: ["**"], operations: [read], decision: allow}
"#;

#[test]
fn a_secret_folder_is_lowered_and_a_glob_is_not() -> Result<(), LoadError> {
    let policy = policy(HOME)?;
    let home = policy.outlook(FileOp::Read, b"/home/u");
    assert!(home.is_lowerable());
    assert_eq!(
        home.lowered
            .iter()
            .map(|place| place.path.as_slice())
            .collect::<Vec<_>>(),
        [b"/home/u/.ssh"]
    );
    assert!(policy.outlook(FileOp::Read, b"/home/u/src").is_granted_whole());
    assert!(policy.outlook(FileOp::Read, b"/home/u/.ssh").could_pass());
    assert!(!policy.outlook(FileOp::Write, b"/home/u/.ssh").could_pass());
    assert!(policy.outlook(FileOp::Read, b"/w").stops_everywhere());
    assert!(policy.outlook(FileOp::Read, b"/w/a/b").stops_everywhere());
    assert!(
        policy
            .outlook(FileOp::Read, b"/")
            .lowered
            .iter()
            .any(|place| place.path == b"/home/u/.ssh")
    );
    assert!(!policy.outlook(FileOp::Write, b"/w").could_pass());
    Ok(())
}

#[test]
fn where_names_decide_a_known_tree_is_told_all_the_same() -> Result<(), LoadError> {
    let policy = policy(
        "defaults: {read: deny}\nfile_rules: [{name: some, paths: ['/lib*/**', '**/*.md', '/usr/**'], operations: [read], decision: allow}]",
    )?;
    let top = policy.outlook(FileOp::Read, b"/");
    assert!(top.everywhere.could_pass() && top.stops_everywhere());
    assert!(top.lowered.iter().any(|place| place.path == b"/usr"), "{top:?}");
    assert!(policy.outlook(FileOp::Read, b"/usr").is_granted_whole());
    Ok(())
}

#[test]
fn programs_that_never_run_are_told_from_those_that_sometimes_do() -> Result<(), LoadError> {
    let policy = policy(
        "command_rules:\n  - {name: a, commands: [git], decision: allow}\n  - {name: n, commands: [nc, /usr/bin/curl], decision: deny}\n  - {name: s, commands: [npm], args_patterns: [publish], decision: deny}\n  - {name: r, commands: ['*'], decision: allow}\n  - {name: late, commands: [ls], decision: deny}\n",
    )?;
    assert_eq!(policy.program(b"/usr/bin/nc"), ProgramOutlook::Never);
    assert_eq!(policy.program(b"/usr/bin/curl"), ProgramOutlook::Never);
    assert_eq!(policy.program(b"/opt/curl"), ProgramOutlook::Sometimes);
    assert_eq!(policy.program(b"/usr/bin/npm"), ProgramOutlook::Sometimes);
    assert_eq!(
        policy.denied_programs()[..2],
        [Program::Name(b"nc".to_vec()), Program::Path(b"/usr/bin/curl".to_vec())]
    );
    Ok(())
}

fn rules() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "/a/**",
        "/a",
        "/a/b",
        "/a/b/**",
        "/a/*",
        "**/b",
        "/**",
        "**",
        "/a/*/c",
        "/c/**/a",
        "/a/b*",
        "**/*.x",
        "/{a,c}/b/**",
    ]);
    let decision = prop::sample::select(vec!["allow", "deny", "audit", "approve"]);
    let operation = prop::sample::select(vec!["read", "write", "'*'"]);
    prop::collection::vec((path, decision, operation), 0..6).prop_map(|rules| {
        let lines = rules.iter().enumerate().map(|(at, (path, decision, operation))| {
            format!("  - {{name: r{at}, paths: ['{path}'], operations: [{operation}], decision: {decision}}}\n")
        });
        format!(
            "file_rules: \n{}",
            if rules.is_empty() {
                "  []\n".into()
            } else {
                lines.collect::<String>()
            }
        )
    })
}

/// All paths of a small tree.
fn tree() -> Vec<String> {
    let names = ["a", "b", "c", "b.x"];
    let mut all = vec![String::new()];
    let mut level = all.clone();
    for _ in 0..4 {
        level = level
            .iter()
            .flat_map(|folder| names.iter().map(move |name| format!("{folder}/{name}")))
            .collect();
        all.extend(level.clone());
    }
    all
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
}

/// The policy on a host where names fold at two places.
fn folding(rules: &str) -> Result<Policy, LoadError> {
    let text = format!("version: 1\nname: t\n{rules}");
    parse(&text, Path::new("t.yaml"))?.resolve(&Variables {
        folding: vec![b"/a".to_vec(), b"/c/b".to_vec()],
        ..Variables::default()
    })
}

/// Whether what is answered of every path below a folder is in the folder's outlook; one that is not.
fn covers_its_answers(policy: &Policy, folder: &str) -> Result<(), String> {
    let real = if folder.is_empty() { "/" } else { folder };
    for op in [FileOp::Read, FileOp::Write] {
        let outlook = policy.outlook(op, real.as_bytes());
        for path in tree().iter().flat_map(|path| [path.clone(), path.replace('b', "B")]) {
            if !is_below(&path, folder) {
                continue;
            }
            let decision = policy.file(op, path.as_bytes()).decision;
            let here = outlook.lowered.iter().filter(|place| {
                path.as_bytes() == place.path || path.as_bytes().starts_with(&[place.path.as_slice(), b"/"].concat())
            });
            let possible = here.fold(outlook.everywhere, |all, place| all.with(place.decisions));
            if !possible.contains(decision) {
                return Err(format!("{path} {decision} {outlook:?}"));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_outlook_covers_every_answer_below_a_folder(first in rules(), second in rules()) {
        let base = policy(&first);
        let variables = Variables::default();
        let narrow = parse(&format!("version: 1\nname: n\n{second}"), Path::new("n"));
        prop_assert!(base.is_ok() && narrow.is_ok());
        let both = base.and_then(|base| base.narrowed_by(&narrow?, &variables));
        if let Ok(policy) = both {
            for folder in ["", "/a", "/a/b", "/c"] {
                prop_assert!(covers_its_answers(&policy, folder).is_ok(), "{:?}", covers_its_answers(&policy, folder));
            }
        }
    }

    #[test]
    fn where_names_fold_no_answer_is_laxer_and_elsewhere_none_is_another(rules in rules()) {
        let rules = rules.replace("/b/", "/B/");
        if let (Ok(plain), Ok(folds)) = (policy(&rules), folding(&rules)) {
            for path in tree().iter().flat_map(|path| [path.clone(), path.replace('b', "B")]) {
                let there = is_below(&path, "/a") || is_below(&path, "/c/b");
                for op in [FileOp::Read, FileOp::Write] {
                    let answer = |policy: &Policy| policy.file(op, path.as_bytes()).decision.strictness();
                    let (before, after) = (answer(&plain), answer(&folds));
                    prop_assert!(if there { after >= before } else { after == before }, "{}", path);
                }
            }
        }
    }

    #[test]
    fn an_outlook_covers_every_answer_where_names_fold(rules in rules()) {
        if let Ok(policy) = folding(&rules.replace("/b/", "/B/")) {
            for folder in ["", "/a", "/a/b", "/a/B", "/c", "/c/b"] {
                prop_assert!(covers_its_answers(&policy, folder).is_ok(), "{:?}", covers_its_answers(&policy, folder));
            }
        }
    }

    #[test]
    fn narrowing_never_widens(first in rules(), second in rules()) {
        let base = policy(&first);
        let narrowed = policy(&first).and_then(|policy| {
            policy.narrowed_by(&parse(&format!("version: 1\nname: n\n{second}"), Path::new("n"))?, &Variables::default())
        });
        if let (Ok(base), Ok(narrowed)) = (base, narrowed) {
            for path in tree() {
                for op in [FileOp::Read, FileOp::Write, FileOp::Open] {
                    let (before, after) = (base.file(op, path.as_bytes()).decision, narrowed.file(op, path.as_bytes()).decision);
                    prop_assert!(after.strictness() >= before.strictness());
                }
            }
        }
    }

    #[test]
    fn what_never_runs_is_denied_in_every_call(rules in command_rules()) {
        if let Ok(policy) = policy(&rules) {
            for program in ["/usr/bin/x", "/usr/bin/y", "/opt/x"] {
                let outlook = policy.program(program.as_bytes());
                let outside = policy.execute_outlook(b"/usr").all();
                for called in ["x", "y", "/opt/y", "/usr/bin/z", program] {
                    for args in [&[][..], &[&b"bad"[..]][..]] {
                        for depth in [0, 1] {
                            let query = CommandQuery { program: program.as_bytes(), called: called.as_bytes(), args, depth };
                            let decision = policy.command(&query).decision;
                            prop_assert!(outlook != ProgramOutlook::Never || !Decisions::of(decision).could_pass());
                            prop_assert!(outlook != ProgramOutlook::Always || decision.passes());
                            let inside = program.starts_with("/usr") && called == program;
                            prop_assert!(!inside || outside.contains(decision));
                        }
                    }
                }
            }
        }
    }
}

fn command_rules() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["x", "y", "'*'", "/usr/bin/*", "/usr/bin/x", "z*", "/opt/**"]);
    let decision = prop::sample::select(vec!["allow", "deny", "audit", "approve"]);
    let condition = prop::sample::select(vec!["", "", "args_patterns: [bad], ", "context: [direct], "]);
    prop::collection::vec((name, decision, condition), 1..6).prop_map(|rules| {
        let lines = rules.iter().enumerate().map(|(at, (name, decision, condition))| {
            format!("  - {{name: r{at}, commands: [{name}], {condition}decision: {decision}}}\n")
        });
        format!("command_rules:\n{}", lines.collect::<String>())
    })
}
