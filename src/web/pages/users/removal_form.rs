//! The form that removes a user who leaves, and gives the user's crates to others.

use maud::{Markup, html};

use crate::package::CrateName;
use crate::web::pages::admin::Admin;
use crate::web::pages::parts::form::crate_links;
use crate::web::pages::parts::text::name;

/// The form, with what it does to the user's crates. `alone`: those that no other active user owns. `to`: what was entered.
pub fn form(
    admin: &Admin,
    (login, hidden): (&str, &Markup),
    (owned, alone): (&[CrateName], &[CrateName]),
    to: &str,
) -> Markup {
    let links = admin.links();
    html! {
        section aria-labelledby="remove" {
            h2 id="remove" { "Remove" }
            p {
                "For somebody who leaves: revokes all tokens and sessions, and takes the user out of owners, teams and admins. The login \
                 stays taken."
            }
            @if !alone.is_empty() {
                p class="notice warn" {
                    (name(login)) " is the only active user among the owners of " (crate_links(links, alone))
                    ": name a user who becomes an owner. Teams alone do not suffice, because they cannot change owners."
                }
            }
            form class="sign-in" method="post" action=(format!("{}/remove", links.user(login))) {
                (hidden)
                @if !owned.is_empty() {
                    label for="to" { "New owners of all crates of this user" }
                    input id="to" name="to" required[!alone.is_empty()] maxlength="2000" autocomplete="off" autocapitalize="none"
                        spellcheck="false" value=(to) aria-describedby="about-to";
                    p id="about-to" class="aside-text" {
                        "Logins, and teams as " code { "team:NAME" } ", separated by commas."
                        @if alone.is_empty() { " Left empty, the crates stay with their other owners." }
                    }
                }
                button type="submit" class="danger" { "Remove the user" }
            }
        }
    }
}
