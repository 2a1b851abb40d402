//! The broker's and the supervisor's entry point.

fn main() -> std::process::ExitCode {
    agentsh_ptyd::run()
}
