//! The package whose documentation is uploaded, as `cargo metadata` describes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::config::{cargo_program, here};
use crate::package::characters::plain;
use crate::package::{CrateName, Version};
use crate::process::CommandError;

/// A package of a workspace.
pub(super) struct Package {
    pub name: CrateName,
    pub version: Version,
    /// The directory of its documentation.
    pub library: Option<String>,
    /// Where cargo writes documentation.
    pub docs: PathBuf,
    /// Where it may be published.
    publish: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
    target_directory: PathBuf,
    #[serde(default)]
    workspace_default_members: Vec<String>,
}

#[derive(Deserialize)]
struct Described {
    id: String,
    name: String,
    version: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    publish: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Package {
    /// The package of this name, or the one in this directory.
    pub fn find(name: Option<&CrateName>) -> Result<Self, CommandError> {
        let mut command = Command::new(cargo_program());
        command.args(["metadata", "--no-deps", "--format-version", "1"]);
        let output =
            command.output().map_err(|error| CommandError::while_doing("cannot run `cargo metadata`", error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or("it failed");
            return Err(CommandError::new(format!(
                "`cargo metadata`: {}. Run it in the directory of the package, or give --crate, --version, and --dir or --zip",
                plain(said)
            )));
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| CommandError::while_doing("cannot read what `cargo metadata` says", error))?;
        chosen(metadata, name, &here()?)
    }

    /// The registry in which it is published, if that is only one.
    pub fn registry(&self) -> Option<&str> {
        match self.publish.as_deref() {
            Some([one]) => Some(one),
            _ => None,
        }
    }
}

fn chosen(metadata: Metadata, name: Option<&CrateName>, here: &Path) -> Result<Package, CommandError> {
    let docs = metadata.target_directory.join("doc");
    let is_chosen = |package: &Described| match name {
        Some(name) => package.name == name.as_str(),
        None => package.manifest_path.parent() == Some(here),
    };
    let default = |package: &&Described| name.is_none() && metadata.workspace_default_members == [package.id.clone()];
    let found = metadata.packages.iter().find(|package| is_chosen(package));
    let Some(found) = found.or_else(|| metadata.packages.iter().find(default)) else {
        let names: Vec<&str> = metadata.packages.iter().take(20).map(|package| &*package.name).collect();
        let problem = name.map_or_else(
            || "this directory has no package: give --crate with one of the workspace".to_owned(),
            |name| format!("the workspace has no package `{name}`: give --crate with one of its packages"),
        );
        return Err(CommandError::new(format!("{problem} ({})", plain(&names.join(", ")))));
    };
    let of_kind = |kinds: &[&str]| {
        let is_of_kind = |target: &&Target| target.kind.iter().any(|kind| kinds.contains(&kind.as_str()));
        found.targets.iter().find(is_of_kind).map(|target| target.name.replace('-', "_"))
    };
    let library = of_kind(&["lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro"]).or_else(|| of_kind(&["bin"]));
    Ok(Package {
        name: found.name.parse()?,
        version: found.version.parse()?,
        library,
        docs,
        publish: found.publish.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(members: &[&str]) -> Metadata {
        let package = |name: &str, kind: &str| {
            serde_json::json!({
                "id": name, "name": name, "version": "1.2.3", "manifest_path": format!("/work/{name}/Cargo.toml"),
                "targets": [{ "name": format!("{name}-x"), "kind": [kind] }], "publish": ["company"],
            })
        };
        let json = serde_json::json!({
            "packages": [package("one", "lib"), package("two", "bin")], "target_directory": "/work/target",
            "workspace_default_members": members,
        });
        serde_json::from_value(json).unwrap()
    }

    fn found(members: &[&str], name: Option<&str>, here: &str) -> Result<(String, Option<String>), String> {
        let name = name.map(|name| name.parse().unwrap());
        chosen(metadata(members), name.as_ref(), Path::new(here))
            .map(|package| (package.name.to_string(), package.library))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_package_is_that_of_the_name_or_of_the_directory_or_the_only_default_one() {
        let one = Ok(("one".to_owned(), Some("one_x".to_owned())));
        let two = Ok(("two".to_owned(), Some("two_x".to_owned())));
        assert_eq!(found(&["one", "two"], Some("two"), "/work/one"), two);
        assert_eq!(found(&["one", "two"], None, "/work/one"), one);
        assert_eq!(found(&["two"], None, "/work"), two);
        insta::assert_snapshot!(found(&["one", "two"], None, "/work").unwrap_err(), @"this directory has no package: give --crate with one of the workspace (one, two)");
        insta::assert_snapshot!(found(&["one"], Some("three"), "/work/one").unwrap_err(), @"the workspace has no package `three`: give --crate with one of its packages (one, two)");
    }
}
