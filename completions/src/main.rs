//! Writes completions and man pages below a folder: `agentsh-completions FOLDER`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: agentsh-completions FOLDER");
        return ExitCode::from(2);
    };
    match agentsh_completions::write(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("agentsh-completions: {}: {error}", Path::new(&folder).display());
            ExitCode::FAILURE
        }
    }
}
