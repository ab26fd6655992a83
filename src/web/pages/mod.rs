//! What a browser is shown.

use axum::extract::State;
use axum::response::Html;

use super::App;

/// How to use the registry.
pub async fn home(State(app): State<App>) -> Html<String> {
    let base = &app.settings.base_url;
    page(&format!(
        "<p>This is a cargo registry. To use it, put this into <code>.cargo/config.toml</code>:</p>\
         <pre>[registries.supercargo]\nindex = \"sparse+{base}/index/\"</pre>\
         <p>and then <code>cargo add --registry supercargo NAME</code>. To publish, get a token: see <a href=\"{base}/me\">me</a>.</p>"
    ))
}

/// How to get a token: `cargo login` sends people here.
pub async fn me(State(app): State<App>) -> Html<String> {
    let base = &app.settings.base_url;
    page(&format!(
        "<p>Tokens are made by whoever runs this registry, with</p>\
         <pre>supercargo admin user create NAME\nsupercargo admin token create --user NAME</pre>\
         <p>The first start wrote a token of the user <code>admin</code> into the file <code>admin-token</code> of the \
         data directory. With a token, run</p>\
         <pre>cargo login --registry supercargo</pre>\
         <p>and <code>cargo publish --registry supercargo</code>. How to name the registry is told at <a href=\"{base}/\">{base}</a>.</p>"
    ))
}

fn page(content: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>supercargo</title><h1>supercargo</h1>{content}</html>"
    ))
}
