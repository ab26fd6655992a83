//! Why somebody cannot sign in.

use crate::database::access::new_token::CreateTokenError;
use crate::database::access::teams::CreateTeamError;
use crate::database::access::users::{CreateUserError, Inactive};

/// Why somebody cannot sign in with an account at a provider, or an account cannot be connected.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefusal {
    #[error(
        "no user of this registry has the account `{label}` at {provider}: ask an admin of the registry for a sign-in link, or connect the \
         account on your page if you sign in with a password. To use another account, sign out at {provider} first"
    )]
    Unknown { label: String, provider: String },
    #[error(
        "the login `{login}` is taken by a user with whom the account `{label}` at {provider} is not connected: if this user is yours, sign \
         in with a password or a sign-in link, and connect the account on your page. To use another account, sign out at {provider} first"
    )]
    LoginTaken { login: String, label: String, provider: String },
    #[error(
        "the account `{label}` at {provider} is connected with another user of this registry: sign in as that user, and disconnect it \
         there. To use another account, sign out at {provider} first"
    )]
    OfAnother { label: String, provider: String },
    #[error(
        "you signed in with the account `{label}` at {provider}, which is not connected with your user: use one that is. To use another \
         account, sign out at {provider} first"
    )]
    OtherAccount { label: String, provider: String },
    #[error(
        "the sign-in link has expired or was used: if you have used it, sign in as you chose then; if not, ask an admin of the registry for another one"
    )]
    NoLink,
    #[error(
        "{provider} says that the login is {login:?}, which cannot be one here: an admin can give you a sign-in link, or name another \
         claim with `login-claim` ({source})"
    )]
    Login { login: String, provider: String, source: CreateUserError },
    #[error(
        "`{0}` is a service account, which cannot sign in: give its programs tokens, with `supercargo admin token create --user {0}`"
    )]
    Service(String),
    #[error(transparent)]
    Inactive(#[from] Inactive),
    #[error(transparent)]
    Team(#[from] CreateTeamError),
    #[error(transparent)]
    Token(#[from] CreateTokenError),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}
