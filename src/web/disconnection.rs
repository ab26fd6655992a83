//! Detecting that the client of a request has disconnected: the request's future is dropped then, while work on other threads
//! continues.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::client_connection::ClientConnection;

/// Closes the connection if it is dropped before there is an answer.
struct Guard {
    connection: ClientConnection,
    is_answered: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.is_answered {
            self.connection.close();
        }
    }
}

/// Adds a [`ClientConnection`] to the request, and closes it if the client disconnects before the answer.
pub(super) async fn detect(mut request: Request, next: Next) -> Response {
    let connection = ClientConnection::default();
    request.extensions_mut().insert(connection.clone());
    let mut guard = Guard { connection, is_answered: false };
    let response = next.run(request).await;
    guard.is_answered = true;
    response
}
