use std::time::Duration;

/// A time as `SECONDS`, `MINUTES:SECONDS` or `HOURS:MINUTES:SECONDS`; seconds may have a fraction.
pub fn parse(text: &str) -> Result<Duration, String> {
    moment(text).ok_or_else(|| "expected a time such as 90, 1:30 or 1:02:03.5".to_owned())
}

fn moment(text: &str) -> Option<Duration> {
    let mut parts = text.rsplit(':');
    let seconds = parts.next()?;
    if !seconds.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let mut time = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
    for unit in [60, 3600] {
        let Some(part) = parts.next() else { break };
        time = time.checked_add(Duration::from_secs(u64::from(part.parse::<u32>().ok()?) * unit))?;
    }
    parts.next().is_none().then_some(time)
}

/// `1:02:03.5`, with the hours only where there are some.
pub fn text(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let tenth = time.subsec_millis() / 100;
    match hours {
        0 => format!("{minutes}:{rest:02}.{tenth}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}.{tenth}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_alike() {
        for (text_of, ms) in [("0:01.5", 1_500), ("1:30.0", 90_000), ("1:02:03.5", 3_723_500)] {
            assert_eq!(parse(text_of), Ok(Duration::from_millis(ms)));
            assert_eq!(text(Duration::from_millis(ms)), text_of);
        }
        assert_eq!(parse("90"), Ok(Duration::from_secs(90)));
        for wrong in ["", "-1", "1:2:3:4", "x", "1:", "nan", "inf", "1e400"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
