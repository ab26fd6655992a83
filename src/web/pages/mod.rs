//! What a browser is shown: how to use the registry, and how to get a token.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

use super::App;

/// Nothing is loaded from anywhere, and no page shows this one in a frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
pre{background:#f4f4f4;padding:.8rem;overflow-x:auto}code,pre{font-family:ui-monospace,monospace;font-size:.9em}\
@media(prefers-color-scheme:dark){body{background:#1b1b1b;color:#ddd}pre{background:#2a2a2a}a{color:#8ab4f8}}";

/// How to use the registry.
pub async fn home(State(app): State<App>) -> Response {
    let base = escaped(&app.settings.base_url);
    let (provider, git) = if app.settings.auth_required {
        (
            "\n\n[registry]\nglobal-credential-providers = [\"cargo:token\"]",
            "Git asks for a user name and a password: any name will do, the token is the password.",
        )
    } else {
        ("", "")
    };
    let private = match app.settings.auth_required {
        true => {
            format!("<p>It is private: whatever you do needs a token. <a href=\"{base}/me\">How to get one</a>.</p>")
        }
        false => String::new(),
    };
    page(
        "supercargo",
        &format!(
            "<p>This is a cargo registry.</p>{private}\
             <h2>Use crates</h2><p>Put this into <code>.cargo/config.toml</code> of your project, or of your home:</p>\
             <pre>[registries.supercargo]\nindex = \"sparse+{base}/index/\"{provider}</pre>\
             <p>and then</p><pre>cargo add --registry supercargo NAME\ncargo search --registry supercargo WORDS</pre>\
             <h2>Publish crates</h2><p><a href=\"{base}/me\">Get a token</a>, and then</p>\
             <pre>cargo login --registry supercargo\ncargo publish --registry supercargo</pre>\
             <p>To keep a crate from being published elsewhere, put <code>publish = [\"supercargo\"]</code> into its \
             <code>[package]</code>.</p>\
             <h2>The same index by git</h2><pre>[registries.supercargo]\nindex = \"{base}/git/index\"</pre>\
             <p>Choose one of both for good: the address stands in every <code>Cargo.lock</code>. {git}</p>\
             <h2>For programs</h2><p>The API is described at <a href=\"{base}/api/openapi.json\">/api/openapi.json</a>.</p>"
        ),
    )
}

/// How to get a token: `cargo login` sends people here.
pub async fn me(State(app): State<App>) -> Response {
    let base = escaped(&app.settings.base_url);
    page(
        "Tokens",
        &format!(
            "<h2>The first token</h2><p>Tokens are made by whoever runs this registry, on its machine:</p>\
             <pre>supercargo admin user create NAME\nsupercargo admin token create --user NAME</pre>\
             <p>The first start wrote a token of the user <code>admin</code> into the file <code>admin-token</code> of the \
             data directory. Give it to cargo with</p><pre>cargo login --registry supercargo</pre>\
             <p>How to name the registry stands on the <a href=\"{base}/\">first page</a>.</p>\
             <h2>Further tokens</h2><p>Who has a token makes others with it, say one for a machine that publishes new \
             versions of one crate and nothing else:</p>\
             <pre>curl -X PUT {base}/api/v1/me/tokens \\\n  -H \"Authorization: $TOKEN\" -d '{{\"api_token\": {{\n    \
             \"name\": \"ci\",\n    \"endpoint_scopes\": [\"publish-update\"],\n    \"crate_scopes\": [\"my-crate\"],\n    \
             \"expired_at\": \"2030-01-01T00:00:00Z\"\n  }}}}'</pre>\
             <p>Scopes are <code>publish-new</code>, <code>publish-update</code>, <code>yank</code>, \
             <code>change-owners</code> and <code>read</code>; every token may read. A name of a crate may end in \
             <code>*</code>. What is left out does not restrict the token.</p>\
             <p><code>GET {base}/api/v1/me/tokens</code> lists them, <code>DELETE {base}/api/v1/me/tokens/ID</code> ends one \
             at once.</p><p>After a leak, revoke the token and all that were made with it: \
             <code>DELETE {base}/api/v1/me/tokens/ID?descendants=true</code>, with another token. \
             <code>DELETE {base}/api/v1/tokens/current</code> ends only the token itself.</p>"
        ),
    )
}

fn page(title: &str, content: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1>{content}</body></html>"
    );
    let headers: [(HeaderName, HeaderValue); 2] =
        [(header::CONTENT_SECURITY_POLICY, POLICY), (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))];
    (headers, Html(html)).into_response()
}

/// The base URL comes from the operator; it is text all the same.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
