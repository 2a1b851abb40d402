//! Telling whoever started the broker that it serves.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write as _};

use crate::sys;

/// The write end of a starter's pipe: closed once the broker serves, with a reason if it cannot.
pub(super) struct Ready(RefCell<Option<File>>);

impl Ready {
    pub(super) fn new(number: Option<i32>) -> io::Result<Ready> {
        let file = number.map(sys::inherited).transpose()?.map(File::from);
        Ok(Ready(RefCell::new(file)))
    }

    /// This broker, or another one, serves.
    pub(super) fn serving(&self) {
        self.0.take();
    }

    /// The broker cannot serve. Nobody may be left to read it.
    pub(super) fn failed(&self, reason: &str) {
        if let Some(mut file) = self.0.take() {
            let _ = writeln!(file, "{}", reason.lines().next().unwrap_or_default());
        }
    }
}
