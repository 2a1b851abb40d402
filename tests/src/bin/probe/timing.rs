//! How long starts take, measured by a program that is small and does nothing else.

use std::ffi::CString;
use std::time::Instant;

use crate::{report, sys};

/// Starts the program `count` times, one after the other, and prints the nanoseconds of all together.
pub fn starts(count: &str, words: &[Vec<u8>]) -> i32 {
    let words: Vec<CString> = words.iter().flat_map(|word| CString::new(word.clone())).collect();
    let Ok(count) = count.parse::<u32>() else { return 2 };
    if words.is_empty() {
        return 2;
    }
    let start = Instant::now();
    for _ in 0..count {
        match sys::spawn(&words) {
            Ok(pid) => match sys::wait(pid) {
                0 => {}
                status => {
                    report(&format!("{:?} ended with {status}", words[0]));
                    return 1;
                }
            },
            Err(error) => {
                report(&error.to_string());
                return 1;
            }
        }
    }
    crate::print(serde_json::json!(start.elapsed().as_nanos() as u64))
}

/// Opens a file so many times, for reading (`r`) or for both (`rw`), and prints the median and the 99th percentile of
/// the nanoseconds that each took.
pub fn opens(path: &str, count: &str, mode: &str) -> i32 {
    let Ok(count) = count.parse::<usize>() else { return 2 };
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        let opened = std::fs::OpenOptions::new().read(true).write(mode == "rw").open(path);
        times.push(start.elapsed().as_nanos() as u64);
        if let Err(error) = opened {
            report(&format!("{path}: {error}"));
            return 1;
        }
    }
    times.sort_unstable();
    match times.get(count / 2).zip(times.get(count * 99 / 100)) {
        Some((median, high)) => crate::print(serde_json::json!([median, high])),
        None => 2,
    }
}

/// Makes `count` calls of a kind and prints the nanoseconds of the median one.
pub fn calls(kind: &str, count: &str) -> i32 {
    let Ok(count) = count.parse::<usize>() else { return 2 };
    let times = match kind {
        "exec" => each(count, || {
            sys::spawn(&[c"/usr/bin/true".to_owned()]).is_ok_and(|pid| sys::wait(pid) == 0)
        }),
        "signal" => {
            let Ok(child) = sys::spawn(&[c"/usr/bin/sleep".to_owned(), c"60".to_owned()]) else {
                return 1;
            };
            let times = each(count, || sys::signal(child, libc::SIGCONT));
            sys::signal(child, libc::SIGKILL);
            sys::wait(child);
            times
        }
        "connect" => {
            let path = format!("probe-{}.sock", std::process::id());
            let Ok(listener) = std::os::unix::net::UnixListener::bind(&path) else {
                return 1;
            };
            let connect = || std::os::unix::net::UnixStream::connect(&path).is_ok() && listener.accept().is_ok();
            let times = each(count, connect);
            let _ = std::fs::remove_file(&path);
            times
        }
        _ => return 2,
    };
    match times {
        Some(mut times) => {
            times.sort_unstable();
            crate::print(serde_json::json!(times[times.len() / 2]))
        }
        None => 1,
    }
}

/// The nanoseconds of each call; none if one fails.
fn each(count: usize, mut call: impl FnMut() -> bool) -> Option<Vec<u64>> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count.max(1) {
        let start = Instant::now();
        if !call() {
            return None;
        }
        times.push(start.elapsed().as_nanos() as u64);
    }
    Some(times)
}
