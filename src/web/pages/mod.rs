//! The pages for browsers: how to use the registry and how to get a token.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

use super::App;

/// The pages load nothing and cannot be framed.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
pre{background:#f4f4f4;padding:.8rem;overflow-x:auto}code,pre{font-family:ui-monospace,monospace;font-size:.9em}\
@media(prefers-color-scheme:dark){body{background:#1b1b1b;color:#ddd}pre{background:#2a2a2a}a{color:#8ab4f8}}";

/// The setting of cargo that makes a registry's versions usable at once, whatever age the user requires of others. A
/// comment, because older versions of cargo warn of a key that they do not know.
const AGE: &str = "# min-publish-age = \"0\"  # for cargo 1.100 and later";

/// The home page: how to use the registry.
pub async fn home(State(app): State<App>) -> Response {
    let base = escaped(&app.settings.base_url);
    let (provider, git) = if app.settings.auth_required {
        (
            "\ncredential-provider = \"cargo:token\"",
            "When git prompts for a user name and a password, enter any name, and the token as the password.",
        )
    } else {
        ("", "")
    };
    let private = match app.settings.auth_required {
        true => {
            format!("<p>It is private: every request needs a token. <a href=\"{base}/me\">How to get a token</a>.</p>")
        }
        false => String::new(),
    };
    page(
        "supercargo",
        &format!(
            "<p>This is a cargo registry.</p>{private}\
             <h2>Use crates</h2><p>Add this to <code>.cargo/config.toml</code> in your project or home directory:</p>\
             <pre>[registries.supercargo]\nindex = \"sparse+{base}/index/\"{provider}\n{AGE}</pre>\
             <p>Cargo 1.100 and later can hold back new versions of all registries \
             (<code>global-min-publish-age</code>). If you use that, remove the <code>#</code> before \
             <code>min-publish-age</code>, which exempts this registry.</p>\
             <p>Then run</p><pre>cargo add --registry supercargo NAME\ncargo search --registry supercargo WORDS</pre>\
             <h2>Publish crates</h2><p><a href=\"{base}/me\">Get a token</a>, then run</p>\
             <pre>cargo login --registry supercargo\ncargo publish --registry supercargo</pre>\
             <p>To allow a crate to be published only here, add <code>publish = [\"supercargo\"]</code> to its \
             <code>[package]</code>.</p>\
             <h2>Git index</h2><p>The index is also a git repository:</p><pre>[registries.supercargo]\nindex = \"{base}/git/index\"\n{AGE}</pre>\
             <p>Choose one of the two and keep it: every <code>Cargo.lock</code> has its URL. {git}</p>\
             <h2>API</h2><p>The OpenAPI description is at <a href=\"{base}/api/openapi.json\">/api/openapi.json</a>.</p>"
        ),
    )
}

/// The page about tokens. `cargo login` names its URL.
pub async fn me(State(app): State<App>) -> Response {
    let base = escaped(&app.settings.base_url);
    page(
        "Tokens",
        &format!(
            "<h2>Your first token</h2><p>The operator of this registry creates it, on the server:</p>\
             <pre>supercargo admin user create NAME --token     # a new user\nsupercargo admin token create --user NAME     # a user who exists</pre>\
             <p>The token of the user <code>admin</code> is in the file <code>admin-token</code> of the data directory, where \
             the first start wrote it. Log in with your token:</p><pre>cargo login --registry supercargo</pre>\
             <p>The <a href=\"{base}/\">home page</a> has the configuration of the registry.</p>\
             <h2>More tokens</h2><p>With a token you can create others. For example, a token for a CI job that may only \
             publish new versions of one crate:</p>\
             <pre>curl -X PUT {base}/api/v1/me/tokens \\\n  -H \"Authorization: $TOKEN\" -d '{{\"api_token\": {{\n    \
             \"name\": \"ci\",\n    \"endpoint_scopes\": [\"publish-update\"],\n    \"crate_scopes\": [\"my-crate\"],\n    \
             \"expired_at\": \"2030-01-01T00:00:00Z\"\n  }}}}'</pre>\
             <p>Scopes are <code>publish-new</code>, <code>publish-update</code>, <code>yank</code>, \
             <code>change-owners</code> and <code>read</code>; every token may read. A crate name may end in \
             <code>*</code>. A field that is omitted does not restrict the token.</p>\
             <p><code>GET {base}/api/v1/me/tokens</code> lists them, <code>DELETE {base}/api/v1/me/tokens/ID</code> revokes \
             one at once.</p><p>After a leak, revoke the token and all tokens that were created with it: \
             <code>DELETE {base}/api/v1/me/tokens/ID?descendants=true</code>, with another token. \
             <code>DELETE {base}/api/v1/tokens/current</code> revokes only the token of the request.</p>"
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

/// Escapes text for HTML. The base URL comes from the operator, but is not HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
