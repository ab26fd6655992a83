//! Errors of the API: the detail for the client, and the cause for the log.

use std::error::Error;
use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::change_status;
use super::measures::{denials, reason};
use super::refusals::{RefusedRequest, RefusedToken};
use super::views::{ErrorDetail, Errors};
use crate::client_connection::Disconnected;
use crate::crate_store::CrateStoreError;
use crate::database::PoolError;
use crate::database::access::caller::Denied;
use crate::database::access::new_token::CreateTokenError;
use crate::database::access::rate_limits::RateLimited;
use crate::database::catalog::ownership::OwnersError;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::database::sign_in::refusal::SignInRefusal;
use crate::error_chain::ErrorChain;
use crate::fault::Fault;
use crate::full_disk::{self, FullDisk};
use crate::index::IndexError;
use crate::jobs::RequestError;
use crate::package::Refusal;
use crate::package::characters::plain;
use crate::queue::EnqueueError;

/// Seconds after which a client may retry when a service that the registry depends on is unavailable.
const RETRY_AFTER: u64 = 2;
/// The same when its disk is full, which a person has to change.
const RETRY_AFTER_FULL: u64 = 60;

/// The longest detail, in characters: a list of twenty values of 80 characters fits. This bounds what a message repeats of a
/// request; hidden characters, which could control a terminal, are escaped.
const MAX_DETAIL: usize = 4096;

/// The detail of an error, as an extension of its response, from which a page is made.
#[derive(Clone, Debug)]
pub struct ErrorText(pub String);

/// An error response.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    /// For the client: the problem, with the value, and the remedy.
    detail: String,
    /// Seconds.
    retry_after: Option<u64>,
    /// Values of `WWW-Authenticate`.
    challenges: Vec<String>,
    /// For metrics.
    reason: &'static str,
    /// For the log.
    cause: Option<Box<dyn Error + Send + Sync>>,
    /// For the log, if there is more to it than the status and the detail.
    refusal: Option<Box<RefusedRequest>>,
    /// The cause is a full disk.
    full_disk: Option<Box<FullDisk>>,
}

impl ApiError {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let reason = reason::of_status(status);
        let (retry_after, challenges) = (None, Vec::new());
        let (cause, refusal, full_disk) = (None, None, None);
        Self { status, detail: detail.into(), retry_after, challenges, reason, cause, refusal, full_disk }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// An error in this program.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error; see the server log")
        }
    }

    /// The error after a panic, which the panic hook has logged.
    pub fn after_panic() -> Self {
        Self { cause: None, ..Self::internal("a panic") }
    }

    /// A service that the registry depends on is unavailable.
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        if let Some(full_disk) = FullDisk::behind(&*cause) {
            return Self::storage_full(cause, full_disk);
        }
        Self {
            cause: Some(cause),
            retry_after: Some(RETRY_AFTER),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the registry cannot reach its storage; nothing was changed. Try again shortly",
            )
        }
    }

    /// A disk of the registry is full. The status is 503 and not 507, which cargo shows as `<unknown>`.
    fn storage_full(cause: Box<dyn Error + Send + Sync>, full_disk: FullDisk) -> Self {
        Self {
            cause: Some(cause),
            full_disk: Some(Box::new(full_disk)),
            reason: reason::STORAGE_FULL,
            retry_after: Some(RETRY_AFTER_FULL),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "storage is full on the server; nothing was changed. Ask the registry's operator to free some space, then \
                 try again",
            )
        }
    }

    /// The client has too many concurrent requests; it may retry shortly.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self { retry_after: Some(RETRY_AFTER), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// All clients together have too many concurrent requests.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self { retry_after: Some(RETRY_AFTER), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// The client must authenticate; `challenges` are the accepted methods.
    pub fn unauthorized(detail: impl Into<String>, challenges: Vec<String>) -> Self {
        Self { challenges, ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// Names the reason more precisely than the status does.
    pub fn because(self, reason: &'static str) -> Self {
        Self { reason, ..self }
    }

    /// Says after how many seconds the client may retry.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The client presented a token that is not valid.
    pub fn refused_token(status: StatusCode, refused: RefusedToken, challenges: Vec<String>) -> Self {
        let (detail, reason) = (refused.detail.clone(), refused.problem.label());
        Self {
            challenges,
            reason,
            refusal: Some(Box::new(RefusedRequest::Token(Box::new(refused)))),
            ..Self::new(status, detail)
        }
    }

    /// A private registry asks a client that sent no token for one.
    pub fn challenge(detail: impl Into<String>, challenges: Vec<String>) -> Self {
        Self { refusal: Some(Box::new(RefusedRequest::Challenge)), ..Self::unauthorized(detail, challenges) }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason, as a label of metrics.
    pub fn reason(&self) -> &'static str {
        self.reason
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

/// Logs the cause with its whole chain: once, or once a minute for a full disk, which concerns every request. A refusal is
/// logged by a layer that knows the client.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            denials::denied(self.reason);
        }
        if let Some(cause) = self.cause {
            let chain = ErrorChain::of(&*cause);
            let error: &(dyn Error + 'static) = &chain;
            let status = self.status.as_u16();
            match &self.full_disk {
                Some(full_disk) => {
                    full_disk.report(&chain);
                    tracing::debug!(status, error, "a request failed because storage is full");
                }
                None => tracing::error!(status, error, "a request failed"),
            }
        }
        let detail = shown(&self.detail);
        let is_refusal = matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let other = is_refusal.then(|| RefusedRequest::Other(self.status.as_u16(), detail.clone()));
        let body = Errors { errors: vec![ErrorDetail { detail: detail.clone() }] };
        let mut response = (self.status, axum::Json(body)).into_response();
        response.extensions_mut().insert(ErrorText(detail));
        if let Some(refusal) = self.refusal.map(|refusal| *refusal).or(other) {
            response.extensions_mut().insert(refusal);
        }
        if self.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            // The codings that a request may have. Source: RFC 9110, section 12.5.3.
            response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
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
        Self::new(status, refusal.to_string()).because(reason::of_package(&refusal))
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
            CrateStoreError::Full { ref directory, .. } => {
                let full_disk = FullDisk::of(directory);
                Self::storage_full(error.into(), full_disk)
            }
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

/// Whether the cause is the database server or the connection, and not the statement.
pub(super) fn is_outage(error: &diesel::result::Error) -> bool {
    use diesel::result::DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, UnableToSendCommand, Unknown};
    use diesel::result::Error::{BrokenTransactionManager, DatabaseError, RollbackErrorOnCommit};
    const SIGNS: [&str; 6] = [
        "terminating connection",
        "the database system is",
        "server closed the connection",
        "no connection to the server",
        "could not receive data",
        "timeout",
    ];
    match error {
        DatabaseError(ClosedConnection | ReadOnlyTransaction | UnableToSendCommand, _) | BrokenTransactionManager => {
            true
        }
        DatabaseError(Unknown, information) => {
            let message = information.message();
            SIGNS.iter().any(|sign| message.contains(sign)) || full_disk::is_named_in(message)
        }
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

impl From<ChangeRefusal> for ApiError {
    fn from(refusal: ChangeRefusal) -> Self {
        match refusal {
            ChangeRefusal::Denied(denied) => denied.into(),
            ChangeRefusal::RateLimited(limited) => (*limited).into(),
            ChangeRefusal::Disconnected(disconnected) => disconnected.into(),
            refusal => Self::new(change_status::of(&refusal), refusal.to_string()).because(reason::of_change(&refusal)),
        }
    }
}

impl From<OwnersError> for ApiError {
    fn from(error: OwnersError) -> Self {
        match error {
            OwnersError::Refused(refusal) => refusal.into(),
            OwnersError::Database(error) => error.into(),
        }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Refused(refusal) => refusal.into(),
            RequestError::Pool(error) => error.into(),
            RequestError::Database(error) => error.into(),
            RequestError::Enqueue(error) => error.into(),
            RequestError::CrateStore(error) => error.into(),
            RequestError::Fault(fault) => fault.into(),
            RequestError::Randomness(error) => Self::internal(error),
            RequestError::FileRemoved => Self::unavailable(error),
        }
    }
}

impl From<SignInRefusal> for ApiError {
    fn from(refusal: SignInRefusal) -> Self {
        match refusal {
            SignInRefusal::Database(error) => error.into(),
            SignInRefusal::Token(error) => error.into(),
            refusal => Self::new(StatusCode::FORBIDDEN, refusal.to_string()).because(reason::SIGN_IN),
        }
    }
}

impl From<Disconnected> for ApiError {
    fn from(disconnected: Disconnected) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, disconnected.to_string()).because(reason::ABORTED)
    }
}

impl From<RateLimited> for ApiError {
    fn from(limited: RateLimited) -> Self {
        Self {
            retry_after: Some(limited.wait.as_secs()),
            reason: reason::RATE_LIMIT,
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, limited.to_string())
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        let status = match denied {
            Denied::OutlivesMaker { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        };
        Self::new(status, denied.to_string()).because(reason::of_denied(&denied))
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        ApiError::from(self).into_response()
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
