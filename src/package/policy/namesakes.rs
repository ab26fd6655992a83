//! Crates of this registry that have the names of crates of other registries: who leaves the registry out gets the other one.

use std::fmt;
use std::str::FromStr;

use super::super::CrateName;
use super::super::excerpt::{Excerpt, enumerated};

/// What is done about new names that upstreams have as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamNames {
    /// Nothing.
    Off,
    /// The publisher gets a warning.
    #[default]
    Warn,
    /// The publish is refused, unless an admin publishes.
    Refuse,
}

impl FromStr for UpstreamNames {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "warn" => Ok(Self::Warn),
            "refuse" => Ok(Self::Refuse),
            other => Err(format!("{} is none of `warn`, `refuse` and `off`", Excerpt(other))),
        }
    }
}

/// The form in the configuration.
impl fmt::Display for UpstreamNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        })
    }
}

/// A name that an upstream has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namesake {
    pub upstream: String,
    /// The name there, which may have `-` in place of `_`.
    pub name: CrateName,
}

/// Warnings about names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameAdvice {
    /// Upstreams have the name of a new crate.
    Taken { name: CrateName, by: Vec<Namesake> },
    /// It is not known whether an upstream has it.
    Unchecked { name: CrateName, upstream: String, problem: String },
    /// Dependencies on crates.io that have the names of crates of this registry.
    Public(Vec<CrateName>),
}

impl fmt::Display for NameAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { name, by } => write!(
                f,
                "{} as well as this registry: a Cargo.toml that names no registry gets the other one. Write `{name} = {{ version = \
                 \"…\", registry = \"…\" }}` everywhere, with the name of this registry in .cargo/config.toml, or choose a name that no \
                 one else has",
                there(by)
            ),
            Self::Unchecked { name, upstream, problem } => write!(
                f,
                "it is not known whether {upstream} has a crate named `{name}` ({problem}): if it has, a Cargo.toml that names no registry \
                 gets that one"
            ),
            Self::Public(names) => write!(
                f,
                "the package depends on {} of crates.io, and this registry has {}: cargo takes the public {}. If that of this registry \
                 is meant, write `{} = {{ version = \"…\", registry = \"…\" }}`, with the name of this registry in .cargo/config.toml",
                enumerated(names.iter().map(|name| format!("`{name}`"))),
                if names.len() == 1 { "a crate of that name" } else { "crates of these names" },
                if names.len() == 1 { "one" } else { "ones" },
                names.first().map(CrateName::as_str).unwrap_or_default()
            ),
        }
    }
}

/// `crates-io has a crate named `foo``.
pub(super) fn there(by: &[Namesake]) -> String {
    let each = by.iter().map(|Namesake { upstream, name }| format!("{upstream} has a crate named `{name}`"));
    enumerated(each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_one_of_three_words() {
        for policy in [UpstreamNames::Off, UpstreamNames::Warn, UpstreamNames::Refuse] {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        assert_eq!("no".parse::<UpstreamNames>().unwrap_err(), "`no` is none of `warn`, `refuse` and `off`");
    }

    #[test]
    fn a_warning_says_what_cargo_does_and_what_to_write() {
        let name = |name: &str| name.parse::<CrateName>().unwrap();
        let by = vec![Namesake { upstream: "crates-io".to_owned(), name: name("acme-core") }];
        insta::assert_snapshot!(NameAdvice::Taken { name: name("acme_core"), by }, @r#"crates-io has a crate named `acme-core` as well as this registry: a Cargo.toml that names no registry gets the other one. Write `acme_core = { version = "…", registry = "…" }` everywhere, with the name of this registry in .cargo/config.toml, or choose a name that no one else has"#);
        insta::assert_snapshot!(NameAdvice::Public(vec![name("core")]), @r#"the package depends on `core` of crates.io, and this registry has a crate of that name: cargo takes the public one. If that of this registry is meant, write `core = { version = "…", registry = "…" }`, with the name of this registry in .cargo/config.toml"#);
    }
}
