//! Whole numbers on the command line: one range and one wording for all flags.

use std::any::TypeId;

use clap::Command;

/// `command` with a reader of whole numbers that says what it expects, for each such flag of it and of
/// its subcommands. A negative number is a value, and not a flag of one digit.
pub(super) fn worded(command: Command) -> Command {
    let command = command.allow_negative_numbers(true).mut_args(|arg| {
        let kind = arg.get_value_parser().type_id();
        if kind == TypeId::of::<u64>() {
            arg.value_parser(whole::<u64>)
        } else if kind == TypeId::of::<usize>() {
            arg.value_parser(whole::<usize>)
        } else {
            arg
        }
    });
    command.mut_subcommands(worded)
}

/// Reads a whole number of at most 2^63 - 1, the greatest that TOML can write.
fn whole<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| i64::try_from(*number).is_ok());
    number
        .and_then(|number: u64| T::try_from(number).ok())
        .ok_or_else(|| "give a whole number from 0 to 9223372036854775807".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{ArgMatches, CommandFactory};

    fn read(words: &[&str]) -> Result<ArgMatches, String> {
        let command = super::worded(crate::commands::Cli::command());
        command.try_get_matches_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn a_flag_that_is_no_whole_number_says_the_range() {
        let cases: [&[&str]; 6] = [
            &["cgym", "search", "--seed", "-1"],
            &["cgym", "search", "--episodes", "1.5"],
            &["cgym", "search", "--threads", "many"],
            &["cgym", "search", "--seed", "9223372036854775808"],
            &["cgym", "teacher", "train", "--out", "x", "--epochs", "-3"],
            &["cgym", "validate", "run", "--sample", "-1"],
        ];
        for words in cases {
            let refusal = read(words).expect_err("no whole number");
            assert!(refusal.contains("whole number from 0 to 9223372036854775807"), "{words:?}: {refusal}");
        }
        assert!(read(&["cgym", "search", "--seed", "9223372036854775807"]).is_ok());
    }
}
