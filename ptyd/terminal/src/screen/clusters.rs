//! Characters that take no column (accents, vowel signs, variation selectors, joiners): the emulated terminal gives every
//! character a cell, and all that follows would stand too far to the right. So a character with what belongs to it is
//! given to it as one character of a private plane, and spelled out where the screen is shown.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use unicode_width::UnicodeWidthChar as _;

/// Where the characters begin that stand for clusters of one column and of two: private use, and a plane of ideographs of which
/// this part is not assigned.
const NARROW: u32 = 0x10_0000;
const WIDE: u32 = 0x3_8000;
/// So many clusters are told apart; of others the first character is shown.
const MOST: u32 = 4096;
/// Characters of a cluster.
const LONGEST: usize = 8;

/// All clusters that were seen, in the order of their characters.
static SEEN: Mutex<Option<Seen>> = Mutex::new(None);

#[derive(Default)]
struct Seen {
    all: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

/// Appends a text without sequences as the emulated terminal is to have it.
pub(super) fn join(text: &str, out: &mut String) {
    if text.is_ascii() {
        return out.push_str(text);
    }
    let mut done = 0;
    let mut chars = text.char_indices().peekable();
    let mut base: Option<usize> = None;
    while let Some((at, char)) = chars.next() {
        let start = match char.width() {
            Some(0) => base.take(),
            Some(_) if is_ours(char) => Some(at),
            width => {
                base = width.map(|_| at);
                continue;
            }
        };
        let mut end = at + char.len_utf8();
        while let Some((at, char)) = chars.next_if(|(_, char)| char.width() == Some(0)) {
            end = at + char.len_utf8();
        }
        out.push_str(&text[done..start.unwrap_or(at)]);
        out.extend(start.map(|start| stand_in(&text[start..end])));
        done = end;
    }
    out.push_str(&text[done..]);
}

/// The text as it was before [`join`].
pub(crate) fn spell(text: &str) -> Cow<'_, str> {
    if !text.contains(is_ours) {
        return Cow::Borrowed(text);
    }
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = |char: char| seen.as_ref()?.all.get(number(char)? as usize);
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match cluster(char) {
            Some(cluster) => out.push_str(cluster),
            None => out.push(char),
        }
    }
    Cow::Owned(out)
}

/// What stands for a cluster.
fn stand_in(cluster: &str) -> char {
    let belongs = |char: &char| char.width() != Some(0) || joins(*char);
    let cluster: Box<str> = cluster.chars().filter(belongs).take(LONGEST).collect();
    let first = cluster.chars().next().unwrap_or(' ');
    if cluster.len() == first.len_utf8() && !is_ours(first) {
        return first;
    }
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = seen.get_or_insert_default();
    let number = match seen.numbers.get(&cluster) {
        Some(number) => *number,
        None if seen.all.len() == MOST as usize => return if is_ours(first) { '\u{fffd}' } else { first },
        None => {
            let number = seen.all.len() as u32;
            seen.all.push(cluster.clone());
            seen.numbers.insert(cluster, number);
            number
        }
    };
    let plane = if first.width() == Some(2) { WIDE } else { NARROW };
    char::from_u32(plane + number).unwrap_or(first)
}

/// Whether the character changes the look of the one before alone: not if it sets the direction of a text, or is told to
/// programs only.
pub(crate) fn joins(char: char) -> bool {
    let directs = matches!(char, '\u{61c}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    let tells = matches!(char, '\u{ad}' | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{e0000}'..='\u{e007f}');
    char.width() == Some(0) && !directs && !tells
}

fn number(char: char) -> Option<u32> {
    [NARROW, WIDE]
        .into_iter()
        .filter_map(|plane| u32::from(char).checked_sub(plane))
        .find(|number| *number < MOST)
}

/// Whether the character stands for a cluster, or would if a program printed it.
fn is_ours(char: char) -> bool {
    number(char).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(text: &str) -> String {
        let mut out = String::new();
        join(text, &mut out);
        out
    }

    #[test]
    fn what_takes_no_column_takes_no_cell_and_is_spelled_out() {
        for (text, columns) in [
            ("plain é 日", 10),
            ("e\u{301}x", 2),
            ("ไทยกำลัง", 7),
            ("\u{26a0}\u{fe0f} x", 3),
            ("👩\u{200d}💻x", 5),
            ("日\u{fe00}x", 3),
            ("\u{100001}\u{38000}x", 4),
        ] {
            let joined = joined(text);
            let cells = joined.chars().filter_map(char::width);
            assert!(joined.chars().all(|char| char.width() != Some(0)));
            assert_eq!(cells.sum::<usize>(), columns, "{text:?}");
            assert_eq!(spell(&joined), text);
        }
    }

    #[test]
    fn what_belongs_to_nothing_is_left_out_and_a_heap_of_accents_is_cut() {
        assert_eq!(joined("\u{301}a\n\u{301}b"), "a\nb");
        assert_eq!(joined("a\u{202e}b\u{200e}é\u{feff}"), "abé");
        let heap = format!("e{}", "\u{301}".repeat(100));
        assert_eq!(spell(&joined(&heap)).chars().count(), LONGEST);
    }
}
