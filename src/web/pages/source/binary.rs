//! What a binary file is, by its first bytes.

use std::fmt::Write;

/// How many bytes of a file are looked at.
pub const LOOKED_AT: u64 = 512;
/// How many of them are shown.
const SHOWN: usize = 64;

/// The beginnings of files of a kind, and its name.
const KINDS: [(&[u8], &str); 22] = [
    (b"\x7fELF", "program or library for Linux (ELF)"),
    (b"MZ", "program or library for Windows (PE)"),
    (b"\xcf\xfa\xed\xfe", "program or library for macOS (Mach-O)"),
    (b"\xca\xfe\xba\xbe", "program for macOS (universal Mach-O) or a Java class"),
    (b"\0asm", "WebAssembly module"),
    (b"!<arch>\n", "static library (ar)"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"BZh", "bzip2 data"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip archive"),
    (b"%PDF-", "PDF document"),
    (b"wOFF", "font (WOFF)"),
    (b"wOF2", "font (WOFF2)"),
    (b"OTTO", "font (OpenType)"),
    (b"\0\x01\0\0", "font (TrueType)"),
    (b"SQLite format 3\0", "SQLite database"),
    (b"OggS", "Ogg audio or video"),
    (b"fLaC", "FLAC audio"),
    (b"ID3", "MP3 audio"),
    (b"BC\xc0\xde", "LLVM bitcode"),
];

/// Images that browsers show, by how they begin: what stands at a place, and the content type.
const IMAGES: [(usize, &[u8], &str); 8] = [
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (0, b"\0\0\x01\0", "image/x-icon"),
    (0, b"BM", "image/bmp"),
];

/// The content type of an image, by its path and by how it begins: both have to say so.
pub fn image(path: &str, start: &[u8]) -> Option<&'static str> {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase())?;
    if ending == "svg" {
        let text = std::str::from_utf8(start)
            .unwrap_or_else(|error| std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default());
        let text = text.trim_start_matches('\u{feff}').trim_start();
        return (text.starts_with("<svg") || text.starts_with("<?xml") || text.starts_with("<!"))
            .then_some("image/svg+xml");
    }
    let wanted = match &*ending {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "bmp" => "image/bmp",
        _ => return None,
    };
    let begins =
        |(place, bytes, _): &&(usize, &[u8], &str)| start.get(*place..).is_some_and(|rest| rest.starts_with(bytes));
    IMAGES.iter().filter(begins).map(|(_, _, kind)| *kind).find(|kind| *kind == wanted)
}

/// What a binary file is.
pub fn kind(path: &str, start: &[u8]) -> &'static str {
    if image(path, start).is_some() {
        return "image";
    }
    KINDS.iter().find(|(begin, _)| start.starts_with(begin)).map_or("binary file of an unknown kind", |(_, kind)| kind)
}

/// The first bytes as hexadecimal numbers, sixteen in a line.
pub fn dump(start: &[u8]) -> String {
    let mut dump = String::new();
    for (number, row) in start[..start.len().min(SHOWN)].chunks(16).enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(dump, "{:04x} ", number * 16);
        for byte in row {
            let _ = write!(dump, " {byte:02x}");
        }
        let shown = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let text: String = row.iter().map(shown).collect();
        let _ = writeln!(dump, "{}  {text}", "   ".repeat(16 - row.len()));
    }
    dump
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_one_by_its_name_and_by_its_content() {
        assert_eq!(image("a/b.PNG", b"\x89PNG\r\n\x1a\n..."), Some("image/png"));
        assert_eq!(image("a.svg", b"\xef\xbb\xbf <svg xmlns=..."), Some("image/svg+xml"));
        assert_eq!(image("a.webp", b"RIFF....WEBPVP8 "), Some("image/webp"));
        for (path, start) in [
            ("a.png", &b"<html>"[..]),
            ("a.html", b"\x89PNG\r\n\x1a\n"),
            ("a.svg", b"alert(1)"),
            ("a.jpg", b"\x89PNG\r\n\x1a\n"),
            ("png", b"\x89PNG\r\n\x1a\n"),
            ("a.png", b""),
        ] {
            assert_eq!(image(path, start), None, "{path}");
        }
    }

    #[test]
    fn other_files_are_named_and_their_beginning_is_shown() {
        assert_eq!(kind("a", b"\x7fELF\x02"), "program or library for Linux (ELF)");
        assert_eq!(kind("a", b"\x01\x02"), "binary file of an unknown kind");
        insta::assert_snapshot!(dump(b"\x7fELF\x02\x01\x01\0<script>&\0 x"), @"
        0000  7f 45 4c 46 02 01 01 00 3c 73 63 72 69 70 74 3e  .ELF....<script>
        0010  26 00 20 78                                      &. x
        ");
        assert_eq!(dump(&[0; 500]).lines().count(), 4);
    }
}
