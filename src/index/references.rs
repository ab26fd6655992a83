//! What the branch and other references point to, as clients of the git protocol may see it.

use git2::{ObjectType, Oid, ReferenceType, Repository};

use super::error::{IndexError, optional};
use super::repository::Index;

/// What is kept for work with a remote is no client's.
const HIDDEN: &[u8] = b"refs/supercargo";

/// All references at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// What HEAD names; None: it is a commit by itself.
    pub head_target: Option<Vec<u8>>,
    /// Where HEAD leads; None while the index is empty.
    pub head: Option<Oid>,
    /// Everything but HEAD, in the order of the names.
    pub others: Vec<Reference>,
    /// The history is cut off somewhere, which clients have to learn.
    pub is_shallow: bool,
}

/// A reference with a name below `refs/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub name: Vec<u8>,
    pub id: Oid,
    /// The name that it stands for, if it is a symbolic one.
    pub target: Option<Vec<u8>>,
    /// The object behind an annotated tag.
    pub peeled: Option<Oid>,
}

impl Index {
    /// Reads the references: some small files, since an index has one branch and whatever an operator adds.
    pub fn references(&self) -> Result<References, IndexError> {
        self.with_handle("read the references", |repository| {
            let head = repository.find_reference("HEAD")?;
            let head_target = head.symbolic_target_bytes().map(<[u8]>::to_vec);
            let mut others = Vec::new();
            for reference in repository.references()? {
                let reference = reference?;
                if !is_hidden(reference.name_bytes()) {
                    others.extend(read(repository, &reference)?);
                }
            }
            others.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(References {
                head_target,
                head: optional(repository.refname_to_id("HEAD"))?,
                others,
                is_shallow: repository.is_shallow(),
            })
        })
    }
}

fn is_hidden(name: &[u8]) -> bool {
    name.strip_prefix(HIDDEN).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// None: a symbolic reference to nothing.
fn read(repository: &Repository, reference: &git2::Reference<'_>) -> Result<Option<Reference>, git2::Error> {
    let symbolic = reference.kind() == Some(ReferenceType::Symbolic);
    let target = if symbolic { reference.symbolic_target_bytes().map(<[u8]>::to_vec) } else { None };
    let Some(id) = optional(reference.resolve())?.and_then(|resolved| resolved.target()) else { return Ok(None) };
    let object = repository.find_object(id, None)?;
    let peeled = match object.kind() {
        Some(ObjectType::Tag) => Some(object.peel(ObjectType::Any)?.id()),
        _ => None,
    };
    Ok(Some(Reference { name: reference.name_bytes().to_vec(), id, target, peeled }))
}
