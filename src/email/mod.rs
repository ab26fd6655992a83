//! E-mail: the addresses of users, and the server that takes mails.

pub mod address;
pub mod server;

pub use address::EmailAddress;
pub use lettre::message::Mailbox;
pub use server::SmtpServer;
