//! The quick start, word for word, by a shell that has `agentsh` on its PATH.

use std::path::Path;

use agentsh_tests::world::PRODUCT;
use agentsh_tests::{Result, Shell, User, World, enforced, fail, skips};

use agentsh_tests::mirror::Report;

fn shell(world: &World, text: &str) -> Result<agentsh_tests::Outcome> {
    let path = format!("{PRODUCT}:/usr/local/bin:/usr/bin:/bin");
    Shell::named("bash").args(["-c", text]).env("PATH", path).run(world)
}

#[test]
fn the_quick_start_works_as_written() -> Result {
    if !skips::has_programs("quick start", &["jq", "curl"])? {
        return Ok(());
    }
    for user in User::both() {
        let world = World::new(user)?;
        let folder = world.workspace().join("tmp");
        world.user().write_file(&folder.join("file"), "kept", 0o644)?;
        let create = "set -e; SID=$(agentsh session create --workspace . | jq -r .id)";
        let outcome = shell(&world, &format!("{create}; agentsh exec \"$SID\" -- uname -a"))?;
        if !outcome.out().starts_with("Linux ") {
            return Err(fail(format!("uname -a: {outcome:?}")));
        }
        let fetched = shell(
            &world,
            &format!(
                "{create}; agentsh exec --output json --events summary \"$SID\" -- curl -s https://example.com || true"
            ),
        )?;
        let report: Report = fetched.json()?;
        if report.exit_code.is_none() || !report.events_summary.contains_key("process_exec") {
            return Err(fail(format!("curl: {report:?}")));
        }
        // Where a deletion cannot be made soft it is refused; either way nothing is lost.
        let removed = shell(&world, &format!("{create}; agentsh exec \"$SID\" -- rm -rf ./tmp"))?;
        let stays = Path::new(&folder).exists();
        let expected = if stays { "tmp\n" } else { "" };
        if stays && (removed.expect_exit(126, "rm").is_err() || removed.err().lines().count() < 2) {
            return Err(fail(format!("rm -rf ./tmp: {removed:?}")));
        }
        let listed = shell(
            &world,
            &format!("{create}; agentsh exec --output json --events all \"$SID\" -- ls"),
        )?;
        let report: Report = listed.json()?;
        let ls = report
            .events
            .iter()
            .any(|event| event.kind == "process_exec" && event.line() == "ls");
        if report.exit_code != Some(0) || report.stdout.lossy() != expected || !ls || report.guidance.status != "ok" {
            return Err(fail(format!("ls: {report:?}")));
        }
        enforced::prove(&world)?;
    }
    Ok(())
}
