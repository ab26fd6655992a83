//! What a client of the git protocol wants, read before git is started: what git would only complain about costs no process,
//! and what does not need git is answered without it. Sources: git's `gitprotocol-pack` and `gitprotocol-v2`.

use std::io::Read;

use super::packets::{Packet, Packets, Unreadable, shown};
use super::protocol::{Advertised, Version};
use super::wanted::{Wanted, is_printable};

/// Longest request, in bytes, packed or not. A line with a commit that the client has is 50 bytes, and git sends 16,384 of
/// them at once, and a tenth more in each further request: a client that shares nothing of 400,000 commits stays below.
pub const MAX_REQUEST: usize = 2 * 1024 * 1024;

/// What is wanted.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: a client that tries whether it may send a long request.
    Nothing,
    /// The references that have one of these prefixes.
    References(References),
    /// Objects.
    Objects(Objects),
}

/// The command `ls-refs`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct References {
    pub peel: bool,
    pub symrefs: bool,
    pub unborn: bool,
    /// None: all.
    pub prefixes: Vec<Vec<u8>>,
}

/// A fetch.
#[derive(Debug, PartialEq, Eq)]
pub struct Objects {
    /// How many bytes of the body are the request.
    pub length: u64,
    /// What the answer depends on beside the repository; None: it is this client's alone, because it depends on what the
    /// client has, or because the request is an unusual one.
    pub key: Option<Vec<u8>>,
    /// The commits that are wanted, in hexadecimal, if there is a key.
    pub wants: Vec<Vec<u8>>,
}

/// Why a request is not carried out.
#[derive(Debug)]
pub enum Refused {
    /// It is none, or none that is served here; the words say what is wrong with it.
    Garbage(String),
    TooLarge,
    NotPacked,
}

impl From<Unreadable> for Refused {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Malformed(what) => Self::Garbage(what),
            Unreadable::TooLong => Self::TooLarge,
            Unreadable::Packed => Self::NotPacked,
        }
    }
}

/// A request that is none.
pub fn garbage<T>(what: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Garbage(what.into()))
}

/// Reads a request of this version of the protocol.
pub fn read(body: impl Read, version: Version, advertised: &Advertised) -> Result<Asked, Refused> {
    let mut packets = Packets::new(body, MAX_REQUEST as u64);
    let asked = match version {
        Version::V2 => read_v2(&mut packets, advertised),
        Version::V0 | Version::V1 => read_v0(&mut packets),
    }?;
    if asked == Asked::Nothing && packets.next()?.is_some() {
        return garbage("it goes on behind its end");
    }
    Ok(asked)
}

/// Which command it is, what else stands before its arguments, and the arguments.
fn read_v2(packets: &mut Packets<impl Read>, advertised: &Advertised) -> Result<Asked, Refused> {
    let mut command = None;
    let mut first = true;
    let mut preamble = Preamble::default();
    let has_arguments = loop {
        match packets.next()? {
            None => return garbage("it ends before the command"),
            Some(Packet::Flush) if first => return Ok(Asked::Nothing),
            Some(Packet::Flush) => break false,
            Some(Packet::Delimiter) => break true,
            Some(Packet::Line(line)) => match line.strip_prefix(b"command=") {
                Some(_) if command.is_some() => return garbage("it has two commands"),
                Some(name) => {
                    preamble.is_odd |= !first;
                    command = Some(Command::named(name)?);
                }
                None => {
                    preamble.note(line);
                    check_capability(line, advertised)?;
                }
            },
        }
        first = false;
    };
    match command {
        None => garbage("it has no command"),
        Some(Command::References) => read_references(packets, has_arguments).map(Asked::References),
        Some(Command::Fetch) => {
            let mut wanted = Wanted::new(Version::V2);
            wanted.is_odd = preamble.is_odd;
            let mut more = has_arguments;
            while more {
                match packets.next()? {
                    None => return garbage("it ends before its flush"),
                    Some(Packet::Flush) => more = false,
                    Some(Packet::Delimiter) => return garbage("it has a second delimiter"),
                    Some(Packet::Line(line)) => wanted.argument(line)?,
                }
            }
            Ok(Asked::Objects(wanted.finish(packets.length())))
        }
    }
}

/// The lines before the arguments of version 2. The answer to a fetch depends on none of those that are ordinary.
#[derive(Default)]
struct Preamble {
    seen: Vec<&'static [u8]>,
    is_odd: bool,
}

impl Preamble {
    fn note(&mut self, line: &[u8]) {
        let ordinary = [b"agent=" as &[u8], b"session-id=", b"object-format=sha1"];
        match ordinary.into_iter().find(|start| line.starts_with(start)) {
            Some(start) if is_printable(line) && !self.seen.contains(&start) => self.seen.push(start),
            _ => self.is_odd = true,
        }
    }
}

enum Command {
    References,
    Fetch,
}

impl Command {
    fn named(name: &[u8]) -> Result<Self, Refused> {
        match name {
            b"ls-refs" => Ok(Self::References),
            b"fetch" => Ok(Self::Fetch),
            other => garbage(format!("the command {} is not served here; ls-refs and fetch are", shown(other))),
        }
    }
}

/// A client may only use what git has told it of.
fn check_capability(line: &[u8], advertised: &Advertised) -> Result<(), Refused> {
    let (name, value) = match line.iter().position(|&byte| byte == b'=') {
        Some(place) => (&line[..place], &line[place + 1..]),
        None => (line, &[] as &[u8]),
    };
    if name == b"object-format" && value != b"sha1" {
        return garbage(format!("the object format is sha1, and not {}", shown(value)));
    }
    if advertised.has(name) { Ok(()) } else { garbage(format!("the capability {} is unknown", shown(name))) }
}

fn read_references(packets: &mut Packets<impl Read>, has_arguments: bool) -> Result<References, Refused> {
    let mut wanted = References::default();
    let mut more = has_arguments;
    while more {
        match packets.next()? {
            None => return garbage("it ends before its flush"),
            Some(Packet::Flush) => more = false,
            Some(Packet::Delimiter) => return garbage("it has a second delimiter"),
            Some(Packet::Line(b"peel")) => wanted.peel = true,
            Some(Packet::Line(b"symrefs")) => wanted.symrefs = true,
            Some(Packet::Line(b"unborn")) => wanted.unborn = true,
            Some(Packet::Line(line)) => match line.strip_prefix(b"ref-prefix ") {
                Some(prefix) => wanted.prefixes.push(prefix.to_vec()),
                None => return garbage(format!("{} is no argument of ls-refs", shown(line))),
            },
        }
    }
    Ok(wanted)
}

/// Versions 0 and 1: what is wanted and how deep, a flush, what the client has.
fn read_v0(packets: &mut Packets<impl Read>) -> Result<Asked, Refused> {
    let mut wanted = Wanted::new(Version::V0);
    loop {
        match packets.next()? {
            None if wanted.is_empty() => return garbage("it is empty"),
            None => return garbage("it ends before its flush"),
            Some(Packet::Flush) if wanted.is_empty() => return Ok(Asked::Nothing),
            Some(Packet::Flush) => break,
            Some(Packet::Delimiter) => return garbage("this version of the protocol has no delimiter"),
            Some(Packet::Line(line)) => wanted.argument(line)?,
        }
    }
    loop {
        match packets.next()? {
            None => break,
            // git ends here, whatever follows.
            Some(Packet::Flush) => wanted.is_odd = true,
            Some(Packet::Delimiter) => return garbage("this version of the protocol has no delimiter"),
            Some(Packet::Line(b"done")) => {
                wanted.done = true;
                break;
            }
            Some(Packet::Line(line)) => match line.strip_prefix(b"have ") {
                Some(id) => wanted.has(id)?,
                None => return garbage(format!("{} is no commit that the client has", shown(line))),
            },
        }
    }
    Ok(Asked::Objects(wanted.finish(packets.length())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1111111111111111111111111111111111111111";
    const OTHER: &str = "2222222222222222222222222222222222222222";

    fn line(content: &str) -> String {
        format!("{:04x}{content}", content.len() + 4)
    }

    /// Its key; the error: it is refused.
    fn key(version: Version, body: &str) -> Result<Option<Vec<u8>>, Refused> {
        let advertised =
            ["version 2", "agent=x", "ls-refs", "fetch=shallow filter", "server-option", "object-format=sha1"];
        let advertised = Advertised::of(advertised.map(line).concat().into());
        match read(body.as_bytes(), version, &advertised)? {
            Asked::Objects(objects) => Ok(objects.key),
            _ => Ok(None),
        }
    }

    fn is_another(version: Version, ordinary: &[u8], body: &str) {
        let found = key(version, body);
        assert!(!matches!(&found, Ok(Some(found)) if found == ordinary), "{body:?}: {found:?}");
    }

    #[test]
    fn ordinary_clones_of_the_older_versions_have_a_key() {
        let key = |capabilities: &str, end: &str| {
            key(Version::V0, &format!("{}{end}", line(&format!("want {ID}{capabilities}\n")))).unwrap().unwrap()
        };
        let git = " multi_ack_detailed no-done side-band-64k thin-pack no-progress include-tag ofs-delta deepen-since \
                   deepen-not agent=git/2.47.3-Linux";
        let plain = key(git, "00000009done\n");
        assert_eq!(key(git, &format!("{}00000008done", line(&format!("want {ID}\n")))), plain);
        assert_eq!(key(&git.replace("2.47.3", "2.50.0"), "00000009done\n"), plain);
        let libgit2 = " multi_ack_detailed side-band-64k include-tag thin-pack ofs-delta ";
        assert_ne!(key(libgit2, "00000009done\n"), plain);
        assert_ne!(key(git, "000ddeepen 1\n00000009done\n"), plain);
        assert_eq!(key("", "00000009done\n"), format!("0\n{ID}").into_bytes());
    }

    #[test]
    fn a_changed_clone_of_the_older_versions_never_has_the_key_of_the_ordinary_one() {
        let capabilities = "side-band-64k thin-pack ofs-delta";
        let want = |rest: &str| line(&format!("want {ID}{rest}\n"));
        let first = want(&format!(" {capabilities}"));
        let ordinary = key(Version::V0, &format!("{first}00000009done\n")).unwrap().unwrap();
        for separator in ['\0', '\t', '\x0b', '\x0c', '\r', '\n', '\u{7f}', '\u{a0}', ',', '='] {
            let glued = capabilities.replacen(' ', &separator.to_string(), 1);
            for rest in [
                format!("{separator}{capabilities}"),
                format!(" {glued}"),
                format!(" {capabilities}{separator}"),
                format!("{separator} {capabilities}"),
                format!(" {capabilities} {separator}"),
            ] {
                is_another(Version::V0, &ordinary, &format!("{}00000009done\n", want(&rest)));
            }
        }
        for rest in [
            "  side-band-64k thin-pack ofs-delta",
            " side-band-64k  thin-pack ofs-delta",
            " side-band-64k thin-pack \
            ofs-delta ofs-delta",
            " side-band-64k thin-pack ofs-delta unknown",
            " side-band-64k thin-pack ofs-delta agent=x \
            agent=y",
            " side-band-64k thin-pack ofs-delta agent=\0",
            " side-band-64k thin-pack ofs-delta=1",
            "",
        ] {
            is_another(Version::V0, &ordinary, &format!("{}00000009done\n", want(rest)));
        }
        let second = line(&format!("want {ID} {capabilities}\n"));
        for body in [
            format!("{first}000000000009done\n"),
            format!("{first}0009done\n0000"),
            format!("{first}0009done\n00000009done\n"),
            format!("{first}0000000bdone x\n"),
            format!("{first}0000000adone \n"),
            format!("{first}0000000adone\n\n"),
            format!("{first}0000"),
            format!("{first}00000000"),
            format!("{first}0000{}0009done\n", line(&format!("have {OTHER}\n"))),
            format!("{first}{}00000009done\n", line(&format!("have {OTHER}\n"))),
            format!("{first}{}00000009done\n", line(&format!("shallow {OTHER}\n"))),
            format!("{first}{}00000009done\n", line(&format!("want {OTHER}\n"))),
            format!("{first}{}00000009done\n", line("deepen-not x\n")),
            format!("{first}{}00000009done\n", line("deepen-since 5\n")),
            format!("{first}{}00000009done\n", line("deepen 5\n")),
            format!("{first}{}00000009done\n", line("filter blob:none\n")),
            format!("{first}{second}00000009done\n"),
            format!("{}{second}00000009done\n", want("")),
            format!("{}{first}00000009done\n", line("deepen 1\n")),
            format!("{first}00040000\n0009done\n"),
            format!("{first}00010009done\n"),
        ] {
            is_another(Version::V0, &ordinary, &body);
        }
    }

    #[test]
    fn a_changed_clone_of_version_2_never_has_the_key_of_the_ordinary_one() {
        let lines = |lines: &[&str]| lines.iter().map(|content| line(content)).collect::<String>();
        let head = lines(&["command=fetch", "agent=git/2.47.3", "object-format=sha1"]);
        let want = format!("want {ID}\n");
        let arguments = ["thin-pack", "ofs-delta", &want, "done"];
        let request = |arguments: &[&str]| format!("{head}0001{}0000", lines(arguments));
        let ordinary = key(Version::V2, &request(&arguments)).unwrap().unwrap();
        let twice = ["ofs-delta\n", "thin-pack\n", &want, &want, "done\n"];
        assert_eq!(key(Version::V2, &request(&twice)).unwrap().unwrap(), ordinary);
        for place in 0..arguments.len() {
            let argument = arguments[place].trim_end();
            let mut changed = vec![String::new(), "unknown".to_owned(), argument.to_uppercase()];
            for byte in ["\0", "\t", "\x0c", "\r", " ", "\n\n", "\u{7f}", "\u{e4}", " x"] {
                changed.extend([format!("{argument}{byte}"), format!("{byte}{argument}")]);
            }
            for changed in &changed {
                let mut arguments = arguments;
                arguments[place] = changed;
                is_another(Version::V2, &ordinary, &request(&arguments));
            }
        }
        let have = format!("have {OTHER}");
        for more in [
            "thin-pack",
            "unknown",
            "done",
            "wait-for-done",
            "deepen-relative",
            "deepen 1",
            "deepen-since 5",
            "deepen-not x",
            "filter blob:none",
            "include-tag",
            &have,
        ] {
            is_another(Version::V2, &ordinary, &request(&[&["ofs-delta", more], &arguments[..]].concat()));
            is_another(Version::V2, &ordinary, &request(&[&arguments[..], &[more]].concat()));
        }
        let rest = format!("0001{}0000", lines(&arguments));
        for head in [
            lines(&["agent=x", "command=fetch"]),
            lines(&["command=fetch", "agent=x", "agent=y"]),
            lines(&["command=fetch", "agent=\0"]),
            lines(&["command=fetch", "agent"]),
            lines(&["command=fetch", "server-option=x"]),
            lines(&["command=fetch", "object-format=sha1 "]),
        ] {
            is_another(Version::V2, &ordinary, &format!("{head}{rest}"));
        }
    }

    #[test]
    fn filters_that_git_only_complains_about_are_refused() {
        let twice = format!("{}0001{}{}0000", line("command=fetch"), line("filter blob:none").repeat(2), line("done"));
        assert!(matches!(key(Version::V2, &twice), Err(Refused::Garbage(_))));
        let old = |capability: &str| {
            let want = line(&format!("want {ID}{capability}\n"));
            key(Version::V0, &format!("{want}{}00000009done\n", line("filter blob:none\n")))
        };
        assert!(matches!(old(""), Err(Refused::Garbage(_))));
        assert!(old(" filter").unwrap().is_some());
    }
}
