use super::sys;

/// Programs come to the front, and change their folder, about when something is printed or typed: it is looked for then,
/// and so many milliseconds after.
const LOOKS: [i64; 3] = [15, 60, 250];

/// When to look at the command again.
#[derive(Default)]
pub(super) struct Looks {
    since: i64,
    left: &'static [i64],
}

impl Looks {
    /// Something was printed or typed.
    pub(super) fn stir(&mut self) {
        self.since = sys::now();
        self.left = &LOOKS;
    }

    /// In how many milliseconds; -1 if not at all.
    pub(super) fn due(&self) -> i32 {
        self.left.first().map_or(-1, |after| {
            i32::try_from((self.since + after - sys::now()).max(0)).unwrap_or(i32::MAX)
        })
    }

    /// Whether it is time.
    pub(super) fn take(&mut self) -> bool {
        let now = self.due() == 0;
        if now {
            self.left = &self.left[1..];
        }
        now
    }
}
