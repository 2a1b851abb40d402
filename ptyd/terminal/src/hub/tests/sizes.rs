use super::*;

const WIDE: Window = Window {
    cols: 90,
    rows: 8,
    ..WINDOW
};

fn resized(command: &Command, cols: u16, rows: u16) -> Result<(), Failure> {
    while command.event()? != (Event::Resized { cols, rows }) {}
    Ok(())
}

#[test]
fn a_rule_holds_as_long_as_who_asked_for_it_is_there() -> Result<(), Failure> {
    for (rule, cols, rows) in [
        (SizeRule::Latest, 90, 8),
        (SizeRule::Smallest, 40, 8),
        (SizeRule::Largest, 90, 10),
    ] {
        let command = Command::start(None, SizeRule::Fixed)?;
        let _shim = command.join(Role::Primary, Some(WINDOW), true)?;
        let mut person = command.join(Role::Writer, Some(WIDE), false)?;
        person.says(FromClient::Size(rule))?;
        resized(&command, cols, rows)?;
        assert_eq!(window(command.tty.as_fd())?.cols, cols);
        person.says(FromClient::Size(SizeRule::Fixed))?;
        resized(&command, 40, 10)?;
        person.says(FromClient::Size(rule))?;
        resized(&command, cols, rows)?;
        person.says(FromClient::Detach)?;
        resized(&command, 40, 10)?;
        assert_eq!(window(command.tty.as_fd())?, WINDOW);
    }
    Ok(())
}

#[test]
fn who_only_looks_counts_under_no_rule() -> Result<(), Failure> {
    for rule in [SizeRule::Latest, SizeRule::Smallest, SizeRule::Largest] {
        let command = Command::start(None, rule)?;
        let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
        let mut watcher = command.join(Role::Watcher, Some(WIDE), false)?;
        watcher.says(FromClient::Size(SizeRule::Largest))?;
        watcher.says(FromClient::Window(Window { rows: 2, ..WIDE }))?;
        // Everything that the watcher said was heard by now.
        watcher.says(FromClient::Detach)?;
        while command.event()? != Event::Detached(watcher.id, Gone::Left) {}
        assert_eq!(window(command.tty.as_fd())?, WINDOW, "{rule:?}");
        shim.says(FromClient::Window(WIDE))?;
        resized(&command, 90, 8)?;
    }
    Ok(())
}
