//! Fail points: named places at which a test has the process die, an error come back, or the thread stall.
//!
//! A place says `fault::point("index.ref_moved")?` and does nothing until [`arm`] was told otherwise. Builds with debug
//! assertions have them, and others only with the feature `fail-points`: a release build has no place at which an
//! environment variable can stop it.
//!
//! What is armed is written as `NAME=ACTION`, several separated by `;`. ACTION is `abort`, `error`, `panic` or `stall(DURATION)`,
//! perhaps followed by `@N`: at the Nth time the place is passed instead of the first. Each fires once in the life of a
//! process, and says so on standard error, so that a test can tell whether it tested anything.
//!
//! `@FILE` instead arms one point of a running process: whoever passes the place while FILE holds `NAME=ACTION` removes
//! FILE and acts. A test writes the file, and sees that the point has fired by its being gone.

#[cfg(not(any(debug_assertions, feature = "fail-points")))]
mod absent;
#[cfg(any(debug_assertions, feature = "fail-points"))]
mod present;

use std::time::Duration;

use thiserror::Error;

/// The error that a fail point gave back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the fail point {0} was armed")]
pub struct Fault(pub &'static str);

/// Why fail points can't be armed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ArmError {
    #[error(
        "{0:?} is no fail point: write NAME=abort, NAME=error, NAME=panic or NAME=stall(2s), with @N for the Nth time"
    )]
    Malformed(String),
    #[error("this build has no fail points: build it with --features fail-points, or unset them")]
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
    /// Passages until it fires; 0: it has fired.
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
    fn what_is_armed_is_read_and_what_is_malformed_is_named() {
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
