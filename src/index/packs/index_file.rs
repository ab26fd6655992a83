//! The index of a pack, version 2: ids in order, with the CRC-32 and the place of each entry.

use git2::Oid;
use sha1::{Digest, Sha1};

use super::entry::TRAILER;

const MAGIC: &[u8] = b"\xfftOc\0\0\0\x02";
/// For each first byte of an id, how many ids have it or a lower one.
const FAN_OUT: usize = 256;
/// Places beyond this need a second table, which packs of this program never have.
pub(super) const LAST_PLACE: usize = 0x7fff_ffff;

/// An entry of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: Oid,
    pub crc: u32,
    /// Bytes before it in the pack.
    pub place: usize,
}

/// The content of the index of a pack whose SHA-1 is `checksum`.
pub(super) fn write(entries: &mut [Entry], checksum: &[u8]) -> Vec<u8> {
    entries.sort_unstable_by_key(|entry| entry.id);
    let mut index = Vec::with_capacity(MAGIC.len() + FAN_OUT * 4 + entries.len() * 28 + 2 * TRAILER);
    index.extend_from_slice(MAGIC);
    for first in 0..FAN_OUT {
        let up_to = entries.partition_point(|entry| usize::from(entry.id.as_bytes()[0]) <= first);
        index.extend_from_slice(&number(up_to).to_be_bytes());
    }
    entries.iter().for_each(|entry| index.extend_from_slice(entry.id.as_bytes()));
    entries.iter().for_each(|entry| index.extend_from_slice(&entry.crc.to_be_bytes()));
    entries.iter().for_each(|entry| index.extend_from_slice(&number(entry.place).to_be_bytes()));
    index.extend_from_slice(checksum);
    let own = Sha1::digest(&index);
    index.extend_from_slice(&own);
    index
}

/// A number of the file. Callers keep them below [`LAST_PLACE`].
fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The entries, in the order of their places; `None` if the bytes are not the index of this pack, or one with larger places.
pub(super) fn read(index: &[u8], pack: &[u8]) -> Option<Vec<Entry>> {
    let (content, checksum) = index.split_at_checked(index.len().checked_sub(TRAILER)?)?;
    if Sha1::digest(content)[..] != *checksum || !content.ends_with(pack.get(pack.len().checked_sub(TRAILER)?..)?) {
        return None;
    }
    let rest = index.strip_prefix(MAGIC)?;
    let count = usize::try_from(word(rest, FAN_OUT - 1)?).ok()?;
    let tables = rest.get(FAN_OUT * 4..)?;
    if tables.len() != count * 28 + 2 * TRAILER {
        return None;
    }
    let (ids, tables) = tables.split_at(count * 20);
    let (crcs, places) = tables.split_at(count * 4);
    let mut entries = Vec::with_capacity(count);
    for (at, id) in ids.chunks_exact(20).enumerate() {
        let place = usize::try_from(word(places, at)?).ok().filter(|place| *place <= LAST_PLACE)?;
        entries.push(Entry { id: Oid::from_bytes(id).ok()?, crc: word(crcs, at)?, place });
    }
    entries.sort_unstable_by_key(|entry| entry.place);
    Some(entries)
}

/// The ids, in order; `None` if the bytes are not an index of this version.
pub fn ids(index: &[u8]) -> Option<Vec<Oid>> {
    let rest = index.strip_prefix(MAGIC)?;
    let count = usize::try_from(word(rest, FAN_OUT - 1)?).ok()?;
    let ids = rest.get(FAN_OUT * 4..)?.get(..count.checked_mul(20)?)?;
    ids.chunks_exact(20).map(|id| Oid::from_bytes(id).ok()).collect()
}

fn word(table: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(table.get(at * 4..at * 4 + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut entries: Vec<Entry> = (1..=20u8)
            .rev()
            .map(|number| Entry {
                id: Oid::from_bytes(&[number; 20]).unwrap(),
                crc: number.into(),
                place: number.into(),
            })
            .collect();
        let written = write(&mut entries, &[7; TRAILER]);
        let pack = [7; TRAILER];
        assert_eq!(read(&written, &pack).unwrap(), entries);
        assert_eq!(ids(&written).unwrap(), entries.iter().map(|entry| entry.id).collect::<Vec<_>>());
        assert_eq!(ids(&written[..1100]), None);
        assert!(read(&written, &[8; TRAILER]).is_none());
        assert!(read(&written[..written.len() - 1], &pack).is_none());
        assert!(read(b"", &pack).is_none());
        for place in 0..written.len() {
            let mut damaged = written.clone();
            damaged[place] ^= 1;
            assert!(read(&damaged, &pack).is_none(), "{place}");
        }
    }
}
