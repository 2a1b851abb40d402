//! The broker: started once, found without trust, and never a way out of somebody else's sandbox.

mod chains;
mod faults;
mod foreign;
mod frames;
mod places;
mod start;
mod switch;
