//! What a person agrees to, shown so that nothing of it can deceive: the text comes from whoever asks.

use agentsh_protocol::Bytes;
use agentsh_protocol::approvals::Approval;

use super::{pairs, time, visible};
use crate::label;

/// A longer argument or path is cut in the middle.
const LONG: usize = 800;
/// So many bytes of a long one are shown from its beginning, and from its end, where the surprise would be.
const HEAD: usize = 400;
const TAIL: usize = 200;

/// Bytes of others as text without anything that drives or deceives a terminal. A long text is shown by its
/// beginning, its length, its BLAKE3 hash and its end.
pub fn shown(bytes: &[u8]) -> String {
    if bytes.len() <= LONG {
        return plain(bytes);
    }
    format!(
        "{} … [{} bytes, BLAKE3 {}] … {}",
        plain(&bytes[..HEAD]),
        bytes.len(),
        blake3::hash(bytes).to_hex(),
        plain(&bytes[bytes.len() - TAIL..])
    )
}

/// Bytes that are not UTF-8 are written out one by one.
fn plain(bytes: &[u8]) -> String {
    bytes
        .utf8_chunks()
        .map(|chunk| {
            let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
            visible(chunk.valid()) + &invalid.collect::<String>()
        })
        .collect()
}

/// One argument a line, so that none can look like two.
fn arguments(argv: &[Bytes]) -> String {
    let lines = argv
        .iter()
        .enumerate()
        .map(|(number, argument)| format!("[{number}] {}", shown(&argument.0)));
    lines.collect::<Vec<_>>().join("\n")
}

/// All that an answer would cover.
pub fn approval(approval: &Approval) -> String {
    let parents: Vec<String> = approval.parents.iter().map(|path| shown(&path.0)).collect();
    let cwd = approval.cwd.as_ref().map(|cwd| shown(&cwd.0)).unwrap_or_default();
    let environment: Vec<String> = approval.environment.iter().map(|entry| shown(&entry.0)).collect();
    let waits = match approval.waiting {
        0 => "nobody any more: a yes covers the identical retry".to_owned(),
        1 => "one call".to_owned(),
        calls => format!("{calls} identical calls"),
    };
    let seems = label::of(&approval.argv).map(|label| label.lines()).unwrap_or_default();
    pairs(&[
        ("approval", shown(approval.id.as_bytes())),
        ("session", shown(approval.session_id.as_bytes())),
        ("operation", shown(approval.operation.as_bytes())),
        ("object", shown(&approval.path.0)),
        ("arguments", arguments(&approval.argv)),
        // A reading of the text, no part of what is agreed to.
        ("seemingly", seems.join("\n")),
        ("folder", cwd),
        ("steered by", environment.join("\n")),
        ("started by", parents.join(" < ")),
        ("process", approval.pid.to_string()),
        (
            "rule",
            shown(approval.rule.as_deref().unwrap_or("none: the defaults").as_bytes()),
        ),
        (
            "message",
            shown(approval.message.as_deref().unwrap_or_default().as_bytes()),
        ),
        ("waits", waits),
        ("asked", format!("{} times", approval.asked)),
        ("denied at", time(&approval.expires)),
        (
            "covers",
            "exactly this object, these arguments, this folder and what steers it, under this rule".to_owned(),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn deceives(c: char) -> bool {
        c.is_control()
            || matches!(u32::from(c), 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x2069 | 0xFEFF | 0x61C | 0xE0000..=0xE007F)
    }

    #[test]
    fn a_long_text_shows_its_length_its_hash_and_its_end() {
        let text = [b"a".repeat(5000), b"; rm -rf ~".to_vec()].concat();
        let shown = shown(&text);
        assert!(shown.len() < 1000 && shown.contains("5010 bytes") && shown.ends_with("; rm -rf ~"));
        assert!(shown.contains(&blake3::hash(&text).to_hex().to_string()));
    }

    #[test]
    fn bytes_that_are_no_text_are_written_out() {
        assert_eq!(shown(b"a\xff\x1b[2Jb\xe2\x80\xae"), "a\\xff\\x1b[2Jb\\u{202e}");
    }

    #[test]
    fn an_argument_with_a_line_break_stays_one_line() {
        let argv = [Bytes::from("sh"), Bytes::from("a\n[2] b")];
        assert_eq!(arguments(&argv), "[0] sh\n[1] a\\n[2] b");
    }

    proptest! {
        #[test]
        fn nothing_shown_drives_or_deceives_a_terminal(bytes in proptest::collection::vec(any::<u8>(), 0..2000), text: String) {
            prop_assert!(!shown(&bytes).chars().any(deceives));
            prop_assert!(!shown(text.as_bytes()).chars().any(deceives));
        }
    }
}
