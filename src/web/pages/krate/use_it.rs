//! How to use a version: lines for the shell and for the manifest.

use maud::{Markup, html};

use super::reading::Reading;
use crate::web::pages::links::Links;
use crate::web::pages::parts::copy;
use crate::web::pages::parts::crate_head::status_link;

/// The lines, or why cargo would refuse them.
pub fn section(links: &Links, reading: &Reading) -> Markup {
    let (name, version) = (&reading.found.krate.row.name, &reading.found.version);
    let has_binaries = version.about.bin_names.as_ref().is_some_and(|names| !names.is_empty());
    let has_library = version.about.has_lib.unwrap_or(!has_binaries);
    html! {
        section aria-labelledby="use" {
            h2 id="use" { @if has_library { "Use it" } @else { "Install it" } }
            @match version.row.effective_yanked {
                _ if version.row.deletion_requested_at.is_some() => { p { "This version was deleted, and cannot be downloaded." } }
                None => {
                    p {
                        "Not yet: cargo finds this version as soon as it is in the index. "
                        (status_link(links, name, &version.row)) "."
                    }
                }
                Some(true) => { p { "This version is yanked, and cargo does not select it for anything new." } }
                Some(false) => { (lines(reading, has_library, has_binaries)) }
            }
            p class="aside-text" { a href=(format!("{}#set-up", links.home())) { "Set up cargo for this registry" } }
        }
    }
}

fn lines(reading: &Reading, has_library: bool, has_binaries: bool) -> Markup {
    let (name, num) = (&reading.found.krate.row.name, &reading.found.version.row.num);
    let is_recommended = reading.found.is_default && !num.is_prerelease();
    let exactly = if is_recommended { String::new() } else { format!("@={num}") };
    let required = num.without_build();
    let required = if is_recommended { required } else { format!("={required}") };
    html! {
        @if has_binaries {
            (copy::block("install", &format!("cargo install --locked --registry supercargo {name}{}", exactly.replace("@=", "@"))))
        }
        @if has_library {
            (copy::block("add", &format!("cargo add --registry supercargo {name}{exactly}")))
            p class="aside-text" { "Or in Cargo.toml:" }
            (copy::block("manifest", &format!("{name} = {{ version = \"{required}\", registry = \"supercargo\" }}")))
        }
    }
}
