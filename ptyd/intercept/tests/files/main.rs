//! The file engine, by effect: programs under interception compared with the same programs without it.

#[path = "../support/mod.rs"]
mod support;

mod behaviour;
mod content;
mod decisions;
mod hidden;
mod native;
mod numbers;
mod races;
mod redirects;
mod rig;
mod speed;
