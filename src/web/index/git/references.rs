//! What there is to fetch, from the references and without a git process: clients ask for it far more often than for
//! objects. The answers are git's own, byte for byte.

use super::packets::{flush, put};
use super::protocol::{Capabilities, Version};
use super::request;
use crate::index::References;

/// Beyond so many prefixes git ignores them all, and so do we.
const MAX_PREFIXES: usize = 65_536;

/// What stands before an answer to `info/refs`: version 2 has dropped it.
pub fn preamble(version: Version) -> &'static [u8] {
    if version == Version::V2 { b"" } else { b"001e# service=git-upload-pack\n0000" }
}

/// The references as the older versions list them. There is at least one.
pub fn listed(references: &References, capabilities: &Capabilities, version: Version) -> Vec<u8> {
    let mut out = preamble(version).to_vec();
    if version == Version::V1 {
        put(&mut out, b"version 1\n");
    }
    let mut behind_the_first = match references.head {
        Some(_) => Some(capabilities.with(references.head_target.as_deref())),
        None => Some(capabilities.with(None)),
    };
    let mut line = |id: &str, name: &[u8], peeled: bool| {
        let mut line = format!("{id} ").into_bytes();
        line.extend_from_slice(name);
        if peeled {
            line.extend_from_slice(b"^{}");
        }
        if let Some(capabilities) = behind_the_first.take() {
            line.push(0);
            line.extend_from_slice(&capabilities);
        }
        line.push(b'\n');
        put(&mut out, &line);
    };
    if let Some(head) = references.head {
        line(&head.to_string(), b"HEAD", false);
    }
    for reference in &references.others {
        line(&reference.id.to_string(), &reference.name, false);
        if let Some(peeled) = reference.peeled {
            line(&peeled.to_string(), &reference.name, true);
        }
    }
    flush(&mut out);
    out
}

/// The answer to `ls-refs`.
pub fn found(references: &References, wanted: &request::References) -> Vec<u8> {
    let mut out = Vec::new();
    let prefixes = if wanted.prefixes.len() > MAX_PREFIXES { &[] } else { &wanted.prefixes[..] };
    let is_wanted = |name: &[u8]| prefixes.is_empty() || prefixes.iter().any(|prefix| name.starts_with(prefix));
    let target_of = |target: &Option<Vec<u8>>| target.clone().filter(|_| wanted.symrefs);
    let head_target = target_of(&references.head_target);
    let head = match references.head {
        Some(head) => Some(head.to_string()),
        None if wanted.unborn && head_target.is_some() => Some("unborn".to_owned()),
        None => None,
    };
    let mut line = |id: &str, name: &[u8], target: Option<Vec<u8>>, peeled: Option<String>| {
        if !is_wanted(name) {
            return;
        }
        let mut line = format!("{id} ").into_bytes();
        line.extend_from_slice(name);
        for (kind, value) in [(&b" symref-target:"[..], target), (b" peeled:", peeled.map(String::into_bytes))] {
            if let Some(value) = value {
                line.extend_from_slice(kind);
                line.extend_from_slice(&value);
            }
        }
        line.push(b'\n');
        put(&mut out, &line);
    };
    if let Some(head) = head {
        line(&head, b"HEAD", head_target, None);
    }
    for reference in &references.others {
        let peeled = reference.peeled.filter(|_| wanted.peel).map(|id| id.to_string());
        line(&reference.id.to_string(), &reference.name, target_of(&reference.target), peeled);
    }
    flush(&mut out);
    out
}
