//! The headers of a pack's entries.

/// The version of packs that every git reads.
const VERSION: u32 = 2;
/// Bytes of a pack's header.
pub(super) const HEADER: usize = 12;
/// Bytes of the SHA-1 at the end of a pack and of an index.
pub(super) const TRAILER: usize = 20;

/// The types of entries of this program's packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    Commit,
    Tree,
    Blob,
}

impl ObjectKind {
    fn number(self) -> u8 {
        match self {
            Self::Commit => 1,
            Self::Tree => 2,
            Self::Blob => 3,
        }
    }

    fn of_number(number: u8) -> Option<Self> {
        [Self::Commit, Self::Tree, Self::Blob].into_iter().find(|kind| kind.number() == number)
    }
}

/// The number of deltas to a base in the same pack, named by its distance.
const DISTANT_DELTA: u8 = 6;
/// The number of deltas to a base that is named by its id. It may stand behind them: git puts it there after a fetch.
const DELTA_BY_ID: u8 = 7;

/// The header of a pack.
pub(super) fn pack_header(objects: u32) -> [u8; HEADER] {
    let mut header = *b"PACK\0\0\0\0\0\0\0\0";
    header[4..8].copy_from_slice(&VERSION.to_be_bytes());
    header[8..].copy_from_slice(&objects.to_be_bytes());
    header
}

/// The number of entries in a pack; `None` if the bytes are no pack of this version.
pub(super) fn objects_of(pack: &[u8]) -> Option<u32> {
    let header = pack.get(..HEADER)?;
    let number = |at: usize| Some(u32::from_be_bytes(header[at..at + 4].try_into().ok()?));
    if &header[..4] == b"PACK" && number(4)? == VERSION { number(8) } else { None }
}

/// Appends the header of an object that is stored whole.
pub(super) fn push_whole(pack: &mut Vec<u8>, kind: ObjectKind, size: usize) {
    push_size(pack, kind.number(), size);
}

/// Appends the header of a delta of `size` bytes whose base is `distance` bytes before this entry.
pub(super) fn push_delta(pack: &mut Vec<u8>, size: usize, distance: usize) {
    push_size(pack, DISTANT_DELTA, size);
    push_distance(pack, distance);
}

fn push_size(pack: &mut Vec<u8>, kind: u8, size: usize) {
    let mut rest = size >> 4;
    let mut byte = (kind << 4) | low(size, 4);
    while rest > 0 {
        pack.push(byte | 0x80);
        byte = low(rest, 7);
        rest >>= 7;
    }
    pack.push(byte);
}

/// Seven bits a byte, the most significant first. Each byte but the last stands for one more than its bits say.
fn push_distance(pack: &mut Vec<u8>, distance: usize) {
    let mut bytes = vec![low(distance, 7)];
    let mut rest = distance >> 7;
    while rest > 0 {
        rest -= 1;
        bytes.push(0x80 | low(rest, 7));
        rest >>= 7;
    }
    bytes.reverse();
    pack.extend_from_slice(&bytes);
}

/// The last bits of a number.
pub(super) fn low(number: usize, bits: u32) -> u8 {
    u8::try_from(number & ((1 << bits) - 1)).unwrap_or(u8::MAX) // `bits` is below 8
}

/// The header of an entry as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// `None` for deltas and tags.
    pub kind: Option<ObjectKind>,
    /// Whether it is a delta whose base is named by its id.
    pub is_by_id: bool,
    /// Bytes of type and size.
    pub size_bytes: usize,
    /// For a delta with a distance: the distance, and its bytes.
    pub distance: Option<(usize, usize)>,
}

impl Header {
    /// Its bytes.
    pub fn length(&self) -> usize {
        self.size_bytes + self.distance.map_or(0, |(_, length)| length)
    }
}

/// Reads a header; `None` if the bytes are none.
pub(super) fn read(entry: &[u8]) -> Option<Header> {
    let first = *entry.first()?;
    let mut size_bytes = 1;
    let mut more = first & 0x80 != 0;
    while more {
        more = entry.get(size_bytes)? & 0x80 != 0;
        size_bytes += 1;
    }
    let number = (first >> 4) & 7;
    let distance = if number == DISTANT_DELTA { Some(read_distance(&entry[size_bytes..])?) } else { None };
    Some(Header { kind: ObjectKind::of_number(number), is_by_id: number == DELTA_BY_ID, size_bytes, distance })
}

fn read_distance(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    let mut distance = 0usize;
    loop {
        let byte = *bytes.get(length)?;
        distance = distance.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
        length += 1;
        if byte & 0x80 == 0 {
            return Some((distance, length));
        }
        distance = distance.checked_add(1)?;
    }
}

/// Replaces the distance in an entry.
pub(super) fn with_distance(entry: &[u8], header: &Header, distance: usize) -> Vec<u8> {
    let mut changed = entry[..header.size_bytes].to_vec();
    push_distance(&mut changed, distance);
    changed.extend_from_slice(&entry[header.length()..]);
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for size in [0, 1, 15, 16, 2047, 2048, 100_000, 1 << 30] {
            for distance in [1, 127, 128, 129, 16_511, 16_512, 1 << 20, 1 << 31] {
                let mut entry = Vec::new();
                push_delta(&mut entry, size, distance);
                let length = entry.len();
                entry.extend_from_slice(b"rest");
                let header = read(&entry).unwrap();
                assert_eq!(header.distance.unwrap().0, distance);
                assert_eq!(header.length(), length);
                let changed = with_distance(&entry, &header, 5);
                assert_eq!(read(&changed).unwrap().distance, Some((5, 1)));
                assert!(changed.ends_with(b"\x05rest"), "{changed:?}");
            }
        }
    }

    #[test]
    fn a_pack_is_recognised_by_its_header() {
        assert_eq!(objects_of(&pack_header(7)), Some(7));
        assert_eq!(objects_of(b"PACK\0\0\0\x03\0\0\0\x07"), None);
        assert_eq!(objects_of(b"PACK"), None);
    }
}
