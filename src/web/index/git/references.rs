//! Lists of references, byte for byte as git writes them but without a git process: clients request these lists far
//! more often than objects.

use super::capabilities::Capabilities;
use super::packets::{flush, put};
use super::request::LsRefs;
use super::version::Version;
use crate::index::References;

/// Git lists all references if a request has more prefixes than this, and so does this module.
const MAX_PREFIXES: usize = 65_536;

/// The start of an answer to `info/refs`, which version 2 does not have.
pub fn preamble(version: Version) -> &'static [u8] {
    if version == Version::V2 { b"" } else { b"001e# service=git-upload-pack\n0000" }
}

/// The answer to `info/refs` in versions 0 and 1, for an index that has at least one reference.
pub fn advertised(references: &References, capabilities: &Capabilities, version: Version) -> Vec<u8> {
    let mut out = preamble(version).to_vec();
    if version == Version::V1 {
        put(&mut out, b"version 1\n");
    }
    let head_target = references.head.and(references.head_target.as_deref());
    let mut after_first = Some(capabilities.with_target(head_target));
    let mut line = |id: &str, name: &[u8], peeled: bool| {
        let mut line = format!("{id} ").into_bytes();
        line.extend_from_slice(name);
        if peeled {
            line.extend_from_slice(b"^{}");
        }
        if let Some(capabilities) = after_first.take() {
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
pub fn listed(references: &References, request: &LsRefs) -> Vec<u8> {
    let mut out = Vec::new();
    let prefixes = if request.prefixes.len() > MAX_PREFIXES { &[] } else { &request.prefixes[..] };
    let is_listed = |name: &[u8]| prefixes.is_empty() || prefixes.iter().any(|prefix| name.starts_with(prefix));
    let target_of = |target: &Option<Vec<u8>>| target.clone().filter(|_| request.symrefs);
    let head_target = target_of(&references.head_target);
    let head = match references.head {
        Some(head) => Some(head.to_string()),
        None if request.unborn && head_target.is_some() => Some("unborn".to_owned()),
        None => None,
    };
    let mut line = |id: &str, name: &[u8], target: Option<Vec<u8>>, peeled: Option<String>| {
        if !is_listed(name) {
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
        let peeled = reference.peeled.filter(|_| request.peel).map(|id| id.to_string());
        line(&reference.id.to_string(), &reference.name, target_of(&reference.target), peeled);
    }
    flush(&mut out);
    out
}
