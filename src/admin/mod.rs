//! Operator commands, one file a noun. Each works on a connection and prints its answer on standard output.

pub mod jobs;
pub mod owners;
pub mod tokens;
pub mod users;

mod output;
mod watch;

use crate::database::tokens::CreateTokenError;
use crate::database::users::CreateUserError;
use crate::package::CrateName;
use crate::queue::registry::RegistryError;

/// Why an operator's command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("there is no user {0:?}: create one with `supercargo admin user create {0}`")]
    NoUser(String),
    #[error("there is no crate `{0}` here")]
    NoCrate(String),
    #[error("there is no token {0} that is not revoked: see `supercargo admin token list`")]
    NoToken(i32),
    #[error("`{login}` is the last owner of `{name}`: add another one first, or nobody could publish it again")]
    LastOwner { name: CrateName, login: String },
    #[error("`{login}` is not an owner of `{name}`")]
    NoOwner { name: CrateName, login: String },
    #[error("there is no job {0}: see `supercargo jobs list`, with --dead or --done")]
    NoJob(i64),
    #[error("the job {0} is being run at this moment: nothing was changed")]
    JobRuns(i64),
    #[error(transparent)]
    User(#[from] CreateUserError),
    #[error(transparent)]
    Token(#[from] CreateTokenError),
    #[error(transparent)]
    Kinds(#[from] RegistryError),
    #[error("the answer can't be written")]
    Output(#[from] std::io::Error),
    #[error("the database failed")]
    Database(#[from] diesel::result::Error),
    #[error("the answer can't be written as JSON")]
    Json(#[from] serde_json::Error),
}
