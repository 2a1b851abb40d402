//! Lines of processes each of which starts the next and ends. Each counts itself in the file `beats`, by memory alone.

use crate::sys::line as sys;

/// `chain KIND`: see the arms. Never returns to its caller.
pub fn run(kind: &str) -> i32 {
    sys::no_core();
    let Ok(()) = sys::beat_in(c"beats") else { return 1 };
    match kind {
        "exits" => endless(|| sys::exit_group(0)),
        "exits as a thread" => endless(|| sys::exit_thread(0)),
        "faults" => endless(|| sys::fault()),
        "kills itself" => endless(|| {
            sys::kill_self();
            sys::fault()
        }),
        "leaves its session" => loop {
            sys::beat();
            sys::new_session();
            if sys::fork() > 0 {
                sys::fault();
            }
            if sys::fork() > 0 {
                sys::exit_thread(0);
            }
        },
        "is its parent's sibling" => loop {
            sys::beat();
            if sys::fork_sibling() > 0 {
                sys::fault();
            }
        },
        "executes itself" => loop {
            sys::beat();
            if sys::fork() > 0 {
                sys::fault();
            }
            let _ = sys::execute_self("executes itself");
        },
        "is spawned" => {
            sys::beat();
            let _ = sys::spawn_self("is spawned");
            sys::fault()
        }
        "forks in a thread" => in_a_thread(),
        other => {
            crate::report(&format!("no chain {other:?}"));
            2
        }
    }
}

fn endless(end: impl Fn()) -> ! {
    loop {
        sys::beat();
        if sys::fork() > 0 {
            end();
        }
    }
}

/// What a thread forks has that thread alone, which starts another for the next fork.
fn in_a_thread() -> i32 {
    sys::beat();
    std::thread::spawn(|| {
        if sys::fork() > 0 {
            sys::fault();
        }
        in_a_thread()
    });
    loop {
        sys::pause();
    }
}
