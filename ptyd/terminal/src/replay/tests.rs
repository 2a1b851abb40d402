use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::cast::{Data, Event, Header};
use crate::recording::Recording;

type Failure = Box<dyn std::error::Error>;

fn recording(events: Vec<Event>) -> Recording {
    Recording {
        header: Header {
            cols: 20,
            rows: 5,
            ..Header::default()
        },
        events,
    }
}

fn event(ms: u64, data: Data) -> Event {
    Event::new(Duration::from_millis(ms), data)
}

fn output(ms: u64, text: &str) -> Event {
    event(ms, Data::Output(text.into()))
}

fn marker(ms: u64, label: &str) -> Event {
    event(ms, Data::Marker(label.into()))
}

fn session() -> Vec<Event> {
    vec![
        output(0, "$ make\r\n"),
        marker(100, "$ make"),
        output(200, "compiling\r\n"),
        output(30_000, "\x1b[1mWarn\x1b[0ming: x\r\n"),
        marker(30_100, "denied: file_write /etc"),
        output(30_200, "$ ls\r\n"),
        marker(30_300, "$ ls"),
        output(30_400, "warn.txt"),
    ]
}

#[test]
fn it_plays_by_the_clock_and_cuts_pauses() -> Result<(), Failure> {
    let mut play = Playback::new(recording(session()))?;
    assert_eq!(play.length(), Duration::from_millis(2_600));
    play.act(Action::Toggle);
    play.tick(Duration::from_millis(250));
    assert_eq!(play.screen().text()[..2], ["$ make", "compiling"]);
    assert_eq!(play.pause(), Some(Duration::from_millis(1_950)));
    play.act(Action::Speed(10.0));
    play.tick(Duration::from_millis(195));
    assert_eq!(play.screen().text()[2], "Warning: x");
    play.act(Action::ToggleIdle);
    assert_eq!(
        (play.length(), play.time()),
        (Duration::from_millis(30_400), Duration::from_secs(30))
    );
    play.tick(Duration::from_secs(9));
    assert!(!play.playing());
    Ok(())
}

#[test]
fn a_time_of_the_recording_is_the_same_moment_whatever_is_cut() -> Result<(), Failure> {
    let mut play = Playback::new(recording(session()))?;
    for cut in [true, false] {
        for (recorded, shown) in [
            (0, "$ make"),
            (29_999, "compiling"),
            (30_000, "Warning: x"),
            (90_000, "$ ls"),
        ] {
            play.act(Action::SeekRecorded(Duration::from_millis(recorded)));
            let text = play.screen().text();
            let last = text.iter().rfind(|line| !line.is_empty() && *line != "warn.txt");
            assert_eq!((last.map(String::as_str), cut), (Some(shown), play.cuts_pauses()));
        }
        play.act(Action::ToggleIdle);
    }
    // What is left of a pause is waited for, as far as it is not cut.
    for (recorded, pause) in [(200 + 500, 1_500), (20_000, 0)] {
        play.act(Action::SeekRecorded(Duration::from_millis(recorded)));
        if !play.playing() {
            play.act(Action::Toggle);
        }
        assert_eq!(play.pause(), Some(Duration::from_millis(pause)));
    }
    Ok(())
}

#[test]
fn steps_go_both_ways() -> Result<(), Failure> {
    let mut play = Playback::new(recording(session()))?;
    let mut screens = vec![play.screen().text()];
    for _ in session() {
        play.act(Action::Step);
        screens.push(play.screen().text());
    }
    for expected in screens.iter().rev().skip(1) {
        play.act(Action::StepBack);
        assert_eq!(&play.screen().text(), expected);
    }
    assert_eq!(play.time(), Duration::ZERO);
    Ok(())
}

#[test]
fn commands_denials_and_texts_are_found() -> Result<(), Failure> {
    let mut play = Playback::new(recording(session()))?;
    play.act(Action::NextCommand);
    play.act(Action::NextCommand);
    assert_eq!(play.chapter().map(|marker| marker.label()), Some("$ ls".into()));
    play.act(Action::PreviousCommand);
    assert_eq!(play.screen().text()[..2], ["$ make", ""]);
    play.act(Action::NextDenial);
    assert_eq!(
        play.chapter().map(|marker| marker.label()),
        Some("denied: file_write /etc".into())
    );
    play.act(Action::Seek(Duration::ZERO));
    play.act(Action::Search("warn".into()));
    assert_eq!(play.found().map(|(_, count)| count), Some(2));
    assert_eq!(play.screen().text()[2], "Warning: x");
    play.act(Action::NextHit);
    assert_eq!(play.screen().text()[4], "warn.txt");
    play.act(Action::PreviousHit);
    assert_eq!(play.screen().text()[3], "");
    play.act(Action::Search("Warn".into()));
    assert_eq!(play.found().map(|(_, count)| count), Some(1));
    Ok(())
}

#[test]
fn speed_stays_within_its_limits() -> Result<(), Failure> {
    let mut play = Playback::new(recording(session()))?;
    for (action, end) in [(Action::Faster, MAX_SPEED), (Action::Slower, MIN_SPEED)] {
        (0..20).for_each(|_| play.act(action.clone()));
        assert_eq!(play.speed(), end);
    }
    play.act(Action::Speed(f64::NAN));
    play.act(Action::Speed(1e9));
    assert_eq!(play.speed(), MAX_SPEED);
    Ok(())
}

/// An hour in which a full-screen program redraws ten times a second.
fn hour() -> Recording {
    let frame = |n: u64| -> String {
        (1..=24)
            .map(|row| format!("\x1b[{row};1H\x1b[3{}m{n:>8} {row:>3} busy\x1b[0m", (n + row) % 8))
            .collect()
    };
    let events = (0..3_600).map(|n| output(n * 1000, &frame(n))).collect();
    Recording {
        header: Header {
            cols: 80,
            rows: 24,
            ..Header::default()
        },
        events,
    }
}

#[test]
fn a_seek_in_an_hour_of_busy_output_takes_less_than_a_tenth_of_a_second() -> Result<(), Failure> {
    let mut play = Playback::new(hour())?;
    while !play.index(Duration::from_millis(50)) {}
    for second in [3_599, 10, 1_800, 1_799, 3_000, 0] {
        let start = Instant::now();
        play.act(Action::Seek(Duration::from_secs(second)));
        let row = play.screen().text()[0].clone();
        assert!(
            start.elapsed() < Duration::from_millis(100),
            "{second}: {:?}",
            start.elapsed()
        );
        assert_eq!(row.split_whitespace().next(), Some(second.to_string().as_str()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_seek_shows_what_playing_up_to_there_shows(
        texts in proptest::collection::vec("(\x1b\\[[0-9]{0,2}[ABCDHJKmr]|[a-zé]{1,30}|\r\n|\x1b\\[\\?1049[hl]){0,40}", 1..60),
        targets in proptest::collection::vec(any::<proptest::sample::Index>(), 1..6),
    ) {
        let mut events: Vec<Event> = texts.iter().enumerate()
            .map(|(n, text)| output(n as u64, &text.repeat(60))).collect();
        events.push(event(100, Data::Resize { cols: 30, rows: 7 }));
        events.push(output(101, "after"));
        let film = || Film::new(recording(events.clone())).map_err(|e| TestCaseError::fail(e.to_string()));
        let mut sought = film()?;
        while !sought.index(Duration::from_secs(1)) {}
        for target in targets {
            let target = target.index(events.len() + 1);
            sought.seek(target);
            let mut played = film()?;
            played.seek(target);
            prop_assert_eq!(sought.screen().snapshot(), played.screen().snapshot());
        }
    }
}
