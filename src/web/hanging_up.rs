//! Telling who carries a request out that its client has gone: the request's future is dropped then, while code on other
//! threads goes on.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use crate::database::access::caller::Line;

/// Cuts the line when it is dropped before there is an answer.
struct Guard {
    line: Line,
    is_answered: bool,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.is_answered {
            self.line.cut();
        }
    }
}

/// Gives the request its [`Line`], which is cut when the connection is closed before the answer.
pub(super) async fn notice(mut request: Request, next: Next) -> Response {
    let line = Line::default();
    request.extensions_mut().insert(line.clone());
    let mut guard = Guard { line, is_answered: false };
    let response = next.run(request).await;
    guard.is_answered = true;
    response
}
