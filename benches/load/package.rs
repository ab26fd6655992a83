//! What cargo would send.

use crate::Outcome;

/// The body of a publish, with a file of this size that does not compress.
pub fn body(name: &str, version: &str, bytes: usize) -> Outcome<Vec<u8>> {
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\ndescription = \"x\"\nlicense = \"MIT\"\n"
    );
    let mut noise = vec![0; bytes];
    rand::fill(&mut noise[..]);
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let files = [("Cargo.toml", manifest.as_bytes()), ("src/lib.rs", &b"//! A crate.\n"[..]), ("noise", &noise)];
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{name}-{version}/{path}"), content)?;
    }
    let crate_file = archive.into_inner()?.finish()?;
    let metadata = format!(
        "{{\"name\":\"{name}\",\"vers\":\"{version}\",\"deps\":[],\"features\":{{}},\"authors\":[],\"description\":\"x\",\
         \"license\":\"MIT\",\"keywords\":[],\"categories\":[],\"badges\":{{}}}}"
    );
    let mut body = Vec::new();
    for part in [metadata.as_bytes(), &crate_file] {
        body.extend(u32::try_from(part.len())?.to_le_bytes());
        body.extend(part);
    }
    Ok(body)
}
