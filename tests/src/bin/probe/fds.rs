//! Every open descriptor with its number, as the program finds it at its first instruction.

use std::fs;

use serde_json::{Value, json};

use crate::sys;

/// An array, in order of the numbers.
pub fn list() -> Value {
    let Ok(folder) = fs::read_dir("/proc/self/fd") else {
        return Value::Null;
    };
    let mut numbers: Vec<i32> = folder
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    // The folder's own descriptor was among them and is closed now.
    Value::Array(numbers.into_iter().filter_map(describe).collect())
}

fn describe(number: i32) -> Option<Value> {
    let stat = sys::stat(number).ok()?;
    let link = fs::read_link(format!("/proc/self/fd/{number}"))
        .ok()?
        .to_string_lossy()
        .into_owned();
    // Pipes, sockets and nameless inodes have numbers that differ from run to run.
    let name = link
        .split_once(":[")
        .or_else(|| link.split_once("/#"))
        .map_or(link.clone(), |(kind, _)| kind.to_owned());
    Some(json!({
        "fd": number,
        "name": name,
        "mode": format!("{:o}", stat.st_mode),
        "flags": format!("{:o}", sys::fcntl(number, libc::F_GETFL).ok()?),
        "descriptor_flags": sys::fcntl(number, libc::F_GETFD).ok()?,
        "position": sys::position(number),
    }))
}
