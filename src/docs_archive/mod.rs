//! Archives of documentation: a zip of what `cargo doc` writes.
//!
//! An archive is examined once, when it is uploaded, and never unpacked. What is found becomes an [`Index`], by which a file is read
//! from its place in the archive later. So everything that could differ between two readers of a zip is refused: entries that
//! overlap, names that are equal for some file systems, headers that contradict each other, data in front of the archive or behind it.
//!
//! | file | content |
//! |---|---|
//! | `examine` | the checks of a whole archive |
//! | `names` | the paths of its files |
//! | `place` | where in it the documentation is |
//! | `index` | its files, as they are stored in the database |
//! | `pack` | writes an archive of a directory |

mod examine;
mod index;
mod limits;
mod names;
mod pack;
mod place;
mod refusal;

#[cfg(test)]
mod sample;

pub use self::examine::{Contents, ExamineError, examine};
pub use self::index::{File, Index, IndexError};
pub use self::limits::{Limits, MAX_INDEX};
pub use self::pack::{PackError, pack};
pub use self::refusal::Refusal;
