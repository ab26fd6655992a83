//! Options of mail to users.

use std::str::FromStr;

use clap::Args;

use crate::email::{Mailbox, SmtpServer};

/// The mail server, and the sender. Without a server no mail is sent.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "E-mail")]
pub struct EmailOptions {
    /// Mail server that takes mail to users: smtps://USER:PASSWORD@HOST, or smtp://HOST:587 with STARTTLS
    ///
    /// Users then enter an address on /me/email, and get mail of what concerns them. Without this option no mail is sent. Every
    /// `serve` and `worker` of an installation needs it.
    #[arg(long, hide = true, env = "SUPERCARGO_SMTP_URL", value_name = "URL", value_parser = SmtpServer::from_str, hide_env_values = true, requires = "email_from")]
    pub smtp_url: Option<SmtpServer>,
    /// Sender of mail to users, such as `Crates <crates@example.com>`
    #[arg(long, hide = true, env = "SUPERCARGO_EMAIL_FROM", value_name = "ADDRESS", value_parser = sender, requires = "smtp_url")]
    pub email_from: Option<Mailbox>,
}

impl EmailOptions {
    /// The server and the sender, if there is mail at all.
    pub fn both(&self) -> Option<(SmtpServer, Mailbox)> {
        self.smtp_url.clone().zip(self.email_from.clone())
    }
}

fn sender(text: &str) -> Result<Mailbox, String> {
    let form = "not an address: use one such as crates@example.com or `Crates <crates@example.com>`";
    if text.contains(char::is_control) {
        return Err(form.to_owned());
    }
    text.parse().map_err(|_| form.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for right in ["crates@example.com", "Crates <crates@example.com>"] {
            assert_eq!(sender(right).unwrap().email.to_string(), "crates@example.com");
        }
        for wrong in ["", "Crates", "crates@", "a@example.com\r\nBcc: b@example.com"] {
            assert!(sender(wrong).unwrap_err().starts_with("not an address: use"), "{wrong}");
        }
    }
}
