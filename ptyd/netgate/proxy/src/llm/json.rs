//! Where the texts of a JSON document stand, so that one can be replaced and every other byte stays.

use std::borrow::Cow;
use std::ops::Range;

/// What a text is in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Value,
    /// The name of a member.
    Key,
    /// An integer that is as long as a card's number.
    Number,
}

/// A string, or what could as well be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub kind: Kind,
    /// Keys and numbers from the top, with dots between: `choices.0.delta.content`. A key that has a dot itself, or is a
    /// number, is written otherwise, so that it is taken for no other.
    pub path: String,
    /// Where it stands, with its quotation marks.
    pub at: Range<usize>,
}

impl Text {
    /// The last key, numbers passed over.
    pub(crate) fn key(&self) -> &str {
        let mut parts = self.path.rsplit('.');
        parts.find(|part| part.parse::<usize>().is_err()).unwrap_or("")
    }

    /// What it says.
    pub(crate) fn decode(&self, document: &[u8]) -> Option<String> {
        let written = document.get(self.at.clone())?;
        match self.kind {
            Kind::Number => String::from_utf8(written.to_vec()).ok(),
            Kind::Value | Kind::Key => serde_json::from_slice(written).ok(),
        }
    }
}

/// How deep documents may be.
const DEPTH: usize = 128;

/// So long are the numbers of cards (ISO/IEC 7812).
const CARD: std::ops::RangeInclusive<usize> = 13..=19;

/// All of them, in order. `None`: it is no JSON.
pub(crate) fn texts(document: &[u8]) -> Option<Vec<Text>> {
    let mut found = Vec::new();
    each(document, &mut |text| {
        found.push(text.clone());
        Some(())
    })?;
    Some(found)
}

/// Shows all of them, in order, one after the other: there may be as many as the document has bytes. `None`: it is no
/// JSON, or somebody had seen enough.
pub(crate) fn each(document: &[u8], seen: &mut dyn FnMut(&Text) -> Option<()>) -> Option<()> {
    // What serde agrees with is well-formed; the walk below only finds places.
    serde_json::from_slice::<serde::de::IgnoredAny>(document).ok()?;
    let text = Text {
        kind: Kind::Value,
        path: String::new(),
        at: 0..0,
    };
    let mut walk = Walk {
        document,
        at: 0,
        text,
        seen,
    };
    walk.value(0)
}

/// A document in which texts are replaced, in order.
pub(crate) struct Replaced<'d> {
    document: &'d [u8],
    out: Vec<u8>,
    /// So far the document is in it.
    at: usize,
}

impl<'d> Replaced<'d> {
    pub(crate) fn new(document: &'d [u8]) -> Replaced<'d> {
        Replaced {
            document,
            out: Vec::new(),
            at: 0,
        }
    }

    /// Puts `text` in the place of what stands at `range`, behind all that was replaced before.
    pub(crate) fn put(&mut self, range: &Range<usize>, text: &str) {
        let before = self.document.get(self.at..range.start).unwrap_or_default();
        self.out.extend_from_slice(before);
        // A string can always be written.
        let written = serde_json::to_vec(text).unwrap_or_else(|_| b"\"\"".to_vec());
        self.out.extend_from_slice(&written);
        self.at = range.end;
    }

    /// All of it, if it is another one.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        let rest = self.document.get(self.at..).unwrap_or_default();
        (self.at > 0).then(|| {
            self.out.extend_from_slice(rest);
            self.out
        })
    }
}

/// A document with other texts in some places; `changes` are in order and do not overlap.
pub(crate) fn replace(document: &[u8], changes: &[(Range<usize>, String)]) -> Vec<u8> {
    let mut replaced = Replaced::new(document);
    changes.iter().for_each(|(range, text)| replaced.put(range, text));
    replaced.finish().unwrap_or_else(|| document.to_vec())
}

/// A key as a path has it.
fn part(name: &str) -> Cow<'_, str> {
    match name.contains('.') || name.parse::<usize>().is_ok() {
        true => Cow::Owned(format!("\u{2024}{}", name.replace('.', "\u{2024}"))),
        false => Cow::Borrowed(name),
    }
}

struct Walk<'d, 's> {
    document: &'d [u8],
    at: usize,
    /// The last one, and the path of where the walk is.
    text: Text,
    seen: &'s mut dyn FnMut(&Text) -> Option<()>,
}

impl Walk<'_, '_> {
    fn peek(&mut self) -> Option<u8> {
        while self.document.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.document.get(self.at).copied()
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        match self.peek()? {
            b'"' => {
                let at = self.string()?;
                self.push(Kind::Value, at)?;
            }
            b'{' => self.members(depth, b'}')?,
            b'[' => self.members(depth, b']')?,
            _ => {
                let start = self.at;
                while self
                    .document
                    .get(self.at)
                    .is_some_and(|byte| !b",]} \t\r\n".contains(byte))
                {
                    self.at += 1;
                }
                let written = self.document.get(start..self.at)?;
                if CARD.contains(&written.len()) && written.iter().all(u8::is_ascii_digit) {
                    self.push(Kind::Number, start..self.at)?;
                }
            }
        }
        Some(())
    }

    fn push(&mut self, kind: Kind, at: Range<usize>) -> Option<()> {
        (self.text.kind, self.text.at) = (kind, at);
        (self.seen)(&self.text)
    }

    fn members(&mut self, depth: usize, end: u8) -> Option<()> {
        self.at += 1;
        let above = self.text.path.len();
        let mut number = 0;
        loop {
            match self.peek()? {
                b',' => self.at += 1,
                byte if byte == end => {
                    self.at += 1;
                    return Some(());
                }
                _ => {
                    let name = if end == b'}' {
                        let key = self.string()?;
                        self.peek().filter(|byte| *byte == b':')?;
                        self.at += 1;
                        self.push(Kind::Key, key.clone())?;
                        let name: String = serde_json::from_slice(self.document.get(key)?).ok()?;
                        part(&name).into_owned()
                    } else {
                        number.to_string()
                    };
                    if above > 0 {
                        self.text.path.push('.');
                    }
                    self.text.path.push_str(&name);
                    self.value(depth + 1)?;
                    self.text.path.truncate(above);
                    number += 1;
                }
            }
        }
    }

    /// Passes over a string; where it stands.
    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.document.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Some(start..self.at);
                }
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_with_their_paths_and_replaced_in_place() -> Result<(), &'static str> {
        let document = br#" {"a":[1,{"b.c" : "x\"\u00e9"} , "y" ],"d":{"e":null,"f":"", "g":-1.5e3},"h":true} "#;
        let all = texts(document).ok_or("no JSON")?;
        let keys = all.iter().filter(|text| text.kind == Kind::Key);
        let keys: Vec<_> = keys.filter_map(|text| text.decode(document)).collect();
        assert_eq!(keys, ["a", "b.c", "d", "e", "f", "g", "h"]);
        let found: Vec<Text> = all.into_iter().filter(|text| text.kind != Kind::Key).collect();
        let paths: Vec<&str> = found.iter().map(|text| text.path.as_str()).collect();
        assert_eq!(paths, ["a.1.\u{2024}b\u{2024}c", "a.2", "d.f"]);
        assert_eq!(found[0].decode(document).as_deref(), Some("x\"é"));
        assert_eq!((found[1].key(), found[2].key()), ("a", "f"));
        let changed = replace(document, &[(found[0].at.clone(), "\n".to_owned())]);
        assert_eq!(
            changed,
            br#" {"a":[1,{"b.c" : "\n"} , "y" ],"d":{"e":null,"f":"", "g":-1.5e3},"h":true} "#
        );
        assert_eq!(replace(document, &[]), document);
        Ok(())
    }

    #[test]
    fn a_number_that_is_as_long_as_a_cards_is_a_text() -> Result<(), &'static str> {
        let document = br#"[4111111111111111,12,-4111111111111111,4111111111111111.0]"#;
        let found = texts(document).ok_or("no JSON")?;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].decode(document).as_deref(), Some("4111111111111111"));
        let changed = replace(document, &[(found[0].at.clone(), "no".to_owned())]);
        assert!(changed.starts_with(br#"["no",12,"#));
        Ok(())
    }

    #[test]
    fn what_is_no_json_has_no_texts() {
        for document in [
            "",
            "{",
            "{\"a\"}",
            "[\"a\" \"b\"]",
            "\"\\",
            "{\"a\":\"b\"}x",
            "\"\u{1}\"",
        ] {
            assert_eq!(texts(document.as_bytes()), None, "{document}");
        }
        assert_eq!(texts("[".repeat(1000).as_bytes()), None);
    }

    proptest::proptest! {
        #[test]
        fn every_text_of_any_document_is_found(texts_in in proptest::collection::vec(".*", 0..8)) {
            let document = serde_json::to_vec(&serde_json::json!({"a": texts_in, "b": {"c\"": texts_in}}))?;
            let mut found = texts(&document).unwrap_or_default();
            found.retain(|text| text.kind == Kind::Value);
            let said: Vec<String> = found.iter().filter_map(|text| text.decode(&document)).collect();
            let twice: Vec<String> = texts_in.iter().chain(&texts_in).cloned().collect();
            proptest::prop_assert_eq!(said, twice);
        }
    }
}
