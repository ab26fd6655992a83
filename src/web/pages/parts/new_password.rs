//! The fields of a new password, and what was entered.

use axum::http::StatusCode;
use maud::{Markup, html};

use crate::password::{Hash, MAX, MIN, Password};
use crate::web::extract::query::QueryParameters;
use crate::web::measures::reason;
use crate::web::{ApiError, App};

/// The fields. Password managers save the login with the password.
pub fn fields(login: &str) -> Markup {
    html! {
        input type="hidden" name="login" value=(login) autocomplete="username";
        label for="new-password" { "New password" }
        input id="new-password" type="password" name="password" required autocomplete="new-password" minlength=(MIN) maxlength=(MAX)
            aria-describedby="about-password";
        p id="about-password" class="aside-text" { "At least " (MIN) " characters: several words, or what a password manager creates." }
        label for="repeated" { "The same once more" }
        input id="repeated" type="password" name="repeated" required autocomplete="new-password" maxlength=(MAX);
    }
}

/// Refuses a password where there are none.
pub fn check_allowed(app: &App) -> Result<(), ApiError> {
    if app.settings.sign_in.password {
        return Ok(());
    }
    let detail = "this registry takes no passwords: sign in in another way";
    Err(ApiError::new(StatusCode::FORBIDDEN, detail).because(reason::SIGN_IN))
}

/// The hash of the password that was entered for a user.
pub async fn read(app: &App, sent: &QueryParameters, login: &str) -> Result<Hash, ApiError> {
    check_allowed(app)?;
    let bad = |detail: String| ApiError::new(StatusCode::BAD_REQUEST, detail);
    let entered = sent.get("password").unwrap_or_default();
    if Some(entered) != sent.get("repeated") {
        return Err(bad("the two passwords differ: enter the same twice".to_owned()));
    }
    let password = Password::new(entered);
    password.check(login).map_err(|weak| bad(weak.to_string()))?;
    app.blocking(move |app| app.cpu_slots.run(|| password.hash()).map_err(ApiError::internal)).await
}
