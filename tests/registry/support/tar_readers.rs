//! Programs that read `.crate` files, and what each sees in one: cargo's library under cargo's rules, GNU tar, Python.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::read::GzDecoder;
use supercargo::package::Checksum;

/// Paths of files with size and checksum; directories, those included that follow from a file's path, have none.
pub type Seen = BTreeMap<String, Option<(u64, String)>>;

/// As cargo unpacks: `unpack_package` in `cargo/src/cargo/sources/registry/mod.rs`.
pub fn cargo(crate_file: &[u8], root: &str) -> Result<Seen, String> {
    let directory = tempfile::tempdir().unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(crate_file));
    archive.set_mask(0o022);
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let path = entry.path().map_err(|error| error.to_string())?.into_owned();
        if !path.starts_with(root) {
            return Err(format!("{} is elsewhere", path.display()));
        }
        if path.file_name().is_some_and(|name| name == ".cargo-ok") {
            continue;
        }
        entry.unpack_in(directory.path()).map_err(|error| error.to_string())?;
    }
    Ok(unpacked(directory.path()))
}

pub fn gnu_tar(crate_file: &Path) -> Result<Seen, String> {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("tar")
        .args(["--extract", "--gzip", "--no-same-owner", "--no-same-permissions", "--file"])
        .arg(crate_file)
        .arg("--directory")
        .arg(directory.path())
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("GNU tar, which script/setup installs");
    if output.status.success() {
        Ok(unpacked(directory.path()))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// What Python sees in each of these files.
pub fn python(crate_files: &[&Path]) -> Vec<Result<Seen, String>> {
    const PROGRAM: &str = r#"
import hashlib, json, sys, tarfile
for line in sys.stdin:
    try:
        seen = []
        with tarfile.open(line.rstrip("\n"), "r:gz") as archive:
            for member in archive:
                if member.isdir():
                    seen.append([member.name.rstrip("/"), None, None])
                elif member.isfile():
                    content = archive.extractfile(member).read()
                    seen.append([member.name, len(content), hashlib.sha256(content).hexdigest()])
                else:
                    raise ValueError(f"{member.name!r} has the type {member.type!r}")
        print(json.dumps(seen))
    except Exception as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"#;
    let python = Command::new("python3").args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut python = python.expect("Python, which script/setup installs");
    let names: String = crate_files.iter().map(|file| format!("{}\n", file.display())).collect();
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(names.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let told = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<_> = told.lines().map(|line| told_by_python(&serde_json::from_str(line).unwrap())).collect();
    assert_eq!(answers.len(), crate_files.len());
    answers
}

fn told_by_python(answer: &serde_json::Value) -> Result<Seen, String> {
    let Some(members) = answer.as_array() else { return Err(answer.as_str().unwrap().to_owned()) };
    let mut seen = Seen::new();
    for member in members {
        let path = member[0].as_str().unwrap();
        for (slash, _) in path.match_indices('/') {
            seen.entry(path[..slash].to_owned()).or_insert(None);
        }
        let file = member[1].as_u64().map(|size| (size, member[2].as_str().unwrap().to_owned()));
        seen.insert(path.to_owned(), file);
    }
    Ok(seen)
}

/// What lies in a directory.
pub fn unpacked(directory: &Path) -> Seen {
    fn walk(directory: &Path, root: &Path, seen: &mut Seen) {
        std::fs::set_permissions(directory, PermissionsExt::from_mode(0o700)).unwrap();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let kind = path.symlink_metadata().unwrap().file_type();
            assert!(kind.is_dir() || kind.is_file(), "{name}");
            if kind.is_dir() {
                seen.insert(name, None);
                walk(&path, root, seen);
            } else {
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
                let content = std::fs::read(&path).unwrap();
                seen.insert(name, Some((content.len() as u64, Checksum::of(&content).to_string())));
            }
        }
    }
    let mut seen = Seen::new();
    walk(directory, directory, &mut seen);
    seen
}
