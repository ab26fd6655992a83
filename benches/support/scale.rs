//! How much a benchmark does: all of it, or with `--test` a little of everything, which shows that it works.

/// One of two amounts: `all`, or `some` with `--test`.
pub fn amount(all: usize, some: usize) -> usize {
    if std::env::args().any(|argument| argument == "--test") { some } else { all }
}
