//! Counts the lines of a file: each is blank, code or a comment. A line with both is code, and a line within a comment or
//! a text counts even if it is blank.

use super::languages::Language;

/// The lines of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub code: u64,
    pub comments: u64,
}

/// What a line is in when it begins and when it ends.
#[derive(Default)]
struct State {
    /// The end of the text that the line is in.
    text: Option<Text>,
    /// The ends of the comments that the line is in, the innermost last.
    comments: Vec<&'static str>,
}

#[derive(Clone, Copy)]
struct Text {
    end: &'static str,
    /// A backslash escapes the next character.
    has_escapes: bool,
    /// The text documents the code, as in Python.
    is_comment: bool,
}

pub(super) fn count(language: &Language, content: &[u8]) -> Lines {
    let mut lines = Lines::default();
    let mut state = State::default();
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    for line in content.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii();
        let is_plain = state.text.is_none() && state.comments.is_empty();
        if is_plain && (line.is_empty() || starts(line, language.documentation)) {
            continue;
        }
        let began_in_comment = !state.comments.is_empty() || state.text.is_some_and(|text| text.is_comment);
        state.read(language, line);
        if is_comment(language, line, &state, began_in_comment) {
            lines.comments += 1;
        } else {
            lines.code += 1;
        }
    }
    lines
}

fn is_comment(language: &Language, line: &[u8], after: &State, began_in_comment: bool) -> bool {
    if let Some(text) = after.text {
        return text.is_comment;
    }
    let begins_comment = |is_whole: bool| {
        language
            .block_comments
            .iter()
            .any(|(start, end)| line.starts_with(start.as_bytes()) && (!is_whole || line.ends_with(end.as_bytes())))
    };
    began_in_comment
        || starts(line, language.line_comments)
        || begins_comment(true)
        || (!after.comments.is_empty() && begins_comment(false))
}

fn starts(text: &[u8], with: &[&str]) -> bool {
    with.iter().any(|start| text.starts_with(start.as_bytes()))
}

impl State {
    fn read(&mut self, language: &Language, line: &[u8]) {
        let mut rest = line;
        while !rest.is_empty() {
            let step = if let Some(text) = self.text {
                self.within_text(text, rest)
            } else if let Some(&end) = self.comments.last() {
                self.within_comment(language, end, rest)
            } else if starts(rest, language.line_comments) && self.start(language, rest).is_none() {
                return;
            } else {
                self.plain(language, rest)
            };
            rest = rest.get(step..).unwrap_or_default();
        }
    }

    fn within_text(&mut self, text: Text, rest: &[u8]) -> usize {
        if rest.starts_with(text.end.as_bytes()) {
            self.text = None;
            return text.end.len();
        }
        if text.has_escapes && rest[0] == b'\\' { 2 } else { 1 }
    }

    fn within_comment(&mut self, language: &Language, end: &'static str, rest: &[u8]) -> usize {
        if rest.starts_with(end.as_bytes()) {
            self.comments.pop();
            return end.len();
        }
        let inner = language.block_comments.iter().find(|(start, _)| rest.starts_with(start.as_bytes()));
        match inner.filter(|_| language.nests) {
            Some((start, end)) => {
                self.comments.push(end);
                start.len()
            }
            None => 1,
        }
    }

    fn plain(&mut self, language: &Language, rest: &[u8]) -> usize {
        if language.has_characters
            && let Some(length) = character(rest)
        {
            return length;
        }
        let Some((start, opened)) = self.start(language, rest) else { return 1 };
        match opened {
            Opened::Text(text) => self.text = Some(text),
            Opened::Comment(end) => self.comments.push(end),
        }
        start
    }

    /// What begins here: a text or a comment that has an end, and the length of its beginning.
    fn start(&self, language: &Language, rest: &[u8]) -> Option<(usize, Opened)> {
        let texts = [
            (language.documentation_texts, true, true),
            (language.raw_texts, false, false),
            (language.texts, true, false),
        ];
        for (of_kind, has_escapes, is_comment) in texts {
            if let Some((start, end)) = of_kind.iter().find(|(start, _)| rest.starts_with(start.as_bytes())) {
                return Some((start.len(), Opened::Text(Text { end, has_escapes, is_comment })));
            }
        }
        let comment = language.block_comments.iter().find(|(start, _)| rest.starts_with(start.as_bytes()));
        comment.map(|(start, end)| (start.len(), Opened::Comment(end)))
    }
}

enum Opened {
    Text(Text),
    Comment(&'static str),
}

/// The length of a character in single quotes that could be mistaken for the beginning of a text.
fn character(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'\'', b'\\', _, b'\'', ..] => Some(4),
        [b'\'', other, b'\'', ..] if *other != b'\'' => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::languages::of_extension;
    use super::*;

    fn counted(extension: &str, content: &str) -> (u64, u64) {
        let lines = count(of_extension(extension).unwrap(), content.as_bytes());
        (lines.code, lines.comments)
    }

    #[test]
    fn lines_of_rust_are_code_comments_or_neither() {
        assert_eq!(counted("rs", ""), (0, 0));
        assert_eq!(counted("rs", "\n  \r\n\t\n"), (0, 0));
        assert_eq!(counted("rs", "fn a() {} // b\n// c\n    // d\r\n/* e */\n/* f */ fn g() {}\n"), (2, 3));
        assert_eq!(counted("rs", "/* a\n\n/* b */\nc */\nfn d() {}\n"), (1, 4));
        assert_eq!(counted("rs", "//! Documents.\n\n/// This, too.\nfn a() {}\n"), (1, 0));
        assert_eq!(counted("rs", "fn a() { /* b\nc */ }\n"), (1, 1));
    }

    #[test]
    fn what_stands_in_a_text_begins_no_comment() {
        assert_eq!(
            counted("rs", "let a = \"/*\";\nlet b = \"\\\"/*\";\nlet c = r#\"\"/*\"#;\nlet d = '\"';\n// e\n"),
            (4, 1)
        );
        assert_eq!(counted("rs", "let a = \"\n// b\n\n\";\n"), (4, 0));
        assert_eq!(counted("rs", "let a = r\"\\\"; // b\n// c\n"), (1, 1));
        assert_eq!(counted("js", "let a = `//\n/*`;\n// b\n"), (2, 1));
    }

    #[test]
    fn other_languages_have_their_own_comments() {
        assert_eq!(counted("py", "# a\n\"\"\"\nb\n\"\"\"\nc = '#'\n"), (1, 4));
        assert_eq!(counted("c", "/* a /* b */\nint c; /* d */\n"), (1, 1));
        assert_eq!(counted("sql", "-- a\nSELECT '--'; -- b\n/* c */\n"), (1, 2));
        assert_eq!(counted("html", "<!-- a\nb -->\n<p>c</p>\n"), (1, 2));
        assert_eq!(counted("lua", "--[[ a\nb ]]\n-- c\nd = 1\n"), (1, 3));
    }

    #[test]
    fn bytes_of_any_kind_are_counted() {
        let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        for extension in ["rs", "py", "lua", "html", "hs"] {
            let lines = count(of_extension(extension).unwrap(), &bytes);
            assert!(lines.code + lines.comments > 0, "{extension}");
        }
    }
}
