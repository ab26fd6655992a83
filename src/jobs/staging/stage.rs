//! Staging a version: a publish into a release set.

use diesel::prelude::*;
use serde_json::json;

use super::check_contributor;
use super::create::{self, Wanted};
use crate::crate_store::CrateStoreError;
use crate::database::access::audit::{Action, Event};
use crate::database::access::buckets;
use crate::database::access::caller::{Authority, Caller};
use crate::database::catalog::crates::Origin;
use crate::database::catalog::publish_facts;
use crate::database::catalog::refusal::ChangeRefusal;
use crate::database::catalog::set_refusal::{MAX_STAGED, SetRefusal};
use crate::database::staging::SetName;
use crate::database::staging::sets::{self, ReleaseSet};
use crate::database::staging::staged::{self, NewStaged, Put};
use crate::fault;
use crate::jobs::admission::Admission;
use crate::jobs::publish_judgement::{Destination, Publish, grant, scope};
use crate::jobs::request::RequestError;
use crate::package::{Checksum, Limits, Package};

/// A staged version.
pub struct Staged {
    pub set: ReleaseSet,
    /// The file of the version that it replaced.
    pub replaced: Option<Checksum>,
}

/// The set of a staging, and what it is if it has to be created.
#[derive(Clone, Copy)]
pub struct Into<'a> {
    pub set: &'a SetName,
    /// Whether the client has published plainly.
    pub is_of_publish: bool,
    pub is_preview: bool,
}

/// Stages a version in a set, which is created if there never was one with this name. The crate file must be stored already;
/// `is_stored` checks that it still is.
pub fn request(
    connection: &mut PgConnection,
    into: Into<'_>,
    package: &Package,
    (index_line, limits): (&str, &Limits),
    (caller, admission): (&Caller, &Admission),
    is_stored: impl FnOnce() -> Result<bool, CrateStoreError>,
) -> Result<Staged, RequestError> {
    connection.transaction(|connection| {
        let (name, num, size) = (&package.name, &package.version, package.crate_file.len());
        let opened = open(connection, into, caller)?;
        let krate = staged::lock_name(connection, name)?;
        let caller = &caller.confirm(connection)??;
        let mut set = opened.noted(connection, caller)?;
        // A set of an operator is for everyone: each stages what they may publish.
        if set.created_by.is_some() {
            check_contributor(connection, &set, (caller, None))?;
        }
        let origin = match &krate {
            None => Origin::Created,
            Some(found) if found.deletion.frees_the_name() => Origin::Revived,
            Some(_) => Origin::Existing,
        };
        let facts = publish_facts::read(connection, (name, num), caller.user.id, &[], &[])?.facts;
        let destination = Destination::Set(&set.name);
        let grant = grant(connection, caller, (krate.as_ref(), origin, name))?;
        let grant = grant.as_ref();
        Publish { krate: krate.as_ref(), origin, name, num, caller, admission, destination, grant }
            .judge(connection, &facts)?;
        if !origin.is_new() {
            limits.check_index_file(facts.index_bytes, index_line)?;
        }
        draw(connection, (caller, admission), (origin, size))?;
        let new = NewStaged {
            set_id: set.id,
            name,
            num,
            is_new_crate: origin.is_new(),
            checksum: package.checksum,
            size: i64::try_from(size).unwrap_or(i64::MAX),
            index_line,
            metadata: &package.metadata,
            staged_by: caller.user.id,
            token_name: &caller.token.name,
            address: caller.address.as_deref(),
            trusted: caller.token.trusted.as_ref(),
            owner_if_new: grant.and_then(|grant| grant.owner).filter(|_| origin.is_new()).map(|(id, _)| id),
        };
        // Another set may have taken the number since the facts were read, if the crate is new.
        let put = new.put(connection)?.ok_or(diesel::NotFound)?;
        if put == Put::Added && staged::count(connection, set.id)? > MAX_STAGED {
            return Err(SetRefusal::Full { name: set.name }.into());
        }
        if !is_stored()? {
            return Err(RequestError::FileRemoved);
        }
        set.revision = sets::raise_revision(connection, set.id)?;
        let replaced = match put {
            Put::Added => None,
            Put::Replaced(checksum) => Some(checksum).filter(|checksum| *checksum != package.checksum),
        };
        Event::new(Action::Stage)
            .of_crate(name)
            .of_version(num)
            .about(set.name.as_str())
            .detail(json!({ "checksum": package.checksum, "size": size, "replaced": replaced }))
            .record(connection, &caller.actor())?;
        fault::point("stage.before_commit")?;
        caller.connection.check()?;
        Ok(Staged { set, replaced })
    })
}

/// The set of a staging, locked.
pub(super) struct Opened {
    pub set: ReleaseSet,
    is_new: bool,
}

impl Opened {
    /// Notes the creation of a new one, as soon as the caller is confirmed.
    pub fn noted(self, connection: &mut PgConnection, caller: &Authority) -> Result<ReleaseSet, RequestError> {
        if self.is_new {
            create::note(connection, &self.set, &caller.actor())?;
        }
        Ok(self.set)
    }
}

/// Locks the set of a staging, before any crate is locked. One that never was is created, unless another request creates it at
/// this moment: then this one waits for it, and holds nothing that the other one needs.
pub(super) fn open(
    connection: &mut PgConnection,
    Into { set: name, is_of_publish, is_preview }: Into<'_>,
    caller: &Caller,
) -> Result<Opened, RequestError> {
    if let Some((set, now)) = sets::find_and_lock(connection, name)?.filter(|(set, now)| !set.is_unused(*now)) {
        set.check_open(now)?;
        return Ok(Opened { set, is_new: false });
    }
    let wanted = Wanted { name: Some(name), is_of_publish, is_preview, ..Wanted::default() };
    match create::create(connection, &wanted, caller) {
        Err(RequestError::Refused(ChangeRefusal::Set(taken @ SetRefusal::NameTaken(_)))) => {
            let (set, now) = sets::find_and_lock(connection, name)?.ok_or(taken)?;
            set.check_open(now)?;
            Ok(Opened { set, is_new: false })
        }
        created => Ok(Opened { set: created?, is_new: true }),
    }
}

/// A staging counts as a publish.
fn draw(
    connection: &mut PgConnection,
    (caller, admission): (&Caller, &Admission),
    (origin, size): (Origin, usize),
) -> Result<(), RequestError> {
    let (rate_limits, login) = (&admission.rate_limits, &caller.user.login);
    let upload = admission.upload_allowance.map(|allowance| allowance.draw_of(size));
    let draws: Vec<_> = rate_limits.draw_of(scope(origin)).into_iter().chain(upload).collect();
    let levels = buckets::draw(connection, caller.user.id, &draws)?;
    rate_limits.check_drawn(&levels, login, scope(origin))?;
    admission.upload_allowance.map_or(Ok(()), |allowance| allowance.check_drawn(&levels, login, size))?;
    Ok(())
}
