//! Column types for values of `package`. Values are checked before they are written; a stored value that cannot be
//! parsed is an error of the query, not a panic.

use std::fmt;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{Array, Binary, Text};

use crate::package::{Checksum, CrateName, Version};

impl ToSql<Text, Pg> for CrateName {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <str as ToSql<Text, Pg>>::to_sql(self.as_str(), out)
    }
}

impl FromSql<Text, Pg> for CrateName {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(<String as FromSql<Text, Pg>>::from_sql(value)?.parse()?)
    }
}

impl ToSql<Text, Pg> for Version {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <String as ToSql<Text, Pg>>::to_sql(&self.to_string(), &mut out.reborrow())
    }
}

impl FromSql<Text, Pg> for Version {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(<String as FromSql<Text, Pg>>::from_sql(value)?.parse()?)
    }
}

impl ToSql<Binary, Pg> for Checksum {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <[u8] as ToSql<Binary, Pg>>::to_sql(self.as_bytes(), out)
    }
}

impl FromSql<Binary, Pg> for Checksum {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let bytes = <Vec<u8> as FromSql<Binary, Pg>>::from_sql(value)?;
        Ok(Checksum::from_bytes(bytes.as_slice().try_into()?))
    }
}

/// A column of texts that are parsed into values.
#[derive(Clone, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Array<Text>)]
pub struct TextArray<T>(pub Vec<T>);

impl<T: fmt::Display + fmt::Debug> ToSql<Array<Text>, Pg> for TextArray<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        <Vec<String> as ToSql<Array<Text>, Pg>>::to_sql(&texts, &mut out.reborrow())
    }
}

impl<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>> FromSql<Array<Text>, Pg> for TextArray<T> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let texts = <Vec<String> as FromSql<Array<Text>, Pg>>::from_sql(value)?;
        Ok(Self(texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?))
    }
}

impl<T: fmt::Display> TextArray<T> {
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl<T: fmt::Display> fmt::Display for TextArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.texts().join(", "))
    }
}
