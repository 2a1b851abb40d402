//! The stand-in against the oracle, as root and as an ordinary user, under the default pack, with a denied act after
//! every single start.

use agentsh_tests::shell::Subject;
use agentsh_tests::world::processes::wait_until;
use agentsh_tests::{Result, User, World, compare, enforced, fail, record};

use crate::{table, terminals};

fn topic(name: &str, user: User) -> Result {
    let world = World::new(user)?;
    enforced::control(&world)?;
    let (mut failed, mut ran) = (Vec::new(), 0);
    for case in table()
        .into_iter()
        .filter(|(topic, _)| *topic == name)
        .flat_map(|(_, cases)| cases)
    {
        if !case.is_possible()? {
            continue;
        }
        ran += 1;
        let outcome = compare::same(&case, &world, &Subject::shims()).and_then(|()| enforced::prove(&world));
        failed.extend(outcome.err().map(|error| error.to_string()));
    }
    if !failed.is_empty() {
        return Err(fail(format!(
            "{} of {ran} cases differ:\n{}",
            failed.len(),
            failed.join("\n")
        )));
    }
    on_record(&world, ran)
}

/// Every start is on the record of the user; a few launchers change the user, whose record is another.
fn on_record(world: &World, ran: usize) -> Result {
    let started =
        || record::events(world).map(|all| all.iter().filter(|event| event.kind == "command_started").count());
    match wait_until(std::time::Duration::from_secs(15), || {
        started().is_ok_and(|count| count >= 2 * ran - ran / 6)
    }) {
        true => Ok(()),
        false => Err(fail(format!(
            "{ran} cases and their denied acts, but {:?} starts on record",
            started()
        ))),
    }
}

fn dialogues(user: User) -> Result {
    let world = World::new(user)?;
    enforced::control(&world)?;
    let mut failed = Vec::new();
    for dialogue in terminals::dialogues() {
        let outcome = dialogue
            .same(&world, &Subject::shims())
            .and_then(|()| enforced::prove(&world));
        failed.extend(outcome.err().map(|error| error.to_string()));
    }
    failed.extend(
        terminals::hang_up_is_noticed(&world, &Subject::shims())
            .err()
            .map(|error| error.to_string()),
    );
    match failed.is_empty() {
        true => Ok(()),
        false => Err(fail(failed.join("\n"))),
    }
}

macro_rules! topics {
    ($($root:ident $agent:ident $topic:literal;)*) => {
        $(
            #[test]
            fn $root() -> Result {
                topic($topic, User::root())
            }

            #[test]
            fn $agent() -> Result {
                topic($topic, User::agent())
            }
        )*
    };
}

topics! {
    agents_start_shells_as_root agents_start_shells_as_a_user "agents";
    debuggers_work_for_root debuggers_work_for_a_user "debuggers";
    every_descriptor_is_inherited_by_root every_descriptor_is_inherited_by_a_user "descriptors";
    every_end_is_the_same_for_root every_end_is_the_same_for_a_user "ends";
    every_failure_is_the_same_for_root every_failure_is_the_same_for_a_user "errors";
    other_programs_start_the_shell_as_root other_programs_start_the_shell_as_a_user "launchers";
    what_hardly_is_left_is_enough_for_root what_hardly_is_left_is_enough_for_a_user "limits";
    shells_keep_their_manners_for_root shells_keep_their_manners_for_a_user "manners";
    login_shells_are_login_shells_for_root login_shells_are_login_shells_for_a_user "login";
    odd_names_and_environments_pass_for_root odd_names_and_environments_pass_for_a_user "names";
    all_arguments_pass_for_root all_arguments_pass_for_a_user "options";
    processes_end_as_ever_for_root processes_end_as_ever_for_a_user "processes";
    inherited_state_is_the_callers_for_root inherited_state_is_the_callers_for_a_user "state";
    standard_input_is_the_commands_for_root standard_input_is_the_commands_for_a_user "stdin";
    streams_are_untouched_for_root streams_are_untouched_for_a_user "streams";
}

#[test]
fn terminals_behave_for_root() -> Result {
    dialogues(User::root())
}

#[test]
fn terminals_behave_for_a_user() -> Result {
    dialogues(User::agent())
}
