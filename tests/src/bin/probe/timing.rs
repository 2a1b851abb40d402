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
