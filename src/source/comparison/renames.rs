//! Files that have another path, found by their contents: the same content, or at least half of its lines.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use super::bounds::Bounds;
use super::files::{FileChange, How, is_text};
use crate::source::error::SourceError;
use crate::source::listing::FileFacts;
use crate::source::package::SourcePackage;

/// How much of a file must have stayed, in hundredths: as much as git requires.
const LEAST: u64 = 50;
/// The longest file that is searched, in bytes.
const LONGEST: u64 = 256 * 1024;

/// Turns pairs of a removed and an added file into renamed ones.
pub(super) fn find(
    files: &mut Vec<FileChange>,
    packages: (&SourcePackage, &SourcePackage),
    bounds: Bounds,
) -> Result<(), SourceError> {
    let mut pairs = by_content(files);
    pairs.extend(by_lines(files, &pairs, packages, bounds)?);
    for pair in &pairs {
        let removed = files[pair.removed].clone();
        let added = &mut files[pair.added];
        added.how = How::Renamed { from: removed.path, similarity: pair.similarity };
        added.before = removed.before;
    }
    let mut gone: Vec<usize> = pairs.iter().map(|pair| pair.removed).collect();
    gone.sort_unstable();
    for place in gone.into_iter().rev() {
        files.remove(place);
    }
    Ok(())
}

/// A removed and an added file that are one, by their places in the list.
struct Pair {
    removed: usize,
    added: usize,
    similarity: u8,
}

fn of_kind(files: &[FileChange], how: &How) -> Vec<usize> {
    (0..files.len()).filter(|&place| files[place].how == *how).collect()
}

/// Files with the same content. Empty ones are no evidence.
fn by_content(files: &[FileChange]) -> Vec<Pair> {
    let mut removed: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
    for place in of_kind(files, &How::Removed) {
        if let Some(file) = files[place].before.as_ref().filter(|file| file.size > 0) {
            removed.entry(file.sha256).or_default().push(place);
        }
    }
    let pairs = of_kind(files, &How::Added).into_iter().filter_map(|added| {
        let candidates = removed.get_mut(&files[added].after.as_ref()?.sha256)?;
        let same_name = candidates.iter().position(|&place| name(&files[place].path) == name(&files[added].path));
        let removed = (!candidates.is_empty()).then(|| candidates.remove(same_name.unwrap_or(0)))?;
        Some(Pair { removed, added, similarity: 100 })
    });
    pairs.collect()
}

/// Text files that share at least half of their lines, the most similar first.
fn by_lines(
    files: &[FileChange],
    found: &[Pair],
    (before, after): (&SourcePackage, &SourcePackage),
    bounds: Bounds,
) -> Result<Vec<Pair>, SourceError> {
    let is_left = |place: &usize| found.iter().all(|pair| pair.removed != *place && pair.added != *place);
    let is_candidate = |file: &FileFacts| is_text(file) && (1..=LONGEST).contains(&file.size);
    let candidates = |how: &How| {
        let places = of_kind(files, how).into_iter().filter(is_left);
        let facts = places.filter_map(|place| {
            let file = files[place].before.as_ref().or(files[place].after.as_ref())?;
            is_candidate(file).then_some((place, file))
        });
        facts.collect::<Vec<_>>()
    };
    let (removed, added) = (candidates(&How::Removed), candidates(&How::Added));
    let bytes: u64 = removed.iter().chain(&added).map(|(_, file)| file.size).sum();
    if removed.len() * added.len() > bounds.pairs || bytes > bounds.renames {
        return Ok(Vec::new());
    }
    let lines_of = |side: &[(usize, &FileFacts)], package: &SourcePackage| {
        side.iter()
            .map(|(place, file)| Ok((*place, Lines::of(&package.read(file)?))))
            .collect::<Result<Vec<_>, SourceError>>()
    };
    let (removed, added) = (lines_of(&removed, before)?, lines_of(&added, after)?);
    let mut pairs = Vec::new();
    for (one, old) in &removed {
        for (other, new) in &added {
            let similarity = old.similarity(new);
            if similarity >= LEAST {
                let same_name = name(&files[*one].path) == name(&files[*other].path);
                pairs.push((similarity, same_name, *one, *other));
            }
        }
    }
    pairs.sort_unstable_by_key(|(similarity, same_name, one, other)| {
        (Reverse(*similarity), Reverse(*same_name), *one, *other)
    });
    let mut chosen: Vec<Pair> = Vec::new();
    for (similarity, _, removed, added) in pairs {
        if chosen.iter().all(|pair| pair.removed != removed && pair.added != added) {
            chosen.push(Pair { removed, added, similarity: u8::try_from(similarity).unwrap_or(100) });
        }
    }
    Ok(chosen)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The lines of a text by their hashes, in order, each with its length.
struct Lines {
    sorted: Vec<(u64, u64)>,
    bytes: u64,
}

impl Lines {
    fn of(content: &[u8]) -> Self {
        let mut sorted: Vec<(u64, u64)> = content
            .split_inclusive(|&byte| byte == b'\n')
            .map(|line| {
                let mut hasher = DefaultHasher::new();
                line.hash(&mut hasher);
                (hasher.finish(), line.len() as u64)
            })
            .collect();
        sorted.sort_unstable();
        Self { sorted, bytes: content.len() as u64 }
    }

    /// How much of the larger text the other one has as well, in hundredths of its bytes.
    fn similarity(&self, other: &Self) -> u64 {
        let larger = self.bytes.max(other.bytes);
        if self.bytes.min(other.bytes) * 100 < larger * LEAST {
            return 0;
        }
        let (mut shared, mut rest) = (0, other.sorted.iter().peekable());
        for line in &self.sorted {
            while rest.peek().is_some_and(|next| *next < line) {
                rest.next();
            }
            if rest.peek() == Some(&line) {
                shared += line.1;
                rest.next();
            }
        }
        // Not all: the contents are not the same.
        (shared * 100 / larger).min(99)
    }
}
