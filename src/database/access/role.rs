//! Roles: what a user may do at most, whatever else the user has been given.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;
use strum::{EnumString, IntoStaticStr, VariantNames};

/// The role of a user. Admins are members.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    EnumString,
    IntoStaticStr,
    strum::Display,
    VariantNames,
    AsExpression,
    FromSqlRow,
)]
#[diesel(sql_type = Text)]
#[strum(serialize_all = "kebab-case", parse_err_ty = UnknownRole, parse_err_fn = unknown_role)]
pub enum Role {
    /// May change what it has rights to.
    #[default]
    Member,
    /// Reads, and reads the audit log.
    Auditor,
    /// Reads.
    ReadOnly,
    /// A program's: changes what it has rights to with its tokens, and cannot sign in.
    Service,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it may change anything but its own tokens and its own sign-in.
    pub fn changes(self) -> bool {
        matches!(self, Self::Member | Self::Service)
    }
}

/// The text is not a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role: use one of {roles}", roles = Role::VARIANTS.join(", "))]
pub struct UnknownRole(pub String);

fn unknown_role(text: &str) -> UnknownRole {
    UnknownRole(text.to_owned())
}

impl ToSql<Text, Pg> for Role {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <str as ToSql<Text, Pg>>::to_sql(self.as_str(), out)
    }
}

impl FromSql<Text, Pg> for Role {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(<String as FromSql<Text, Pg>>::from_sql(value)?.parse()?)
    }
}
