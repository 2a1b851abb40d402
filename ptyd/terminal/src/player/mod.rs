//! The replay screen: [`draw`] is a pure function of [`Viewer`], [`run`] a thin loop around it.
//!
//! Only cells of the emulated screen are drawn, through ratatui: whatever a recording contains, the
//! viewer's terminal gets no sequence of it. Characters that would reorder or hide text are blanked.

mod keys;
mod run;
mod view;
mod viewer;

pub use keys::key;
pub use run::{PlayerError, run};
pub use view::draw;
pub use viewer::{Viewer, Wish};

#[cfg(test)]
mod tests;
