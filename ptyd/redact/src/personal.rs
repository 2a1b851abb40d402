//! Personal data, and strings that look drawn by lot. Their checks decide what no expression can.

use super::checks;
use super::patterns::{Check, Class};

/// Class, expression, and what else must hold. Cheap to refuse ones first: where one is refused, those
/// after it are tried at the same place.
pub(super) const PERSONAL: &[(Class, &str, Option<Check>)] = &[
    (
        Class::Email,
        r"\b[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9](?:[A-Za-z0-9-]*\.)+[A-Za-z]{2,24}\b",
        None,
    ),
    (Class::Ssn, r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", Some(checks::ssn)),
    (
        Class::Card,
        r"\b[2-6][0-9]{3}(?:[ -]?[0-9]){9,15}\b",
        Some(checks::card),
    ),
    (Class::Phone, r"\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[-. ][0-9]{4}\b", None),
    (Class::Phone, r"\b[2-9][0-9]{2}([-.])[2-9][0-9]{2}[-.][0-9]{4}\b", None),
    (
        Class::Phone,
        r"\+[1-9][0-9]{0,3}(?:[ .-]?\(?[0-9]{2,5}\)?){2,5}\b",
        Some(checks::phone),
    ),
    (Class::Entropy, r"\b[A-Za-z0-9+/_-]{24,}={0,2}", Some(checks::random)),
];
