//! Walls by effect: what must not arrive does not arrive. In a network namespace and a control group of each
//! test's own.

mod death;
mod names;
mod reach;
mod rig;
mod sys;
mod told;
