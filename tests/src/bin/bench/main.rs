//! `make bench`: the design's numbers, each against the same work with the real shell in interleaved pairs on a memory
//! file system, enforcement proven on in the same run. Prints limit, measured, interval and held; ends with 1 on a miss.
//!
//! `bench WORD…` measures only the works whose names contain one of the words.

mod cold;
mod judged;
mod network;
mod opens;
mod pairs;
mod proxy;
mod seek;
mod terminal;
mod wall;
mod works;

use std::process::ExitCode;

use agentsh_tests::Result;
use agentsh_tests::bench::Measured;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    println!("{:<58} {:>11} {:>8}   95 % interval", "work", "limit", "measured");
    let mut missed = false;
    for (name, measure) in works::all() {
        if !wanted(name) {
            continue;
        }
        match measure() {
            Ok(results) => {
                for measured in &results {
                    println!("{measured}");
                }
                missed |= results.iter().any(|measured| !measured.is_held());
            }
            Err(error) => {
                println!("{name:<58} FAILED: {error}");
                missed = true;
            }
        }
    }
    if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A work and how it is measured.
type Work = (&'static str, fn() -> Result<Vec<Measured>>);
