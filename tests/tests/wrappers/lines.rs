//! The grammars against the wrappers themselves: for each option that a wrapper may have, what it really starts is what
//! is judged before.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use agentsh_policy::{Payload, Wrappers};
use agentsh_tests::{Result, fail, skips};

/// Where an option is tried: the words before it, and those behind it.
const PLACES: [(&str, &[&str]); 43] = [
    ("ccache", &["1", "2", "3"]),
    ("choom", &["1", "2", "3"]),
    ("chroot /", &["1", "2", "3"]),
    ("chroot", &["/", "1", "2", "3"]),
    ("chronic", &["1", "2", "3"]),
    ("chrt", &["0", "1", "2", "3"]),
    ("dbus-run-session", &["1", "2", "3"]),
    ("doas", &["1", "2", "3"]),
    ("dumb-init", &["1", "2", "3"]),
    ("eatmydata", &["1", "2", "3"]),
    ("env", &["1", "2", "3"]),
    ("fakeroot", &["1", "2", "3"]),
    ("flock", &["1", "2", "3"]),
    ("gosu", &["1", "2", "3"]),
    ("i386", &["1", "2", "3"]),
    ("ifne", &["1", "2", "3"]),
    ("ionice", &["1", "2", "3"]),
    ("linux64", &["1", "2", "3"]),
    ("ltrace", &["1", "2", "3"]),
    ("nice", &["1", "2", "3"]),
    ("nohup", &["1", "2", "3"]),
    ("nsenter", &["1", "2", "3"]),
    ("numactl", &["1", "2", "3"]),
    ("parallel", &["1", "2", "3", ":::", "4"]),
    ("prlimit", &["1", "2", "3"]),
    ("proxychains4", &["1", "2", "3"]),
    ("runuser -u root", &["1", "2", "3"]),
    ("script", &["-c", "1 2 3", "/dev/null"]),
    ("setpriv", &["1", "2", "3"]),
    ("setsid", &["1", "2", "3"]),
    ("stdbuf -o0", &["1", "2", "3"]),
    ("strace", &["1", "2", "3"]),
    ("su", &["root", "-c", "1 2 3"]),
    ("sudo", &["1", "2", "3"]),
    ("taskset", &["1", "2", "3"]),
    ("time", &["1", "2", "3"]),
    ("timeout", &["1", "2", "3"]),
    ("tini", &["1", "2", "3"]),
    ("torsocks", &["1", "2", "3"]),
    ("unbuffer", &["1", "2", "3"]),
    ("unshare", &["1", "2", "3"]),
    ("watch", &["1", "2", "3"]),
    ("xargs", &["1", "2", "3"]),
];

/// Options whose value is a program that the wrapper starts besides, or a text that it replaces in what it starts. That is
/// judged when it starts.
const OTHER: [(&str, &str); 5] = [
    ("dbus-run-session", "--dbus-d"),
    ("fakeroot", "-f"),
    ("fakeroot", "--fa"),
    ("parallel", "-I"),
    ("parallel", "-i"),
];

/// How many places are tried at once.
const SIDE_BY_SIDE: usize = 4;

fn words<'a>(text: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    text.into_iter().map(str::to_owned).collect()
}

/// Each letter and each long option of a wrapper, with and without a value.
fn lines(before: &str, behind: &[&str]) -> Result<Vec<Vec<String>>> {
    let wrapper = before.split(' ').next().unwrap_or_default();
    let help = Command::new(wrapper).arg("--help").stdin(Stdio::null()).output()?;
    let help = [help.stdout, help.stderr].concat();
    let help = String::from_utf8_lossy(&help);
    let long = regex::Regex::new("--[a-z][a-z0-9-]*")?;
    let long: BTreeSet<&str> = long.find_iter(&help).map(|found| found.as_str()).collect();
    let mut options = Vec::new();
    for letter in ('a'..='z').chain('A'..='Z').chain('0'..='9') {
        let option = format!("-{letter}");
        options.extend([
            words([&*option]),
            words([&*option, "0", "--"]),
            vec![format!("{option}1")],
        ]);
    }
    for option in long {
        options.extend([words([option]), words([option, "0", "--"])]);
        options.extend([vec![format!("{option}=1")], words([&option[..option.len() - 1]])]);
    }
    options.extend([Vec::new(), words(["--"])]);
    let is_other = |option: &str| {
        OTHER
            .iter()
            .any(|(name, beginning)| *name == wrapper && option.starts_with(beginning))
    };
    options.retain(|option| !option.first().is_some_and(|option| is_other(option)));
    let line = |option: Vec<String>| [words(before.split(' ')), option, words(behind.iter().copied())].concat();
    Ok(options.into_iter().map(line).collect())
}

/// What they really start, in namespaces of their own.
fn started(lines: &[Vec<String>]) -> Result<Vec<Vec<Vec<String>>>> {
    let mut driver = Command::new("unshare")
        .args([
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "--net",
            "--ipc",
            "--uts",
        ])
        .args(["python3", "-c", include_str!("lines.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = driver.stdin.take().ok_or_else(|| fail("no standard input"))?;
    input.write_all(&serde_json::to_vec(lines)?)?;
    drop(input);
    Ok(serde_json::from_slice(&driver.wait_with_output()?.stdout)?)
}

/// What would be judged, as words.
fn judged(known: &Wrappers, line: &[String]) -> Option<Vec<String>> {
    let argv: Vec<&[u8]> = line.iter().map(|word| word.as_bytes()).collect();
    let program = format!("/usr/bin/{}", line[0]);
    let text = |word: Vec<u8>| String::from_utf8_lossy(&word).into_owned();
    match known.payload(program.as_bytes(), argv[0], &argv)? {
        Payload::Program { argv, .. } | Payload::Applet { argv } => Some(argv.into_iter().map(text).collect()),
        Payload::Text(word) => Some(text(word).split(' ').map(str::to_owned).collect()),
    }
}

/// The lines of one place for which something else starts than is judged.
fn wrong(known: &Wrappers, before: &str, behind: &[&str]) -> Result<Vec<String>> {
    let lines = lines(before, behind)?;
    let started = started(&lines)?;
    if started.iter().all(Vec::is_empty) {
        return Ok(vec![format!("{before}: starts nothing")]);
    }
    let mut wrong = Vec::new();
    for (line, started) in lines.iter().zip(started) {
        let judged = judged(known, line);
        // What it reads elsewhere (xargs, parallel) comes behind what stands in the line.
        let is_judged = |one: &Vec<String>| judged.as_ref().is_some_and(|judged| one.starts_with(judged));
        let unjudged = started.iter().filter(|one| !is_judged(one));
        wrong.extend(unjudged.map(|one| format!("{}: starts {one:?}, judged {judged:?}", line.join(" "))));
    }
    Ok(wrong)
}

#[test]
fn what_is_judged_before_is_what_a_wrapper_starts() -> Result {
    let known = Wrappers::known();
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let try_next = || -> Result<bool> {
        let Some((before, behind)) = PLACES.get(next.fetch_add(1, Ordering::Relaxed)) else {
            return Ok(false);
        };
        let wrapper = before.split(' ').next().unwrap_or_default();
        if skips::has_programs(&format!("wrappers lines {wrapper}"), &[wrapper])? {
            let wrong = wrong(&known, before, behind)?;
            all.lock().map_err(|_| fail("a place's thread panicked"))?.extend(wrong);
        }
        Ok(true)
    };
    // Most of the time is spent waiting for what never ends.
    thread::scope(|scope| {
        let tried: Vec<_> = (0..SIDE_BY_SIDE)
            .map(|_| {
                scope.spawn(|| -> Result {
                    while try_next()? {}
                    Ok(())
                })
            })
            .collect();
        tried
            .into_iter()
            .try_for_each(|tried| tried.join().map_err(|_| fail("a place's thread panicked"))?)
    })?;
    let all = all.into_inner().map_err(|_| fail("a place's thread panicked"))?;
    match all.is_empty() {
        true => Ok(()),
        false => Err(fail(all.join("\n"))),
    }
}
