//! The references that clients of the git protocol see.

use git2::{ObjectType, Oid, ReferenceType, Repository};

use super::error::{IndexError, optional};
use super::repository::Index;

/// References for the work with a remote, hidden from clients.
const HIDDEN: &[u8] = b"refs/supercargo";

/// All references at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// The reference to which HEAD leads; `None` if HEAD is a commit.
    pub head_target: Option<Vec<u8>>,
    /// The commit of HEAD; `None` while the index is empty.
    pub head: Option<Oid>,
    /// All references except HEAD, in the order of their names.
    pub others: Vec<Reference>,
    /// Whether the history is cut off. Clients must be informed of that.
    pub is_shallow: bool,
}

/// A reference with a name below `refs/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub name: Vec<u8>,
    pub id: Oid,
    /// The reference to which a symbolic one leads.
    pub target: Option<Vec<u8>>,
    /// The object that an annotated tag points to.
    pub peeled: Option<Oid>,
}

impl Index {
    /// Reads the references. That is a few small files: an index has one branch with two or three
    /// names, and references that an operator adds.
    pub fn references(&self) -> Result<References, IndexError> {
        self.with_handle("read the references", |repository| {
            let head = repository.find_reference("HEAD")?;
            // As git does: through other symbolic references to the last one.
            let head_target = match head.symbolic_target_bytes() {
                None => None,
                Some(next) => Some(optional(head.resolve())?.map_or(next.to_vec(), |last| last.name_bytes().to_vec())),
            };
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

/// A reference; `None` if it is symbolic and its target does not exist.
fn read(repository: &Repository, reference: &git2::Reference<'_>) -> Result<Option<Reference>, git2::Error> {
    let symbolic = reference.kind() == Some(ReferenceType::Symbolic);
    let Some(resolved) = optional(reference.resolve())? else { return Ok(None) };
    let Some(id) = resolved.target() else { return Ok(None) };
    let target = symbolic.then(|| resolved.name_bytes().to_vec());
    let object = repository.find_object(id, None)?;
    let peeled = match object.kind() {
        Some(ObjectType::Tag) => Some(object.peel(ObjectType::Any)?.id()),
        _ => None,
    };
    Ok(Some(Reference { name: reference.name_bytes().to_vec(), id, target, peeled }))
}
