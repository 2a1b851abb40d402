use std::time::Duration;

use super::*;
use crate::cast::{Data, Event, Header, Reader, Theme};

type Failure = Box<dyn std::error::Error>;

fn recording() -> Recording {
    let output = |ms: u64, text: &str| Event::new(Duration::from_millis(ms), Data::Output(text.into()));
    let theme = Theme {
        fg: "#abcdef".into(),
        bg: "\"><script>".into(),
        palette: String::new(),
    };
    Recording {
        header: Header {
            cols: 30,
            rows: 4,
            title: Some("<b>&title".into()),
            theme: Some(theme),
            ..Header::default()
        },
        events: vec![
            output(0, "$ cat x\r\n"),
            Event::new(Duration::from_millis(1), Data::Marker("</script><i>".into())),
            output(
                10,
                "\x1b[1;31m<script>alert(1)</script>\x1b[0m\r\n界 \x1b]0;t\x07\x1b[7me\u{301}\x1b[m\r\nlast",
            ),
            output(5_000, "\r\nscrolled"),
            Event::new(Duration::from_secs(6), Data::Exit(0)),
        ],
    }
}

#[test]
fn text_is_all_that_scrolled_by_and_nothing_else() -> Result<(), Failure> {
    let mut out = Vec::new();
    text(&recording(), &mut out)?;
    assert_eq!(
        String::from_utf8(out)?,
        "$ cat x\n<script>alert(1)</script>\n界 e\u{301}\nlast\nscrolled\n"
    );
    Ok(())
}

#[test]
fn a_long_text_is_whole_and_its_wrapped_lines_are_lines() -> Result<(), Failure> {
    let lines: Vec<String> = (0..5_000).map(|n| format!("{n} {}", "x".repeat(n % 70))).collect();
    let output = lines
        .iter()
        .map(|line| Event::new(Duration::ZERO, Data::Output(format!("{line}\r\n"))));
    let mut recording = recording();
    recording.events = output.collect();
    let mut out = Vec::new();
    text(&recording, &mut out)?;
    assert!(
        String::from_utf8(out)?
            .lines()
            .eq(lines.iter().map(|line| line.trim_end()))
    );
    Ok(())
}

#[test]
fn a_page_holds_no_markup_of_the_recording_and_asks_for_nothing() -> Result<(), Failure> {
    let mut out = Vec::new();
    html(&recording(), &mut out)?;
    let page = String::from_utf8(out)?;
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("<b>") && !page.contains("http://") && !page.contains("https://"));
    assert!(!page.contains('\x1b') && !page.contains("{{"));
    let film = page
        .split_once("application/json\">")
        .and_then(|(_, rest)| rest.split_once("</script>"));
    let film: serde_json::Value = serde_json::from_str(film.ok_or("no film")?.0)?;
    assert_eq!(
        film["frames"][0][1]["1"],
        "<span style=\"color:#f14c4c;font-weight:bold\">&lt;script&gt;alert(1)&lt;/script&gt;</span>"
    );
    assert_eq!(film["frames"][1][0], 2010);
    assert_eq!(film["marks"][0][1], "</script><i>");
    Ok(())
}

#[test]
fn the_pauses_of_a_page_are_cut_as_the_recording_says() -> Result<(), Failure> {
    let mut recording = recording();
    recording.header.idle_time_limit = Some(0.5);
    let mut out = Vec::new();
    html(&recording, &mut out)?;
    assert!(String::from_utf8(out)?.contains("[510,"));
    Ok(())
}

#[test]
fn a_picture_shows_the_moment_asked_for() -> Result<(), Failure> {
    let early = svg(&recording(), Duration::from_millis(5))?;
    assert!(early.contains("$ cat x") && !early.contains("alert"));
    let late = svg(&recording(), Duration::from_secs(60))?;
    assert!(
        late.contains("&lt;script&gt;alert(1)")
            && late.contains("scrolled")
            && late.contains(">e\u{301}<")
            && late.contains("&lt;b&gt;&amp;title")
    );
    assert!(!late.contains("<script") && !late.contains("<b>") && !late.contains('\x1b'));
    assert!(late.starts_with("<svg ") && late.trim_end().ends_with("</svg>"));
    Ok(())
}

#[test]
fn a_cast_of_either_version_is_read_back() -> Result<(), Failure> {
    for (format, count) in [(Format::V2, 4), (Format::V3, 5)] {
        let mut out = Vec::new();
        cast(&recording(), format, &mut out)?;
        let events = Reader::new(&out[..])?.collect::<Result<Vec<_>, _>>()?;
        assert_eq!(events[..4], recording().events[..4]);
        assert_eq!(events.len(), count);
    }
    Ok(())
}
