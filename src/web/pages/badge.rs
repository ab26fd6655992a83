//! `GET /badges/{name}.svg`: the version of a crate as a small picture, for READMEs and web pages.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use super::parts::found;
use super::parts::xml::{self, escaped};
use super::visit::Visit;
use crate::web::extract::path::ApiPath;
use crate::web::{ApiError, App};

/// How long a badge may be kept, in seconds.
const KEPT: u32 = 300;
const LABEL: &str = "supercargo";

/// Shows the badge.
pub async fn show(State(app): State<App>, visit: Visit, ApiPath(file): ApiPath<String>) -> Result<Response, ApiError> {
    let name = file
        .strip_suffix(".svg")
        .ok_or_else(|| ApiError::not_found("there is no such badge: the badge of a crate is `/badges/NAME.svg`"))?;
    let name = name.to_owned();
    let krate = app.with_connection(move |connection| found::krate(connection, &name)).await?;
    let (value, colour) = match (&krate.default_version, krate.row.yanked) {
        (Some(num), false) => (format!("v{num}"), "#9a3412"),
        (Some(_), true) => ("yanked".to_owned(), "#a3121f"),
        (None, _) => ("queued".to_owned(), "#7a4b00"),
    };
    let mut response = xml::answer(visit.headers(), "image/svg+xml", KEPT, drawn(&value, colour));
    // Pages of other hosts may show it.
    let anywhere = HeaderValue::from_static("cross-origin");
    response.headers_mut().insert(HeaderName::from_static("cross-origin-resource-policy"), anywhere);
    Ok(response)
}

fn drawn(value: &str, colour: &str) -> String {
    let (left, right) = (width(LABEL), width(value));
    let (label, value, whole) = (escaped(LABEL), escaped(value), left + right);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"20\" role=\"img\" aria-label=\"{label}: {value}\">\
         <title>{label}: {value}</title><clipPath id=\"r\"><rect width=\"{whole}\" height=\"20\" rx=\"3\"/></clipPath>\
         <g clip-path=\"url(#r)\"><rect width=\"{left}\" height=\"20\" fill=\"#3b4046\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{colour}\"/></g>\
         <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\" text-anchor=\"middle\">\
         <text x=\"{}\" y=\"14\">{label}</text><text x=\"{}\" y=\"14\">{value}</text></g></svg>\n",
        left / 2,
        left + right / 2
    )
}

/// About how wide a text is, with room at its sides.
fn width(text: &str) -> usize {
    let of = |c: char| match c {
        '.' | 'i' | 'l' | 'j' | '-' | '+' => 4,
        'm' | 'w' => 10,
        _ => 7,
    };
    text.chars().map(of).sum::<usize>() + 12
}
