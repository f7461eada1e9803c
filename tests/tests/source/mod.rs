//! Removes comments and literals from Rust sources.

/// `source` with every comment and literal replaced by a space.
pub fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest, code.chars().next_back());
        if length > 0 {
            code.push(' ');
            rest = &rest[length..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// Length in bytes of the comment or literal at the start of `rest`, which follows the character
/// `before`; 0 if there is none.
fn skipped(rest: &str, before: Option<char>) -> usize {
    let end = |found: Option<usize>, closing: usize| found.map_or(rest.len(), |at| at + closing);
    if rest.starts_with("//") {
        end(rest.find('\n'), 0)
    } else if rest.starts_with("/*") {
        block_comment(rest)
    } else if rest.starts_with('"') {
        quoted(rest, '"')
    } else if rest.starts_with('\'') {
        character(rest)
    } else if rest.starts_with('r') && !before.is_some_and(|before| before != 'b' && is_word(before)) {
        let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
        let start = 1 + hashes;
        if !rest[start..].starts_with('"') {
            return 0;
        }
        let closing = format!("\"{}", "#".repeat(hashes));
        end(rest[start + 1..].find(&closing).map(|at| start + 1 + at), closing.len())
    } else {
        0
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let tail = &rest[at..];
        if tail.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if tail.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            match tail.chars().next() {
                Some(next) => at += next.len_utf8(),
                None => return at,
            }
        }
    }
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, next) in rest.char_indices().skip(1) {
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if next == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of a character literal; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut inside = rest.chars().skip(1);
    match (inside.next(), inside.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(rest, '\''),
        _ => 0,
    }
}

/// Whether `code` contains `word` as a whole word.
pub fn has_word(code: &str, word: &str) -> bool {
    code.split(|letter| !is_word(letter)).any(|found| found == word)
}

/// Whether `code` calls the macro `name`.
pub fn has_macro(code: &str, name: &str) -> bool {
    code.split('!').any(|before| {
        before.strip_suffix(name).is_some_and(|before| !before.chars().next_back().is_some_and(is_word))
    })
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[test]
fn comments_strings_and_characters_are_not_code() {
    let source = r##"
        // unsafe in a comment
        /* unsafe /* nested */ unsafe */
        let text = "unsafe \" unsafe";
        let raw = r#"unsafe " unsafe"#;
        let quote = '"'; let lifetime: &'static str = "unsafe"; let escaped = '\'';
        let after = 1;
    "##;
    let code = code_only(source);
    assert!(!has_word(&code, "unsafe"), "{code}");
    assert!(has_word(&code, "after") && has_word(&code, "static"), "{code}");
}

#[test]
fn a_word_is_found_whole_and_a_macro_with_its_mark() {
    assert!(has_word("pub unsafe fn f()", "unsafe") && !has_word("allow(unsafe_code)", "unsafe"));
    assert!(has_macro("{ todo!() }", "todo") && !has_macro("not_todo!(); todo()", "todo"));
}
