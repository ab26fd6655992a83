//! Operator commands, one file per noun. Each takes a database connection and prints its result on standard output.

pub mod advisories;
pub mod audit;
pub mod crates;
pub mod email;
pub mod exposure;
pub mod jobs;
pub mod output;
pub mod own_advisories;
pub mod owners;
pub mod pins;
pub mod publishers;
pub mod set_rules;
pub mod sets;
pub mod teams;
pub mod tokens;
pub mod upstream_status;
pub mod upstreams;
pub mod users;
pub mod versions;
pub mod webhooks;

mod watch;

use crate::database::access::new_token::CreateTokenError;
use crate::database::access::provenance::{Provider, UnknownProvider};
use crate::database::access::role::Role;
use crate::database::access::scope::UnknownScope;
use crate::database::access::users::{CreateUserError, Inactive};
use crate::database::catalog::ownership::OwnersError;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::database::catalog::set_name::InvalidSetName;
use crate::database::catalog::user_removal::RemovalError;
use crate::database::sign_in::links::CreateLinkError;
use crate::database::upstream_rules::VersionOfSeveral;
use crate::jobs::RequestError;
use crate::jobs::email::configure::EmailError;
use crate::jobs::name_reservations::ReservationError;
use crate::jobs::team_changes::TeamError;
use crate::jobs::upstream_decisions::DecisionError;
use crate::oidc::http::InvalidIssuer;
use crate::own_advisories::change::AdvisoryError;
use crate::own_advisories::repository::RepositoryError;
use crate::package::CrateName;
use crate::package::characters::{HiddenCharacter, Plain, check_line};
use crate::package::crate_pattern::InvalidPattern;
use crate::package::name::NameError;
use crate::package::version::VersionError;
use crate::queue::registry::RegistryError;
use crate::upstream::smtp::NotSent;

/// Why an operator command failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("there is no user {0:?}: create one with `supercargo admin user create {plain}`", plain = Plain(.0))]
    NoUser(String),
    #[error("{}", existing_logins(.0))]
    UsersExist(Vec<String>),
    #[error("the login {0:?} is given twice (case is ignored): give it once")]
    Repeated(String),
    #[error("there is no team {0:?}: check its name (`supercargo admin team list`), or create it with --create-team")]
    NoTeamYet(String),
    #[error(transparent)]
    Upstream(#[from] DecisionError),
    #[error(transparent)]
    VersionOfSeveral(#[from] VersionOfSeveral),
    #[error("there is no advisory {0:?}: see `supercargo advisory list --all`")]
    NoAdvisory(String),
    #[error(transparent)]
    Advisory(#[from] AdvisoryError),
    #[error(transparent)]
    AdvisoryRepository(#[from] RepositoryError),
    #[error("there is no source of advisories about {0:?}: see `supercargo advisory status`")]
    NoAdvisories(String),
    #[error("{what} of {upstream} is not pinned, and nothing was changed: see `supercargo upstream pins`")]
    NotPinned { what: String, upstream: String },
    #[error(transparent)]
    Inactive(#[from] Inactive),
    #[error(transparent)]
    Removal(#[from] RemovalError),
    #[error(transparent)]
    Refused(#[from] ChangeRefusal),
    #[error("there is no token {0} that is not revoked: see `supercargo admin token list`")]
    NoToken(i32),
    #[error(transparent)]
    Reservation(#[from] ReservationError),
    #[error("{0:?} is not an action of the audit log: see the ACTION column of `supercargo admin audit`")]
    NoAction(String),
    #[error("the expiry is too far in the future: use a shorter time, or none for a token that does not expire")]
    TooFar,
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Version(#[from] VersionError),
    #[error(transparent)]
    Set(#[from] InvalidSetName),
    #[error(
        "there is a rule for {0:?} already, or for the same crates in another spelling: remove it first, with `supercargo set rule remove`"
    )]
    RuleExists(String),
    #[error("the release set {name} waits for others ({missing}): to approve it without them, say why with --override")]
    OthersApprove { name: String, missing: String },
    #[error(
        "the release set {name} is open until {end}, which is later: give a longer time from now, or reject it to end it"
    )]
    EndsLater { name: String, end: String },
    #[error("{0:?} is a crate, whose owners own it: leave --owner out, or give a prefix with `*`")]
    OwnerOfCrate(String),
    #[error("{0:?} covers crates of one user, and new ones, which that user then owns: name the user with --owner")]
    NoPatternOwner(String),
    #[error("ID tokens of {0} are accepted already: see `supercargo publisher issuer list`")]
    IssuerExists(String),
    #[error("CI systems of the kind `{0}` are distinguished by their repositories: leave --identity-claim out")]
    IdentityIsRepository(Provider),
    #[error("the claim `{0}` is given twice: give it once, with `*` for any text")]
    ClaimTwice(String),
    #[error("{0} is not an issuer whose ID tokens are accepted: see `supercargo publisher issuer list`")]
    NoIssuer(String),
    #[error(transparent)]
    Provider(#[from] UnknownProvider),
    #[error(transparent)]
    Issuer(#[from] InvalidIssuer),
    #[error(
        "`{login}` is an admin, who has the role member: demote first, with `supercargo admin user demote {login}`, to give the role {role}"
    )]
    AdminRole { login: String, role: Role },
    #[error("a sign-in link is valid for {days} days at most: give a shorter time")]
    LinkTooLong { days: i64 },
    #[error(transparent)]
    Link(#[from] CreateLinkError),
    #[error("the webhook {id} has not accepted the test, and gets it again later: {error}")]
    TestFailed { id: i32, error: String },
    #[error(
        "the test for the webhook {id} waits, because the event before it is not accepted yet: {error}. `supercargo webhook resume \
         {id}` makes the next attempt now"
    )]
    TestBehind { id: i32, error: String },
    #[error(
        "the test for the webhook {id} is not delivered yet: see what it waits for with `supercargo webhook show {id}`, and that \
         `serve` or `worker` is running"
    )]
    TestWaits { id: i32 },
    #[error("there is no rule {0}: see `supercargo set rule list`")]
    NoRule(i32),
    #[error(transparent)]
    Email(#[from] EmailError),
    #[error(transparent)]
    NotSent(#[from] NotSent),
    #[error(transparent)]
    Scope(#[from] UnknownScope),
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
    #[error(transparent)]
    Owners(#[from] OwnersError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Team(#[from] TeamError),
    #[error("there is no job {0}: see `supercargo jobs list`, with --dead or --done")]
    NoJob(i64),
    #[error("the job {0} is running, nothing was changed: try again when it has ended")]
    JobRuns(i64),
    #[error(transparent)]
    User(#[from] CreateUserError),
    #[error(transparent)]
    Token(#[from] CreateTokenError),
    #[error(transparent)]
    Kinds(#[from] RegistryError),
    #[error("{what} contains {character}: remove it")]
    Character { what: &'static str, character: HiddenCharacter },
    #[error("cannot write the output")]
    Output(#[from] std::io::Error),
    #[error("the database query failed")]
    Database(#[from] diesel::result::Error),
    #[error("cannot write the output as JSON")]
    Json(#[from] serde_json::Error),
}

fn existing_logins(logins: &[String]) -> String {
    let named = logins.iter().map(|login| format!("{login:?}")).collect::<Vec<_>>().join(", ");
    match logins.len() {
        1 => format!(
            "the user {named} already exists (case is ignored): choose another login, or keep the user with --if-missing"
        ),
        _ => format!(
            "the users {named} already exist (case is ignored): choose other logins, or keep the users with --if-missing"
        ),
    }
}

/// Refuses control characters and invisible characters.
fn check_text(what: &'static str, text: &str) -> Result<(), AdminError> {
    check_line(text).map_err(|character| AdminError::Character { what, character })
}

/// Parses a crate name from the command line.
fn crate_name(name: &str) -> Result<CrateName, AdminError> {
    Ok(name.parse()?)
}
