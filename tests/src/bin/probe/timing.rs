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
