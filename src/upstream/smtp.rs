//! Hands mails to a mail server.

use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::response::{Category, Severity};
use lettre::{SmtpTransport, Transport};

use crate::email::server::Encryption;
use crate::email::{EmailAddress, SmtpServer};
use crate::package::characters::one_line;

/// For each step of a conversation with the server.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Characters of an answer that are kept.
const EXCERPT: usize = 200;

/// A client. Cheap to clone.
#[derive(Clone)]
pub struct Smtp {
    server: SmtpServer,
    from: Mailbox,
}

/// A mail.
#[derive(Clone, Copy, Debug)]
pub struct Mail<'a> {
    pub to: &'a EmailAddress,
    pub subject: &'a str,
    pub text: &'a str,
    /// Names the mail: the same one has the same, so that mail servers can drop a repeated one.
    pub id: &'a str,
    /// The URL at which the recipient wants no more, for the program that shows the mail.
    pub unsubscribe: Option<&'a str>,
}

/// Why a mail was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// It will not be sent to this address later, either.
    #[error("the mail server {server} refuses the address: {answer}")]
    Address { server: String, answer: String },
    #[error("the mail server {server} did not take the mail: {problem}")]
    Failed { server: String, problem: String },
}

impl Smtp {
    pub fn new(server: SmtpServer, from: Mailbox) -> Self {
        Self { server, from }
    }

    /// Hands a mail over. Each has a connection of its own: mails are rare.
    pub fn send(&self, mail: &Mail<'_>) -> Result<(), NotSent> {
        let message = self.message(mail).map_err(|error| self.failed(&error.to_string()))?;
        let transport = self.transport().map_err(|error| self.failed(&with_causes(&error)))?;
        transport.send(&message).map(drop).map_err(|error| self.not_sent(&error))
    }

    fn message(&self, mail: &Mail<'_>) -> Result<Message, Box<dyn std::error::Error>> {
        let id = format!("<{}@{}>", mail.id, self.from.email.domain());
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, mail.to.as_str().parse()?))
            .subject(mail.subject)
            .date_now()
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text.to_owned())?;
        // RFC 3834: no program answers it.
        let mut fields = vec![("Auto-Submitted", "auto-generated".to_owned())];
        if let Some(url) = mail.unsubscribe {
            // RFC 8058: by one click, in the program that shows the mail.
            fields.push(("List-Unsubscribe", format!("<{url}>")));
            fields.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
        for (name, value) in fields {
            message.headers_mut().insert_raw(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
        }
        Ok(message)
    }

    fn transport(&self) -> Result<SmtpTransport, lettre::transport::smtp::Error> {
        let parameters = || TlsParameters::new(self.server.host().to_owned());
        let tls = match self.server.encryption() {
            Encryption::Tls => Tls::Wrapper(parameters()?),
            Encryption::StartTls => Tls::Required(parameters()?),
            Encryption::None => Tls::None,
        };
        let builder = SmtpTransport::builder_dangerous(self.server.host().trim_matches(['[', ']']))
            .port(self.server.port())
            .tls(tls)
            .timeout(Some(TIME_LIMIT));
        let builder = match self.server.credentials() {
            Some((user, password)) => builder.credentials(Credentials::new(user, password)),
            None => builder,
        };
        Ok(builder.build())
    }

    fn failed(&self, problem: &str) -> NotSent {
        NotSent::Failed { server: self.server.to_string(), problem: one_line(problem, EXCERPT) }
    }

    fn not_sent(&self, error: &lettre::transport::smtp::Error) -> NotSent {
        let problem = with_causes(error);
        // RFC 5321, section 4.2.3: 550, 551 and 553 are about the mailbox.
        let is_of_mailbox = error.status().is_some_and(|code| {
            code.severity == Severity::PermanentNegativeCompletion
                && code.category == Category::MailSystem
                && matches!(u16::from(code), 550 | 551 | 553)
        });
        if is_of_mailbox {
            NotSent::Address { server: self.server.to_string(), answer: one_line(&problem, EXCERPT) }
        } else {
            self.failed(&problem)
        }
    }
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    crate::error_chain::ErrorChain::of(error).to_string()
}
