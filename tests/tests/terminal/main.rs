//! Terminals through the hub: what is recorded, who may look and type, and what is left after any death.

mod attach;
mod deaths;
mod others;
mod pipes;
mod programs;
mod recordings;
mod rendered;
mod sizes;
mod support;
