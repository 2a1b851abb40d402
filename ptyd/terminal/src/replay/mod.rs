//! Replay: a recording as a film of screens, with a clock, marks and search. No terminal is touched.
//!
//! A recording is played into an emulator; what is shown of it are cells, never its bytes. Snapshots
//! are taken along the way, so that a seek plays again at most [`SPACING`] bytes of output.

mod clock;
mod film;
mod marks;
mod playback;
mod transcript;

pub use clock::Clock;
pub use film::{Film, SPACING};
pub use marks::{Mark, marks};
pub use playback::{Action, MAX_SPEED, MIN_SPEED, Playback};
pub use transcript::{Needle, Transcript};

#[cfg(test)]
mod tests;
