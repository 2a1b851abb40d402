//! A stand-in shell with one fault, by which the comparison is tested: the suite must notice each of them.
//!
//! The fault is the name of the folder in which the program lies; `none` has no fault and only executes the real shell.
//! It has a C entry point, because Rust's own start-up is itself one of the faults (`opens-standard`, `ignores-sigpipe`).
#![no_main]

mod sys;

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

/// Commits the fault and becomes the real shell.
pub fn run(argv: Vec<CString>, mut env: Vec<CString>) -> i32 {
    let own = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    let fault = own
        .parent()
        .and_then(|folder| folder.file_name())
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut argv = argv;
    let name = own.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Ok(program) = CString::new(format!("/usr/bin/{name}")) else {
        return 127;
    };
    let add = |env: &mut Vec<CString>, text: &str| env.extend(CString::new(text));
    match fault.as_str() {
        "none" => {}
        "writes-stdout" => sys::write(1, b"\n"),
        "writes-stderr" => sys::write(2, b"note\n"),
        "writes-fd-4" => sys::write(4, b"x"),
        "reads-stdin" => sys::read_byte(0),
        "closes-fd-3" => sys::close(3),
        "leaks-fd" => sys::leak(),
        "opens-standard" => sys::open_standard(),
        "ignores-sigpipe" => sys::disposition(libc::SIGPIPE, true),
        "resets-sighup" => sys::disposition(libc::SIGHUP, false),
        "clears-mask" => sys::clear_mask(),
        "changes-umask" => sys::umask(0o077),
        "lowers-limit" => sys::lower_limit(),
        "changes-nice" => sys::nice(),
        "new-session" => sys::new_session(),
        "new-group" => sys::new_group(),
        "drops-groups" => sys::drop_groups(),
        "changes-oom" => drop(std::fs::write("/proc/self/oom_score_adj", "700")),
        "goes-to-root" => drop(std::env::set_current_dir("/")),
        "sets-nonblock" => sys::nonblock(1),
        "adds-variable" => add(&mut env, "AGENT_MARK=1"),
        "drops-variable" => drop(env.pop()),
        "makes-utf8" => argv = argv.into_iter().map(lossy).collect(),
        "drops-argument" => drop(argv.pop()),
        "drops-dash" => {
            if let Ok(plain) = CString::new(name) {
                argv[0] = plain;
            }
        }
        "uses-path-as-name" => argv[0] = program.clone(),
        "stays-between" => return sys::fork_and_wait(&program, &argv, &env),
        other => {
            sys::write(2, format!("no such fault: {other}\n").as_bytes());
            return 127;
        }
    }
    sys::exec(&program, &argv, &env)
}

fn lossy(word: CString) -> CString {
    let text = String::from_utf8_lossy(word.as_bytes()).into_owned();
    CString::new(std::ffi::OsString::from(text).into_vec()).unwrap_or(word)
}
