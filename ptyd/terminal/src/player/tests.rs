use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Color;

use super::*;
use crate::cast::{Data, Event, Header};
use crate::recording::Recording;
use crate::replay::Playback;

type Failure = Box<dyn std::error::Error>;

fn viewer(events: Vec<(u64, Data)>) -> Result<Viewer, Failure> {
    let events = events
        .into_iter()
        .map(|(ms, data)| Event::new(Duration::from_millis(ms), data))
        .collect();
    let header = Header {
        cols: 30,
        rows: 6,
        ..Header::default()
    };
    Ok(Viewer::new(Playback::new(Recording { header, events })?))
}

fn press(viewer: &mut Viewer, keys: &str) {
    for char in keys.chars() {
        let code = if char == '\r' {
            KeyCode::Enter
        } else {
            KeyCode::Char(char)
        };
        let event = KeyEvent::new(code, KeyModifiers::NONE);
        let wish = key(event, viewer.prompt().is_some(), viewer.playback.length());
        wish.into_iter().for_each(|wish| viewer.wish(wish));
    }
}

fn picture(viewer: &mut Viewer, width: u16, height: u16) -> (Buffer, Vec<String>, Option<Position>) {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let cursor = draw(viewer, area, &mut buffer);
    let rows = (0..height)
        .map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect())
        .collect();
    (buffer, rows, cursor)
}

#[test]
fn the_screen_stands_above_a_time_line_with_its_marks() -> Result<(), Failure> {
    let mut viewer = viewer(vec![
        (0, Data::Output("$ ls\r\n".into())),
        (0, Data::Marker("$ ls".into())),
        (500, Data::Marker("denied: file_read /x".into())),
        (1000, Data::Output("\u{1b}[31mred\u{1b}[m 界 end".into())),
    ])?;
    press(&mut viewer, "....");
    let (buffer, rows, cursor) = picture(&mut viewer, 60, 8);
    assert_eq!(rows[0].trim_end(), "$ ls");
    assert!(rows[1].starts_with("red 界"));
    assert_eq!(buffer[(0, 1)].fg, Color::Indexed(1));
    assert_eq!(cursor, Some(Position::new(10, 1)));
    assert!(rows[6].starts_with("┿━") && rows[6].contains('✗'), "{}", rows[6]);
    assert!(
        rows[7].contains("‖ 0:01.0 / 0:01.0 · 1× · pauses cut · denied: file_"),
        "{}",
        rows[7]
    );
    Ok(())
}

#[test]
fn what_is_searched_for_is_lit() -> Result<(), Failure> {
    let mut viewer = viewer(vec![
        (0, Data::Output("a".into())),
        (9, Data::Output("\r\nfind e\u{301}界me".into())),
    ])?;
    press(&mut viewer, ".");
    press(&mut viewer, "/ME");
    assert!(picture(&mut viewer, 40, 8).1[7].starts_with("/ME"));
    press(&mut viewer, "\r/me\r");
    let (buffer, rows, _) = picture(&mut viewer, 60, 8);
    assert_eq!(buffer[(8, 1)].bg, Color::Yellow);
    assert_eq!(buffer[(7, 1)].bg, Color::Reset);
    assert_eq!(buffer[(5, 1)].symbol(), "e\u{301}");
    press(&mut viewer, "/e\u{301}\r");
    assert_eq!(picture(&mut viewer, 60, 8).0[(5, 1)].bg, Color::Yellow);
    assert!(rows[7].contains("1 × “me”"), "{}", rows[7]);
    Ok(())
}

#[test]
fn nothing_of_a_recording_reaches_the_viewers_terminal_but_cells() -> Result<(), Failure> {
    let evil = "\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}]0;title\u{7}\u{1b}[c\u{1b}P+q\u{1b}\\a\u{202e}b\u{200b}c\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{7}";
    let label = "denied: \u{1b}]0;x\u{7}\u{202e}y".to_owned();
    let mut viewer = viewer(vec![(0, Data::Output(evil.into())), (1, Data::Marker(label))])?;
    press(&mut viewer, "..");
    let (_, rows, _) = picture(&mut viewer, 60, 8);
    let bad = |char: char| char.is_control() || matches!(char, '\u{202e}' | '\u{200b}');
    assert!(!rows.iter().any(|row| row.chars().any(bad)), "{rows:?}");
    assert!(rows[0].starts_with('a') && rows[0].contains("link"), "{}", rows[0]);
    Ok(())
}

#[test]
fn it_draws_on_a_terminal_of_any_size() -> Result<(), Failure> {
    let mut viewer = viewer(vec![(
        0,
        Data::Output("\r\n\r\n\r\n\r\nlast line with the cursor".into()),
    )])?;
    press(&mut viewer, ".");
    let (_, rows, cursor) = picture(&mut viewer, 8, 4);
    assert_eq!((rows[1].as_str(), cursor), (" cursor ", Some(Position::new(7, 1))));
    press(&mut viewer, "?");
    for (width, height) in [(0, 0), (1, 1), (3, 2), (200, 100), (20, 3)] {
        picture(&mut viewer, width, height);
    }
    assert!(
        picture(&mut viewer, 60, 20)
            .1
            .iter()
            .any(|row| row.contains("next denial"))
    );
    press(&mut viewer, "q");
    assert!(viewer.done());
    Ok(())
}
