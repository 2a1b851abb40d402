use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use rustix::io::Errno;

use crate::caller::{Texts, Words};

/// The environment that an exec asks for, read once and only if somebody judges it.
pub struct Environment {
    address: u64,
    texts: RefCell<Texts>,
    read: OnceCell<Words>,
}

impl Environment {
    /// The one at `address` of the memory that `texts` reads.
    pub fn at(address: u64, texts: Texts) -> Rc<Environment> {
        Rc::new(Environment {
            address,
            texts: RefCell::new(texts),
            read: OnceCell::new(),
        })
    }

    /// Its entries.
    ///
    /// # Errors
    /// `EFAULT`, `E2BIG` as the call itself.
    pub fn read(&self) -> Result<&Words, Errno> {
        if let Some(words) = self.read.get() {
            return Ok(words);
        }
        let words = self.texts.borrow_mut().array(self.address)?;
        Ok(self.read.get_or_init(|| words))
    }

    /// What was read and so is what was judged, as the kernel lays it out; nothing where nobody has asked.
    pub fn judged(&self) -> Option<Vec<u8>> {
        self.read.get().map(|words| words.block().to_vec())
    }
}
