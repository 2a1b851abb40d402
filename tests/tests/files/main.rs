//! Files in a session: what a program sees is what it sees without us, and what policy says is what happens.

#[path = "../../../ptyd/intercept/tests/files/numbers.rs"]
mod numbers;

mod around;
mod attempts;
mod bad_input;
mod content;
mod corners;
mod decisions;
mod deleted;
mod devices;
mod faults;
mod folding;
mod here;
mod hidden;
mod in_place;
mod native;
mod programs;
mod queues;
mod races;
mod redirect;
mod unseen;
