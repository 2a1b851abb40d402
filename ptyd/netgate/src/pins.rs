//! Which names an address was given under to the session.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Programs use an address for longer than its time to live says; a rule on its name goes on for so long.
const AT_LEAST: Duration = Duration::from_secs(10 * 60);
const AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// So many addresses are remembered; of more, those that would be forgotten first go.
const MOST: usize = 16_384;

/// So many names of one address are remembered.
const NAMES: usize = 64;

struct Pin {
    name: Arc<str>,
    until: Instant,
}

/// Names that the session's resolver answered, by the addresses that it answered with.
#[derive(Default)]
pub struct Pins {
    by_address: RwLock<HashMap<IpAddr, Vec<Pin>>>,
    watch: OnceLock<Watch>,
}

/// Is told of addresses whose names have changed.
type Watch = Box<dyn Fn(IpAddr) + Send + Sync>;

impl Pins {
    /// `name` was answered with `address`, for so long.
    pub fn add(&self, name: &Arc<str>, address: IpAddr, ttl: Duration, now: Instant) {
        let until = now + ttl.clamp(AT_LEAST, AT_MOST);
        let mut pins = self.by_address.write().unwrap_or_else(PoisonError::into_inner);
        if pins.len() >= MOST && !pins.contains_key(&address.to_canonical()) {
            forget(&mut pins, now);
        }
        let names = pins.entry(address.to_canonical()).or_default();
        names.retain(|pin| pin.until > now && pin.name != *name);
        if names.len() >= NAMES {
            names.remove(0);
        }
        names.push(Pin {
            name: Arc::clone(name),
            until,
        });
        drop(pins);
        if let Some(watch) = self.watch.get() {
            watch(address.to_canonical());
        }
    }

    /// `watch` is told of every address that gets a name, before the answer goes out.
    pub(crate) fn watch(&self, watch: Watch) {
        // Set once, when the engine starts.
        let _ = self.watch.set(watch);
    }

    /// The names of `address`, and how long each holds.
    pub(crate) fn live(&self, address: IpAddr, now: Instant) -> Names {
        let pins = self.by_address.read().unwrap_or_else(PoisonError::into_inner);
        living(pins.get(&address.to_canonical()), now)
    }

    /// All of them.
    pub(crate) fn all(&self, now: Instant) -> Vec<(IpAddr, Names)> {
        let pins = self.by_address.read().unwrap_or_else(PoisonError::into_inner);
        let all = pins.iter().map(|(address, names)| (*address, living(Some(names), now)));
        all.filter(|(_, names)| !names.is_empty()).collect()
    }

    /// The names of `address`, the newest first.
    pub fn names(&self, address: IpAddr, now: Instant) -> Vec<Arc<str>> {
        let pins = self.by_address.read().unwrap_or_else(PoisonError::into_inner);
        let names = pins.get(&address.to_canonical()).into_iter().flatten().rev();
        names
            .filter(|pin| pin.until > now)
            .map(|pin| Arc::clone(&pin.name))
            .collect()
    }
}

/// Names, and how long each holds.
type Names = Vec<(Arc<str>, Duration)>;

fn living(names: Option<&Vec<Pin>>, now: Instant) -> Names {
    let names = names.into_iter().flatten().filter(|pin| pin.until > now);
    names
        .map(|pin| (Arc::clone(&pin.name), pin.until.saturating_duration_since(now)))
        .collect()
}

fn forget(pins: &mut HashMap<IpAddr, Vec<Pin>>, now: Instant) {
    pins.retain(|_, names| {
        names.retain(|pin| pin.until > now);
        !names.is_empty()
    });
    while pins.len() >= MOST {
        let first = pins
            .iter()
            .min_by_key(|(_, names)| names.iter().map(|pin| pin.until).max())
            .map(|(address, _)| *address);
        let Some(first) = first else { return };
        pins.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_has_the_names_it_was_given_under_for_their_time() {
        let (pins, now) = (Pins::default(), Instant::now());
        let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
        for name in ["a.example", "b.example", "a.example"] {
            pins.add(&Arc::from(name), address, Duration::from_secs(1), now);
        }
        let names = |at| {
            pins.names(address, at)
                .iter()
                .map(|name| name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(now + Duration::from_secs(60)), ["a.example", "b.example"]);
        assert!(names(now + AT_LEAST).is_empty());
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_without_end() {
        let (pins, now) = (Pins::default(), Instant::now());
        for number in 0..(MOST as u32 + 100) {
            let ttl = AT_LEAST + Duration::from_secs(u64::from(number) / 100);
            pins.add(&Arc::from("x"), IpAddr::V4(Ipv4Addr::from(number)), ttl, now);
        }
        let held = pins.by_address.read().unwrap_or_else(PoisonError::into_inner).len();
        assert!(held <= MOST, "{held}");
        assert_eq!(pins.names(IpAddr::V4(Ipv4Addr::from(MOST as u32 + 99)), now).len(), 1);
    }
}
