//! The walls, by effect: what is refused stays refused, for root and for a user, whoever of ours is alive.

mod container;
mod death;
mod hull;
mod siblings;
mod walls;

/// The probe's path in every world.
const PROBE: &str = "/usr/local/lib/agentsh-tests/probe";
