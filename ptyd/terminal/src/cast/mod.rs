//! asciicast: the recording format of asciinema, versions 2 and 3.
//!
//! The formats are sealed in [`v2`] and [`v3`]; everybody else sees a [`Header`] and [`Event`]s whose
//! times are absolute. Specification: <https://docs.asciinema.org/manual/asciicast/v3/> and `/v2/`.

mod event;
mod header;
mod reader;
mod utf8;
mod v2;
mod v3;
mod writer;

pub use event::{Data, Event};
pub use header::{Header, Theme};
pub use reader::{CastError, Reader};
pub use utf8::{Lost, Utf8Stream};
pub use writer::{Format, Writer};
