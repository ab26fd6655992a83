//! Mail to users.

mod addresses;
mod notices;
mod operating;

use diesel::RunQueryDsl;
use serde_json::{Value, json};
use supercargo::database::access::users;
use supercargo::index::ConfigJson;
use supercargo::jobs::email::configure;
use supercargo::jobs::webhooks::relay;
use supercargo::upstream::smtp::Smtp;

use crate::support::harness::{BASE_URL, TestRegistry};
use crate::support::mail_server::{Mail, MailServer};
use crate::webhooks::operator;

/// A registry that sends mail, and the server that takes it.
pub struct Post {
    pub registry: TestRegistry,
    pub server: MailServer,
}

impl Post {
    pub fn new() -> Self {
        Self::with(&json!({}), |server| server.url())
    }

    /// A server with this configuration, which the registry knows by this URL.
    pub fn with(configuration: &Value, url: impl FnOnce(&MailServer) -> String) -> Self {
        let server = MailServer::start_with(configuration);
        let smtp = Smtp::new(url(&server).parse().unwrap(), "Crates <crates@example.com>".parse().unwrap());
        let registry = TestRegistry::with_mail(smtp);
        let config = ConfigJson { dl: format!("{BASE_URL}/dl"), api: BASE_URL.to_owned(), auth_required: false };
        let head = registry.index.head().unwrap();
        registry.index.lock_writer().unwrap().commit(&head, &[config.change(None)]).unwrap();
        Self { registry, server }
    }

    /// A user with an address that is confirmed.
    pub fn user(&self, login: &str) {
        self.registry.user(login);
        let address = format!("{login}@example.com").parse().unwrap();
        let set = self.registry.pool.with(|connection| {
            let user = users::find(connection, login).unwrap().unwrap();
            configure::set_confirmed(connection, &user, &address, &operator())
        });
        assert!(set.unwrap().unwrap());
    }

    /// Passes on what happened, and sends what waits; returns the mails that came of it.
    pub fn deliver(&self) -> Vec<Mail> {
        let before = self.server.mails().len();
        let url = Some("https://crates.example");
        self.registry.pool.with(|connection| relay::run(connection, url, &|| false).unwrap()).unwrap();
        self.registry.make_due();
        self.registry.drain();
        // The server's word of it may be on its way.
        if before < self.sent() {
            self.server.mail(self.sent() - 1);
        }
        self.server.mails().split_off(before)
    }

    /// How many mails the registry has handed over.
    pub fn sent(&self) -> usize {
        let sent = self.query("SELECT count(*)::int AS number FROM job_history WHERE queue = 'mail' AND outcome = 'done' AND detail LIKE 'sent %'");
        usize::try_from(sent).unwrap()
    }

    pub fn query(&self, number: &str) -> i32 {
        #[derive(diesel::QueryableByName)]
        struct Number {
            #[diesel(sql_type = diesel::sql_types::Integer)]
            number: i32,
        }
        let found = self.registry.pool.with(|connection| diesel::sql_query(number).get_result::<Number>(connection));
        found.unwrap().unwrap().number
    }

    /// What a new user is told at first is not looked at.
    pub fn clear(&self) {
        self.deliver();
        assert!(self.deliver().is_empty());
    }
}

/// To whom, and the subject without the name of the registry.
pub fn subjects(mails: &[Mail]) -> Vec<String> {
    let mut all: Vec<String> = mails
        .iter()
        .map(|mail| format!("{}: {}", mail.to.join(","), mail.subject.split_once("] ").unwrap().1))
        .collect();
    all.sort();
    all
}
