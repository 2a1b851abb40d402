use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use rustix::io::Errno;

use crate::caller::{Texts, Words};

/// The environment that an exec asks for, read once and only if somebody judges it; or the one that a program was given.
pub struct Environment {
    /// Where it is to be read; nowhere: what is not here cannot be known.
    place: Option<(u64, RefCell<Texts>)>,
    read: OnceCell<Words>,
}

impl Environment {
    /// The one at `address` of the memory that `texts` reads.
    pub fn at(address: u64, texts: Texts) -> Rc<Environment> {
        Rc::new(Environment {
            place: Some((address, RefCell::new(texts))),
            read: OnceCell::new(),
        })
    }

    /// The one that a program has where the kernel put it, as far as that can be known.
    pub fn given(block: Option<&[u8]>) -> Rc<Environment> {
        Rc::new(Environment {
            place: None,
            read: block.map(Words::of_block).map(OnceCell::from).unwrap_or_default(),
        })
    }

    /// Its entries.
    ///
    /// # Errors
    /// `EFAULT`, `E2BIG` as the call itself; `EACCES` where it cannot be known.
    pub fn read(&self) -> Result<&Words, Errno> {
        if let Some(words) = self.read.get() {
            return Ok(words);
        }
        let (address, texts) = self.place.as_ref().ok_or(Errno::ACCESS)?;
        let words = texts.borrow_mut().array(*address)?;
        Ok(self.read.get_or_init(|| words))
    }

    /// What was read and so is what was judged, as the kernel lays it out; nothing where nobody has asked.
    pub fn judged(&self) -> Option<Vec<u8>> {
        self.read.get().map(|words| words.block().to_vec())
    }
}
