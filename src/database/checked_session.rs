//! A session that is opened without Diesel, and checked like the others: its server must not be a former primary.

use std::sync::Arc;

use super::primary::{NotThePrimary, PLACE, Primary, Since, in_random_order};

/// A session that another library opens.
pub struct CheckedSession {
    url: String,
    primary: Arc<Primary>,
    /// When and where the current session began.
    since: Option<Since>,
    was_refused: bool,
}

impl CheckedSession {
    pub fn new(url: &str, primary: Arc<Primary>) -> Self {
        Self { url: url.to_owned(), primary, since: None, was_refused: false }
    }

    /// Where to open the next session: after a server was refused, another one may be the first.
    pub fn url(&mut self) -> String {
        self.since = None;
        if self.was_refused { in_random_order(&self.url) } else { self.url.clone() }
    }

    /// The statement whose answer [`Self::admit`] checks: one text.
    pub fn statement(&self) -> &'static str {
        PLACE
    }

    /// Checks the answer of a new session's server; None if it refuses one.
    pub fn admit(&mut self, answer: Option<&str>) -> Result<(), NotThePrimary> {
        let checked = self.primary.admit_answer(answer, self.primary.generation());
        self.was_refused = checked.is_err();
        self.since = Some(checked?);
        Ok(())
    }

    /// Whether the session is one of the newest primary.
    pub fn is_current(&self) -> bool {
        self.since.is_some_and(|since| self.primary.is_current(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::primary::STANDBY;

    const SECOND: Option<&str> = Some("7 000000020000000000000003 10.0.0.2:5432");
    const THIRD: Option<&str> = Some("7 000000030000000000000003");

    #[test]
    fn a_server_without_a_timeline_is_used_only_before_one_is_known() {
        let mut session = CheckedSession::new("host=a,b", Arc::default());
        session.admit(None).unwrap();
        assert!(session.is_current());
        session.admit(SECOND).unwrap();
        assert!(matches!(session.admit(None), Err(NotThePrimary::Hidden { .. })));
        assert!(matches!(session.admit(Some(STANDBY)), Err(NotThePrimary::Standby)));
    }

    #[test]
    fn a_session_ends_with_a_promotion_and_after_a_refusal_the_servers_are_tried_in_another_order() {
        let primary = Arc::new(Primary::default());
        let mut session = CheckedSession::new("host=a,b", Arc::clone(&primary));
        assert_eq!(session.url(), "host=a,b");
        session.admit(SECOND).unwrap();
        assert!(session.is_current());
        primary.admit_answer(THIRD, 0).unwrap();
        assert!(!session.is_current());
        assert_eq!(session.url(), "host=a,b");
        assert!(matches!(session.admit(SECOND), Err(NotThePrimary::Former { .. })));
        assert_eq!(session.url(), "host=a,b load_balance_hosts=random");
        assert!(!session.is_current());
        session.admit(THIRD).unwrap();
        assert!(session.is_current());
        assert_eq!(session.url(), "host=a,b");
    }
}
