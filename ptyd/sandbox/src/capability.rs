//! Names of capabilities (`capabilities(7)`).

use caps::Capability;

/// The mask of a name, in any case, with or without `CAP_`; `None` if there is no such capability.
pub fn mask_of(name: &str) -> Option<u64> {
    caps::to_canonical(name)
        .parse::<Capability>()
        .ok()
        .map(|capability| capability.bitmask())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_form() {
        assert_eq!(mask_of("kill"), Some(1 << 5));
        assert_eq!(mask_of("CAP_CHOWN"), Some(1));
        assert_eq!(mask_of("no_such"), None);
    }
}
