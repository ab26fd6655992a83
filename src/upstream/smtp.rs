//! Hands mails to a mail server.

use std::fmt;
use std::time::Duration;

use lettre::Address;
use lettre::address::AddressError;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{SmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, commands};

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
    #[error("the mail server {server} did not take the mail {stage}: {problem}")]
    Failed { server: String, stage: Stage, problem: String },
}

/// A part of the conversation with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Connect,
    SignIn,
    Sender,
    Recipient,
    Content,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "(no connection)",
            Self::SignIn => "(user name and password of --smtp-url)",
            Self::Sender => "(the sender, --email-from)",
            Self::Recipient => "(the recipient)",
            Self::Content => "(the content)",
        })
    }
}

impl Smtp {
    pub fn new(server: SmtpServer, from: Mailbox) -> Self {
        Self { server, from }
    }

    /// Hands a mail over. Each has a connection of its own: mails are rare.
    pub fn send(&self, mail: &Mail<'_>) -> Result<(), NotSent> {
        let message = self.message(mail).map_err(|error| self.failed(Stage::Content, error.to_string()))?;
        let to: Address =
            mail.to.as_str().parse().map_err(|error: AddressError| self.failed(Stage::Recipient, error.to_string()))?;
        let mut connection = self.connect().map_err(|error| self.not_sent(Stage::Connect, &error))?;
        let sent = self.converse(&mut connection, to, &message.formatted());
        connection.abort();
        sent.map_err(|(stage, error)| self.not_sent(stage, &error))
    }

    fn connect(&self) -> Result<SmtpConnection, Error> {
        let (server, hello) = (&self.server, ClientId::default());
        let parameters = match server.encryption() {
            Encryption::None => None,
            _ => Some(TlsParameters::new(server.host().to_owned())?),
        };
        let wrapper = parameters.as_ref().filter(|_| server.encryption() == Encryption::Tls);
        let place = (server.host().trim_matches(['[', ']']), server.port());
        let mut connection = SmtpConnection::connect(place, Some(TIME_LIMIT), &hello, wrapper, None)?;
        if let Some(parameters) = parameters.filter(|_| server.encryption() == Encryption::StartTls) {
            connection.starttls(&parameters, &hello)?;
        }
        Ok(connection)
    }

    /// Step by step: only what the server says of the recipient is about the address.
    fn converse(&self, connection: &mut SmtpConnection, to: Address, message: &[u8]) -> Result<(), (Stage, Error)> {
        let at = |stage: Stage| move |error: Error| (stage, error);
        if let Some((user, password)) = self.server.credentials() {
            connection.auth(DEFAULT_MECHANISMS, &Credentials::new(user, password)).map_err(at(Stage::SignIn))?;
        }
        connection
            .command(commands::Mail::new(Some(self.from.email.clone()), Vec::new()))
            .map_err(at(Stage::Sender))?;
        connection.command(commands::Rcpt::new(to, Vec::new())).map_err(at(Stage::Recipient))?;
        connection.command(commands::Data).map_err(at(Stage::Content))?;
        connection.message(message).map(drop).map_err(at(Stage::Content))
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

    fn failed(&self, stage: Stage, problem: String) -> NotSent {
        NotSent::Failed { server: self.server.to_string(), stage, problem: one_line(&problem, EXCERPT) }
    }

    fn not_sent(&self, stage: Stage, error: &Error) -> NotSent {
        let problem = with_causes(error);
        // RFC 5321, section 4.2.3: 550, 551 and 553 are about the mailbox.
        let is_of_mailbox = error.status().is_some_and(|code| matches!(u16::from(code), 550 | 551 | 553));
        if is_of_mailbox && stage == Stage::Recipient {
            return NotSent::Address { server: self.server.to_string(), answer: one_line(&problem, EXCERPT) };
        }
        // A read that takes too long is one that would block.
        if error.is_timeout() || problem.contains("Resource temporarily unavailable") {
            return self.failed(stage, format!("no answer within {} s", TIME_LIMIT.as_secs()));
        }
        if problem.contains("corrupt message") {
            return self.failed(stage, format!("{problem}; if it speaks STARTTLS, the URL begins with smtp://"));
        }
        self.failed(stage, problem)
    }
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    crate::error_chain::ErrorChain::of(error).to_string()
}
