//! Times of the record: RFC 3339, UTC, nine digits of a second.

use rustix::time::{ClockId, clock_gettime};

const DAY: u64 = 86_400;
const SECOND: u64 = 1_000_000_000;

/// Nanoseconds of the wall clock since 1970, and of the clock that nobody sets (`CLOCK_BOOTTIME`, clock_gettime(2)).
pub(crate) fn now() -> (u64, u64) {
    (nanoseconds(ClockId::Realtime), nanoseconds(ClockId::Boottime))
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // A wall clock before 1970 counts as 1970: order is kept by `seq`, not by it.
    u64::try_from(time.tv_sec).unwrap_or(0) * SECOND + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// The wall clock as RFC 3339.
pub fn now_rfc3339() -> String {
    rfc3339(nanoseconds(ClockId::Realtime))
}

/// `nanoseconds` since 1970 as `2026-11-24T16:40:19.123456789Z`.
pub fn rfc3339(nanoseconds: u64) -> String {
    let mut text = Vec::with_capacity(30);
    write_rfc3339(&mut text, nanoseconds);
    String::from_utf8(text).unwrap_or_default()
}

pub(crate) fn write_rfc3339(out: &mut Vec<u8>, nanoseconds: u64) {
    let seconds = nanoseconds / SECOND;
    let (year, month, day) = civil(seconds / DAY);
    let rest = seconds % DAY;
    digits(out, year, 4);
    out.push(b'-');
    digits(out, month, 2);
    out.push(b'-');
    digits(out, day, 2);
    out.push(b'T');
    digits(out, rest / 3600, 2);
    out.push(b':');
    digits(out, rest / 60 % 60, 2);
    out.push(b':');
    digits(out, rest % 60, 2);
    out.push(b'.');
    digits(out, nanoseconds % SECOND, 9);
    out.push(b'Z');
}

/// Reads the form that [`rfc3339`] writes, also with fewer or no digits of a second; `None` for anything else.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z')?;
    let (date, clock) = text.split_once('T')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let days = days_before(year, month, day)?;
    if civil(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<9}").parse().ok()?;
    (days * DAY + hour * 3600 + minute * 60 + second)
        .checked_mul(SECOND)?
        .checked_add(fraction)
}

fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut out = [0; 3];
    for (number, width) in out.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

fn digits(out: &mut Vec<u8>, number: u64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (number / 10u64.pow(place) % 10) as u8);
    }
}

/// Year, month and day of a day counted from 1970. Years are counted from March, so that the leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let era = days / 146_097; // 400 years
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    let year = year - u64::from(month <= 2);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    (year / 400 * 146_097 + of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_moments_have_their_known_text() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(rfc3339(951_782_400 * SECOND + 1), "2000-02-29T00:00:00.000000001Z");
        assert_eq!(rfc3339(1_795_538_419 * SECOND), "2026-11-24T16:40:19.000000000Z");
        assert_eq!(rfc3339(4_107_542_399 * SECOND), "2100-02-28T23:59:59.000000000Z");
        assert_eq!(rfc3339(4_107_542_400 * SECOND), "2100-03-01T00:00:00.000000000Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "Z",
            "2026-02-29T00:00:00Z",
            "2026-1-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
        assert_eq!(parse_rfc3339("2026-01-01T00:00:00+01:00"), None);
        assert_eq!(parse_rfc3339("1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
    }

    proptest! {
        #[test]
        fn every_time_is_read_back(nanoseconds: u64) {
            prop_assert_eq!(parse_rfc3339(&rfc3339(nanoseconds)), Some(nanoseconds));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = parse_rfc3339(&text);
        }
    }
}
