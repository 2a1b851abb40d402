use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::Wish;
use crate::replay::Action;

/// The keys, as the help shows them.
pub(super) const HELP: &[(&str, &str)] = &[
    ("space", "play, pause"),
    (". ,", "step, step back"),
    ("← →", "5 seconds back, on"),
    ("shift ← →", "a minute back, on"),
    ("0-9 home end", "to a tenth, the start, the end"),
    ("+ -", "faster, slower (0.1 to 100)"),
    ("i", "cut pauses, or not"),
    ("[ ]", "previous, next command"),
    ("d", "next denial"),
    ("/ n N", "search, next, previous place"),
    ("q", "leave"),
];

/// What a key means, while a text is written (`prompt`) or not; `length` is that of the film.
pub fn key(event: KeyEvent, prompt: bool, length: Duration) -> Option<Wish> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let shift = event.modifiers.contains(KeyModifiers::SHIFT);
    if event.modifiers.contains(KeyModifiers::CONTROL) {
        return match event.code {
            KeyCode::Char('c') if prompt => Some(Wish::Cancel),
            KeyCode::Char('c' | 'd') => Some(Wish::Quit),
            KeyCode::Char('z') => Some(Wish::Suspend),
            _ => None,
        };
    }
    if prompt {
        return match event.code {
            KeyCode::Char(char) => Some(Wish::Write(char)),
            KeyCode::Backspace => Some(Wish::Erase),
            KeyCode::Enter => Some(Wish::Enter),
            KeyCode::Esc => Some(Wish::Cancel),
            _ => None,
        };
    }
    let action = match event.code {
        KeyCode::Char(' ') => Action::Toggle,
        KeyCode::Char('.') => Action::Step,
        KeyCode::Char(',') => Action::StepBack,
        KeyCode::Right => Action::Skip(if shift { 60.0 } else { 5.0 }),
        KeyCode::Left => Action::Skip(if shift { -60.0 } else { -5.0 }),
        KeyCode::Home => Action::Seek(Duration::ZERO),
        KeyCode::End => Action::Seek(Duration::MAX),
        KeyCode::Char(digit @ '0'..='9') => Action::Seek(length.mul_f64(f64::from(digit as u32 - '0' as u32) / 10.0)),
        KeyCode::Char('+' | '=') => Action::Faster,
        KeyCode::Char('-') => Action::Slower,
        KeyCode::Char('i') => Action::ToggleIdle,
        KeyCode::Char(']') => Action::NextCommand,
        KeyCode::Char('[') => Action::PreviousCommand,
        KeyCode::Char('d') => Action::NextDenial,
        KeyCode::Char('n') => Action::NextHit,
        KeyCode::Char('N') => Action::PreviousHit,
        KeyCode::Char('/') => return Some(Wish::Prompt),
        KeyCode::Char('?' | 'h') => return Some(Wish::Help),
        KeyCode::Char('q') | KeyCode::Esc => return Some(Wish::Quit),
        _ => return None,
    };
    Some(Wish::Do(action))
}
