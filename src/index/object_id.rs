//! The ids of objects that this program makes.
//!
//! Trees and commits consist of names that were checked and of ids, so their SHA-1 is computed with the processor's
//! instructions. Files contain what publishers send; they are hashed by libgit2, which detects known attacks on SHA-1 and
//! takes four times as long. For a large file another thread does that meanwhile ([`FileIds`](super::file_ids::FileIds)).

use git2::{ObjectType, Oid};
use sha1::{Digest, Sha1};

/// The id of a tree with this content.
pub(super) fn tree(content: &[u8]) -> Oid {
    of("tree", content)
}

/// The id of a commit with this content.
pub(super) fn commit(content: &[u8]) -> Oid {
    of("commit", content)
}

/// The id of a file with this content.
pub(super) fn blob(content: &[u8]) -> Result<Oid, git2::Error> {
    Oid::hash_object(ObjectType::Blob, content)
}

/// The same, whether or not the content is an attack.
pub(super) fn blob_unchecked(content: &[u8]) -> Oid {
    of("blob", content)
}

fn of(kind: &str, content: &[u8]) -> Oid {
    let digest = Sha1::new().chain_update(format!("{kind} {}\0", content.len())).chain_update(content).finalize();
    Oid::from_bytes(&digest).expect("SHA-1 has 20 bytes") // as an id has
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_git() {
        assert_eq!(tree(&[]).to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_eq!(tree(b"x"), Oid::hash_object(ObjectType::Tree, b"x").unwrap());
        assert_eq!(commit(b"x"), Oid::hash_object(ObjectType::Commit, b"x").unwrap());
        assert_eq!(blob_unchecked(b"x"), blob(b"x").unwrap());
        assert_eq!(blob(b"").unwrap().to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    }
}
