//! The player on a long recording.

use std::time::{Duration, Instant};

use agentsh_terminal::cast::{Data, Event, Header};
use agentsh_terminal::recording::Recording;
use agentsh_terminal::replay::{Action, Playback};
use agentsh_tests::bench::{Limit, Measured};
use agentsh_tests::{Result, fail};

/// Milliseconds of a seek in an hour in which a full-screen program redraws ten times a second, once the player has
/// its snapshots; the places lie apart, so that each seek begins at a snapshot.
pub fn in_an_hour() -> Result<Vec<Measured>> {
    let limit = Limit {
        work: "replay: a seek in an hour of busy output",
        at_most: 100.0,
        unit: "ms",
    };
    let header = Header {
        cols: 80,
        rows: 24,
        ..Header::default()
    };
    let events = (0..36_000).map(|n| Event::new(Duration::from_millis(n * 100), Data::Output(picture(n))));
    let events = events.collect();
    let mut playback = Playback::new(Recording { header, events })?;
    while !playback.index(Duration::from_secs(1)) {}
    let mut times = Vec::new();
    for step in 1..=40_u64 {
        let second = step * 1_597 % 3_600;
        let start = Instant::now();
        playback.act(Action::Seek(Duration::from_secs(second)));
        let shown = playback.screen().text();
        times.push(start.elapsed().as_secs_f64() * 1e3);
        let number = shown.first().and_then(|row| row.split_whitespace().next());
        if number != Some((second * 10).to_string().as_str()) {
            return Err(fail(format!("at second {second} the screen shows {shown:?}")));
        }
    }
    Ok(vec![Measured::of(limit, &times)])
}

fn picture(number: u64) -> String {
    (1..=24)
        .map(|row| {
            format!(
                "\x1b[{row};1H\x1b[3{}m{number:>8} {row:>3} busy\x1b[0m",
                (number + row) % 8
            )
        })
        .collect()
}
