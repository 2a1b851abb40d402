/// A run of bytes that was not UTF-8 and for which one U+FFFD stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Where the U+FFFD begins, in bytes of all text decoded since the start.
    pub offset: u64,
    /// What really was there.
    pub bytes: Vec<u8>,
}

/// Decodes a byte stream piece by piece: a character cut by a piece's end waits for its rest, and
/// nothing that is not UTF-8 is forgotten.
#[derive(Debug, Default)]
pub struct Utf8Stream {
    tail: Vec<u8>,
    decoded: u64,
}

impl Utf8Stream {
    /// Decodes as much as is certain; what was not UTF-8 is appended to `lost`.
    pub fn push(&mut self, bytes: &[u8], lost: &mut Vec<Lost>) -> String {
        self.push_with(bytes, |offset, bytes| {
            let bytes = bytes.to_vec();
            lost.push(Lost { offset, bytes });
        })
    }

    /// The same for somebody who wants the text alone.
    pub fn push_text(&mut self, bytes: &[u8]) -> String {
        self.push_with(bytes, |_, _| {})
    }

    fn push_with(&mut self, bytes: &[u8], lost: impl FnMut(u64, &[u8])) -> String {
        if self.tail.is_empty()
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            self.decoded += text.len() as u64;
            return text.to_owned();
        }
        let mut all = std::mem::take(&mut self.tail);
        all.extend_from_slice(bytes);
        let (text, rest) = self.decode(&all, lost);
        self.tail = all.split_off(all.len() - rest);
        text
    }

    /// The bytes of the character that waits for its rest.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Whether no character is waiting for its rest.
    pub fn is_whole(&self) -> bool {
        self.tail.is_empty()
    }

    /// The end of the stream: a character that was never finished is lost.
    pub fn finish(&mut self, lost: &mut Vec<Lost>) -> String {
        let tail = std::mem::take(&mut self.tail);
        let mut text = String::new();
        if !tail.is_empty() {
            self.replace(&tail, &mut text, &mut |offset, bytes: &[u8]| {
                let bytes = bytes.to_vec();
                lost.push(Lost { offset, bytes });
            });
        }
        text
    }

    /// Returns the text and how many bytes at the end wait for more.
    fn decode(&mut self, mut bytes: &[u8], mut lost: impl FnMut(u64, &[u8])) -> (String, usize) {
        let mut text = String::with_capacity(bytes.len());
        loop {
            let error = match std::str::from_utf8(bytes) {
                Ok(valid) => {
                    self.take(valid, &mut text);
                    return (text, 0);
                }
                Err(error) => error,
            };
            let (valid, rest) = bytes.split_at(error.valid_up_to());
            if let Ok(valid) = std::str::from_utf8(valid) {
                self.take(valid, &mut text);
            }
            let Some(bad) = error.error_len() else {
                return (text, rest.len());
            };
            self.replace(&rest[..bad], &mut text, &mut lost);
            bytes = &rest[bad..];
        }
    }

    fn take(&mut self, valid: &str, text: &mut String) {
        self.decoded += valid.len() as u64;
        text.push_str(valid);
    }

    fn replace(&mut self, bytes: &[u8], text: &mut String, lost: &mut impl FnMut(u64, &[u8])) {
        lost(self.decoded, bytes);
        self.decoded += char::REPLACEMENT_CHARACTER.len_utf8() as u64;
        text.push(char::REPLACEMENT_CHARACTER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Puts the lost bytes back in place of their stand-ins.
    fn restore(text: &str, lost: &[Lost]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut at = 0;
        for lost in lost {
            let offset = lost.offset as usize;
            bytes.extend_from_slice(&text.as_bytes()[at..offset]);
            bytes.extend_from_slice(&lost.bytes);
            at = offset + 3;
        }
        bytes.extend_from_slice(&text.as_bytes()[at..]);
        bytes
    }

    fn decode<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (String, Vec<Lost>) {
        let (mut stream, mut lost, mut text) = (Utf8Stream::default(), Vec::new(), String::new());
        for chunk in chunks {
            text.push_str(&stream.push(chunk, &mut lost));
        }
        text.push_str(&stream.finish(&mut lost));
        (text, lost)
    }

    #[test]
    fn a_character_cut_in_two_is_whole_again() {
        let bytes = "a€b".as_bytes();
        let (text, lost) = decode(bytes.chunks(2));
        assert_eq!(text, "a€b");
        assert!(lost.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_chunks_decode_as_the_whole_and_can_be_restored(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xe2), Just(0x82), Just(0xac)], 0..200),
            size in 1usize..9,
        ) {
            let (text, lost) = decode(bytes.chunks(size));
            prop_assert_eq!(&text, &String::from_utf8_lossy(&bytes));
            prop_assert_eq!(restore(&text, &lost), bytes);
        }
    }
}
