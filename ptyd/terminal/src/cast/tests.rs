use std::time::Duration;

use asciicast_rs::{Asciicast, V2, V3};
use proptest::prelude::*;

use super::super::{Data, Event, Format, Header, Theme, Writer};
use super::*;

type Failure = Box<dyn std::error::Error>;

fn header() -> Header {
    Header {
        cols: 80,
        rows: 24,
        term_type: Some("xterm-256color".into()),
        theme: Some(Theme {
            fg: "#ffffff".into(),
            bg: "#000000".into(),
            palette: ["#000000"; 8].join(":"),
        }),
        timestamp: Some(1_790_000_000),
        idle_time_limit: Some(2.0),
        command: Some("bash -l".into()),
        title: Some("a \"title\"".into()),
        ..Header::default()
    }
}

fn write(format: Format, events: &[Event]) -> Result<Vec<u8>, Failure> {
    let mut writer = Writer::new(Vec::new(), format, &header())?;
    for event in events {
        writer.event(event)?;
    }
    Ok(writer.into_inner())
}

fn samples() -> Vec<Event> {
    vec![
        Event::new(
            Duration::from_micros(1_400),
            Data::Output("$ \u{1b}[1mls\u{1b}[0m\r\n\0é".into()),
        ),
        Event::new(Duration::from_micros(2_900), Data::Input("\u{3}".into())),
        Event::new(Duration::from_micros(1_000_400), Data::Resize { cols: 100, rows: 30 }),
        Event::new(Duration::from_micros(1_000_900), Data::Marker("$ ls".into())),
        Event::new(Duration::from_secs(7_200), Data::Exit(-1)),
    ]
}

#[test]
fn an_outside_reader_understands_version_three() -> Result<(), Failure> {
    let cast = Asciicast::<V3>::from_slice(&write(Format::V3, &samples())?)?;
    assert_eq!((cast.header.term.cols, cast.header.term.rows), (80, 24));
    assert_eq!(cast.header.idle_time_limit, Some(2.0));
    assert_eq!(cast.events.len(), 5);
    assert_eq!(cast.events[0].as_output(), samples()[0].output());
    assert_eq!(cast.events[3].as_marker(), Some("$ ls"));
    assert!(cast.events[2].as_resize().is_some() && cast.events[4].as_exit().is_some());
    let total: f64 = cast.events.iter().map(|event| event.interval).sum();
    assert!((total - 7200.0).abs() < 1e-6);
    Ok(())
}

#[test]
fn an_outside_reader_understands_version_two_without_the_exit() -> Result<(), Failure> {
    let cast = Asciicast::<V2>::from_slice(&write(Format::V2, &samples())?)?;
    assert_eq!((cast.header.width, cast.header.height), (80, 24));
    assert_eq!(cast.events.len(), 4);
    assert_eq!(cast.events[0].as_output(), samples()[0].output());
    Ok(())
}

#[test]
fn a_file_cut_anywhere_is_a_readable_prefix() -> Result<(), Failure> {
    let whole = write(Format::V3, &samples())?;
    let head = whole.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    for cut in head..whole.len() {
        let events: Vec<Event> = Reader::new(&whole[..cut])?.collect::<Result<_, _>>()?;
        let lines = whole[head..cut].iter().filter(|byte| **byte == b'\n').count();
        assert!(events.len() == lines || events.len() == lines + 1, "cut at {cut}");
    }
    Ok(())
}

#[test]
fn a_compressed_file_cut_in_the_middle_ends_quietly() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.cast");
    let many: Vec<Event> = (0..50_000)
        .map(|n| Event::new(Duration::from_millis(n), Data::Output(format!("line {}\r\n", n * 7919))))
        .collect();
    let packed = zstd::encode_all(&write(Format::V3, &many)?[..], 3)?;
    std::fs::write(&path, &packed)?;
    assert_eq!(Reader::open(&path)?.collect::<Result<Vec<_>, _>>()?.len(), 50_000);
    std::fs::write(&path, &packed[..packed.len() / 2])?;
    assert!(Reader::open(&path)?.collect::<Result<Vec<_>, _>>()?.len() < 50_000);
    Ok(())
}

#[test]
fn comments_and_unknown_codes_are_no_errors_and_broken_lines_are() -> Result<(), Failure> {
    let text =
        b"{\"version\":3,\"term\":{\"cols\":1,\"rows\":1}}\n# hello\n[0.5, \"z\", \"q\"]\n[0.5, \"r\", \"8y9\"]\n";
    let mut reader = Reader::new(&text[..])?;
    let first = reader.next().transpose()?;
    assert_eq!(
        first,
        Some(Event::new(Duration::from_millis(500), Data::Other('z', "q".into())))
    );
    assert!(matches!(reader.next(), Some(Err(CastError::Event { line: 4 }))));
    assert!(matches!(
        Reader::new(&b"{\"version\":1}\n"[..]),
        Err(CastError::Version(1))
    ));
    assert!(matches!(Reader::new(&b"hello\n"[..]), Err(CastError::Header(_))));
    for number in ["-1", "1e300", "null"] {
        let text = format!("{{\"version\":3,\"term\":{{\"cols\":1,\"rows\":1}}}}\n[{number}, \"o\", \"\"]\n");
        assert!(
            matches!(Reader::new(text.as_bytes())?.next(), Some(Err(CastError::Event { .. }))),
            "{number}"
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn rounding_never_adds_up(steps in proptest::collection::vec(0u64..5_000, 1..400)) {
        let mut now = 0;
        let events: Vec<Event> = steps.iter().map(|step| {
            now += step;
            Event::new(Duration::from_micros(now), Data::Output("x".into()))
        }).collect();
        let bytes = write(Format::V3, &events).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let reader = Reader::new(&bytes[..]).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for (read, wrote) in reader.zip(&events) {
            let read = read.map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert!(read.time.abs_diff(wrote.time) <= Duration::from_micros(502));
        }
    }

    #[test]
    fn every_text_survives(text: String, input: String) {
        let events = [Event::new(Duration::ZERO, Data::Output(text)), Event::new(Duration::ZERO, Data::Input(input))];
        for format in [Format::V2, Format::V3] {
            let bytes = write(format, &events).map_err(|e| TestCaseError::fail(e.to_string()))?;
            let back = Reader::new(&bytes[..]).and_then(|reader| reader.collect::<Result<Vec<_>, _>>());
            prop_assert_eq!(back.map_err(|e| TestCaseError::fail(e.to_string()))?, &events[..]);
        }
    }
}
