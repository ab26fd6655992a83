//! Manifests against policies.

use super::super::sample::{Sample, urls};
use super::super::{Manifest, Refusal};
use super::{MetadataRules, Policy, UnknownDependency};

const USUAL: &str = "description = \"x\"\nlicense = \"MIT\"\n";

fn manifest(rest: &str) -> Manifest {
    Manifest::parse(&Sample::new(rest).manifest, &urls()).unwrap()
}

fn refusal(rest: &str) -> String {
    Policy::default().check(&manifest(rest)).unwrap_err().to_string()
}

/// The same with what is usually asked for in front.
fn refused(rest: &str) -> String {
    refusal(&format!("{USUAL}{rest}"))
}

fn advice(policy: &Policy, rest: &str) -> Vec<String> {
    policy.check(&manifest(rest)).unwrap().iter().map(ToString::to_string).collect()
}

// rule: 14
#[test]
fn everything_that_is_missing_is_named_at_once() {
    insta::assert_snapshot!(refusal(""), @"Cargo.toml lacks fields that this registry requires (`description`, `license` (or `license-file`)): add them to `[package]` and publish again");
    insta::assert_snapshot!(refusal("license-file = \"LICENSE\"\ndescription = \"  \""), @"Cargo.toml lacks fields that this registry requires (`description`): add them to `[package]` and publish again");
    let all = "description,license,repository,homepage,documentation,readme,keywords,categories,authors,rust-version";
    let policy = Policy { required_metadata: all.parse().unwrap(), ..Policy::default() };
    insta::assert_snapshot!(policy.check(&manifest("readme = false\nkeywords = []")).unwrap_err(), @"Cargo.toml lacks fields that this registry requires (`description`, `license` (or `license-file`), `repository`, `homepage`, `documentation`, `readme`, `keywords`, `categories`, `authors`, `rust-version`): add them to `[package]` and publish again");
    let none = Policy { required_metadata: "none".parse().unwrap(), ..Policy::default() };
    assert_eq!(advice(&none, ""), [""; 0]);
}

// rule: 14
#[test]
fn a_value_that_is_there_must_be_one() {
    insta::assert_snapshot!(refusal(&format!("license = \"MIT\"\ndescription = \"{}\"", "é".repeat(1001))), @"in Cargo.toml, the description has 1001 characters: shorten it to at most 1000, the README has room for more");
    insta::assert_snapshot!(refusal("description = \"x\"\nlicense = \"Proprietary\""), @"in Cargo.toml, the license `Proprietary` is not an SPDX expression (SPDX has no such identifier at `Proprietary`): join identifiers of https://spdx.org/licenses with `OR` and `AND`, write `LicenseRef-NAME` for terms of your own, or use `license-file` instead");
    insta::assert_snapshot!(refused("homepage = \"crates.example\""), @"in Cargo.toml, `homepage` is `crates.example`, which is not a URL with http or https: correct it or leave it out");
    insta::assert_snapshot!(refused("repository = \"git@crates.example:foo.git\""), @"in Cargo.toml, `repository` is `git@crates.example:foo.git`, which is not a URL with http or https: correct it or leave it out");
    insta::assert_snapshot!(refused("keywords = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]"), @"in Cargo.toml, there are 6 keywords: name at most 5");
    insta::assert_snapshot!(refused("categories = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]"), @"in Cargo.toml, there are 6 categories: name at most 5");
    insta::assert_snapshot!(refused("keywords = [\"two words\"]"), @"in Cargo.toml, the keyword `two words` is not well-formed: start it with an ASCII letter or digit and continue with letters, digits, `_`, `-` and `+`, at most 20 characters");
    insta::assert_snapshot!(refused("categories = [\"In House\"]"), @"in Cargo.toml, the category `In House` is not well-formed: choose a slug of https://crates.io/category_slugs, or write your own with a-z, 0-9, `:`, `+`, `_` and `-`, at most 64 characters");
    insta::assert_snapshot!(refused("authors = [\"a\", \"b\\u0000\"]"), @r"in Cargo.toml, `authors` contains a NUL character (\u0000), which cannot be stored: remove it");
    let longest = format!("license = \"MIT\"\ndescription = \"{}\"\nhomepage = \"\"", "é".repeat(1000));
    assert_eq!(advice(&Policy::default(), &longest), [""; 0]);
}

// rule: 14
#[test]
fn a_text_that_is_too_long_is_refused_with_its_limit() {
    let long =
        |field: &str, length: usize| refused(&format!("{field} = \"https://a.example/{}\"", "x".repeat(length - 18)));
    for field in ["homepage", "documentation", "repository"] {
        let text = long(field, 2049);
        assert_eq!(text, format!("in Cargo.toml, `{field}` has 2049 characters: shorten it to at most 2048"));
    }
    for (field, limit) in [("license-file", 1024), ("readme", 1024), ("links", 256)] {
        let text = long(field, limit + 1);
        assert_eq!(
            text,
            format!("in Cargo.toml, `{field}` has {} characters: shorten it to at most {limit}", limit + 1)
        );
    }
    let author = format!("authors = [\"a\", \"{}\"]", "é".repeat(1001));
    insta::assert_snapshot!(refused(&author), @"in Cargo.toml, `authors` has 1001 characters: shorten it to at most 1000");
    let license = format!("description = \"x\"\nlicense = \"MIT{}\"", " ".repeat(998));
    insta::assert_snapshot!(refusal(&license), @"in Cargo.toml, `license` has 1001 characters: shorten it to at most 1000");
    let longest =
        format!("{USUAL}homepage = \"https://a.example/{}\"\nlinks = \"{}\"", "x".repeat(2030), "x".repeat(256));
    assert_eq!(advice(&Policy::default(), &longest), [""; 0]);
}

// rule: 14
#[test]
fn a_nul_in_a_feature_of_a_renamed_dependency_is_refused() {
    // The metadata of some releases of cargo leaves such a value out, so that only the manifest has it.
    let features = "[features]\na = [\"b/x\\u0000\"]\n[dependencies]\nb = { version = \"1\", package = \"c\" }\n";
    insta::assert_snapshot!(refused(features), @r"in Cargo.toml, `features` contains a NUL character (\u0000), which cannot be stored: remove it");
}

// rule: 14
#[test]
fn what_is_unwise_is_said_and_let_pass() {
    let rest =
        "description = \"x\"\nlicense = \"MIT/Apache-2.0\"\ncategories = [\"algorithms\", \"in-house\", \"ours\"]";
    insta::assert_snapshot!(advice(&Policy::default(), rest).join("\n"), @r"
    SPDX writes the license `MIT/Apache-2.0` as `MIT OR Apache-2.0`
    crates.io has no category `in-house`, `ours`: its categories are listed at https://crates.io/category_slugs
    ");
    insta::assert_snapshot!(advice(&Policy::default(), "description = \"x\"\nlicense = \"eCos-2.0\"").join("\n"), @"the license `eCos-2.0` has an identifier that SPDX has deprecated: https://spdx.org/licenses names its successors");
}

// rule: 16
#[test]
fn a_bare_star_is_refused_unless_it_is_allowed() {
    let star = format!("{USUAL}[dev-dependencies]\na = \"*\"\n");
    insta::assert_snapshot!(refusal(&star), @"in Cargo.toml, the dev dependency `a` requires `*`, which matches every future version and is not allowed in this registry: name the version it was tested with, as in `1.2`");
    let tolerant = Policy { allow_wildcard_dependencies: true, ..Policy::default() };
    assert_eq!(advice(&tolerant, &star), [""; 0]);
    for fine in ["1.*", "1.2.*", ">=0"] {
        assert_eq!(advice(&Policy::default(), &star.replace('*', fine)), [""; 0], "{fine}");
    }
}

// rule: 16
#[test]
fn dependencies_come_from_allowed_registries_and_from_this_one() {
    let check = |allowed: &str, dependency: &str| -> Result<_, Refusal> {
        let policy = Policy { allowed_registries: allowed.parse().unwrap(), ..Policy::default() };
        policy.check(&manifest(&format!("{USUAL}[dependencies]\na = {dependency}\n")))
    };
    let here = "{ version = \"1\", registry-index = \"sparse+https://crates.example.com/index/\" }";
    let elsewhere = "{ version = \"1\", registry-index = \"https://git.example/index\" }";
    for (allowed, dependency) in [
        ("any", elsewhere),
        ("any", "\"1\""),
        ("crates-io", "\"1\""),
        ("none", here),
        ("https://git.example/index/", elsewhere),
    ] {
        check(allowed, dependency).unwrap();
    }
    insta::assert_snapshot!(check("none", "\"1\"").unwrap_err(), @"in Cargo.toml, the normal dependency `a` comes from the registry `https://github.com/rust-lang/crates.io-index`, which this registry does not allow: publish that crate here");
    insta::assert_snapshot!(check("crates-io,sparse+https://crates.example/index/", elsewhere).unwrap_err(), @"in Cargo.toml, the normal dependency `a` comes from the registry `https://git.example/index`, which this registry does not allow: publish that crate here, or take it from `crates-io`, `sparse+https://crates.example/index/`");
}

// rule: 16
// protocol: 80
#[test]
fn a_dependency_that_is_not_here_is_advice_or_a_refusal() {
    let unknown = || {
        let one = |name: &str, spelling: Option<&str>| UnknownDependency {
            name: name.parse().unwrap(),
            spelling: spelling.map(|spelling| spelling.parse().unwrap()),
        };
        vec![one("not-here", None), one("Foo_Bar", Some("foo-bar"))]
    };
    let lenient = Policy::default();
    assert_eq!(lenient.check_unknown(Vec::new()).unwrap(), None);
    insta::assert_snapshot!(lenient.check_unknown(unknown()).unwrap().unwrap(), @"this registry has no crate named `not-here`, `Foo_Bar` (it is called `foo-bar` here), which the package depends on: builds that need it fail until it is published here");
    let strict = Policy { require_known_dependencies: true, ..Policy::default() };
    assert_eq!(strict.check_unknown(Vec::new()).unwrap(), None);
    insta::assert_snapshot!(strict.check_unknown(unknown()).unwrap_err(), @"this registry has no crate named `not-here`, `Foo_Bar` (it is called `foo-bar` here), which the package depends on: publish it here first, or correct the dependency's name or registry");
}

/// What no setting relaxes, each with what a refusal says of it.
const NEVER_RELAXED: [(&str, &str); 6] = [
    ("homepage = \"javascript:alert(1)\"", "`homepage` is `javascript:alert(1)`"),
    ("documentation = \" Data:text/html,x\"", "`documentation` is ` Data:text/html,x`"),
    ("repository = \"file:///etc/passwd\"", "`repository` is `file:///etc/passwd`"),
    ("authors = [\"a\\u0000\"]", "contains a NUL character"),
    ("readme = \"a\\u0000\"", "contains a NUL character"),
    ("[dependencies]\na = \"*\"", "requires `*`"),
];

// rule: 14
#[test]
fn a_rule_of_form_warns_with_the_value_the_remedy_and_the_consequence_where_the_operator_permits() {
    let warn = Policy { metadata_rules: MetadataRules::Warn, ..Policy::default() };
    let long = |length: usize| "x".repeat(length);
    let rest = format!(
        "description = \"{}\"\nlicense = \"Proprietary\"\nhomepage = \"go/wiki\"\ndocumentation = \"https://a.example/{}\"\n\
         repository = \"ssh://git@git.example/x\"\nkeywords = [\"a\", \"two words\", \"c\", \"d\", \"e\", \"f\"]\n\
         categories = [\"In House\", \"ours\", \"c\", \"d\", \"e\", \"parsing\"]\nauthors = [\"{}\", \"{}\"]\n",
        long(1001),
        long(2031),
        long(1001),
        long(1002),
    );
    insta::assert_snapshot!(advice(&warn, &rest).join("\n"), @r"
    in Cargo.toml, the description has 1001 characters: shorten it to at most 1000, the README has room for more (accepted here; lists show the first 1000 characters)
    in Cargo.toml, `documentation` has 2049 characters: shorten it to at most 2048 (accepted here; lists leave it out)
    in Cargo.toml, `authors` has 1001 characters: shorten it to at most 1000 (accepted here; other registries may refuse it)
    in Cargo.toml, `homepage` is `go/wiki`, which is not a URL with http or https: correct it or leave it out (accepted here; a browser cannot open it)
    in Cargo.toml, `repository` is `ssh://git@git.example/x`, which is not a URL with http or https: correct it or leave it out (accepted here; a browser cannot open it)
    in Cargo.toml, the license `Proprietary` is not an SPDX expression (SPDX has no such identifier at `Proprietary`): join identifiers of https://spdx.org/licenses with `OR` and `AND`, write `LicenseRef-NAME` for terms of your own, or use `license-file` instead (accepted here; tools that check licenses cannot read it)
    in Cargo.toml, there are 6 keywords: name at most 5 (accepted here; lists and searches use the first 5)
    in Cargo.toml, the keyword `two words` is not well-formed: start it with an ASCII letter or digit and continue with letters, digits, `_`, `-` and `+`, at most 20 characters (accepted here; crates.io refuses it)
    in Cargo.toml, there are 6 categories: name at most 5 (accepted here; lists and searches use the first 5)
    in Cargo.toml, the category `In House` is not well-formed: choose a slug of https://crates.io/category_slugs, or write your own with a-z, 0-9, `:`, `+`, `_` and `-`, at most 64 characters (accepted here; crates.io refuses it)
    crates.io has no category `ours`, `c`, `d`, `e`: its categories are listed at https://crates.io/category_slugs
    ");
    assert!(Policy::default().check(&manifest(&rest)).is_err());
    // However many are wrong, a few are named.
    let many = format!("{USUAL}keywords = {:?}\n", vec!["two words"; 100]);
    assert_eq!(advice(&warn, &many).len(), 6);
}

// rule: 14
#[test]
fn a_private_registry_warns_of_its_own_terms_and_of_addresses_for_git_only() {
    let private = Policy { metadata_rules: MetadataRules::Private, ..Policy::default() };
    for license in ["Proprietary", "UNLICENSED"] {
        let said = advice(&private, &format!("description = \"x\"\nlicense = \"{license}\"\n"));
        assert!(said[0].contains(license) && said.len() == 1, "{said:?}");
    }
    for url in ["ssh://git@git.example/x", "git@git.example:x.git", "git.example:x.git"] {
        let said = advice(&private, &format!("{USUAL}repository = \"{url}\"\n"));
        assert!(said[0].contains(url) && said.len() == 1, "{said:?}");
        assert!(private.check(&manifest(&format!("{USUAL}homepage = \"{url}\"\n"))).is_err(), "{url}");
        assert!(Policy::default().check(&manifest(&format!("{USUAL}repository = \"{url}\"\n"))).is_err(), "{url}");
    }
    for rest in
        ["repository = \"go/x\"", "homepage = \"go/wiki\"", "keywords = [\"two words\"]", "categories = [\"A\"]"]
    {
        assert!(private.check(&manifest(&format!("{USUAL}{rest}\n"))).is_err(), "{rest}");
    }
}

// rule: 14
#[test]
fn no_setting_relaxes_what_harms_users() {
    let links = format!("links = \"{}\"", "x".repeat(257));
    for (rest, text) in NEVER_RELAXED.into_iter().chain([(links.as_str(), "`links` has 257 characters")]) {
        for metadata_rules in [MetadataRules::Strict, MetadataRules::Private, MetadataRules::Warn] {
            let policy = Policy { metadata_rules, ..Policy::default() };
            let refused = policy.check(&manifest(&format!("{USUAL}{rest}\n"))).unwrap_err().to_string();
            assert!(refused.contains(text), "{metadata_rules:?} {rest}: {refused}");
        }
    }
}
