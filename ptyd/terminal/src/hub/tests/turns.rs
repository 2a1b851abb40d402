use super::*;

#[test]
fn everything_that_was_printed_before_a_question_is_there_before_its_answer() -> Result<(), Failure> {
    let command = Command::start(None, SizeRule::Fixed)?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    let mut tty = command.tty.try_clone()?;
    for round in 0..50 {
        let text = format!("{round}: {}\r\n", "x".repeat(round * 37));
        tty.write_all(text.as_bytes())?;
        shim.says(FromClient::Drain(false))?;
        shim.says(FromClient::Drain(false))?;
        for _ in 0..2 {
            let answer = shim.until(|frame| matches!(frame, FromHub::Drained(_)))?;
            assert_eq!(answer, FromHub::Drained(Vec::new()));
            assert!(shim.seen.ends_with(text.as_bytes()), "{round}");
        }
    }
    Ok(())
}

#[test]
fn who_joins_before_something_is_printed_sees_it() -> Result<(), Failure> {
    // With one processor the hub is often on its way to sleep when both have happened.
    let here = rustix::thread::sched_getaffinity(None)?;
    let mut one = rustix::thread::CpuSet::new();
    let first = (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| here.is_set(*cpu));
    one.set(first.ok_or("no processor")?);
    rustix::thread::sched_setaffinity(None, &one)?;
    for _ in 0..200 {
        let mut command = Command::start(None, SizeRule::Fixed)?;
        let (stream, far) = UnixStream::pair()?;
        stream.set_read_timeout(Some(SOON))?;
        let id = command.hub.attach(Joining {
            role: Role::Primary,
            io: Io::Framed(far),
            window: Some(WINDOW),
            take: false,
            fresh: true,
        });
        command.tty.write_all(b"printed at once")?;
        let mut shim = Person {
            id,
            stream,
            decoder: Decoder::default(),
            seen: Vec::new(),
        };
        shim.sees("printed at once")?;
    }
    Ok(())
}

/// Whoever relays between the command and the terminal `outer`.
fn relay(hub: &Hub, outer: &Pty) -> Result<Person, Failure> {
    let (stream, control) = UnixStream::pair()?;
    stream.set_read_timeout(Some(SOON))?;
    let id = hub.attach(Joining {
        role: Role::Primary,
        io: Io::Terminal {
            control,
            output: crate::pty::reopen(outer.slave.as_fd())?,
            before: Settings::of(outer.slave.as_fd())?,
        },
        window: Some(WINDOW),
        take: false,
        fresh: true,
    });
    Ok(Person {
        id,
        stream,
        decoder: Decoder::default(),
        seen: Vec::new(),
    })
}

#[test]
fn what_is_printed_is_for_what_the_terminal_was_said_to_be_before_also_by_who_has_just_joined() -> Result<(), Failure> {
    let outer = Pty::open(WINDOW, None)?;
    Settings::of(outer.slave.as_fd())?.raw().apply(outer.slave.as_fd())?;
    // The hub is held up between two looks at who has something to say, while all the rest happens.
    let (typing, held) = channel();
    let (go_on, goes_on) = channel::<()>();
    let mut command = Command::start_with(None, SizeRule::Fixed, move |event| {
        if let Event::Typing(Some(2)) = event {
            let _ = (typing.send(()), goes_on.recv());
        }
    })?;
    let _first = command.join(Role::Writer, None, true)?;
    let mut second = command.join(Role::Writer, None, true)?;
    second.says(FromClient::Take)?;
    held.recv_timeout(SOON)?;
    let mut relay = relay(&command.hub, &outer)?;
    relay.says(FromClient::Raw(true))?;
    command.tty.write_all(b"line\r\n")?;
    go_on.send(())?;
    second.sees("line")?;
    let mut seen = [0; 16];
    let count = rustix::io::read(&outer.master, &mut seen)?;
    assert_eq!(seen[..count], *b"line\r\n");
    Ok(())
}

#[test]
fn a_terminal_that_is_passed_by_has_everything_before_the_answer_too() -> Result<(), Failure> {
    let outer = Pty::open(WINDOW, None)?;
    Settings::of(outer.slave.as_fd())?.raw().apply(outer.slave.as_fd())?;
    let command = Command::start(None, SizeRule::Fixed)?;
    let mut relay = relay(&command.hub, &outer)?;
    relay.says(FromClient::Raw(true))?;
    let mut tty = command.tty.try_clone()?;
    // Beyond what the caller's terminal takes before somebody reads there.
    let text = "0123456789abcdef".repeat(4 << 10);
    let writer = std::thread::spawn(move || tty.write_all(text.as_bytes()));
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    let mut read = |seen: &mut Vec<u8>, most: usize| -> Result<(), Failure> {
        while seen.len() < most {
            let mut ready = [rustix::event::PollFd::new(&outer.master, rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut ready, None)?;
            let count = rustix::io::read(&outer.master, &mut buffer)?;
            seen.extend_from_slice(&buffer[..count]);
        }
        Ok(())
    };
    read(&mut seen, 32 << 10)?;
    relay.says(FromClient::Drain(false))?;
    read(&mut seen, 64 << 10)?;
    assert!(writer.join().is_ok_and(|written| written.is_ok()));
    relay.until(|frame| matches!(frame, FromHub::Drained(_)))?;
    assert_eq!(seen, "0123456789abcdef".repeat(4 << 10).as_bytes());
    Ok(())
}

#[test]
fn what_nobody_has_read_is_given_back_if_it_is_asked_for() -> Result<(), Failure> {
    let command = Command::start(None, SizeRule::Fixed)?;
    let cooked = Settings::of(Pty::open(WINDOW, None)?.slave.as_fd())?;
    cooked.apply(command.tty.as_fd())?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    shim.types("typed\rahead")?;
    shim.says(FromClient::Drain(false))?;
    shim.says(FromClient::Drain(true))?;
    let answer = |frame: &FromHub| matches!(frame, FromHub::Drained(_));
    let both = [shim.until(answer)?, shim.until(answer)?];
    assert!(
        both.contains(&FromHub::Drained(b"typed\nahead".to_vec())) && both.contains(&FromHub::Drained(Vec::new())),
        "{both:?}"
    );
    Ok(())
}

#[test]
fn what_the_primary_shows_itself_is_seen_and_recorded_like_output() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (sender, reports) = channel();
    let mut command = Command::start(Some(recording(folder.path(), sender)?), SizeRule::Fixed)?;
    let mut shim = command.join(Role::Primary, Some(WINDOW), true)?;
    let mut watcher = command.join(Role::Watcher, Some(WINDOW), false)?;
    watcher.until(|frame| matches!(frame, FromHub::Redraw(_)))?;
    watcher.says(FromClient::Shown(b"of a stranger".to_vec()))?;
    shim.says(FromClient::Shown(
        b"$ make\r\n\x1b]633;E;make\x07\x1b]633;C\x07".to_vec(),
    ))?;
    watcher.sees("$ make\r\n")?;
    command.tty.write_all(b"done")?;
    shim.sees("done")?;
    assert_eq!(shim.seen, b"done");
    command.hub.finish(0);
    drop(command.tty);
    let Report::Finished(summary) = reports.recv_timeout(SOON)? else {
        return Err("it stopped early".into());
    };
    let cast = Cast::open(&summary.path)?;
    let told: String = cast.events.iter().filter_map(|event| event.output()).collect();
    assert!(told.starts_with("$ make\r\n") && told.ends_with("done"), "{told:?}");
    let marked = |event: &crate::cast::Event| event.data == Data::Marker("$ make".into());
    assert!(cast.events.iter().any(marked), "{:?}", cast.events);
    Ok(())
}
