//! Terminals through the hub: what is recorded, who may look and type, and what is left after any death.

mod attach;
mod deaths;
mod drivers;
mod full_screen;
mod none_left;
mod others;
mod pipes;
mod programs;
mod recordings;
mod rendered;
mod screen;
mod signals;
mod sizes;
mod support;
