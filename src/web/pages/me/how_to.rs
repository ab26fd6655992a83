//! How to get a token, for those who have not signed in. `cargo login` and refusals name the URL of this page, so it needs none.

use axum::response::Response;
use maud::html;

use crate::web::pages::layout::Page;
use crate::web::pages::parts::copy;
use crate::web::pages::visit::Visit;

/// Shows the page.
pub fn show(visit: &Visit) -> Response {
    let links = visit.links();
    let base = links.base_url();
    let create = "supercargo admin user create NAME --token     # a new user\n\
                  supercargo admin token create --user NAME     # a user who exists";
    let more = format!(
        "curl -X PUT {base}/api/v1/me/tokens \\\n  -H \"Authorization: $TOKEN\" -d '{{\"api_token\": {{\n    \
         \"name\": \"ci\",\n    \"endpoint_scopes\": [\"publish-update\"],\n    \"crate_scopes\": [\"my-crate\"],\n    \
         \"expired_at\": \"2030-01-01T00:00:00Z\"\n  }}}}'"
    );
    let content = html! {
        h1 { "Tokens" }
        p class="lead" { a class="button primary" href=(links.with_query("/sign-in", &[("to", "/me")])) { "Sign in" } " to create tokens here." }
        h2 { "Your first token" }
        p { "Without another way to sign in, the operator of this registry creates it, on the server:" }
        (copy::block("create", create))
        p {
            "The token of the user " code { "admin" } " is in the file " code { "admin-token" } " of the data directory, where \
             the first start wrote it. Log in with your token:"
        }
        (copy::block("login", "cargo login --registry supercargo"))
        p {
            "The " a href=(links.home()) { "home page" } " has the configuration of the registry."
        }
        h2 { "More tokens" }
        p {
            "With a token you can create others. For example, a token for a CI job that may only publish new versions of one \
             crate:"
        }
        (copy::block("more", &more))
        p {
            "Scopes are " code { "publish-new" } ", " code { "publish-update" } ", " code { "yank" } ", "
            code { "change-owners" } ", " code { "stage-new" } ", " code { "stage-update" } ", " code { "approve" } ", " code { "trusted-publishing" } " and "
            code { "read" } "; every token may read. A crate name may end in "
            code { "*" } ". A field that is omitted does not restrict the token."
        }
        p {
            code { "GET " (base) "/api/v1/me/tokens" } " lists them, " code { "DELETE " (base) "/api/v1/me/tokens/ID" }
            " revokes one at once."
        }
        p {
            "After a leak, revoke the token and all tokens that were created with it: "
            code { "DELETE " (base) "/api/v1/me/tokens/ID?descendants=true" } ", with another token. "
            code { "DELETE " (base) "/api/v1/tokens/current" } " revokes only the token of the request."
        }
    };
    visit.show(Page::new("Tokens", content))
}
