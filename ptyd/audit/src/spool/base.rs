use blake3::Hash;

/// Where the record and the spool stand to each other: all that a drain starts from, and all that one needs to do
/// the last drain again, byte for byte, after a death in the middle of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Base {
    /// Up to this position the spool is in the record.
    pub drained: u64,
    /// The end of the batch that is being written; `drained` if none is.
    pub batch_end: u64,
    /// Length of the record file with what is drained, in bytes.
    pub log_len: u64,
    /// `seq` of its last line.
    pub seq: u64,
    /// `hash` of its last line.
    pub head: Hash,
}

/// Words of a stored base, the last of them a check.
pub(super) const WORDS: usize = 9;

impl Base {
    pub(super) fn to_words(self) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        words[..4].copy_from_slice(&[self.drained, self.batch_end, self.log_len, self.seq]);
        for (word, chunk) in words[4..8].iter_mut().zip(self.head.as_bytes().chunks_exact(8)) {
            *word = chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        words[8] = check(&words[..8]);
        words
    }

    /// `None` if the check does not fit: the page was torn by a power failure.
    pub(super) fn from_words(words: [u64; WORDS]) -> Option<Base> {
        if words[8] != check(&words[..8]) {
            return None;
        }
        let mut head = [0; 32];
        for (chunk, word) in head.chunks_exact_mut(8).zip(&words[4..8]) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Some(Base {
            drained: words[0],
            batch_end: words[1],
            log_len: words[2],
            seq: words[3],
            head: Hash::from_bytes(head),
        })
    }
}

fn check(words: &[u64]) -> u64 {
    words
        .iter()
        .fold(0x9e37_79b9_7f4a_7c15, |sum, word| super::record::mix(sum, *word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_base_survives_and_a_changed_word_is_seen(
            numbers: [u64; 4], head: [u8; 32], at in 0..WORDS, bit in 0..64u32
        ) {
            let [drained, batch_end, log_len, seq] = numbers;
            let base = Base { drained, batch_end, log_len, seq, head: Hash::from_bytes(head) };
            let mut words = base.to_words();
            prop_assert_eq!(Base::from_words(words), Some(base));
            words[at] ^= 1 << bit;
            prop_assert_eq!(Base::from_words(words), None);
        }
    }
}
