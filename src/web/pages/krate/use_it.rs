//! How to use a version: lines for the shell and for the manifest.

use maud::{Markup, html};

use super::reading::Reading;
use crate::web::pages::links::Links;
use crate::web::pages::parts::copy;

/// The lines.
pub fn section(links: &Links, reading: &Reading) -> Markup {
    let (name, version) = (&reading.found.krate.row.name, &reading.found.version);
    let num = &version.row.num;
    let is_recommended = reading.found.is_default && !num.is_prerelease();
    let exactly = if is_recommended { String::new() } else { format!("@={num}") };
    let has_binaries = version.about.bin_names.as_ref().is_some_and(|names| !names.is_empty());
    let has_library = version.about.has_lib.unwrap_or(!has_binaries);
    let required = num.without_build();
    let required = if is_recommended { required } else { format!("={required}") };
    html! {
        section aria-labelledby="use" {
            h2 id="use" { @if has_library { "Use it" } @else { "Install it" } }
            @if has_binaries {
                (copy::block("install", &format!("cargo install --locked --registry supercargo {name}{}", exactly.replace("@=", "@"))))
            }
            @if has_library {
                (copy::block("add", &format!("cargo add --registry supercargo {name}{exactly}")))
                p class="aside-text" { "Or in Cargo.toml:" }
                (copy::block("manifest", &format!("{name} = {{ version = \"{required}\", registry = \"supercargo\" }}")))
            }
            p class="aside-text" { a href=(format!("{}#set-up", links.home())) { "Set up cargo for this registry" } }
        }
    }
}
