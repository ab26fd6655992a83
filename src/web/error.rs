//! The one error of the edge: what the client is told is kept apart from what is logged.

use std::error::Error;
use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::views::{ErrorDetail, Errors};
use crate::crate_store::CrateStoreError;
use crate::database::PoolError;
use crate::database::access::caller::Denied;
use crate::database::access::new_token::CreateTokenError;
use crate::database::access::rate_limits::RateLimited;
use crate::database::catalog::ownership::OwnersError;
use crate::error_chain::ErrorChain;
use crate::fault::Fault;
use crate::index::IndexError;
use crate::jobs::YankError;
use crate::jobs::delete_version::DeleteError;
use crate::jobs::publish_version::PublishError;
use crate::package::Refusal;
use crate::package::characters::plain;
use crate::queue::EnqueueError;

/// Seconds after which a client may try again when something behind the registry is away.
const RETRY_AFTER: u64 = 2;

/// The longest detail, in characters: a list of twenty values that are 80 characters each fits. Whatever a message
/// repeats, a client gets no more back than that, and nothing that controls its terminal.
const MAX_DETAIL: usize = 4096;

/// An answer that is not a success.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    /// For the client: what was wrong, with its value, and what to do.
    detail: String,
    /// Seconds.
    retry_after: Option<u64>,
    /// What a client may authenticate with, as values of `WWW-Authenticate`.
    challenges: Vec<String>,
    /// For the log.
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after: None, challenges: Vec::new(), cause: None }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// A mistake of this program.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the registry made a mistake; its log says which. The request was not carried out",
            )
        }
    }

    /// The same after a panic, which has been logged.
    pub fn after_panic() -> Self {
        Self { cause: None, ..Self::internal("a panic") }
    }

    /// Something that the registry depends on is away.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            retry_after: Some(RETRY_AFTER),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the registry can't reach its storage at the moment; nothing was changed. Try again shortly",
            )
        }
    }

    /// The client has too much under way; it may try again shortly.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self { retry_after: Some(RETRY_AFTER), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// All clients together have too much under way.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self { retry_after: Some(RETRY_AFTER), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// The client has to say who it is; `challenges` say how.
    pub fn unauthorized(detail: impl Into<String>, challenges: Vec<String>) -> Self {
        Self { challenges, ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// At most [`MAX_DETAIL`] characters, with hidden ones escaped.
fn shown(detail: &str) -> String {
    plain(detail).chars().take(MAX_DETAIL).collect()
}

/// Logs the cause, once, with its whole chain.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Some(cause) = self.cause {
            let chain = ErrorChain::of(&*cause);
            let error: &(dyn Error + 'static) = &chain;
            tracing::error!(status = self.status.as_u16(), error, "a request failed");
        }
        let body = Errors { errors: vec![ErrorDetail { detail: shown(&self.detail) }] };
        let mut response = (self.status, axum::Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        for challenge in self.challenges.iter().filter_map(|challenge| HeaderValue::try_from(challenge).ok()) {
            response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self::unavailable(fault)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, refusal.to_string())
    }
}

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> Self {
        Self::unavailable(error)
    }
}

impl From<CrateStoreError> for ApiError {
    fn from(error: CrateStoreError) -> Self {
        match error {
            CrateStoreError::Full { .. } => Self {
                detail:
                    "the registry's disk is nearly full, so it takes no crate files; nothing was changed. Its operator \
                         has to make room"
                        .to_owned(),
                ..Self::unavailable(error)
            },
            error => Self::unavailable(error),
        }
    }
}

impl From<IndexError> for ApiError {
    fn from(error: IndexError) -> Self {
        if error.is_outage() { Self::unavailable(error) } else { Self::internal(error) }
    }
}

impl From<diesel::result::Error> for ApiError {
    fn from(error: diesel::result::Error) -> Self {
        if is_outage(&error) { Self::unavailable(error) } else { Self::internal(error) }
    }
}

/// Whether the database failed, and not the statement.
pub(super) fn is_outage(error: &diesel::result::Error) -> bool {
    use diesel::result::DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, UnableToSendCommand, Unknown};
    use diesel::result::Error::{BrokenTransactionManager, DatabaseError, RollbackErrorOnCommit};
    const SIGNS: [&str; 7] = [
        "terminating connection",
        "the database system is",
        "server closed the connection",
        "no connection to the server",
        "could not receive data",
        "No space left",
        "timeout",
    ];
    match error {
        DatabaseError(ClosedConnection | ReadOnlyTransaction | UnableToSendCommand, _) | BrokenTransactionManager => {
            true
        }
        DatabaseError(Unknown, information) => SIGNS.iter().any(|sign| information.message().contains(sign)),
        RollbackErrorOnCommit { commit_error, .. } => is_outage(commit_error),
        _ => false,
    }
}

impl From<EnqueueError> for ApiError {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Database(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        let status = match error {
            PublishError::Database(error) => return error.into(),
            PublishError::Enqueue(error) => return error.into(),
            PublishError::CrateStore(error) => return error.into(),
            PublishError::FileRemoved => return Self::unavailable(error),
            PublishError::RateLimited(limited) => return (*limited).into(),
            PublishError::Denied(denied) => return denied.into(),
            PublishError::OtherSpelling { .. }
            | PublishError::Limit(_)
            | PublishError::Reserved(_)
            | PublishError::ReservedHere { .. } => StatusCode::BAD_REQUEST,
            PublishError::NotOwner { .. } | PublishError::OnlyAdmins { .. } => StatusCode::FORBIDDEN,
            PublishError::Duplicate { .. } => StatusCode::CONFLICT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<YankError> for ApiError {
    fn from(error: YankError) -> Self {
        let status = match error {
            YankError::Database(error) => return error.into(),
            YankError::Enqueue(error) => return error.into(),
            YankError::RateLimited(limited) => return (*limited).into(),
            YankError::Denied(denied) => return denied.into(),
            YankError::UnknownCrate(_) | YankError::UnknownVersion { .. } | YankError::Deleted { .. } => {
                StatusCode::NOT_FOUND
            }
            YankError::NotOwner { .. } => StatusCode::FORBIDDEN,
        };
        Self::new(status, error.to_string())
    }
}

impl From<DeleteError> for ApiError {
    fn from(error: DeleteError) -> Self {
        let status = match error {
            DeleteError::Database(error) => return error.into(),
            DeleteError::Enqueue(error) => return error.into(),
            DeleteError::Denied(denied) => return denied.into(),
            DeleteError::UnknownCrate(_) | DeleteError::UnknownVersion { .. } => StatusCode::NOT_FOUND,
            DeleteError::Deleted { .. } => StatusCode::CONFLICT,
            DeleteError::Reason | DeleteError::Character(_) => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

impl From<RateLimited> for ApiError {
    fn from(limited: RateLimited) -> Self {
        Self {
            retry_after: Some(limited.wait.as_secs()),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, limited.to_string())
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        let status = match denied {
            Denied::OutlivesMaker { .. } => StatusCode::BAD_REQUEST,
            Denied::HungUp => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::FORBIDDEN,
        };
        Self::new(status, denied.to_string())
    }
}

impl From<CreateTokenError> for ApiError {
    fn from(error: CreateTokenError) -> Self {
        match error {
            CreateTokenError::Randomness(error) => Self::internal(error),
            CreateTokenError::Database(error) => error.into(),
            refused => Self::new(StatusCode::BAD_REQUEST, refused.to_string()),
        }
    }
}

impl From<OwnersError> for ApiError {
    fn from(error: OwnersError) -> Self {
        let status = match error {
            OwnersError::Database(error) => return error.into(),
            OwnersError::RateLimited(limited) => return (*limited).into(),
            OwnersError::Denied(denied) => return denied.into(),
            OwnersError::UnknownCrate(_) | OwnersError::UnknownUser(_) | OwnersError::UnknownTeam(_) => {
                StatusCode::NOT_FOUND
            }
            OwnersError::NotOwner { .. } | OwnersError::TeamMember { .. } => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}
