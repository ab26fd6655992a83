//! `/admin/upstreams`: the upstreams, and what was decided about their crates, for admins. Changes need a fresh proof that it is the
//! admin.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{self, Response};
use axum::routing::{get, post};
use chrono::{TimeDelta, Utc};
use maud::{Markup, html};

use super::admin::Admin;
use super::exposure;
use super::layout::Page;
use super::links::Links;
use super::parts::form::{button, hidden, why};
use super::parts::text::{name, text};
use super::parts::{copy, time};
use super::visit::leading_to;
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::Action;
use crate::database::access::audit_alarms;
use crate::database::catalog::refusal::MAX_MESSAGE;
use crate::database::upstream_rules::{self, Decision, Rule, Subject};
use crate::jobs::upstream_decisions;
use crate::package::version::VersionError;
use crate::upstream_cache::cooldown::in_words;
use crate::web::administration::{bad, crates};
use crate::web::extract::query::QueryParameters;
use crate::web::upstreams::{UpstreamState, cargo_config};
use crate::web::{ApiError, App};

const PATH: &str = "/admin/upstreams";

/// For how long, and how many of, what upstreams never should do is listed.
const REPORTED: TimeDelta = TimeDelta::days(30);
const MOST_REPORTED: i64 = 200;

/// What was done, by the word in the link.
const NOTICES: [(&str, &str); 5] = [
    ("allow", "It passes, within seconds."),
    ("hold", "It is on hold, within seconds."),
    ("block", "It is blocked, within seconds."),
    ("same", "Nothing was changed: there is this rule for this reason already."),
    ("released", "The rule is removed."),
];

/// What was entered in the form.
#[derive(Default)]
struct Entered {
    upstream: String,
    krate: String,
    version: String,
    decision: String,
    reason: String,
}

impl Entered {
    fn of(sent: &QueryParameters) -> Self {
        let field = |name: &str| sent.text(name).unwrap_or_default().trim().to_owned();
        Self {
            upstream: field("upstream"),
            krate: field("crate"),
            version: field("version"),
            decision: field("decision"),
            reason: field("reason"),
        }
    }

    fn subject(&self, app: &App) -> Result<Subject, ApiError> {
        if !app.settings.upstreams.names().any(|name| name == self.upstream) {
            return Err(bad(format!("there is no upstream {:?}: choose one of the list", self.upstream)));
        }
        let version = Some(&self.version).filter(|version| !version.is_empty());
        let version = version.map(|version| version.parse()).transpose();
        let version = version.map_err(|error: VersionError| bad(error.to_string()))?;
        Subject::new(self.upstream.clone(), crates(&self.krate)?, version).map_err(|error| bad(error.to_string()))
    }

    fn decision(&self) -> Result<Decision, ApiError> {
        self.decision.parse().map_err(|_| bad(format!("{:?} is no decision: choose one of the list", self.decision)))
    }
}

pub(super) fn router() -> Router<App> {
    Router::new().route("/admin/upstreams", get(show).post(decide)).route("/admin/upstreams/release", post(release))
}

/// `GET`.
async fn show(admin: Admin, query: QueryParameters) -> Result<Response, ApiError> {
    page(&admin, query.get("notice"), None).await
}

/// The page. `refused`: what was entered, and why nothing was changed.
async fn page(
    admin: &Admin,
    notice: Option<&str>,
    refused: Option<(&Entered, &ApiError)>,
) -> Result<Response, ApiError> {
    let read = |connection: &mut _| {
        let since = (Utc::now() - REPORTED, MOST_REPORTED);
        let alarms = audit_alarms::of_kinds(connection, &[Action::UpstreamChange, Action::UpstreamVanish], since)?;
        Ok::<_, ApiError>((upstream_rules::list(connection, None)?, alarms))
    };
    let (rules, alarms) = admin.app.with_connection(read).await?;
    let links = admin.links();
    let notice = notice.and_then(|word| NOTICES.iter().find(|(known, _)| *known == word));
    let form_token = admin.form_token();
    let settings = &admin.app.settings;
    let upstreams: Vec<&str> = settings.upstreams.names().collect();
    let has_some = !upstreams.is_empty();
    let content = html! {
        h1 { "Upstreams" }
        @if let Some((_, said)) = notice { p class="notice good" role="status" { (said) } }
        (why(refused.map(|(_, error)| error)))
        @if !has_some { p { "There is none. An operator adds them with " code { "--upstream" } "." } }
        @for state in settings.upstreams.state() {
            @let of = &*state.name;
            section aria-labelledby=(format!("of-{of}")) {
                h2 id=(format!("of-{of}")) { (name(of)) }
                p {
                    "The index is " code { (state.index) } ". "
                    @match state.cooldown {
                        Some(age) => { "Versions are shown when they are " strong { (in_words(age)) } " old." }
                        None => { "Versions are shown at once." }
                    }
                }
                (answering(&state))
                (copy::block(&format!("lines-{of}"), &cargo_config(&settings.base_url, (of, &state.index), settings.auth_required)))
            }
        }
        @if has_some || !alarms.is_empty() { (exposure::section(links, &upstreams, &alarms)) }
        section aria-labelledby="rules" {
            h2 id="rules" { "Rules" }
            @if rules.is_empty() { p { "There is none." } } @else { (table(links, &rules, form_token.as_ref().ok())) }
        }
        @if has_some {
            section aria-labelledby="new" {
                h2 id="new" { "Let through, hold or block" }
                @match &form_token { Err(why) => (why), Ok(token) => (new(admin, token, refused.map(|(entered, _)| entered))) }
            }
        }
    };
    let status = refused.map_or(StatusCode::OK, |(_, error)| error.status());
    Ok(admin.visit.show(Page::new("Upstreams", content).unlisted().with_status(status)))
}

/// Whether it answers.
fn answering(state: &UpstreamState) -> Markup {
    let answering = &state.answering;
    html! {
        p {
            @if state.is_offline {
                "It is not asked (" code { "--upstream-offline" } "): what is kept is served."
            } @else if let Some((since, problem)) = &answering.failing {
                span class="tag bad" { "does not answer" } ". The first failure was " (time::ago(*since)) "; the last one: " (text(problem))
            } @else if let Some(at) = answering.answered_at {
                span class="tag good" { "answers" } ", last at " (time::ago(at)) "."
            } @else {
                "It was not asked since this process has started."
            }
        }
    }
}

fn table(links: &Links, rules: &[Rule], form_token: Option<&String>) -> Markup {
    let action = links.to("/admin/upstreams/release");
    html! {
        div class="scroll" tabindex="0" role="group" aria-label="Rules" {
            table {
                caption class="aside" { "Rules about crates of upstreams" }
                thead { tr {
                    th scope="col" { "Crate" } th scope="col" { "Version" } th scope="col" { "Upstream" } th scope="col" { "Decision" }
                    th scope="col" { "Reason" } th scope="col" { "By" } th scope="col" { "Since" }
                    @if form_token.is_some() { th scope="col" { "Change" } }
                } }
                tbody { @for rule in rules {
                    tr {
                        th scope="row" class="wrap" { (name(&rule.crate_name)) }
                        td { @if rule.version.is_empty() { "all" } @else { (name(&rule.version)) } }
                        td { (name(&rule.upstream)) }
                        td { @match rule.decision {
                            Decision::Allow => "allowed",
                            Decision::Hold => span class="tag warn" { "on hold" },
                            Decision::Block => span class="tag bad" { "blocked" },
                        } }
                        td class="wrap" { (text(&rule.reason)) }
                        td class="wrap" { (name(&rule.actor)) }
                        td { (time::day(rule.created_at)) }
                        @if let Some(token) = form_token {
                            @let of = [("upstream", &*rule.upstream), ("crate", &*rule.crate_name), ("version", &*rule.version)];
                            @let label = html! { "Remove" span class="aside" { " the rule about " (rule.crate_name) " " (rule.version) } };
                            td { (button(&action, &hidden(token, &of), ("", &label))) }
                        }
                    }
                } }
            }
        }
    }
}

fn new(admin: &Admin, form_token: &str, entered: Option<&Entered>) -> Markup {
    let empty = Entered::default();
    let entered = entered.unwrap_or(&empty);
    html! {
        form class="sign-in" method="post" action=(admin.links().to(PATH)) {
            (hidden(form_token, &[]))
            label for="upstream" { "Upstream" }
            select id="upstream" name="upstream" {
                @for of in admin.app.settings.upstreams.names() { option value=(of) selected[entered.upstream == of] { (of) } }
            }
            label for="crate" { "Crate" }
            input id="crate" name="crate" required maxlength="65" autocomplete="off" autocapitalize="none" spellcheck="false" value=(entered.krate)
                aria-describedby="about-crate";
            p id="about-crate" class="aside-text" { "Or the beginning of names and *, such as aws-*; the longest beginning counts, after rules about the crate itself." }
            label for="version" { "Version" }
            input id="version" name="version" maxlength="200" autocomplete="off" autocapitalize="none" spellcheck="false" value=(entered.version)
                aria-describedby="about-version";
            p id="about-version" class="aside-text" { "Left empty, the rule is about all versions; one about a version counts before it." }
            label for="decision" { "Decision" }
            select id="decision" name="decision" {
                option value="allow" selected[entered.decision == "allow"] { "let through, however young" }
                option value="hold" selected[entered.decision == "hold"] { "hold: only those who have it keep it" }
                option value="block" selected[entered.decision == "block"] { "block" }
            }
            label for="reason" { "Reason" }
            input id="reason" name="reason" required maxlength=(MAX_MESSAGE) autocomplete="off" value=(entered.reason) aria-describedby="about-reason";
            p id="about-reason" class="aside-text" { "Users whose download is refused get to know the reason of a hold or a block." }
            button type="submit" { "Make the rule" }
        }
    }
}

/// `POST`: makes a rule.
async fn decide(admin: Admin, request: Request) -> response::Result<Response> {
    let entered = Entered::of(&admin.sent_with_proof(request, PATH).await?);
    let wanted = entered.subject(&admin.app).and_then(|subject| Ok((subject, entered.decision()?)));
    let notice = match wanted {
        Ok((subject, decision)) => {
            let (caller, reason) = (admin.caller.clone(), entered.reason.clone());
            let made = admin.app.with_connection(move |connection| {
                let who = Administrator::Admin(&caller);
                Ok::<_, ApiError>(upstream_decisions::decide(connection, &subject, (decision, &reason), who)?)
            });
            made.await.map(|made| if made.is_some() { decision.as_str() } else { "same" })
        }
        Err(refused) => Err(refused),
    };
    answer(&admin, notice, &entered).await
}

/// `POST …/release`.
async fn release(admin: Admin, request: Request) -> response::Result<Response> {
    let entered = Entered::of(&admin.sent_with_proof(request, PATH).await?);
    let caller = admin.caller.clone();
    let version = Some(&entered.version).filter(|version| !version.is_empty());
    let version = version.map(|version| version.parse()).transpose();
    let subject = version.map_err(|error: VersionError| bad(error.to_string())).and_then(|version| {
        // The upstream may be no longer there.
        Subject::new(entered.upstream.clone(), crates(&entered.krate)?, version).map_err(|error| bad(error.to_string()))
    });
    let released = match subject {
        Ok(subject) => {
            let released = admin.app.with_connection(move |connection| {
                Ok::<_, ApiError>(upstream_decisions::release(connection, &subject, Administrator::Admin(&caller))?)
            });
            released.await
        }
        Err(refused) => Err(refused),
    };
    answer(&admin, released.map(|_| "released"), &Entered::default()).await
}

/// Leads back with what was done, or shows why nothing was.
async fn answer(admin: &Admin, done: Result<&'static str, ApiError>, entered: &Entered) -> response::Result<Response> {
    match done {
        Ok(notice) => Ok(leading_to(admin.links().with_query(PATH, &[("notice", notice)]))),
        Err(refused) if [StatusCode::BAD_REQUEST, StatusCode::CONFLICT].contains(&refused.status()) => {
            Ok(page(admin, None, Some((entered, &refused))).await?)
        }
        Err(refused) => Err(refused.into()),
    }
}
