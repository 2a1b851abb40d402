//! The search of a document that is whole.

use super::json::{self, Replaced};
use super::provider::ProviderKind;
use super::roles::{is_sealed, is_word};
use crate::dlp::{Counts, Dlp};

/// Whose a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The agent's: it may write into words of the protocol what is none.
    Caller,
    /// The provider's: what it calls itself and its parts stays.
    Provider,
}

/// What a search came to.
#[derive(Debug, Default)]
pub(super) struct Searched {
    /// The document with replacements, if something was found.
    pub other: Option<Vec<u8>>,
    pub found: Counts,
}

/// From here on looking at a document takes its time.
const LONG: usize = 256 << 10;

/// Looks at a body, apart from what waits for connections if that takes its time; `None` if it cannot be looked at.
pub(super) async fn apart<T: Send + 'static>(
    body: Vec<u8>,
    look: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Option<(Vec<u8>, T)> {
    let long = body.len() >= LONG;
    let both = move || {
        let seen = look(&body);
        (body, seen)
    };
    match long {
        true => tokio::task::spawn_blocking(both).await.ok(),
        false => Some(both()),
    }
}

/// Whether it is JSON that is read in one way only, or none at all: others are more lenient readers, of halves of
/// characters, marks of byte order and wider characters.
pub(super) fn is_plain(body: &[u8]) -> bool {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let wide = body.iter().take(4).any(|byte| matches!(byte, 0 | 0xfe | 0xff));
    let looks = wide || text.first().is_some_and(|first| b"{[\"".contains(first));
    !looks || json::each(body, &mut |text| text.decode(body).map(drop)).is_some()
}

/// Searches a document.
pub(super) fn search(dlp: &Dlp, (kind, by): (ProviderKind, By), body: &[u8]) -> Searched {
    let mut searched = Searched::default();
    let Some(mut searcher) = dlp.searcher() else {
        return searched;
    };
    let mut replaced = Replaced::new(body);
    let found = &mut searched.found;
    let read = json::each(body, &mut |text| {
        let word = is_word(kind, text);
        if word && by == By::Provider {
            return Some(());
        }
        let Some(said) = text.decode(body) else {
            return Some(());
        };
        let other = match word {
            true if is_sealed(&said) => None,
            true => searcher.word(said.as_bytes(), found),
            false => searcher.whole(said.as_bytes(), found),
        };
        if let Some(other) = other {
            replaced.put(&text.at, &String::from_utf8_lossy(&other));
        }
        Some(())
    });
    match read {
        Some(()) => searched.other = replaced.finish(),
        // Forms and files: as they are.
        None => {
            searched.found = Counts::default();
            searched.other = searcher.whole(body, &mut searched.found);
        }
    }
    searched
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_would_read_as_json_is_read_as_such_or_not_at_all() {
        for plain in ["", "{}", " [1]", "--boundary\r\nx", "a=b&c=%7B"] {
            assert!(is_plain(plain.as_bytes()), "{plain}");
        }
        let wide: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for odd in [
            b"{\"a\":\"jo\\u0040example.org\",\"b\":\"\\ud800\"}".as_slice(),
            b"\xef\xbb\xbf{\"a\":1}",
            b"{\"a\":1,}",
            b"{\"a\":NaN}",
            b"{\"a\":\"\xff\"}",
            b"\xff\xfe{\0}\0",
            &wide,
        ] {
            assert!(!is_plain(odd), "{odd:?}");
        }
    }
}
