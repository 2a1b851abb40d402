//! A dump of the emulated terminal in words that every terminal knows.

use std::fmt::Write;

/// Rewrites what [`avt::Terminal::dump`] says, which only terminals like itself understand in full: repetitions of a
/// character (REP, which the Linux console and GNU screen lack, and tmux beyond ASCII), colours whose parts stand behind
/// colons (which others read with one part more, or not at all), tabulation stops by CTC. The alternate screen is entered
/// blank: not every terminal makes it so. What is under way at the end is left out.
pub(super) fn portable(dump: &str) -> String {
    let mut out = String::with_capacity(dump.len());
    let mut rest = whole(dump);
    while let Some(start) = rest.find("\x1b[") {
        let (text, sequence) = rest.split_at(start);
        out.push_str(text);
        let Some(end) = sequence[2..].find(|char| matches!(char, '@'..='~')) else {
            rest = sequence;
            break;
        };
        let (sequence, after) = sequence.split_at(2 + end + 1);
        rest = after;
        let parameters = &sequence[2..sequence.len() - 1];
        match (&sequence[sequence.len() - 1..], parameters) {
            ("b", count) => {
                let char = out.chars().next_back().unwrap_or(' ');
                out.extend(std::iter::repeat_n(char, count.parse().unwrap_or(0)));
            }
            ("m", colours) if colours.contains(':') => {
                let _ = write!(out, "\x1b[{}m", colours.replace(':', ";"));
            }
            ("W", "" | "0") => out.push_str("\x1bH"),
            ("W", "5") => out.push_str("\x1b[3g"),
            ("h", "?1047") => out.push_str("\x1b[?1047h\x1b[2J"),
            _ => out.push_str(sequence),
        }
    }
    out.push_str(rest);
    out
}

/// The dump without what the parser stands in: that is written in controls of eight bits, which nothing else is, or is an
/// escape character with intermediates.
fn whole(dump: &str) -> &str {
    let end = dump
        .find(|char| matches!(char, '\u{80}'..='\u{9f}'))
        .unwrap_or(dump.len());
    let dump = &dump[..end];
    match dump.rsplit_once('\x1b') {
        Some((before, after)) if after.chars().all(|char| matches!(char, ' '..='/')) => before,
        _ => dump,
    }
}
