//! What must hold when a registry has come to rest.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use supercargo::package::Checksum;
use supercargo::package::index_path::index_path;

use crate::support::http;
use crate::support::package::Package;
use crate::support::process::Served;

/// The versions of a crate that were published, and whether each is wanted yanked.
pub type VersionChanges = BTreeMap<String, bool>;

/// Holds a crate against what was answered: sparse index, git index, database and files. Without versions it was deleted.
pub fn check_crate(served: &Served, name: &str, changes: &VersionChanges) -> Result<(), String> {
    let path = index_path(&name.parse().unwrap());
    if changes.is_empty() {
        return check_deleted(served, name, &path);
    }
    let text = http::get(&format!("{}/index/{path}", served.url)).text();
    let lines = lines_of(&text)?;
    // In the order in which they were accepted.
    let shown: Vec<_> = lines.iter().map(|line| (field(line, "vers"), line["yanked"] == true)).collect();
    let mut sorted = shown.clone();
    sorted.sort();
    let wanted: Vec<_> = changes.iter().map(|(num, yanked)| (num.clone(), *yanked)).collect();
    equal("the sparse index", &sorted, &wanted)?;
    equal("the git index", &in_git(served, &path), &text)?;
    for (line, (num, yanked)) in lines.iter().zip(&shown) {
        let api = format!("{}/api/v1/crates/{name}/{num}", served.url);
        let version = http::get(&api).json()["version"].take();
        equal("the state", &version["state"], &Value::from("published"))?;
        equal("the effective state", &version["yanked"], &Value::from(*yanked))?;
        equal("the wanted state", &version["desired_yanked"], &Value::Null)?;
        let file = http::get(&format!("{api}/download")).body;
        equal("the checksum", &Checksum::of(&file).to_string(), &field(line, "cksum"))?;
        if file != Package::new(name, num).crate_file() {
            return Err(format!("{name}@{num} has another crate file than the one that was sent"));
        }
    }
    Ok(())
}

/// Holds a staged version against what was answered: the index of its set has it, nothing else does.
pub fn check_staged(served: &Served, name: &str, token: &str) -> Result<(), String> {
    let path = index_path(&name.parse().unwrap());
    let base = format!("{}/stage/set-of-{name}", served.url);
    let lines = lines_of(&http::get_as(&format!("{base}/index/{path}"), token).text())?;
    let shown: Vec<String> = lines.iter().map(|line| field(line, "vers")).collect();
    equal("the index of the set", &shown, &["1.0.0", "1.1.0"].map(str::to_owned).to_vec())?;
    let file = http::get_as(&format!("{base}/api/v1/crates/{name}/1.1.0/download"), token).body;
    equal("the checksum", &Checksum::of(&file).to_string(), &field(&lines[1], "cksum"))?;
    equal("whether the file is the one that was sent", &(file == Package::new(name, "1.1.0").crate_file()), &true)
}

/// The set of a crate has ended, and its index is the main one.
pub fn check_ended(served: &Served, name: &str, token: &str) -> Result<(), String> {
    let path = index_path(&name.parse().unwrap());
    let set = http::get_as(&format!("{}/api/v1/release-sets/set-of-{name}", served.url), token).json();
    let state = set["release_set"]["state"].as_str().unwrap_or_default();
    equal("whether the set has ended", &matches!(state, "rejected" | "expired"), &true)?;
    let alias = http::get_as(&format!("{}/stage/set-of-{name}/index/{path}", served.url), token).text();
    equal("the index of the set", &alias, &http::get(&format!("{}/index/{path}", served.url)).text())
}

/// Whether a crate file is in no store.
pub fn has_no_file(served: &Served, package: &Package) -> bool {
    let path = crate::support::s3::path_of(&package.crate_file());
    !served.data_dir().join("crates").join(path).exists()
}

fn check_deleted(served: &Served, name: &str, path: &str) -> Result<(), String> {
    let status = |path: String| http::get(&format!("{}/{path}", served.url)).status;
    equal("the sparse index", &status(format!("index/{path}")), &404)?;
    equal("the git index", &in_git(served, path), &String::new())?;
    equal("the crate", &status(format!("api/v1/crates/{name}")), &404)?;
    equal("the download", &status(format!("api/v1/crates/{name}/1.0.0/download")), &404)?;
    let file = crate::support::s3::path_of(&Package::new(name, "1.0.0").crate_file());
    equal("whether there is a file", &served.data_dir().join("crates").join(file).exists(), &false)
}

fn lines_of(text: &str) -> Result<Vec<Value>, String> {
    text.lines().map(|line| serde_json::from_str(line).map_err(|error| format!("{error} in {line:?}"))).collect()
}

fn field(line: &Value, name: &str) -> String {
    line[name].as_str().unwrap_or_default().to_owned()
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: found {found:?}, wanted {wanted:?}")) }
}

fn in_git(served: &Served, path: &str) -> String {
    let mut git = Command::new("git");
    git.args(["-c", "safe.directory=*", "--git-dir"]).arg(served.data_dir().join("index.git"));
    let output = git.args(["show", &format!("main:{path}")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
