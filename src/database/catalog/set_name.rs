//! The name of a release set, which is a part of URLs.

use std::fmt;
use std::str::FromStr;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;
use rand::TryRng;
use serde::{Deserialize, Serialize};

use crate::database::access::tokens::hex;

/// The longest name, in bytes.
pub const MAX_SET_NAME: usize = 64;
/// Random bytes of a generated name, which cannot be guessed.
const ENTROPY: usize = 10;

/// A valid name: lowercase letters, digits, `-`, `_` and `.`, beginning with a letter or a digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
#[serde(into = "String", try_from = "String")]
pub struct SetName(String);

/// The text is no name of a release set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be the name of a release set: use 1 to {MAX_SET_NAME} lowercase letters, digits, `-`, `_` or `.`, beginning \
     with a letter or a digit, such as `acme-2.4`"
)]
pub struct InvalidSetName(pub String);

impl SetName {
    /// A name that cannot be guessed.
    pub fn generate() -> Result<Self, rand::rngs::SysError> {
        let mut bytes = [0; ENTROPY];
        rand::rngs::SysRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(format!("set-{}", hex(&bytes))))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<SetName> for String {
    fn from(name: SetName) -> Self {
        name.0
    }
}

impl TryFrom<String> for SetName {
    type Error = InvalidSetName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for SetName {
    type Err = InvalidSetName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let begins = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_valid = (1..=MAX_SET_NAME).contains(&text.len())
            && text.starts_with(begins)
            && text.chars().all(|c| begins(c) || matches!(c, '-' | '_' | '.'));
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidSetName(text.chars().take(100).collect())) }
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ToSql<Text, Pg> for SetName {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <str as ToSql<Text, Pg>>::to_sql(&self.0, out)
    }
}

impl FromSql<Text, Pg> for SetName {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(<String as FromSql<Text, Pg>>::from_sql(value)?.parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_into_a_url_and_a_file_name() {
        for name in ["a", "acme-2.4", "2026-11-28", "x_y", &"n".repeat(MAX_SET_NAME)] {
            assert_eq!(name.parse::<SetName>().unwrap().as_str(), name);
        }
        for wrong in ["", "-a", ".", "..", "A", "a/b", "a b", "ä", "a%2e", &"n".repeat(MAX_SET_NAME + 1)] {
            assert_eq!(wrong.parse::<SetName>().unwrap_err(), InvalidSetName(wrong.to_owned()), "{wrong}");
        }
        let generated = SetName::generate().unwrap();
        assert_eq!(generated.as_str().parse::<SetName>().unwrap(), generated);
        assert_ne!(generated, SetName::generate().unwrap());
    }
}
