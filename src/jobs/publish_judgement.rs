//! The judgement of a publish, or of a staging, by the facts that the database has.

use diesel::{PgConnection, QueryResult};

use super::admission::{Admission, NewCrates};
use super::request::RequestError;
use crate::database::access::caller::{Caller, Denied};
use crate::database::access::scope::Scope;
use crate::database::catalog::crates::{self, Crate, Origin};
use crate::database::catalog::owners::Rights;
use crate::database::catalog::publish_facts::Facts;
use crate::database::catalog::refusal::{self, ChangeRefusal};
use crate::database::catalog::set_refusal::SetRefusal;
use crate::database::publishers::grants::{self, Grant};
use crate::database::staging::SetName;
use crate::package::{CrateName, Version};

/// The scope and the rate limit of a publish.
pub(in crate::jobs) fn scope(origin: Origin) -> Scope {
    if origin.is_new() { Scope::PublishNew } else { Scope::PublishUpdate }
}

/// A publish that is judged by the facts.
pub(in crate::jobs) struct Publish<'a> {
    /// None only before a new crate is created.
    pub krate: Option<&'a Crate>,
    pub origin: Origin,
    pub name: &'a CrateName,
    pub num: &'a Version,
    pub caller: &'a Caller,
    pub admission: &'a Admission,
    pub destination: Destination<'a>,
    /// The right of a token from an exchange; None for a token of a user, and without that right.
    pub grant: Option<&'a Grant>,
}

/// The right of a caller's token, if it is from an exchange.
pub(in crate::jobs) fn grant(
    connection: &mut PgConnection,
    caller: &Caller,
    (krate, origin, name): (Option<&Crate>, Origin, &CrateName),
) -> QueryResult<Option<Grant>> {
    let Some(trusted) = &caller.token.trusted else { return Ok(None) };
    let id = krate.filter(|_| !origin.is_new()).map(|krate| krate.id);
    grants::find(connection, trusted, (id, name))
}

/// Where a version goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    Index,
    /// A release set, which may be created with it.
    Set(&'a SetName),
}

impl Publish<'_> {
    /// Checks a publish; the connection is for the text of a refusal.
    pub fn judge(&self, connection: &mut PgConnection, facts: &Facts) -> Result<(), RequestError> {
        self.judge_crate(connection, facts)?;
        if facts.needs_approval && self.destination == Destination::Index {
            return Err(ChangeRefusal::NeedsApproval { name: self.name.clone() }.into());
        }
        self.check_reservation(facts)
    }

    fn judge_crate(&self, connection: &mut PgConnection, facts: &Facts) -> Result<(), RequestError> {
        self.check_grant()?;
        match (self.origin, self.krate) {
            (Origin::Existing, Some(krate)) => self.check_existing(connection, krate, facts),
            // It has the former spelling, as the former crate's file in the index does, and the former numbers stay taken.
            (Origin::Revived, Some(krate)) => {
                self.check_new(facts)?;
                self.check_spelling(krate)?;
                self.check_number(facts)
            }
            _ => self.check_new(facts),
        }
    }

    /// A token that may publish may stage as well.
    fn may(&self, scope: Scope) -> Result<(), Denied> {
        match (self.destination, self.caller.may(scope, self.name)) {
            (Destination::Set(_), Err(_)) => self.caller.may(scope.of_staging(), self.name),
            (_, Err(_)) if self.caller.may(scope.of_staging(), self.name).is_ok() => {
                Err(Denied::OnlyStages { token: self.caller.token.name.clone() })
            }
            (_, checked) => checked,
        }
    }

    /// A token from an exchange has the right that its trusted publishers have now, and no other.
    fn check_grant(&self) -> Result<(), RequestError> {
        if self.caller.token.trusted.is_none() {
            return Ok(());
        }
        self.caller.covers(self.name)?;
        match self.grant {
            None => {
                let (name, login) = (self.name.clone(), self.caller.user.login.clone());
                Err(match self.origin.is_new() {
                    true => ChangeRefusal::NotTrustedForNew { name, login },
                    false => ChangeRefusal::NotTrusted { name, login },
                }
                .into())
            }
            Some(grant) if grant.stages_only && self.destination == Destination::Index => {
                Err(Denied::OnlyStages { token: self.caller.token.name.clone() }.into())
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether the user whose crate it becomes is an admin.
    fn is_for_admin(&self) -> bool {
        Grant::owner_or(self.grant, &self.caller.user).1
    }

    fn check_new(&self, facts: &Facts) -> Result<(), RequestError> {
        let Self { name, caller, admission, .. } = self;
        self.may(Scope::PublishNew)?;
        if name.is_reserved() {
            return Err(ChangeRefusal::Reserved((*name).clone()).into());
        }
        if admission.new_crates == NewCrates::Admins && !caller.user.is_admin && self.grant.is_none() {
            return Err(ChangeRefusal::OnlyAdmins { name: (*name).clone() }.into());
        }
        match &facts.reserved {
            Some(reason) if !self.is_for_admin() => {
                Err(ChangeRefusal::ReservedHere { name: (*name).clone(), reason: reason.clone() }.into())
            }
            _ => Ok(()),
        }
    }

    fn check_existing(&self, connection: &mut PgConnection, krate: &Crate, facts: &Facts) -> Result<(), RequestError> {
        refusal::check_not_deleted(krate)?;
        self.may(Scope::PublishUpdate)?;
        self.check_spelling(krate)?;
        if krate.trustpub_only && self.grant.is_none() {
            return Err(ChangeRefusal::OnlyTrusted { name: krate.name.clone() }.into());
        }
        if facts.rights < Rights::Publish && self.grant.is_none() {
            // Its owners go with a crate that is deleted at this moment.
            crates::find(connection, self.name)?.as_ref().map_or(Ok(()), refusal::check_not_deleted)?;
            return Err(refusal::not_an_owner(connection, krate, &self.caller.user)?.into());
        }
        self.check_number(facts)
    }

    fn check_spelling(&self, krate: &Crate) -> Result<(), RequestError> {
        if krate.name == *self.name {
            return Ok(());
        }
        Err(ChangeRefusal::OtherSpelling { given: self.name.clone(), original: krate.name.clone() }.into())
    }

    fn check_number(&self, facts: &Facts) -> Result<(), RequestError> {
        let Some(existing) = facts.same.clone() else { return Ok(()) };
        let existing = Box::new(existing);
        Err(ChangeRefusal::Duplicate { name: self.name.clone(), given: self.num.clone(), existing }.into())
    }

    /// An open release set keeps its numbers, and the names of its new crates.
    fn check_reservation(&self, facts: &Facts) -> Result<(), RequestError> {
        let Some(staged) = &facts.staged else { return Ok(()) };
        let (name, num) = (self.name.clone(), self.num.clone());
        if self.destination == Destination::Set(&staged.set) {
            let (caller, stager) = (&self.caller.user, staged.staged_by);
            if staged.is_new_crate && self.origin.is_new() && stager != caller.id && !self.caller.is_admin() {
                let (name, stager) = (staged.set.clone(), staged.login.clone());
                return Err(SetRefusal::NotStager { name, krate: self.name.clone(), stager }.into());
            }
            if staged.name == name {
                return Ok(());
            }
            return Err(ChangeRefusal::OtherSpelling { given: name, original: staged.name.clone() }.into());
        }
        let is_same = staged.num.without_build() == num.without_build();
        if !is_same && !self.origin.is_new() {
            // An import has brought the crate meanwhile: only numbers are taken.
            return Ok(());
        }
        let staged = Box::new(staged.clone());
        Err(if is_same {
            ChangeRefusal::Staged { name, num, staged }
        } else {
            ChangeRefusal::NameStaged { name, staged }
        }
        .into())
    }
}
