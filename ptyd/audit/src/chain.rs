//! The chain: each line of a record holds the hash of the line before it.
//!
//! `hash` is BLAKE3 over the bytes of its own line up to the comma before `"hash"`; as `prev` stands among these bytes,
//! a line fixes all lines before it. No JSON needs to be brought into a normal form to check it. The hash has no key:
//! who may write both the record and the anchor (see [`crate::anchor`]) can write another history.

/// What stands behind the hashed bytes of a line: `,"hash":"<64 digits>"}`.
const TAIL: usize = 9 + 64 + 2;

/// The `prev` of a session's first line: bound to the session, so that records cannot be exchanged.
pub(crate) fn genesis(session_id: &str) -> blake3::Hash {
    blake3::Hasher::new()
        .update(b"agentsh record 1\n")
        .update(session_id.as_bytes())
        .finalize()
}

/// Ends the line that began at `start` of `out` with its hash and a line feed.
pub(crate) fn seal(out: &mut Vec<u8>, start: usize) -> blake3::Hash {
    let hash = blake3::hash(&out[start..]);
    out.extend_from_slice(b",\"hash\":\"");
    out.extend_from_slice(hash.to_hex().as_bytes());
    out.extend_from_slice(b"\"}\n");
    hash
}

/// The hash that a line (without its line feed) claims and the one that its bytes have; `None` if the line does not end
/// as a sealed line does.
pub(crate) fn hashes(line: &[u8]) -> Option<(blake3::Hash, blake3::Hash)> {
    let (body, tail) = line.split_at_checked(line.len().checked_sub(TAIL)?)?;
    let digits = tail.strip_prefix(b",\"hash\":\"")?.strip_suffix(b"\"}")?;
    // Upper case digits would be a second spelling of the same line.
    if digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    Some((blake3::Hash::from_hex(digits).ok()?, blake3::hash(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_line_has_the_hash_that_it_claims_and_no_other() {
        let mut line = b"{\"seq\":1".to_vec();
        let hash = seal(&mut line, 0);
        line.pop();
        assert!(matches!(hashes(&line), Some((claimed, real)) if claimed == real && real == hash));
        line[2] ^= 1;
        assert!(matches!(hashes(&line), Some((claimed, real)) if claimed != real));
        assert!(hashes(b"").is_none());
        assert!(hashes(&line[1..70]).is_none());
    }
}
