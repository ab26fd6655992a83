//! Publishing, changing and withdrawing an advisory. Each is a revision; nothing is removed.

use chrono::{Datelike, Utc};
use diesel::{Connection, PgConnection};
use serde_json::{Value, json};

use crate::advisory::draft::{Draft, DraftError, OWN_PREFIX, own_id};
use crate::advisory::{Advisory, is_id};
use crate::database::access::administrator::Administrator;
use crate::database::access::audit::{Action, Event};
use crate::database::access::caller::Denied;
use crate::database::advisories::exchange::Row;
use crate::database::advisories::own::{self, OWN};
use crate::database::catalog::crates::{self, Crate};
use crate::database::catalog::refusal::{self, ChangeRefusal, MAX_MESSAGE};
use crate::database::catalog::version_details;
use crate::package::{CrateName, Version};

/// What is given of an advisory; None: as it is. An empty text, and an empty list, removes what there is.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub title: Option<String>,
    pub description: Option<String>,
    pub url: Option<String>,
    pub cvss: Option<String>,
    pub informational: Option<String>,
    pub patched: Option<Vec<String>>,
    pub unaffected: Option<Vec<String>>,
    pub aliases: Option<Vec<String>>,
    pub references: Option<Vec<String>>,
}

/// An advisory as it is now.
#[derive(Clone, Debug)]
pub struct Published {
    pub id: String,
    pub draft: Draft,
    /// How many versions the crate has in the index; None if there is no such crate.
    pub versions: Option<usize>,
    /// Those of them that are affected, the highest first.
    pub affected: Vec<Version>,
    /// False if it said the same before.
    pub is_changed: bool,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AdvisoryError {
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error("there is an advisory {0} already: choose another id, or none, and the registry gives one")]
    Taken(String),
    #[error(
        "this registry has no advisory {0} about one of its crates, and nothing was changed: see `supercargo advisory list`"
    )]
    Unknown(String),
    #[error("{0} is withdrawn, and is not changed any more: publish another advisory")]
    Withdrawn(String),
    #[error("a withdrawal needs a reason of 1 to {MAX_MESSAGE} characters: everybody reads it on the advisory")]
    NoReason,
    #[error("what is stored of {0} cannot be read, perhaps because a later version of supercargo has written it: {1}")]
    Unreadable(String, String),
    #[error(transparent)]
    Reason(Box<ChangeRefusal>),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Database(#[from] diesel::result::Error),
}

impl Given {
    fn apply(&self, draft: &mut Draft) {
        let optional = |given: &Option<String>, of: &mut Option<String>| {
            if let Some(text) = given {
                *of = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
            }
        };
        optional(&self.url, &mut draft.url);
        optional(&self.cvss, &mut draft.cvss);
        optional(&self.informational, &mut draft.informational);
        if let Some(title) = &self.title {
            draft.title.clone_from(title);
        }
        if let Some(description) = &self.description {
            draft.description = description.replace("\r\n", "\n");
        }
        let list = |given: &Option<Vec<String>>, of: &mut Vec<String>| {
            if let Some(given) = given {
                *of = given.iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect();
            }
        };
        list(&self.patched, &mut draft.patched);
        list(&self.unaffected, &mut draft.unaffected);
        list(&self.aliases, &mut draft.aliases);
        list(&self.references, &mut draft.references);
    }
}

/// Publishes an advisory about a crate. Without an id it has the next one.
pub fn publish(
    connection: &mut PgConnection,
    (name, id): (&CrateName, Option<&str>),
    given: &Given,
    who: Administrator<'_>,
) -> Result<Published, AdvisoryError> {
    connection.transaction(|connection| {
        let krate = crates::find_and_lock(connection, name)?;
        let actor = who.confirm(connection)??;
        own::lock(connection)?;
        let id = match id {
            Some(id) => own_id(id)?,
            None => next_id(connection)?,
        };
        if let Some(taken) = own::spelled_alike(connection, &id)? {
            return Err(AdvisoryError::Taken(taken));
        }
        let krate_name = krate.as_ref().map_or_else(|| name.clone(), |krate| krate.name.clone());
        let mut draft = empty(&krate_name);
        given.apply(&mut draft);
        let (draft, read) = draft.checked(&id)?;
        store(connection, &krate_name, &draft, &read)?;
        let detail = json!({ "title": draft.title, "severity": read.severity.as_str(), "patched": draft.patched });
        Event::new(Action::AdvisoryAdd).of_crate(&krate_name).about(&id).detail(detail).record(connection, &actor)?;
        published(connection, (krate, draft, &read), true)
    })
}

/// Changes what an advisory says.
pub fn edit(
    connection: &mut PgConnection,
    id: &str,
    given: &Given,
    who: Administrator<'_>,
) -> Result<Published, AdvisoryError> {
    change(connection, id, who, |draft| {
        given.apply(draft);
        (Action::AdvisoryEdit, json!({ "title": draft.title, "patched": draft.patched }))
    })
}

/// Withdraws an advisory: it does not count any more, and stays for people to read.
pub fn withdraw(
    connection: &mut PgConnection,
    id: &str,
    reason: &str,
    who: Administrator<'_>,
) -> Result<Published, AdvisoryError> {
    let checked =
        refusal::message("reason", Some(reason)).map_err(|refusal| AdvisoryError::Reason(Box::new(refusal)))?;
    let reason = checked.ok_or(AdvisoryError::NoReason)?;
    change(connection, id, who, |draft| {
        draft.withdrawn = Some(Utc::now().date_naive());
        draft.withdrawal = Some(reason.to_owned());
        (Action::AdvisoryWithdraw, json!({ "title": draft.title, "reason": reason }))
    })
}

fn change(
    connection: &mut PgConnection,
    id: &str,
    who: Administrator<'_>,
    make: impl FnOnce(&mut Draft) -> (Action, Value),
) -> Result<Published, AdvisoryError> {
    connection.transaction(|connection| {
        // The crate of an advisory never changes, so that its row can be locked before the rest is read.
        let name = name_of(id, &found(connection, id)?)?;
        let krate = crates::find_and_lock(connection, &name)?;
        let actor = who.confirm(connection)??;
        own::lock(connection)?;
        let former = found(connection, id)?;
        if former.withdrawn.is_some() {
            return Err(AdvisoryError::Withdrawn(id.to_owned()));
        }
        let mut draft = former.clone();
        let (action, detail) = make(&mut draft);
        let (draft, read) = draft.checked(id)?;
        let is_changed = draft != former;
        if is_changed {
            store(connection, &name, &draft, &read)?;
            Event::new(action).of_crate(&name).about(id).detail(detail).record(connection, &actor)?;
        }
        published(connection, (krate, draft, &read), is_changed)
    })
}

fn found(connection: &mut PgConnection, id: &str) -> Result<Draft, AdvisoryError> {
    let shortened = || id.chars().take(100).collect::<String>();
    if !is_id(id) {
        return Err(AdvisoryError::Unknown(shortened()));
    }
    let revision = own::find(connection, id)?.ok_or_else(|| AdvisoryError::Unknown(shortened()))?;
    serde_json::from_value(revision.content).map_err(|error| AdvisoryError::Unreadable(shortened(), error.to_string()))
}

fn name_of(id: &str, draft: &Draft) -> Result<CrateName, AdvisoryError> {
    draft.krate.parse().map_err(|error| AdvisoryError::Unreadable(id.to_owned(), format!("{error}")))
}

fn empty(name: &CrateName) -> Draft {
    Draft {
        krate: name.to_string(),
        title: String::new(),
        description: String::new(),
        url: None,
        cvss: None,
        informational: None,
        patched: Vec::new(),
        unaffected: Vec::new(),
        aliases: Vec::new(),
        references: Vec::new(),
        date: Utc::now().date_naive(),
        withdrawn: None,
        withdrawal: None,
    }
}

/// The next id of this year. Under the lock.
fn next_id(connection: &mut PgConnection) -> Result<String, AdvisoryError> {
    let beginning = format!("{OWN_PREFIX}-{}-", Utc::now().year());
    let given = own::ids_with(connection, &beginning)?;
    let numbers = given.iter().filter_map(|id| id[beginning.len()..].parse::<u32>().ok());
    let next = numbers.max().map_or(1, |last| last.saturating_add(1));
    Ok(format!("{beginning}{next:04}"))
}

fn store(connection: &mut PgConnection, name: &CrateName, draft: &Draft, read: &Advisory) -> Result<(), AdvisoryError> {
    let ranges = read.crates.first().map(|(_, ranges)| json!(ranges)).unwrap_or_default();
    let content =
        serde_json::to_value(draft).map_err(|error| AdvisoryError::Unreadable(read.id.clone(), error.to_string()))?;
    // The document has the day alone.
    let row = Row { withdrawn_at: read.withdrawn.map(|_| Utc::now()), ..Row::of(OWN, read, name, &ranges) };
    Ok(own::revise(connection, &row, content)?)
}

fn published(
    connection: &mut PgConnection,
    (krate, draft, read): (Option<Crate>, Draft, &Advisory),
    is_changed: bool,
) -> Result<Published, AdvisoryError> {
    let listed = krate.map(|krate| version_details::highest_first(connection, krate.id)).transpose()?;
    let affects = |num: &Version| {
        let num = num.to_string().parse::<semver::Version>();
        num.is_ok_and(|num| read.crates.iter().any(|(_, ranges)| ranges.affects(&num)))
    };
    let affected = listed.iter().flatten().map(|one| one.num.clone()).filter(affects).collect();
    Ok(Published { id: read.id.clone(), draft, versions: listed.map(|listed| listed.len()), affected, is_changed })
}
