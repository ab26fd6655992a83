//! `package.license` as an SPDX expression.
//!
//! Many crates have spellings that cargo has accepted for years (`MIT/Apache-2.0`, `GPL-3.0`), so these are accepted with
//! a warning that names the SPDX spelling, because licence scanners may understand only that.

use spdx::error::Reason;
use spdx::{Expression, ParseMode};

use super::super::excerpt::Excerpt;

/// Why a text is not a licence expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at {}", Excerpt(.place))]
pub struct LicenceError {
    problem: String,
    place: String,
}

/// The spelling of an accepted expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As in SPDX.
    Exact,
    /// Different from SPDX, with the SPDX spelling.
    Other(String),
    /// With a deprecated identifier that has no equivalent successor.
    Deprecated,
}

/// Parses an expression as leniently as crates.io.
///
/// # Errors
///
/// A [`LicenceError`] with the position.
pub fn parse(expression: &str) -> Result<Spelling, LicenceError> {
    Expression::parse_mode(expression, ParseMode::LAX).map_err(|error| LicenceError {
        problem: match error.reason {
            Reason::UnknownTerm | Reason::UnknownLicense | Reason::UnknownException => {
                "SPDX has no such identifier".to_owned()
            }
            reason => reason.to_string(),
        },
        place: expression.get(error.span).unwrap_or_default().to_owned(),
    })?;
    if is_strict(expression) {
        return Ok(Spelling::Exact);
    }
    let canonical = Expression::canonicalize(expression).ok().flatten();
    Ok(canonical.filter(|canonical| is_strict(canonical)).map_or(Spelling::Deprecated, Spelling::Other))
}

fn is_strict(expression: &str) -> bool {
    Expression::parse(expression).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Spelling, parse};

    #[test]
    fn an_expression_of_spdx_is_taken_as_it_is() {
        for expression in [
            "MIT",
            "MIT OR Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "GPL-3.0-or-later",
            "LicenseRef-Our-Own-Terms",
        ] {
            assert_eq!(parse(expression), Ok(Spelling::Exact), "{expression}");
        }
    }

    #[test]
    fn a_spelling_that_cargo_has_always_taken_is_taken_and_told_how_spdx_has_it() {
        for (expression, spdx) in [
            ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
            ("GPL-3.0", "GPL-3.0-only"),
            ("GPL-2.0+", "GPL-2.0-or-later"),
            ("Apache2", "Apache-2.0"),
        ] {
            assert_eq!(parse(expression), Ok(Spelling::Other(spdx.to_owned())), "{expression}");
        }
        assert_eq!(parse("eCos-2.0"), Ok(Spelling::Deprecated));
    }

    // rule: 14
    #[test]
    fn what_spdx_does_not_know_is_refused_at_its_place() {
        let problem = |expression: &str| parse(expression).unwrap_err().to_string();
        insta::assert_snapshot!(problem("MIT OR Proprietary"), @"SPDX has no such identifier at `Proprietary`");
        insta::assert_snapshot!(problem("MIT Apache-2.0"), @"expected one of `AND`, `OR`, `WITH`, `)`, `+` here at `Apache-2.0`");
        insta::assert_snapshot!(problem("Apache-2.0 WITH Nothing-exception"), @"SPDX has no such identifier at `Nothing-exception`");
        insta::assert_snapshot!(problem("(MIT"), @"unclosed parens at `(`");
        insta::assert_snapshot!(problem("MIT, Apache-2.0"), @"invalid character(s) at `, Apache-2.0`");
        insta::assert_snapshot!(problem("Ümlaut"), @"invalid character(s) at `Ümlaut`");
        assert!(parse(&"(".repeat(100_000)).is_err());
    }
}
