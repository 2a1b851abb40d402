//! The few pieces of JSON that the hot path writes itself, so that an event costs no tree and no allocation.

use std::io::Write as _;

use agentsh_protocol::Bytes;

use super::Value;

/// Writes `"name":` for a name that is known to need no escape.
pub(crate) fn name(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Writes `"name":"word",` for words of ours that need no escape.
pub(crate) fn word(out: &mut Vec<u8>, member: &str, word: &str) {
    name(out, member);
    quoted(out, word.as_bytes());
    out.push(b',');
}

pub(crate) fn unsigned(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

pub(crate) fn signed(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    unsigned(out, number.unsigned_abs());
}

/// Whether all of it is ASCII that needs no escape, as almost every path is. Without an early end, so that many bytes are
/// looked at in one step.
fn is_plain(bytes: &[u8]) -> bool {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    bytes.iter().fold(true, |all, byte| all & plain(*byte))
}

/// Writes `"bytes"`, which need no escape.
fn quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(bytes);
    out.push(b'"');
}

/// A text as a JSON string.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if is_plain(bytes) {
        quoted(out, bytes);
        return;
    }
    out.push(b'"');
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            // Writing to a vector cannot fail.
            _ => write!(out, "\\u{byte:04x}").unwrap_or(()),
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

/// A byte string in the form of [`Bytes`].
pub(crate) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) {
        quoted(out, bytes);
        return;
    }
    match std::str::from_utf8(bytes) {
        Ok(plain) if bytes.iter().all(|byte| *byte >= 0x20) => text(out, plain),
        _ => serde_json::to_writer(out, &Bytes::from(bytes)).unwrap_or(()),
    }
}

pub(crate) fn value(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Text(plain) => text(out, plain),
        Value::Bytes(raw) => bytes(out, raw),
        Value::Unsigned(number) => unsigned(out, number),
        Value::Signed(number) => signed(out, number),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::List(list) => {
            out.push(b'[');
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                text(out, item);
            }
            out.push(b']');
        }
        Value::Json(tree) => serde_json::to_writer(out, tree).unwrap_or(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_is_read_back(plain in "(?s).*") {
            let mut out = Vec::new();
            text(&mut out, &plain);
            let back: String = serde_json::from_slice(&out).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(back, plain);
        }

        #[test]
        fn every_byte_string_is_read_back(raw: Vec<u8>) {
            let mut out = Vec::new();
            bytes(&mut out, &raw);
            let back: Bytes = serde_json::from_slice(&out).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(back.0, raw);
        }

        #[test]
        fn every_number_is_written_as_the_standard_library_does(number: i64) {
            let mut out = Vec::new();
            signed(&mut out, number);
            prop_assert_eq!(String::from_utf8_lossy(&out), number.to_string());
        }
    }
}
