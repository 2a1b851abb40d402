use agentsh_protocol::terminal::{SizeRule, Window};

/// A client as far as the size goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sized {
    pub(super) window: Window,
    pub(super) primary: bool,
    /// When it typed or resized last; greater is later.
    pub(super) active: u64,
}

/// The window for these clients; `now` is the present one.
pub(super) fn choose(rule: SizeRule, now: Window, mut clients: impl Iterator<Item = Sized>) -> Window {
    let cells = |window: Window| (window.cols, window.rows);
    let merge = |pick: fn(u16, u16) -> u16| {
        move |a: Window, b: Window| {
            let (cols, rows) = (pick(a.cols, b.cols), pick(a.rows, b.rows));
            // Pixels belong to one terminal: they are kept where its cells are.
            [a, b]
                .into_iter()
                .find(|window| cells(*window) == (cols, rows))
                .unwrap_or(Window {
                    cols,
                    rows,
                    width: 0,
                    height: 0,
                })
        }
    };
    let is_known = |client: &Sized| client.window.cols > 0 && client.window.rows > 0;
    let chosen = match rule {
        // Whatever it is: a terminal may have no size.
        SizeRule::Fixed => clients.find(|client| client.primary).map(|client| client.window),
        SizeRule::Latest => clients
            .filter(is_known)
            .max_by_key(|client| client.active)
            .map(|client| client.window),
        SizeRule::Smallest => clients
            .filter(is_known)
            .map(|client| client.window)
            .reduce(merge(u16::min)),
        SizeRule::Largest => clients
            .filter(is_known)
            .map(|client| client.window)
            .reduce(merge(u16::max)),
    };
    chosen.unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(cols: u16, rows: u16) -> Window {
        Window {
            cols,
            rows,
            width: 10 * cols,
            height: 0,
        }
    }

    fn chosen(rule: SizeRule, clients: &[(u16, u16, bool, u64)]) -> Window {
        let clients = clients.iter().map(|(cols, rows, primary, active)| Sized {
            window: window(*cols, *rows),
            primary: *primary,
            active: *active,
        });
        choose(rule, window(80, 24), clients)
    }

    #[test]
    fn fixed_follows_the_primary_alone() {
        assert_eq!(
            chosen(SizeRule::Fixed, &[(10, 5, false, 9), (100, 30, true, 1)]),
            window(100, 30)
        );
        assert_eq!(chosen(SizeRule::Fixed, &[(10, 5, false, 9)]), window(80, 24));
        assert_eq!(chosen(SizeRule::Fixed, &[(0, 0, true, 1)]), window(0, 0));
    }

    #[test]
    fn the_other_rules_look_at_all_whose_size_is_known() {
        let clients = [
            (100, 30, true, 1),
            (120, 20, false, 3),
            (0, 0, false, 9),
            (90, 50, false, 2),
        ];
        assert_eq!(chosen(SizeRule::Latest, &clients), window(120, 20));
        assert_eq!(
            chosen(SizeRule::Smallest, &clients),
            Window {
                cols: 90,
                rows: 20,
                width: 0,
                height: 0
            }
        );
        assert_eq!(
            chosen(SizeRule::Largest, &clients),
            Window {
                cols: 120,
                rows: 50,
                width: 0,
                height: 0
            }
        );
        assert_eq!(chosen(SizeRule::Largest, &[]), window(80, 24));
    }
}
