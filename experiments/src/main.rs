//! The `cgym` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cgym::commands::parse();
    match cgym::commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A command that was stopped has said so itself.
            if !matches!(error, cgym::Error::Stopped) {
                cgym::output::note(format!("error: {error}"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}
