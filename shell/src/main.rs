//! `agentsh`: see the library of this crate.

fn main() -> std::process::ExitCode {
    agentsh_shell::main()
}
