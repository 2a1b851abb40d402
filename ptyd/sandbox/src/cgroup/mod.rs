//! Control groups (`cgroups(7)`): one for a command that needs limits, below the caller's own, so that
//! the caller's limits hold on.
//!
//! Both versions of the interface are used, wherever they are mounted. What a group holds is known by
//! writing it; what could not be written is said. A process goes in by itself, by writing `0` into the
//! entrance: for a single thread the kernel then takes no lock on all of the machine's forks.

mod enclosure;
mod group;
mod hierarchy;
mod resource;
mod trial;

pub use enclosure::{Enclosure, number_of};
pub use group::{Group, Made, Owner, Price, folder_name};
pub use hierarchy::{Hierarchies, Version, unescaped};
pub use resource::{Limits, Resource};
pub use trial::Controllers;
pub(crate) use trial::{name as trial_name, owner};
