//! The helper that looks around from inside a command and tries things; it prints JSON or plain lines.
//!
//! It has a C entry point: Rust's own start-up would open closed standard descriptors and ignore SIGPIPE, which is what
//! the suites look for.
#![no_main]

mod cages;
mod chains;
mod channels;
mod container;
mod fds;
mod state;
mod sys;
mod syscalls;
mod timing;

use std::io::Write;

/// `probe WHAT ARGS…`; the status says whether it could be done.
pub fn run() -> i32 {
    use std::os::unix::ffi::OsStringExt;
    let words: Vec<Vec<u8>> = std::env::args_os().map(|word| word.into_vec()).collect();
    let text = |at: usize| {
        words
            .get(at)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .unwrap_or_default()
    };
    match text(1).as_str() {
        "argv" => print(serde_json::json!(
            words
                .iter()
                .map(|word| word.escape_ascii().to_string())
                .collect::<Vec<_>>()
        )),
        "env" => print(env()),
        "report" => print(serde_json::json!([state::inherited(), fds::list(), env()])),
        "fds" => print(fds::list()),
        "state" => print(state::inherited()),
        "walls" => print(state::walls()),
        "syscalls" => print(syscalls::try_all()),
        "shadow-listener" => syscalls::shadow_listener(&text(2)),
        "shadow-listener-after" => syscalls::shadow_listener_after(&text(2), &text(3), &text(4)),
        "open" => syscalls::open(&text(2)),
        "abstract-serve" => channels::serve(&text(2)),
        "abstract-call" => channels::call(&text(2)),
        "tcp-serve" => channels::tcp_serve(&text(2)),
        "memfd-exec" => syscalls::memfd_exec(&text(2)),
        "fd-exec" => syscalls::fd_exec(&text(2)),
        "race-exec" => syscalls::race_exec(&text(2), &text(3), &text(4)),
        "under-landlock" => cages::under_landlock(&words[2..]),
        "under-filter" => cages::under_filter(&words[2..]),
        "under-nobody" => cages::under_nobody(&words[2..]),
        "container" => container::run(&words[2..]),
        "container-that-reads" => container::run_reading(&words[2..]),
        "opens" => timing::opens(&text(2), &text(3), &text(4)),
        "time" => timing::starts(&text(2), &words[3..]),
        "call" => timing::calls(&text(2), &text(3)),
        "chain" => chains::run(&text(2)),
        "talk" => channels::talk(&text(2), &text(3)),
        "spawn-storm" => syscalls::spawn_storm(&text(2)),
        other => {
            report(&format!("probe knows no {other:?}"));
            2
        }
    }
}

fn env() -> serde_json::Value {
    use std::os::unix::ffi::OsStrExt;
    let entry = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        format!("{}={}", name.as_bytes().escape_ascii(), value.as_bytes().escape_ascii())
    };
    serde_json::json!(std::env::vars_os().map(entry).collect::<Vec<_>>())
}

fn print(value: serde_json::Value) -> i32 {
    match writeln!(std::io::stdout(), "{value}") {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// A line on standard error, if there is one.
pub fn report(text: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}
