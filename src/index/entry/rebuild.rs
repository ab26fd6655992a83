//! The entry of a version that another program indexed, rebuilt from the manifest as a publish builds it.
//!
//! The line keeps what only it has: the yank state, the time of publication and the checksum. The manifest decides about
//! everything else, because cargo builds from it. If it cannot be read, the line counts, as far as cargo could read it.

use std::collections::{BTreeMap, BTreeSet};

use super::Entry;
use super::difference::{Part, compare};
use super::line::IndexLine;
use super::registries::Registries;
use super::summary::Summary;
use crate::package::dependency::Dependency;
use crate::package::registry_urls::is_crates_io;
use crate::package::{Manifest, unpackaged};

/// An entry that cargo can read.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    pub entry: Entry,
    /// What the entry says otherwise than the line: the values of both.
    pub healed: BTreeMap<Part, (String, String)>,
    /// Why the manifest could not be used. Then the entry says what the line says.
    pub from_line: Option<String>,
    /// Dependencies on crates.io have become dependencies on this registry.
    pub crates_io_here: bool,
    summary: Summary,
}

/// Why there is no entry that cargo could use.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("its Cargo.toml is that of {name} {version}, which cargo does not accept: publish a corrected version")]
    OtherPackage { name: String, version: String },
    #[error(
        "cargo can use neither its manifest nor its index line ({}): publish a corrected version",
        both(manifest, line)
    )]
    Unusable { manifest: String, line: String },
}

fn both(manifest: &str, line: &str) -> String {
    if manifest == line { line.to_owned() } else { format!("{manifest}; {line}") }
}

impl Rebuilt {
    /// Rebuilds the entry of a line. `manifest` is the text of the manifest, or why there is none.
    pub fn of(line: &IndexLine, manifest: Result<&str, String>, registries: &Registries) -> Result<Self, RebuildError> {
        let shown = line.summary(registries);
        let from_manifest =
            manifest.and_then(|text| unpackaged::parse(text, &registries.urls()).map_err(|error| error.to_string()));
        let of_manifest = match from_manifest {
            Ok(manifest) if (&manifest.name, &manifest.version) != (&line.name, &line.version) => {
                let (name, version) = (manifest.name.to_string(), manifest.version.to_string());
                return Err(RebuildError::OtherPackage { name, version });
            }
            Ok(manifest) => {
                summary(&manifest, &[&*shown.summary.dependencies, &*shown.unreadable].concat(), registries)
            }
            Err(problem) => Err(problem),
        };
        let (summary, crates_io_here, from_line) = match of_manifest {
            Ok((summary, crates_io_here)) => (summary, crates_io_here, None),
            Err(manifest) => {
                let unusable = |line: String| RebuildError::Unusable { manifest: manifest.clone(), line };
                if let Some((_, problem)) = shown.problems.into_iter().next() {
                    return Err(unusable(problem));
                }
                shown.summary.check_loadable().map_err(unusable)?;
                return Ok(Self::assemble(line, shown.summary, line.misspelt(), Some(manifest)));
            }
        };
        let mut healed = compare(&shown.summary, &summary);
        if shown.dependencies == summary.dependencies.len() && !shown.problems.is_empty() {
            // None is missing: one could not be read.
            healed.remove(&Part::Dependencies);
        }
        for (part, problem) in shown.problems {
            healed.insert(part, (problem, "what Cargo.toml says".to_owned()));
        }
        let mut rebuilt = Self::assemble(line, summary, line.misspelt(), from_line);
        rebuilt.crates_io_here = crates_io_here;
        rebuilt.healed.extend(healed);
        Ok(rebuilt)
    }

    fn assemble(line: &IndexLine, summary: Summary, misspelt: Vec<Part>, from_line: Option<String>) -> Self {
        let entry = Entry::of((&line.name, &line.version), line.checksum, summary.clone(), line.pubtime);
        let as_cargo = |part| (part, ("a form that cargo does not read".to_owned(), "cargo's form".to_owned()));
        let healed = misspelt.into_iter().map(as_cargo).collect();
        Self { entry: Entry { yanked: line.yanked, ..entry }, healed, from_line, crates_io_here: false, summary }
    }

    /// The line of the entry while it is not yanked.
    pub fn line(&self) -> String {
        Entry { yanked: false, ..self.entry.clone() }.to_line()
    }

    /// The dependencies, in the order of the manifest.
    pub fn dependencies(&self) -> &[Dependency] {
        &self.summary.dependencies
    }

    /// The registries of its dependencies except this one and crates.io.
    pub fn other_registries(&self) -> BTreeSet<&str> {
        let registries = self.dependencies().iter().filter_map(|one| one.registry.as_deref());
        registries.filter(|url| !is_crates_io(url)).collect()
    }

    /// Whether it depends on crates of crates.io.
    pub fn needs_crates_io(&self) -> bool {
        self.dependencies().iter().any(|one| one.registry.as_deref().is_some_and(is_crates_io))
    }
}

/// The summary of a manifest, and whether dependencies on crates.io have become dependencies on this registry.
fn summary(manifest: &Manifest, shown: &[Dependency], registries: &Registries) -> Result<(Summary, bool), String> {
    let mut summary = Summary::of(manifest);
    let mut crates_io_here = false;
    for dependency in &mut summary.dependencies {
        crates_io_here |= registries.settle(dependency, shown)?;
    }
    summary.check_loadable()?;
    Ok((summary, crates_io_here))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::entry::registries::CratesIo;
    use crate::package::RegistryUrls;
    use crate::package::sample::{Sample, urls};

    fn registries() -> Registries {
        Registries::Imported { urls: urls(), crates_io: CratesIo::CratesIo, from_crates_io: false }
    }

    fn line(fields: &str) -> IndexLine {
        let cksum = "a".repeat(64);
        IndexLine::parse(&format!("{{\"name\":\"foo\",\"vers\":\"1.2.3\",\"cksum\":\"{cksum}\"{fields}}}")).unwrap()
    }

    /// What a publish of this manifest writes, by its own code.
    fn published(text: &str, line: &IndexLine) -> String {
        let summary = Summary::of(&Manifest::parse(text, &urls()).unwrap());
        Entry::of((&line.name, &line.version), line.checksum, summary, line.pubtime).to_line()
    }

    /// Every combination of what a dependency can have, two of them in each manifest.
    fn manifests() -> Vec<String> {
        let mut dependencies = Vec::new();
        for table in ["dependencies", "build-dependencies", "dev-dependencies", "target.'cfg(unix)'.dependencies"] {
            for (key, package) in [("a", ""), ("b", ", package = \"a-b\"")] {
                for registry in ["", "sparse+http://localhost:8000/index/", "https://third.example/index"] {
                    for more in ["", ", optional = true", ", default-features = false, features = [\"y\", \"x\"]"] {
                        if table.starts_with("dev") && more.contains("optional") {
                            continue;
                        }
                        let registry = match registry {
                            "" => String::new(),
                            url => format!(", registry-index = \"{url}\""),
                        };
                        dependencies.push((table, format!("{key} = {{ version = \"1.0\"{package}{registry}{more} }}")));
                    }
                }
            }
        }
        let features = ["", "[features]\nx = []\ndefault = [\"x\"]\n"];
        let mut manifests = Vec::new();
        for (number, (table, dependency)) in dependencies.iter().enumerate() {
            for fields in ["", "rust-version = \"1.60\"\nlinks = \"z\"\n"] {
                let optional = dependency
                    .contains("optional")
                    .then(|| format!("[features]\nw = [\"dep:{}\"]\n", &dependency[..1]));
                let features = optional.unwrap_or_else(|| features[number % 2].to_owned());
                let other = "[target.x86_64-unknown-linux-gnu.dependencies]\nc = \"=2.0.0\"\n";
                manifests.push(Sample::new(&format!("{fields}[{table}]\n{dependency}\n{other}{features}")).manifest);
            }
        }
        manifests
    }

    #[test]
    fn an_import_of_any_line_is_the_line_of_a_publish_of_the_same_manifest() {
        let manifests = manifests();
        assert!(manifests.len() > 100);
        for text in &manifests {
            let bare = line(",\"deps\":[]");
            let expected = published(text, &bare);
            let rebuilt = Rebuilt::of(&bare, Ok(text), &registries()).unwrap();
            assert_eq!(rebuilt.line(), expected, "{text}");
            assert!(!rebuilt.healed.is_empty(), "{text}");
            // From the line of the publish itself, nothing is healed, and nothing changes.
            let own = IndexLine::parse(&expected).unwrap();
            for registries in
                [registries(), Registries::Recorded { urls: RegistryUrls::default(), crates_io_here: Some(false) }]
            {
                let again = Rebuilt::of(&own, Ok(text), &registries).unwrap();
                assert_eq!((again.line(), again.healed), (expected.clone(), BTreeMap::new()), "{text}");
            }
            // And from the line alone.
            let by_line = Rebuilt::of(&own, Err("no manifest".to_owned()), &registries()).unwrap();
            assert_eq!((by_line.line(), by_line.from_line.as_deref()), (expected, Some("no manifest")), "{text}");
        }
    }

    #[test]
    fn what_only_the_line_has_is_kept() {
        let time = ",\"pubtime\":\"2026-08-01T12:34:56Z\",\"yanked\":true,\"deps\":[]";
        let rebuilt = Rebuilt::of(&line(time), Ok(&Sample::new("").manifest), &registries()).unwrap();
        assert!(rebuilt.entry.yanked && rebuilt.entry.pubtime.is_some());
        assert!(rebuilt.line().contains("\"yanked\":false,\"pubtime\":\"2026-08-01T12:34:56Z\""), "{}", rebuilt.line());
        assert_eq!(rebuilt.healed, BTreeMap::new());
        let unreadable = ",\"pubtime\":\"yesterday\",\"deps\":[]";
        let rebuilt = Rebuilt::of(&line(unreadable), Ok(&Sample::new("").manifest), &registries()).unwrap();
        assert_eq!((rebuilt.entry.pubtime, rebuilt.healed.into_keys().collect()), (None, vec![Part::Pubtime]));
    }

    #[test]
    fn dependencies_on_crates_io_lead_to_where_they_should() {
        let text = Sample::new("[dependencies]\na = \"1\"\n").manifest;
        let imported = |crates_io, from_crates_io| Registries::Imported {
            urls: RegistryUrls::default(),
            crates_io,
            from_crates_io,
        };
        let dependency =
            |registry: &str| format!(",\"deps\":[{{\"name\":\"a\",\"req\":\"^1\",\"registry\":{registry}}}]");
        let of = |registries: &Registries, registry: &str| {
            let rebuilt = Rebuilt::of(&line(&dependency(registry)), Ok(&text), registries).unwrap();
            let is_here = rebuilt.entry.deps[0].registry.is_none();
            (is_here, rebuilt.crates_io_here, rebuilt.healed.contains_key(&Part::Registry))
        };
        let crates_io = "\"https://github.com/rust-lang/crates.io-index\"";
        // (the registries, what the line has, whether it is here, whether that is recorded, whether it is healed)
        let stays = imported(CratesIo::CratesIo, false);
        assert_eq!(of(&stays, "null"), (false, false, true));
        assert_eq!(of(&stays, crates_io), (false, false, false));
        assert_eq!(of(&imported(CratesIo::CratesIo, true), "null"), (false, false, false));
        assert_eq!(of(&imported(CratesIo::Here, true), "null"), (true, true, false));
        assert_eq!(of(&imported(CratesIo::Here, false), crates_io), (true, true, false));
        let recorded = |crates_io_here| Registries::Recorded { urls: RegistryUrls::default(), crates_io_here };
        assert_eq!(of(&recorded(Some(false)), "null"), (false, false, true));
        assert_eq!(of(&recorded(Some(true)), "null"), (true, true, false));
        assert_eq!(of(&recorded(Some(true)), crates_io), (true, true, true));
        assert_eq!(of(&recorded(None), "null"), (true, true, false));
        assert_eq!(of(&recorded(None), crates_io), (false, false, false));
    }

    #[test]
    fn a_registry_url_of_earlier_times_is_no_difference_if_the_line_has_the_dependency_here() {
        let rest =
            "[dependencies]\na = { version = \"1\", registry-index = \"sparse+https://former.example/index/\" }\n";
        let (text, recorded) = (
            Sample::new(rest).manifest,
            Registries::Recorded { urls: RegistryUrls::default(), crates_io_here: Some(false) },
        );
        let deps =
            |registry: &str| line(&format!(",\"deps\":[{{\"name\":\"a\",\"req\":\"^1\",\"registry\":{registry}}}]"));
        let healed = |line: IndexLine| Rebuilt::of(&line, Ok(&text), &recorded).unwrap().healed;
        assert_eq!(healed(deps("null")), BTreeMap::new());
        assert_eq!(healed(deps("\"sparse+https://former.example/index/\"")), BTreeMap::new());
        assert_eq!(healed(deps("\"https://elsewhere.example/\"")).into_keys().collect::<Vec<_>>(), [Part::Registry]);
        // Neither is a target that cannot be read.
        let unreadable = line(",\"deps\":[{\"name\":\"a\",\"req\":\"^1\",\"target\":\"cfg(\"}]");
        let rebuilt = Rebuilt::of(&unreadable, Ok(&text), &recorded).unwrap();
        assert_eq!((&rebuilt.entry.deps[0].registry, rebuilt.healed.keys().collect()), (&None, vec![&Part::Target]));
        // A line without the dependency does not say it. The known URLs do.
        let known = |url: &str| Registries::Recorded {
            urls: RegistryUrls::default().with_index(url),
            crates_io_here: Some(false),
        };
        let registry = |url: &str| {
            let rebuilt = Rebuilt::of(&line(",\"deps\":[]"), Ok(&text), &known(url)).unwrap();
            rebuilt.entry.deps[0].registry.clone()
        };
        assert_eq!(registry("sparse+https://former.example/index/"), None);
        assert_eq!(registry("https://x/").as_deref(), Some("sparse+https://former.example/index/"));
    }

    #[test]
    fn what_cargo_can_use_neither_way_is_refused_with_both_reasons() {
        let refused = |fields: &str, manifest: Result<&str, String>| {
            Rebuilt::of(&line(fields), manifest, &registries()).unwrap_err().to_string()
        };
        let wrong = Sample::new("rust-version = \">=1.60\"\n").manifest;
        insta::assert_snapshot!(refused(",\"deps\":[],\"rust_version\":\">=1.60\"", Ok(&wrong)), @r#"cargo can use neither its manifest nor its index line (Cargo.toml in the package cannot be read: line 5: unexpected version requirement, expected a version like "1.32"; `rust_version` is `>=1.60`, which cargo cannot read: unexpected version requirement, expected a version like "1.32"): publish a corrected version"#);
        let wrong = Sample::new("[features]\na = [\"b\"]\n").manifest;
        insta::assert_snapshot!(refused(",\"deps\":[],\"features\":{\"a\":[\"b\"]}", Ok(&wrong)), @"cargo can use neither its manifest nor its index line (the feature `a` includes `b`, which is neither a feature nor a dependency of this crate: correct the name or add it): publish a corrected version");
        let no_manifest = || Err("it has no manifest".to_owned());
        for fields in [
            "",
            ",\"deps\":null",
            ",\"deps\":[{\"name\":\"a\",\"req\":\"one\"}]",
            ",\"deps\":[{\"name\":\"a\",\"req\":\"1\",\"target\":\"cfg(\"}]",
            ",\"deps\":[{\"name\":\"a\",\"req\":\"1\",\"registry\":\"\"}]",
            ",\"deps\":[],\"features\":null",
            ",\"deps\":[],\"links\":3",
        ] {
            assert!(Rebuilt::of(&line(fields), no_manifest(), &registries()).is_err(), "{fields}");
            assert!(Rebuilt::of(&line(fields), Ok(&Sample::new("").manifest), &registries()).is_ok(), "{fields}");
        }
        let other = Sample::new("").manifest.replace("1.2.3", "1.2.4");
        insta::assert_snapshot!(refused(",\"deps\":[]", Ok(&other)), @"its Cargo.toml is that of foo 1.2.4, which cargo does not accept: publish a corrected version");
    }
}
