//! `supercargo admin version`.

use diesel::PgConnection;

use super::output::say;
use super::{AdminError, crate_name};
use crate::database::access::audit::Actor;
use crate::jobs::yank::{self, YankState};
use crate::jobs::{self, delete_version};
use crate::package::Version;
use crate::queue;

pub fn delete(
    connection: &mut PgConnection,
    operator: &Actor,
    name: &str,
    num: &str,
    reason: &str,
) -> Result<(), AdminError> {
    let name = crate_name(name)?;
    let num: Version = num.parse()?;
    let job = delete_version::request(connection, (&name, &num), reason, operator)?;
    queue::announce(connection, jobs::QUEUE)?;
    say!(
        "{name} {num} is no longer served; job {job} removes it from the index and deletes its file (see `supercargo jobs \
         show {job}`)"
    );
    Ok(())
}

/// Yanks a version, or unyanks it.
pub fn set_yanked(
    connection: &mut PgConnection,
    operator: &Actor,
    (name, num): (&str, &str),
    state: YankState<'_>,
) -> Result<(), AdminError> {
    let name = crate_name(name)?;
    let num: Version = num.parse()?;
    let job = yank::request(connection, (&name, &num), state, operator)?;
    queue::announce(connection, jobs::QUEUE)?;
    let done = if state.yanked == Some(true) { "yanked" } else { "no longer yanked" };
    say!("{name} {num} is {done}; job {job} writes that to the index (see `supercargo jobs show {job}`)");
    Ok(())
}
