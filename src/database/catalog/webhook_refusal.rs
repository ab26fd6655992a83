//! Why a change of webhooks is refused.

use crate::webhook::event_type::UnknownEvent;

/// The most webhooks of a crate, or of a team.
pub const MAX_OF_ONE: i64 = 20;
/// The most that receive everything.
pub const MAX_OF_ALL: i64 = 100;
/// The longest URL, in bytes.
pub const MAX_URL: usize = 2000;
/// The longest description, and reason of a pause, in characters.
pub const MAX_TEXT: usize = 200;

/// The reason for which a change of webhooks is refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    #[error("there is no webhook {0}: check its number in the list")]
    Unknown(i32),
    #[error("the webhook {webhook} has no delivery {delivery}: check its number in the list")]
    UnknownDelivery { webhook: i32, delivery: i64 },
    #[error(
        "{0:?} cannot be the URL of a webhook: give one with https (or with http, in a network that the operator allows), without \
         user, password and fragment, of at most {MAX_URL} bytes"
    )]
    Url(String),
    #[error(transparent)]
    Event(#[from] UnknownEvent),
    #[error("a webhook receives at least one type of event: give `*` for all")]
    NoEvents,
    #[error("the {what} has {length} characters, above the limit of {MAX_TEXT}: shorten it")]
    LongText { what: &'static str, length: usize },
    #[error("a webhook is of a crate, or of a team, or of neither and receives everything: leave out one of the two")]
    CrateAndTeam,
    #[error("{whose} has {limit} webhooks already: remove one of them")]
    TooMany { whose: String, limit: i64 },
    #[error("`{login}` is not a member of the team `{team}`, whose webhooks this concerns: ask an admin")]
    NotMember { login: String, team: String },
    #[error(
        "`{pattern}` is nothing that a webhook of {whose} receives: leave it out, or have an admin add a webhook of the whole registry"
    )]
    NeverReceived { pattern: String, whose: String },
    #[error(
        "`{login}` is not an admin, and admins manage the webhooks of the whole registry: name a crate or a team of yours"
    )]
    OnlyAdmins { login: String },
    #[error("the previous secret can sign for 30 days at most: give a shorter time")]
    Overlap,
    #[error("{limit} events wait for the webhook {webhook} already: wait until it has accepted some, or drop them")]
    Busy { webhook: i32, limit: i64 },
    #[error("the webhook {0} is paused: resume it first")]
    Paused(i32),
}
