//! Fail points: named places in the code where a test makes the process abort, return an error, panic or stall.
//!
//! Code passes a point with `fault::point("index.ref_moved")?`, which does nothing unless [`arm`] has armed it. Builds
//! with debug assertions have fail points, and others only with the feature `fail-points`, so no environment variable
//! can stop a release build.
//!
//! Points are armed by `NAME=ACTION`, several separated by `;`. ACTION is `abort`, `error`, `panic` or
//! `stall(DURATION)`, optionally followed by `@N` for the Nth passage instead of the first. Each fires once in the life
//! of a process and prints that to standard error, so that a test can check that it has fired.
//!
//! `@FILE` arms one point of a running process instead: a thread that passes the point while FILE contains
//! `NAME=ACTION` removes FILE and acts. A test writes the file and knows by its removal that the point has fired.

#[cfg(not(any(debug_assertions, feature = "fail-points")))]
mod absent;
#[cfg(any(debug_assertions, feature = "fail-points"))]
mod present;

use std::time::Duration;

use thiserror::Error;

/// The error of a fail point that is armed with `error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the fail point {0} was armed")]
pub struct Fault(pub &'static str);

/// An error of arming fail points.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArmError {
    #[error(
        "{0:?} is not a fail point: write NAME=abort, NAME=error, NAME=panic or NAME=stall(2s), with @N for the Nth time"
    )]
    Malformed(String),
    #[error("this build has no fail points: build with --features fail-points, or do not arm any")]
    NotBuiltIn,
}

/// Whether this build has fail points.
pub const BUILT_IN: bool = cfg!(any(debug_assertions, feature = "fail-points"));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Abort,
    Error,
    Panic,
    Stall(Duration),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Armed {
    name: String,
    action: Action,
    /// Passages until it fires; 0 after it has fired.
    remaining: u32,
}

#[cfg_attr(not(any(debug_assertions, feature = "fail-points")), allow(dead_code, reason = "nothing is armed"))]
fn parse(text: &str) -> Result<Vec<Armed>, ArmError> {
    text.split(';').filter(|part| !part.trim().is_empty()).map(|part| parse_one(part.trim())).collect()
}

fn parse_one(text: &str) -> Result<Armed, ArmError> {
    let malformed = || ArmError::Malformed(text.to_owned());
    let (name, rest) = text.split_once('=').ok_or_else(malformed)?;
    let (action, remaining) = match rest.split_once('@') {
        Some((action, times)) => (action, times.parse().ok().filter(|times| *times > 0).ok_or_else(malformed)?),
        None => (rest, 1),
    };
    let action = match action {
        "abort" => Action::Abort,
        "error" => Action::Error,
        "panic" => Action::Panic,
        other => {
            let duration =
                other.strip_prefix("stall(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(malformed)?;
            Action::Stall(humantime::parse_duration(duration).map_err(|_| malformed())?)
        }
    };
    Ok(Armed { name: name.to_owned(), action, remaining })
}

#[cfg(not(any(debug_assertions, feature = "fail-points")))]
pub use absent::{arm, point, point_after};
#[cfg(any(debug_assertions, feature = "fail-points"))]
pub use present::{arm, point, point_after};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_text_is_parsed_and_malformed_text_is_named() {
        let one = |name: &str, action, remaining| Armed { name: name.to_owned(), action, remaining };
        assert_eq!(
            parse("a.b=abort; c=error@3;d=stall(1500ms);"),
            Ok(vec![
                one("a.b", Action::Abort, 1),
                one("c", Action::Error, 3),
                one("d", Action::Stall(Duration::from_millis(1500)), 1),
            ])
        );
        for wrong in ["a", "a=die", "a=stall", "a=stall(2)", "a=error@0", "a=error@x"] {
            assert_eq!(parse(wrong), Err(ArmError::Malformed(wrong.to_owned())));
        }
    }

    #[test]
    fn a_point_fires_once_at_the_passage_it_was_armed_for() {
        arm("fault.tests=error@2").unwrap();
        let passed: Vec<_> = (0..4).map(|_| point("fault.tests")).collect();
        assert_eq!(passed, [Ok(()), Err(Fault("fault.tests")), Ok(()), Ok(())]);
        assert_eq!(point("fault.tests.other"), Ok(()));
        arm("").unwrap();
        assert_eq!(point("fault.tests"), Ok(()));
    }
}
