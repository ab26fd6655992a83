//! Files of `src` do not use each other in circles, except those that are listed with a reason.
//!
//! A use is a path that begins with `crate`, `super`, `self` or a child module, in code without comments and tests. What a
//! module re-exports counts as a use of the file that defines it, so `mod.rs` and its files form no circle by that alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::layers::sources;

/// Circles that are inherent, each with its reason.
const INHERENT: &[(&[&str], &str)] = &[];

/// A module's path, and the files by it.
type Path = Vec<String>;

struct Tree {
    files: BTreeMap<Path, String>,
    code: BTreeMap<Path, String>,
    /// What modules re-export: the module and the name, and where the name comes from.
    exports: BTreeMap<(Path, String), Path>,
}

impl Tree {
    fn of(sources: Vec<(String, String)>) -> Self {
        let mut tree = Self { files: BTreeMap::new(), code: BTreeMap::new(), exports: BTreeMap::new() };
        for (file, code) in sources.into_iter().filter(|(file, _)| !matches!(&**file, "lib.rs" | "main.rs")) {
            let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
            let module: Path = module.split('/').map(str::to_owned).collect();
            tree.files.insert(module.clone(), file);
            tree.code.insert(module, code);
        }
        let modules: Vec<Path> = tree.files.keys().cloned().collect();
        for module in &modules {
            let code = &tree.code[module];
            for place in begins_of(code, "pub use ").into_iter().chain(begins_of(code, "pub(super) use ")) {
                for path in paths(&code[place..]) {
                    if let Some(target) = tree.absolute(module, &path)
                        && let Some(name) = path.last()
                    {
                        tree.exports.insert((module.clone(), name.clone()), target);
                    }
                }
            }
        }
        tree
    }

    /// A path from the root of the crate; None for another crate.
    fn absolute(&self, module: &Path, path: &[String]) -> Option<Path> {
        let ups = path.iter().take_while(|segment| *segment == "super").count();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([module, &path[1..]].concat()),
            "super" => Some([&module[..module.len().checked_sub(ups)?], &path[ups..]].concat()),
            child => {
                let in_module = [module, &[child.to_owned()][..]].concat();
                self.files.contains_key(&in_module).then(|| [module, path].concat())
            }
        }
    }

    /// The file that defines what a path names.
    fn definition(&self, path: &[String]) -> Option<&String> {
        let depth = (1..=path.len()).rev().find(|depth| self.files.contains_key(&path[..*depth]))?;
        let module = path[..depth].to_vec();
        if let Some(target) = path.get(depth).and_then(|name| self.exports.get(&(module.clone(), name.clone())))
            && target.as_slice() != &path[..=depth]
        {
            return self.definition(target);
        }
        self.files.get(&module)
    }

    fn uses(&self) -> BTreeMap<&String, BTreeSet<&String>> {
        let mut uses: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
        for (module, code) in &self.code {
            let children =
                self.files.keys().filter(|child| child.len() == module.len() + 1 && child.starts_with(module));
            let begins = ["crate", "super", "self"].into_iter().chain(children.map(|child| &*child[module.len()]));
            let file = &self.files[module];
            let found = uses.entry(file).or_default();
            for begin in begins {
                for place in begins_of(code, &format!("{begin}::")) {
                    let defined = paths(&code[place..]).into_iter().filter_map(|path| {
                        let is_export = is_public_use(&code[..place]);
                        self.absolute(module, &path).filter(|_| !is_export)
                    });
                    found.extend(defined.filter_map(|path| self.definition(&path)).filter(|used| *used != file));
                }
            }
        }
        uses
    }

    /// Groups of files that use each other, however indirectly.
    fn circles(&self) -> BTreeSet<BTreeSet<&String>> {
        let uses = self.uses();
        let reached: BTreeMap<&String, BTreeSet<&String>> =
            uses.keys().map(|&file| (file, reached(&uses, file))).collect();
        let mut circles = BTreeSet::new();
        for (file, others) in &reached {
            let circle: BTreeSet<&String> =
                others.iter().copied().filter(|other| reached[other].contains(file)).collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles
    }
}

/// Every file that a file uses, directly or through others.
fn reached<'a>(uses: &BTreeMap<&'a String, BTreeSet<&'a String>>, from: &'a String) -> BTreeSet<&'a String> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        open.extend(uses.get(file).into_iter().flatten().copied().filter(|next| seen.insert(*next)));
    }
    seen
}

/// Whether the text ends inside a re-export.
fn is_public_use(before: &str) -> bool {
    let statement = before.rsplit([';', '}']).next().unwrap_or_default().trim_start();
    ["pub use ", "pub(super) use ", "pub(crate) use "].iter().any(|begin| statement.contains(begin))
}

/// Where a text stands at the begin of a word; the place after it for a keyword, of it for a path.
fn begins_of(code: &str, text: &str) -> Vec<usize> {
    let is_begin = |place: usize| !code[..place].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    let found = code.match_indices(text).map(|(place, _)| place).filter(|place| is_begin(*place));
    found.map(|place| if text.ends_with(' ') { place + text.len() } else { place }).collect()
}

/// The paths at the begin of a text: one, or those of a group in braces.
fn paths(text: &str) -> Vec<Path> {
    let mut found = Vec::new();
    read_path(text, Vec::new(), &mut found);
    found
}

/// Reads one path or group that continues `path`, and returns the text after it.
fn read_path<'a>(text: &'a str, mut path: Path, found: &mut Vec<Path>) -> &'a str {
    let mut rest = text.trim_start();
    loop {
        if let Some(members) = rest.strip_prefix('{') {
            return read_group(members, &path, found);
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = &rest[..end];
        rest = &rest[end..];
        if !word.is_empty() && (word != "self" || path.is_empty()) {
            path.push(word.to_owned());
        }
        match rest.strip_prefix("::") {
            // A turbofish ends a path.
            Some(further) if !further.starts_with('<') => rest = further,
            _ => break,
        }
    }
    found.push(path);
    rest
}

fn read_group<'a>(text: &'a str, path: &Path, found: &mut Vec<Path>) -> &'a str {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\n']);
        if rest.is_empty() || rest.starts_with('}') {
            return rest.strip_prefix('}').unwrap_or(rest);
        }
        let after = read_path(rest, path.clone(), found);
        // Skips `as name` and `*`.
        let end = after.find([',', '}']).unwrap_or(after.len());
        rest = &after[end..];
    }
}

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::of(files.iter().map(|(name, code)| ((*name).to_owned(), (*code).to_owned())).collect())
}

fn shown(circle: &BTreeSet<&String>) -> String {
    circle.iter().map(|file| file.as_str()).collect::<Vec<_>>().join(", ")
}

#[test]
fn files_form_no_circles_but_the_inherent_ones() {
    let tree = Tree::of(sources());
    assert!(tree.uses().values().map(BTreeSet::len).sum::<usize>() > 500);
    let circles = tree.circles();
    let is_listed = |circle: &BTreeSet<&String>| {
        INHERENT.iter().any(|(files, _)| circle.iter().map(|file| file.as_str()).eq(files.iter().copied()))
    };
    let new: Vec<String> = circles.iter().filter(|circle| !is_listed(circle)).map(shown).collect();
    assert!(new.is_empty(), "circles of files: break them, or list them with a reason:\n{}", new.join("\n"));
    assert_eq!(circles.len(), INHERENT.len(), "a listed circle exists no more");
}

#[test]
fn a_circle_is_found_however_it_is_written_and_a_re_export_is_none() {
    let circles = |files: &[(&str, &str)]| -> Vec<String> { tree(files).circles().iter().map(shown).collect() };
    let (a, b) = (("room/a.rs", "use super::b::B;"), ("room/b.rs", "fn f() { crate::room::a::f::<u8>() }"));
    assert_eq!(circles(&[("room/mod.rs", "pub mod a;\npub mod b;"), a, b]), ["room/a.rs, room/b.rs"]);
    // `mod.rs` re-exports what `a` uses of `b`.
    let room = ("room/mod.rs", "mod a;\nmod b;\npub use self::b::{B, C as D};\nfn f() { a::f() }");
    assert_eq!(circles(&[room, ("room/a.rs", "use super::{B, x};"), ("room/b.rs", "")]), ["room/a.rs, room/mod.rs"]);
    assert_eq!(circles(&[room, ("room/a.rs", "use crate::{room::B, other};"), ("room/b.rs", "")]), [""; 0]);
    let three = [
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::{c::{self, C}, std::d};"),
        ("c.rs", "use super::a;"),
        ("d.rs", "use crate::a::A;"),
    ];
    assert_eq!(circles(&three), ["a.rs, b.rs, c.rs"]);
}
