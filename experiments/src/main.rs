//! The `cgym` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cgym::commands::parse();
    match cgym::commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
