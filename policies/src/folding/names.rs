//! Names that such file systems may take for one another.

use caseless::Caseless as _;
use unicode_normalization::UnicodeNormalization as _;

/// Code points without a look of their own, which some file systems leave out of account
/// (Unicode Character Database, `Default_Ignorable_Code_Point`).
const IGNORED: [(char, char); 17] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// A path by which all its spellings are known: decomposed, without case, and of each part no dots and blanks at its end and
/// nothing behind a colon, which Windows and its file servers leave out.
pub fn fold(path: &[u8]) -> Vec<u8> {
    let parts = path
        .split(|byte| *byte == b'/')
        .map(|part| bare(&fold_text(part)).to_vec());
    parts.collect::<Vec<_>>().join(&b'/')
}

/// A piece of a name in that form, as far as it goes. Bytes that are no text stay what they are.
pub(crate) fn fold_text(text: &[u8]) -> Vec<u8> {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        let seen = chunk.valid().chars().filter(|found| !is_ignored(*found));
        let decomposed: String = seen.nfd().default_case_fold().nfd().collect();
        folded.extend_from_slice(decomposed.as_bytes());
        folded.extend_from_slice(chunk.invalid());
    }
    folded
}

fn is_ignored(found: char) -> bool {
    let within = |(first, last): &(char, char)| (*first..=*last).contains(&found);
    IGNORED.iter().any(within)
}

fn bare(part: &[u8]) -> &[u8] {
    let name = match part.iter().position(|byte| *byte == b':') {
        Some(end) if end > 0 => &part[..end],
        _ => part,
    };
    let end = name.iter().rposition(|byte| !matches!(byte, b'.' | b' '));
    end.map_or(part, |last| &name[..=last])
}

/// The folder of the first part of a folded path that may be the short name of a longer one (eight letters and three, as
/// FAT and NTFS give them: `GIT~1` is `.git`): what it stands for its name does not tell.
pub(crate) fn before_short_name(folded: &[u8]) -> Option<&[u8]> {
    let mut start = 0;
    for part in folded.split(|byte| *byte == b'/') {
        if is_short(part) {
            return Some(&folded[..start.max(2) - 1]);
        }
        start += part.len() + 1;
    }
    None
}

fn is_short(part: &[u8]) -> bool {
    let end = part.iter().rposition(|byte| *byte == b'.').unwrap_or(part.len());
    let (base, extension) = part.split_at(end);
    let Some(tilde) = base.iter().rposition(|byte| *byte == b'~') else {
        return false;
    };
    let number = &base[tilde + 1..];
    let numbered = tilde > 0 && !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    numbered && base.len() <= 8 && extension.len() <= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_known_by_its_form() {
        for (path, folder) in [
            (&b"/w/git~1/hooks"[..], &b"/w"[..]),
            (b"/w/a/index~12.htm", b"/w/a"),
            (b"/git~1", b"/"),
        ] {
            assert_eq!(
                before_short_name(path),
                Some(folder),
                "{}",
                String::from_utf8_lossy(path)
            );
        }
        for path in [
            &b"/w/file.c.~1~"[..],
            b"/w/~1",
            b"/w/git~",
            b"/w/longername~1",
            b"/w/a~1.html",
            b"/w/a~b",
            b"/",
        ] {
            assert_eq!(before_short_name(path), None, "{}", String::from_utf8_lossy(path));
        }
    }

    #[test]
    fn every_spelling_of_a_name_folds_to_the_same() {
        for other in [
            "/w/.GIT/Config",
            "/W/.g\u{200c}it/config",
            "/w/.git\u{feff}/config",
            "/w/.git./config",
            "/w/.git . /config",
            "/w/.git::$INDEX_ALLOCATION/config",
            "/w/.git/CONFIG:stream",
        ] {
            assert_eq!(fold(other.as_bytes()), b"/w/.git/config", "{other}");
        }
        // Composed and decomposed; one letter and two.
        assert_eq!(fold("/\u{e9}".as_bytes()), fold("/E\u{301}".as_bytes()));
        assert_eq!(fold("/stra\u{df}e".as_bytes()), fold("/STRASSE".as_bytes()));
        assert_eq!(fold("/\u{212a}ey".as_bytes()), b"/key", "the sign for kelvin");
    }

    #[test]
    fn what_is_another_name_stays_one() {
        for (one, other) in [
            ("/a/b", "/a b"),
            ("/.git", "/git"),
            ("/...", "/"),
            ("/a.b", "/ab"),
            ("/:a", "/a"),
        ] {
            assert_ne!(fold(one.as_bytes()), fold(other.as_bytes()), "{one} {other}");
        }
        assert_eq!(fold(b"/"), b"/");
        assert_eq!(fold(b"/A\xffB\xc3"), b"/a\xffb\xc3");
    }
}
