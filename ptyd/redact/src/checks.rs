//! What must hold of a match besides its form. Each says how many of the match's bytes, from its start,
//! are a finding.

/// Digits of `bytes` as numbers.
fn digits(bytes: &[u8]) -> impl DoubleEndedIterator<Item = u32> + Clone {
    bytes
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .map(|byte| u32::from(byte - b'0'))
}

/// A card number: an issuer's range and length, and the check digit of ISO/IEC 7812 (Luhn). Of a match
/// that runs on into another number, the longest part that ends before a separator.
pub(super) fn card(found: &[u8]) -> Option<usize> {
    let ends = (13..=found.len()).rev();
    ends.filter(|end| found[end - 1].is_ascii_digit() && found.get(*end).is_none_or(|next| !next.is_ascii_digit()))
        .find(|end| issued(&found[..*end]) && luhn(&found[..*end]))
}

fn luhn(number: &[u8]) -> bool {
    let sum: u32 = digits(number)
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => digit,
            _ if digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether an issuer gives out numbers with these first digits and this length.
fn issued(number: &[u8]) -> bool {
    let length = digits(number).count();
    let first = |count: usize| digits(number).take(count).fold(0, |sum, digit| sum * 10 + digit);
    let (one, two, four) = (first(1), first(2), first(4));
    match length {
        13 => one == 4,
        14 => two == 36 || two == 38 || (300..=305).contains(&first(3)),
        15 => two == 34 || two == 37,
        16 => {
            one == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || (3528..=3589).contains(&four)
                || four == 6011
                || two == 62
                || two == 65
        }
        17..=19 => two == 62 || (length == 19 && one == 4),
        _ => false,
    }
}

/// A US social security number that can have been given out.
pub(super) fn ssn(found: &[u8]) -> Option<usize> {
    let area = &found[..3];
    let never = area == b"000" || area == b"666" || area[0] == b'9' || &found[4..6] == b"00" || &found[7..] == b"0000";
    (!never).then_some(found.len())
}

/// A number in international form: 8 to 15 digits (E.164).
pub(super) fn phone(found: &[u8]) -> Option<usize> {
    (8..=15).contains(&digits(found).count()).then_some(found.len())
}

/// Bits a byte from which on a string counts as drawn by lot. Words, paths and identifiers stay below
/// it at these lengths; base64 of random bytes is above.
const RANDOM_BITS: f64 = 4.25;

/// A string drawn by lot: upper and lower case and digits mixed, and little repetition. Numbers in
/// hexadecimal (hashes, ids) are none.
pub(super) fn random(found: &[u8]) -> Option<usize> {
    let has = |kind: fn(&u8) -> bool| found.iter().any(kind);
    if !(has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)) {
        return None;
    }
    let mut counts = [0u32; 256];
    for byte in found {
        counts[usize::from(*byte)] += 1;
    }
    let length = found.len() as f64;
    let bits: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / length;
            -share * share.log2()
        })
        .sum();
    (bits >= RANDOM_BITS).then_some(found.len())
}
