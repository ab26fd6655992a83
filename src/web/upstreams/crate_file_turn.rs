//! Which machine fetches a crate file: one of those that have a bucket in common. The others take it from there.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::sharing::{CrateFileTurn, Lease};
use super::transfer::{Transfer, TransferError};
use super::upstream::Upstream;
use crate::crate_store::{CrateStore, CrateStoreError};
use crate::database::upstream_sharing::requests::Outcome;
use crate::package::Checksum;

/// How long another machine is waited for that fetches a file. A client waits for twenty seconds.
const FOR_OTHERS: Duration = Duration::from_secs(5);

/// Whether this process fetches a file.
pub(super) enum Turn {
    /// It does. Without a lease no store is shared, the database is away, or another machine takes too long.
    Fetch(Option<Lease>),
    /// Another one has just stored it.
    Stored(Bytes),
}

/// Takes the lease of a file, or waits for the machine that has it.
pub(super) async fn turn(
    store: &CrateStore,
    upstream: &Upstream,
    checksum: Checksum,
    transfer: &Transfer,
) -> Result<Turn, TransferError> {
    let is_bucket = store.local_path(checksum).is_none();
    let Some(sharing) = upstream.shelf.sharing().filter(|_| is_bucket) else { return Ok(Turn::Fetch(None)) };
    let (subject, until) = (checksum.to_string(), Instant::now() + FOR_OTHERS);
    let mut has_waited = false;
    loop {
        match sharing.lease_of_crate_file(&subject).await {
            CrateFileTurn::Away => return Ok(Turn::Fetch(None)),
            CrateFileTurn::Taken(lease) if has_waited => {
                let Some(content) = stored(store, upstream, checksum, transfer).await? else {
                    return Ok(Turn::Fetch(Some(lease)));
                };
                lease.end(Outcome::Failed).await;
                return Ok(Turn::Stored(content));
            }
            CrateFileTurn::Taken(lease) => return Ok(Turn::Fetch(Some(lease))),
            CrateFileTurn::Leased => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(Turn::Fetch(None));
                }
                has_waited = true;
                sharing.released(&subject, left).await;
            }
        }
    }
}

/// Takes a file from the store, if it is there and the right one.
async fn stored(
    store: &CrateStore,
    upstream: &Upstream,
    checksum: Checksum,
    transfer: &Transfer,
) -> Result<Option<Bytes>, TransferError> {
    let size = read(store, upstream, move |store| store.size(checksum)).await;
    let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else { return Ok(None) };
    let room = upstream.room_for(size).await.ok_or(TransferError::Crowded)?;
    let content = read(store, upstream, move |store| store.read(checksum)).await;
    let Some(content) = content.filter(|content| Checksum::of(content) == checksum) else { return Ok(None) };
    transfer.announce(Some(content.len() as u64));
    transfer.add(content.clone(), room);
    Ok(Some(content))
}

async fn read<T: Send + 'static>(
    store: &CrateStore,
    upstream: &Upstream,
    what: impl FnOnce(&CrateStore) -> Result<Option<T>, CrateStoreError> + Send + 'static,
) -> Option<T> {
    let store = store.clone();
    match upstream.runtime.spawn_blocking(move || what(&store)).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a crate file that another machine has stored cannot be read, and is fetched");
            None
        }
        Err(_) => None,
    }
}
