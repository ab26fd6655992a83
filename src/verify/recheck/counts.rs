//! The numbers that the database keeps of the whole registry. One statement reads them and what they count, so it cannot
//! report a false difference and there is no second check.

use crate::database::upkeep::registry_count_states::{self, WrongCounts};
use crate::verify::context::Context;
use crate::verify::difference::{Difference, Kind};
use crate::verify::error::VerifyError;

/// The table of the numbers.
const TABLE: &str = "registry_counts/";

/// The numbers that are wrong: a difference for each kind.
pub fn check(context: &Context<'_>) -> Result<Vec<Difference>, VerifyError> {
    Ok(context.database(registry_count_states::wrong)?.iter().map(difference).collect())
}

fn difference(wrong: &WrongCounts) -> Difference {
    let WrongCounts { kind, wrong, name, found, expected } = wrong;
    let found = match (name.as_str(), found == expected) {
        ("", _) => format!("{found}"),
        (_, false) => format!("{wrong} wrong numbers, such as {found} for `{name}`"),
        (_, true) => format!("{wrong} wrong times of the first crate, such as that of `{name}`"),
    };
    let expected = format!("{expected}, as the rows of the crates say");
    Difference::new(Kind::CountDiffers, found, expected).at(format!("{TABLE}{kind}"))
}

/// The kind of the numbers that a difference is about.
pub fn kind_at(path: &str) -> Option<&str> {
    path.strip_prefix(TABLE)
}
