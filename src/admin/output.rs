//! Output of commands: tables, JSON, sentences and errors. Nothing else in this program writes to standard output, so that
//! no text from the database, another program or another registry reaches a terminal with control characters or invisible
//! ones. A test checks the sources for that.

use std::fmt;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::package::characters::{PlainLines, plain, plain_json};

/// Moves the cursor to the top left and clears the screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Prints a line to standard output, like `println!`.
macro_rules! say {
    ($($argument:tt)*) => { $crate::admin::output::print(format_args!($($argument)*)) };
}
pub(crate) use say;

/// Prints an error to standard error after the program's name, like `eprintln!`.
macro_rules! complain {
    ($($argument:tt)*) => { $crate::admin::output::print_error(format_args!($($argument)*)) };
}
pub(crate) use complain;

/// The function of [`say`].
pub(crate) fn print(text: fmt::Arguments<'_>) {
    println!("{}", PlainLines(&text.to_string()));
}

/// The function of [`complain`]. Further lines are indented, to set them apart from other output.
pub(crate) fn print_error(text: fmt::Arguments<'_>) {
    eprintln!("supercargo: {}", PlainLines(&text.to_string().replace('\n', "\n    ")));
}

/// Prints a text to standard error, for a program whose standard output is a protocol.
pub(crate) fn note(text: &str) {
    eprintln!("{}", PlainLines(text));
}

/// Prints a table with a header.
pub(crate) fn print_table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    say!("{}", table(header, rows));
}

/// A table; each cell is one line.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    rows.into_iter().for_each(|row| {
        table.add_row(row.iter().map(|cell| plain(cell)));
    });
    table.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Prints an indented JSON document.
pub(crate) fn print_json(value: &impl Serialize) -> serde_json::Result<()> {
    print_document(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints a JSON document on one line.
pub(crate) fn print_json_line(value: &impl Serialize) -> serde_json::Result<()> {
    print_document(serde_json::to_string(value)?);
    Ok(())
}

fn print_document(document: String) {
    println!("{}", plain_json(document));
}

/// Prints a file that this program generates from its own texts.
pub(crate) fn print_generated(content: &[u8]) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(content)?;
    out.flush()
}

/// Replaces everything on the terminal with a text.
pub(super) fn show_screen(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{CLEAR}{}", PlainLines(text))?;
    out.flush()
}

/// Flushes standard output.
pub(crate) fn flush() -> io::Result<()> {
    io::stdout().flush()
}

/// A time to the second, or a dash.
pub(super) fn time(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::characters::is_hidden;

    #[test]
    fn a_cell_is_one_line_whatever_it_holds() {
        let table = table(["A", "B"], [["x\u{1b}[31m\n\u{202e}y".to_owned(), "z".to_owned()]]);
        assert_eq!(table, "A                       B\nx\\u{1b}[31m\\n\\u{202e}y  z");
        assert_eq!(table.matches(is_hidden).collect::<String>(), "\n");
    }
}
