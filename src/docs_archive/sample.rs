//! Archives for tests, and what was done to them.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::path::EntryPath;
use rawzip::{CompressionMethod, ZipArchiveWriter};

/// An archive of these files, with deflate unless the content is short.
pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipArchiveWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        let is_deflated = content.len() > 32;
        let method = if is_deflated { CompressionMethod::DEFLATE } else { CompressionMethod::STORE };
        let builder = archive.new_file(EntryPath::verbatim(path.as_bytes().to_vec()));
        let (mut entry, config) = builder.compression_method(method).start().unwrap();
        let descriptor = if is_deflated {
            let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
            writer.write_all(content).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(content).unwrap();
            writer.finish().unwrap().1
        };
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// The place of a text in an archive, counted from the end.
pub fn last(archive: &[u8], text: &[u8]) -> usize {
    archive.windows(text.len()).rposition(|part| part == text).unwrap()
}
