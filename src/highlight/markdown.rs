//! Markdown as source text, divided by its lines. Fenced code has the colours of its language.

use super::code;
use super::language::Language;
use super::pieces::{Class, Pieces};

/// Divides a text into the pieces of Markdown.
pub(super) fn divide(text: &str, into: &mut Pieces) {
    let (mut place, mut fence): (usize, Option<Fence<'_>>) = (0, None);
    for line in text.split_inclusive('\n') {
        let end = place + line.len();
        match &fence {
            Some(open) if open.is_closed_by(line) => {
                open.add(text, place, into);
                into.add(end, Class::Attribute);
                fence = None;
            }
            Some(_) => {}
            None => match Fence::begins(line, end) {
                Some(begun) => {
                    into.add(end, Class::Attribute);
                    fence = Some(begun);
                }
                None => line_outside(line, place, into),
            },
        }
        place = end;
    }
    if let Some(open) = fence {
        open.add(text, text.len(), into);
    }
}

/// A block of fenced code that is open.
struct Fence<'a> {
    mark: char,
    length: usize,
    info: &'a str,
    /// Where its code begins.
    start: usize,
}

impl<'a> Fence<'a> {
    fn begins(line: &'a str, start: usize) -> Option<Self> {
        let trimmed = line.trim_start();
        let mark = trimmed.chars().next().filter(|first| matches!(first, '`' | '~'))?;
        let rest = trimmed.trim_start_matches(mark);
        let (length, info) = (trimmed.len() - rest.len(), rest.trim());
        (length >= 3 && !(mark == '`' && info.contains('`'))).then_some(Self { mark, length, info, start })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let trimmed = line.trim();
        trimmed.len() >= self.length && trimmed.chars().all(|one| one == self.mark)
    }

    /// Adds the code up to `end`.
    fn add(&self, text: &str, end: usize, into: &mut Pieces) {
        code::divide(&text[self.start..end], self.start, Language::of_fence(self.info, false), into);
        into.add(end, Class::Plain);
    }
}

fn line_outside(line: &str, start: usize, into: &mut Pieces) {
    let end = start + line.len();
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    let hashes = trimmed.len() - trimmed.trim_start_matches('#').len();
    if (1..=6).contains(&hashes) && trimmed[hashes..].starts_with([' ', '\t', '\n', '\r']) {
        return into.add(end, Class::Heading);
    }
    if trimmed.starts_with('>') {
        into.add(start + indent + 1, Class::Comment);
    } else if trimmed.starts_with(['-', '*', '+']) && trimmed[1..].starts_with([' ', '\t']) {
        into.add(start + indent, Class::Plain);
        into.add(start + indent + 1, Class::Keyword);
    }
    inline(line, start, into);
}

/// Code in backticks, and the targets of links.
fn inline(line: &str, start: usize, into: &mut Pieces) {
    let mut place = 0;
    while let Some(found) = line[place..].find(['`', ']']) {
        let at = place + found;
        let rest = &line[at..];
        let (length, class) = if rest.starts_with('`') {
            let ticks = rest.len() - rest.trim_start_matches('`').len();
            let close = rest[ticks..].find(&rest[..ticks]).map(|close| ticks + close + ticks);
            (close.unwrap_or(ticks), if close.is_some() { Class::String } else { Class::Plain })
        } else {
            let target = rest[1..].starts_with('(').then(|| rest.find(')')).flatten();
            (target.map_or(1, |close| close + 1), if target.is_some() { Class::Key } else { Class::Plain })
        };
        into.add(start + at + usize::from(class == Class::Key), Class::Plain);
        into.add(start + at + length, class);
        place = at + length;
    }
    into.add(start + line.len(), Class::Plain);
}
