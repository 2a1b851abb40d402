use serde::{Deserialize, Serialize};

/// A moment: seconds since 1970 (UTC) and nanoseconds, as the file system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub i64, pub u32);

impl Time {
    /// The current time of the system clock.
    pub fn now() -> Time {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        Time(now.tv_sec, now.tv_nsec as u32)
    }

    /// This moment less `duration`.
    pub fn before(self, duration: std::time::Duration) -> Time {
        let nanos = i64::from(self.1) - i64::from(duration.subsec_nanos());
        let seconds = self
            .0
            .saturating_sub(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX));
        match u32::try_from(nanos) {
            Ok(nanos) => Time(seconds, nanos),
            Err(_) => Time(seconds.saturating_sub(1), (nanos + 1_000_000_000) as u32),
        }
    }

    /// As RFC 3339 in UTC with nanoseconds.
    pub fn rfc3339(self) -> String {
        format!("{}.{:09}Z", self.date_time(), self.1)
    }

    /// `YYYY-MM-DDThh:mm:ss` in UTC, the form of a trash record's `DeletionDate`.
    pub(crate) fn date_time(self) -> String {
        let (year, month, day) = civil(self.0.div_euclid(86_400));
        let second = self.0.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// The Gregorian date of a count of days since 1970-01-01, counted in years that begin in March so
/// that the leap day is a year's last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn known_moments_are_written_as_their_dates() {
        assert_eq!(Time(0, 5).rfc3339(), "1970-01-01T00:00:00.000000005Z");
        assert_eq!(Time(951_782_399, 0).date_time(), "2000-02-28T23:59:59");
        assert_eq!(Time(951_782_400, 0).date_time(), "2000-02-29T00:00:00");
        assert_eq!(Time(4_107_542_399, 0).date_time(), "2100-02-28T23:59:59");
        assert_eq!(Time(4_107_542_400, 0).date_time(), "2100-03-01T00:00:00");
        assert_eq!(Time(-1, 0).date_time(), "1969-12-31T23:59:59");
    }

    #[test]
    fn subtraction_borrows_a_second() {
        assert_eq!(Time(10, 5).before(Duration::from_nanos(6)), Time(9, 999_999_999));
        assert_eq!(Time(10, 5).before(Duration::new(2, 5)), Time(8, 0));
    }
}
