use std::ffi::CString;

use rustix::io::Errno;

/// What a string of an environment has, more or less.
const USUAL: usize = 64;

/// For how many strings room is made at once.
const MANY: usize = 1024;

/// Strings as the kernel lays them out for a new image: one behind the other, each with its NUL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    block: Vec<u8>,
    /// Where each ends, its NUL included.
    ends: Vec<usize>,
}

impl Words {
    /// No string at all.
    pub const NONE: Words = Words {
        block: Vec::new(),
        ends: Vec::new(),
    };

    /// The strings of a block as the kernel has laid it out.
    pub fn of_block(block: &[u8]) -> Words {
        let mut words = Words::default();
        for text in block.split_inclusive(|byte| *byte == 0) {
            words.block.extend_from_slice(text.strip_suffix(&[0]).unwrap_or(text));
            words.block.push(0);
            words.ends.push(words.block.len());
        }
        words
    }

    /// Room for so many strings of the usual length.
    pub(super) fn for_strings(count: usize) -> Words {
        Words {
            block: Vec::with_capacity(USUAL * count.min(MANY)),
            ends: Vec::with_capacity(count),
        }
    }

    /// Lets `append` add one string with its NUL.
    pub(super) fn push_with(&mut self, append: impl FnOnce(&mut Vec<u8>) -> Result<(), Errno>) -> Result<(), Errno> {
        append(&mut self.block)?;
        self.ends.push(self.block.len());
        Ok(())
    }

    /// The strings, without their NULs.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.block[start..end - 1])
    }

    /// The strings with their NULs, one behind the other.
    pub fn block(&self) -> &[u8] {
        &self.block
    }

    /// Each as a string of its own.
    ///
    /// # Errors
    /// Never for what was read up to its NULs.
    pub fn to_strings(&self) -> Result<Vec<CString>, Errno> {
        self.iter()
            .map(|word| CString::new(word).map_err(|_| Errno::FAULT))
            .collect()
    }
}
