use super::*;

const ID: &str = "1111111111111111111111111111111111111111";
const OTHER: &str = "2222222222222222222222222222222222222222";

fn line(content: &str) -> String {
    format!("{:04x}{content}", content.len() + 4)
}

/// The cache key of a fetch.
fn key(version: Version, body: &str) -> Result<Option<Vec<u8>>, Refusal> {
    let advertised = ["version 2", "agent=x", "ls-refs", "fetch=shallow filter", "server-option", "object-format=sha1"];
    let advertised = Advertised::of(advertised.map(line).concat().into());
    match read(body.as_bytes(), version, &advertised)? {
        Request::Objects(fetch) => Ok(fetch.cache_key.map(|key| key.bytes)),
        _ => Ok(None),
    }
}

fn has_another_key(version: Version, usual: &[u8], body: &str) {
    let found = key(version, body);
    assert!(!matches!(&found, Ok(Some(found)) if found == usual), "{body:?}: {found:?}");
}

#[test]
fn usual_clones_of_versions_0_and_1_have_a_cache_key() {
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
fn a_changed_clone_of_versions_0_and_1_never_has_the_key_of_the_usual_one() {
    let capabilities = "side-band-64k thin-pack ofs-delta";
    let want = |rest: &str| line(&format!("want {ID}{rest}\n"));
    let first = want(&format!(" {capabilities}"));
    let usual = key(Version::V0, &format!("{first}00000009done\n")).unwrap().unwrap();
    for separator in ['\0', '\t', '\x0b', '\x0c', '\r', '\n', '\u{7f}', '\u{a0}', ',', '='] {
        let glued = capabilities.replacen(' ', &separator.to_string(), 1);
        for rest in [
            format!("{separator}{capabilities}"),
            format!(" {glued}"),
            format!(" {capabilities}{separator}"),
            format!("{separator} {capabilities}"),
            format!(" {capabilities} {separator}"),
        ] {
            has_another_key(Version::V0, &usual, &format!("{}00000009done\n", want(&rest)));
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
        has_another_key(Version::V0, &usual, &format!("{}00000009done\n", want(rest)));
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
        has_another_key(Version::V0, &usual, &body);
    }
}

#[test]
fn a_changed_clone_of_version_2_never_has_the_key_of_the_usual_one() {
    let lines = |lines: &[&str]| lines.iter().map(|content| line(content)).collect::<String>();
    let head = lines(&["command=fetch", "agent=git/2.47.3", "object-format=sha1"]);
    let want = format!("want {ID}\n");
    let arguments = ["thin-pack", "ofs-delta", &want, "done"];
    let request = |arguments: &[&str]| format!("{head}0001{}0000", lines(arguments));
    let usual = key(Version::V2, &request(&arguments)).unwrap().unwrap();
    let twice = ["ofs-delta\n", "thin-pack\n", &want, &want, "done\n"];
    assert_eq!(key(Version::V2, &request(&twice)).unwrap().unwrap(), usual);
    for place in 0..arguments.len() {
        let argument = arguments[place].trim_end();
        let mut changed = vec![String::new(), "unknown".to_owned(), argument.to_uppercase()];
        for byte in ["\0", "\t", "\x0c", "\r", " ", "\n\n", "\u{7f}", "\u{e4}", " x"] {
            changed.extend([format!("{argument}{byte}"), format!("{byte}{argument}")]);
        }
        for changed in &changed {
            let mut arguments = arguments;
            arguments[place] = changed;
            has_another_key(Version::V2, &usual, &request(&arguments));
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
        has_another_key(Version::V2, &usual, &request(&[&["ofs-delta", more], &arguments[..]].concat()));
        has_another_key(Version::V2, &usual, &request(&[&arguments[..], &[more]].concat()));
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
        has_another_key(Version::V2, &usual, &format!("{head}{rest}"));
    }
}

#[test]
fn repeated_and_unannounced_filters_are_refused() {
    let twice = format!("{}0001{}{}0000", line("command=fetch"), line("filter blob:none").repeat(2), line("done"));
    assert!(matches!(key(Version::V2, &twice), Err(Refusal::Invalid(_))));
    let old = |capability: &str| {
        let want = line(&format!("want {ID}{capability}\n"));
        key(Version::V0, &format!("{want}{}00000009done\n", line("filter blob:none\n")))
    };
    assert!(matches!(old(""), Err(Refusal::Invalid(_))));
    assert!(old(" filter").unwrap().is_some());
}

#[test]
fn a_fetch_is_a_clone_if_its_client_has_nothing() {
    let advertised = ["version 2", "agent=x", "fetch=shallow filter"].map(line).concat();
    let is_clone =
        |version, body: &str| match read(body.as_bytes(), version, &Advertised::of(advertised.clone().into())).unwrap()
        {
            Request::Objects(fetch) => fetch.is_clone,
            other => panic!("{other:?}"),
        };
    let (want, have) = (line(&format!("want {ID}\n")), line(&format!("have {OTHER}\n")));
    let shallow = line(&format!("shallow {OTHER}\n"));
    assert!(is_clone(Version::V0, &format!("{want}00000009done\n")));
    assert!(is_clone(Version::V0, &format!("{want}{shallow}00000009done\n")));
    assert!(!is_clone(Version::V0, &format!("{want}0000{have}0009done\n")));
    let v2 = |rest: &str| format!("{}0001{rest}0000", line("command=fetch"));
    assert!(is_clone(Version::V2, &v2(&format!("{want}0009done\n"))));
    assert!(is_clone(Version::V2, &v2(&want)), "git answers this with everything, too");
    assert!(!is_clone(Version::V2, &v2(&format!("{want}{have}"))));
}
