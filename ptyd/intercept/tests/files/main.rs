//! The file engine, by effect: programs under interception compared with the same programs without it.

#[path = "../support/mod.rs"]
mod support;

mod native;
mod rig;
