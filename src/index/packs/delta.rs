//! A delta of git: the sizes of base and result, and instructions that copy from the base or insert bytes.

use super::entry::low;
use crate::index::tree::Replaced;

/// The most bytes that one instruction inserts.
const MOST_INSERTED: usize = 127;
/// The most bytes that one instruction copies.
const MOST_COPIED: usize = 0x00ff_ffff;

/// The delta from `base` to `result`, which differ in what was replaced, in this order.
pub(super) fn delta(base: &[u8], result: &[u8], replaced: &[Replaced]) -> Vec<u8> {
    let inserted: usize = replaced.iter().map(|one| one.new.len() + 16).sum();
    let mut delta = Vec::with_capacity(inserted + inserted / MOST_INSERTED + 16);
    push_number(&mut delta, base.len());
    push_number(&mut delta, result.len());
    let mut copied = 0;
    for Replaced { old, new } in replaced {
        copy(&mut delta, copied, old.start - copied);
        for piece in result[new.clone()].chunks(MOST_INSERTED) {
            delta.push(low(piece.len(), 7));
            delta.extend_from_slice(piece);
        }
        copied = old.end;
    }
    copy(&mut delta, copied, base.len() - copied);
    delta
}

/// Seven bits a byte, the least significant first.
fn push_number(delta: &mut Vec<u8>, number: usize) {
    let mut rest = number;
    while rest >= 0x80 {
        delta.push(0x80 | low(rest, 7));
        rest >>= 7;
    }
    delta.push(low(rest, 7));
}

/// Copies from the base. The bits of the instruction tell which bytes of place and length follow; those that are zero are
/// left out.
fn copy(delta: &mut Vec<u8>, from: usize, length: usize) {
    let (mut from, mut left) = (from, length);
    while left > 0 {
        let now = left.min(MOST_COPIED);
        let at = delta.len();
        delta.push(0x80);
        let place = from.to_le_bytes();
        let size = now.to_le_bytes();
        for (bit, byte) in place[..4].iter().chain(&size[..3]).enumerate() {
            if *byte != 0 {
                delta[at] |= 1 << bit;
                delta.push(*byte);
            }
        }
        from += now;
        left -= now;
    }
}

/// The result of a delta; `None` if it does not fit the base.
pub(super) fn apply(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let (base_size, mut rest) = read_number(delta)?;
    let size;
    (size, rest) = read_number(rest)?;
    let mut result = Vec::new();
    while let Some((&instruction, after)) = rest.split_first() {
        rest = after;
        if instruction & 0x80 == 0 {
            let (inserted, after) = rest.split_at_checked(usize::from(instruction))?;
            result.extend_from_slice(inserted);
            rest = after;
            continue;
        }
        let mut numbers = [0usize; 2];
        for bit in (0..7).filter(|bit| instruction & (1 << bit) != 0) {
            let (byte, after) = rest.split_first()?;
            let (number, shift) = if bit < 4 { (0, bit * 8) } else { (1, (bit - 4) * 8) };
            numbers[number] |= usize::from(*byte) << shift;
            rest = after;
        }
        let [from, length] = numbers;
        let length = if length == 0 { 0x1_0000 } else { length };
        result.extend_from_slice(base.get(from..from.checked_add(length)?)?);
    }
    (base_size == base.len() && size == result.len()).then_some(result)
}

fn read_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (mut number, mut rest) = (0usize, bytes);
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, after) = rest.split_first()?;
        number |= usize::from(byte & 0x7f) << shift;
        rest = after;
        if byte & 0x80 == 0 {
            return Some((number, rest));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_a_copy_an_insertion_and_a_copy() {
        let base = vec![b'a'; 0x1_0000 + 5];
        let mut result = base.clone();
        result.splice(3..5, *b"xyz");
        let made = delta(&base, &result, &[Replaced { old: 3..5, new: 3..6 }]);
        let sizes = [0x85, 0x80, 0x04, 0x86, 0x80, 0x04];
        let expected = [&sizes[..], &[0x90, 3], &[3, b'x', b'y', b'z'], &[0x80 | 1 | 0x40, 5, 1]].concat();
        assert_eq!(made, expected);
        assert_eq!(apply(&base, &made).unwrap(), result);
        assert_eq!(apply(&base[1..], &made), None);
        assert_eq!(apply(&base, &made[..made.len() - 1]), None);
    }
}
