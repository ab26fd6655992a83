use std::collections::BTreeMap;

use super::*;

const PATH: &str = "ma/ny/many";

/// A line of an index file, of which nothing repeats but the form.
fn line(number: usize) -> String {
    format!("{{\"vers\":\"1.0.{number}\",\"cksum\":\"{:032x}\",\"yanked\":false}}\n", rand::random::<u128>())
}

fn lines(count: usize) -> Vec<String> {
    (0..count).map(line).collect()
}

fn version(path: &str, lines: &[String]) -> Change {
    Change { path: path.to_owned(), content: Some(lines.concat().into()), message: format!("Publish {path}") }
}

fn flip(line: &mut String) {
    let yanked = line.contains("true");
    *line = line.replace(&format!("{yanked}}}"), &format!("{}}}", !yanked));
}

/// The types of the objects that are deltas in the packs, with the length of their chains, and how many there are.
fn deltas(test: &TestIndex) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for file in std::fs::read_dir(test.index.path().join("objects/pack")).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|end| end != "idx") {
            continue;
        }
        for object in test.git(&["verify-pack", "-v", file.to_str().unwrap()]).lines() {
            let fields: Vec<&str> = object.split_whitespace().collect();
            if let [_, kind @ ("blob" | "tree"), .., chain, _base] = fields[..]
                && fields.len() == 7
            {
                *counts.entry(format!("{kind} {chain}")).or_default() += 1;
            }
        }
    }
    counts
}

/// Every version that the history has, the oldest first.
fn history(test: &TestIndex) -> Vec<String> {
    let commits = test.git(&["rev-list", "--reverse", "main"]);
    commits.lines().map(|commit| test.git(&["cat-file", "blob", &format!("{commit}:{PATH}")])).collect()
}

#[test]
fn versions_of_a_large_file_are_deltas_of_one_that_is_whole() {
    let test = TestIndex::new();
    let mut file = lines(1000);
    let mut versions = Vec::new();
    for number in 0..12 {
        match number {
            0 => {}
            // Back to the version that is whole.
            2 => flip(&mut file[7]),
            1 | 5 => flip(&mut file[7]),
            8 => flip(&mut file[999]),
            _ => file.push(line(1000 + number)),
        }
        versions.push(file.concat());
        test.commit(&[version(PATH, &file), put("1/a", &number.to_string())]);
        assert_eq!(test.text(PATH).unwrap(), file.concat());
    }
    assert_eq!(deltas(&test).get("blob 1"), Some(&10), "{:?}", deltas(&test));
    test.fsck();
    // libgit2 and git read them.
    assert_eq!(text(&Index::open_or_init(test.index.path()).unwrap().on_disk(), PATH).unwrap(), file.concat());
    let shown = history(&test);
    assert_eq!(shown.iter().step_by(2).collect::<Vec<_>>(), versions.iter().collect::<Vec<_>>());
    let clone = test.directory.path().join("clone");
    test.git(&["clone", "-q", "--no-local", ".", clone.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(clone.join(PATH)).unwrap(), file.concat());
}

#[test]
fn a_large_file_that_has_changed_much_is_whole_and_the_base_of_the_next_ones() {
    let test = TestIndex::new();
    let mut file = lines(600);
    for number in 0..60 {
        file.push(line(600 + number));
        test.commit(&[version(PATH, &file)]);
    }
    // A base lasts until its versions have a thirty-second more: some twenty lines.
    let blobs = deltas(&test)["blob 1"];
    assert!((54..59).contains(&blobs), "{blobs}");
    // All lines after this one have other places.
    file.remove(3);
    test.commit(&[version(PATH, &file)]);
    assert_eq!(deltas(&test)["blob 1"], blobs);
    file.push(line(2000));
    test.commit(&[version(PATH, &file)]);
    assert_eq!(deltas(&test)["blob 1"], blobs + 1);
    test.fsck();
}

#[test]
fn merged_packs_have_each_base_once() {
    let test = TestIndex::new();
    let mut file = lines(1000);
    for number in 0..55 {
        flip(&mut file[number % 2]);
        file.push(line(1000 + number));
        test.commit(&[version(PATH, &file)]);
    }
    let (before, size) = (history(&test), test.size_of_packs());
    assert!(test.index.lock_maintenance().unwrap().maintain().unwrap().repacked);
    assert_eq!((test.packs(), history(&test)), (1, before));
    assert!(test.size_of_packs() < size / 10, "{} of {size}", test.size_of_packs());
    test.fsck();
    // The next pack has the base once more; then git merges them.
    file.push(line(2000));
    test.commit(&[version(PATH, &file)]);
    let before = history(&test);
    test.repack_all();
    assert_eq!(history(&test), before);
    test.fsck();
    test.commit(&[remove(PATH)]);
    test.commit(&[version(PATH, &file)]);
    test.fsck();
}

/// A batch may write a file twice, and two files with the same content.
#[test]
fn a_batch_has_a_base_once() {
    let test = TestIndex::new();
    let mut file = lines(1000);
    test.commit(&[version(PATH, &file)]);
    let whole = test.size_of_packs();
    let mut changes = Vec::new();
    for number in 0..3 {
        file.push(line(1000 + number));
        changes.extend([version(PATH, &file), version("ma/ny/others", &file)]);
    }
    test.commit(&changes);
    assert!(test.size_of_packs() < 3 * whole, "{} of {whole}", test.size_of_packs());
    assert_eq!(deltas(&test)["blob 1"], 3);
    test.fsck();
    assert_eq!(test.text("ma/ny/others").unwrap(), file.concat());
}

/// Of a file that changes often there would be dozens of versions in memory.
#[test]
fn a_version_that_was_replaced_is_forgotten() {
    let test = TestIndex::new();
    let mut file = lines(1000);
    let mut known = Vec::new();
    for number in 0..3 {
        file.push(line(1000 + number));
        test.commit(&[version(PATH, &file)]);
        known.push(test.index.find(&test.index.head().unwrap(), PATH).unwrap().unwrap());
    }
    let kept: Vec<bool> = known.iter().map(|id| test.index.trees().known_blob(*id).is_some()).collect();
    assert_eq!(kept, [false, false, true]);
    // Who has an older head reads the disk.
    assert_eq!(test.index.content(known[0]).unwrap(), test.git(&["cat-file", "blob", &known[0].to_string()]));
    // Twice in a batch, and back.
    let last = file.clone();
    file.push(line(2000));
    test.commit(&[version(PATH, &file), version(PATH, &last)]);
    assert!(test.index.trees().known_blob(known[2]).is_some());
}
