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

/// A struct with named fields.
#[derive(Debug, PartialEq, Eq)]
pub struct Struct {
    pub name: String,
    pub fields: Vec<String>,
    /// Whether `table!` declares it.
    pub is_table: bool,
}

/// The structs of `code`, which is [`code_only`], those without named fields with none.
pub fn structs(code: &str) -> Vec<Struct> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("struct ") {
        if code[..at].chars().next_back().is_some_and(is_word) {
            continue;
        }
        let rest = &code[at + "struct ".len()..];
        let name: String = rest.chars().take_while(|&letter| is_word(letter)).collect();
        let head = rest.find(['{', '(', ';']).unwrap_or(rest.len());
        if name.is_empty() {
            continue;
        }
        let body = if rest[head..].starts_with('{') { braced(&rest[head..]) } else { "" };
        let before = code[..at].trim_end().trim_end_matches("pub").trim_end();
        let is_table = before.strip_suffix('{').is_some_and(|before| before.trim_end().ends_with("table!"));
        found.push(Struct { name, fields: fields(body), is_table });
    }
    found
}

/// The heads of the functions in `code`, which is [`code_only`]: from the name to the body.
pub fn signatures(code: &str) -> impl Iterator<Item = &str> {
    code.split("fn ").skip(1).filter_map(|rest| rest.split(['{', ';']).next())
}

/// What stands between the first brace of `code` and the one that closes it.
fn braced(code: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in code.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &code[1..at];
        }
    }
    ""
}

/// The names of the fields in the body of a struct.
fn fields(body: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    let mut before = ' ';
    for (at, letter) in body.char_indices().chain([(body.len(), ',')]) {
        match letter {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if before != '-' && before != '=' => depth -= 1,
            ',' if depth == 0 || at == body.len() => {
                let field =
                    body[start..at].rsplit_once(']').filter(|_| body[start..at].trim().starts_with('#'));
                let field = field.map_or(&body[start..at], |(_, field)| field);
                let name = field.split(':').next().unwrap_or("").split_whitespace().next_back();
                names.extend(name.map(ToOwned::to_owned));
                start = at + 1;
            }
            _ => {}
        }
        before = letter;
    }
    names
}

#[test]
fn structs_are_read_with_their_fields_and_whether_they_are_tables() {
    let source = r#"
        /// A comment, with: a colon.
        pub struct Plain { pub a: Vec<(u8, u8)>, #[arg(long, value_name = "X: Y")] pub(crate) b: fn(u8) -> u8 }
        struct Unit; struct Pair(u8, u8); struct of<T: Copy> { c: T }
        table! {
            /// A table.
            pub struct Settings {
                /// A key.
                pub key: usize = 3,
                pub other: Option<f64> = Some(0.5),
            }
        }
    "#;
    let found = structs(&code_only(source));
    let read = |name: &str, fields: &[&str], is_table| Struct {
        name: name.to_owned(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        is_table,
    };
    let expected = [
        read("Plain", &["a", "b"], false),
        read("Unit", &[], false),
        read("Pair", &[], false),
        read("of", &["c"], false),
        read("Settings", &["key", "other"], true),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_head_of_a_function_ends_before_its_body() {
    let heads: Vec<&str> = signatures("pub fn a(b: &str) -> usize { 3 } fn c();").collect();
    assert_eq!(heads, ["a(b: &str) -> usize ", "c()"]);
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
