//! Packs of the index: written with one batch each, and merged without the git program.
//!
//! Formats: gitformat-pack(5). A pack is a header, entries (a header with type and size, for a delta the distance to its
//! base, and a zlib stream) and the SHA-1 of all that. Its index lists ids with the places and CRC-32s of their entries.
//!
//! A pack of a batch has every object that the batch made. Trees, which are mostly ids and so do not compress, are stored
//! as they are; a tree that was made from another one of the same pack is a delta of a few bytes. So is a large file of
//! which this process has written an earlier version; the pack then has that one, too ([`bases`]).

mod ancestry;
mod bases;
mod delta;
mod difference;
mod entry;
mod index_file;
mod keep;
mod merge;
mod new_pack;
mod place;
mod stream;
mod tip;

pub(super) use bases::Bases;
pub(super) use entry::ObjectKind;
pub(super) use index_file::ids as ids_of;
pub(super) use keep::{Keep, is_ours as is_our_keep};
pub(super) use merge::{Source, merge, mergeable};
pub(super) use new_pack::NewPack;
pub(super) use place::write;
