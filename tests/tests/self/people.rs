//! Nobody inside passes for somebody outside.

use agentsh_tests::world::PRODUCT;
use agentsh_tests::{Result, User, fail, session};

use crate::{still_guards, world};

#[test]
fn nobody_inside_is_taken_for_an_operator_or_a_broker() -> Result {
    for user in User::both() {
        let (world, id) = world(user)?;
        for words in [
            format!("session destroy {id}"),
            format!("kill {id}"),
            "session create --workspace .".to_owned(),
            "broker stop".to_owned(),
            "approve list".to_owned(),
            "grants list".to_owned(),
            format!("exec {id} -- factor 7"),
        ] {
            let outcome = session::run(&world, &id, &["sh", "-c", &format!("{PRODUCT}/agentsh {words}")])?;
            let did = outcome.ended == agentsh_tests::Ended::Exit(0);
            if did && words != "session create --workspace ." || outcome.out().contains("7: 7") {
                return Err(fail(format!("{words}: {outcome:?}")));
            }
        }
        // A broker of its own would serve without walls: it does not begin.
        session::run(
            &world,
            &id,
            &[
                "sh",
                "-c",
                &format!("timeout 5 {PRODUCT}/agentsh-ptyd; timeout 5 {PRODUCT}/agentsh-ptyd supervise < /dev/null"),
            ],
        )?;
        still_guards(&world, &id, "after a broker of its own")?;
    }
    Ok(())
}
