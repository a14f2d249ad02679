//! The section `[mail]`. Everything that is wrong with it is told at once, its templates included.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use leadgate_core::onward::JobId;
use leadgate_core::ports::Secrets;
use leadgate_core::secret::Secret;
use leadgate_wire::keys::Keys;
use leadgate_wire::peer::{Peer, Ports, Security, Usual};
use uuid::Uuid;

use super::letter::{Heading, message_id};
use super::mailbox::Mailbox;
use super::templates::Templates;

/// Of submission (RFC 6409, RFC 8314); without encryption, a mail server of this machine.
const PORTS: Ports = Ports { tls: 465, starttls: 587, plain: 25 };
/// Connections at once, unless `connections` says otherwise.
const CONNECTIONS: u64 = 4;

/// Where an answer to a notice goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplyVia {
    /// To the customer.
    #[default]
    Customer,
    /// To the gateway, which passes it on and keeps it.
    Gateway,
}

/// The section `[mail]`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server. Its `timeout` is for a whole sending.
    pub server: Peer,
    /// The account, if there is one.
    pub login: Option<(String, Secret)>,
    /// Whom mails are from.
    pub from: Mailbox,
    /// Where it is told that a mail could not be delivered (MAIL FROM).
    pub bounces: Mailbox,
    /// Connections at once.
    pub connections: usize,
    /// Where an answer to a notice goes.
    pub reply_via: ReplyVia,
    /// The templates.
    pub templates: Templates,
}

/// Reads the section; problems are noted in `keys`. `None`: it cannot be used.
pub fn read(keys: &mut Keys, secrets: &dyn Secrets) -> Option<Settings> {
    let before = keys.problems();
    let usual = Usual { host: None, example: "smtp.example.com", security: Security::StartTls, ports: PORTS };
    let server = Peer::take(keys, &usual);
    let login = login(keys, secrets);
    let from = from(keys);
    let bounces = mailbox(keys, "bounces");
    let connections = keys.number("connections", 1..=64).unwrap_or(CONNECTIONS);
    let choices = [("customer", ReplyVia::Customer), ("gateway", ReplyVia::Gateway)];
    let reply_via = keys.one_of("reply_via", &choices).unwrap_or_default();
    let footer = keys.text("footer").unwrap_or_default();
    let folder = keys.text("templates").map(PathBuf::from);
    let (templates, problems) = Templates::new(folder.as_deref(), &footer);
    for problem in problems {
        keys.problem("templates", problem);
    }
    let (from, connections) = (from?, usize::try_from(connections).ok()?);
    let bounces = bounces.unwrap_or_else(|| from.clone());
    let settings = Settings { server, login, from, bounces, connections, reply_via, templates };
    (keys.problems() == before).then_some(settings)
}

impl Settings {
    /// The heading of a notice.
    pub fn heading(&self, job: JobId, to: Mailbox, date: Timestamp) -> Heading {
        Heading {
            from: self.from.clone(),
            to,
            reply_to: None,
            message_id: message_id(job, &self.from),
            in_reply_to: None,
            references: Vec::new(),
            envelope_from: Some(self.bounces.clone()),
            date,
        }
    }

    /// The Message-ID that all notices of one lead or contact refer to, so that mail programs show them together. No mail has it.
    pub fn thread(&self, about: Uuid) -> String {
        format!("{about}@{}", self.from.domain())
    }

    /// The longest that a sending takes: waiting for a connection, and the conversation.
    pub fn longest(&self) -> Duration {
        self.server.timeout * 2
    }
}

fn login(keys: &mut Keys, secrets: &dyn Secrets) -> Option<(String, Secret)> {
    let (user, there) = (keys.text("user"), keys.has("password"));
    let password = keys.secret("password", secrets);
    match (&user, there) {
        (Some(user), _) if user.trim().is_empty() || user.chars().any(char::is_control) => {
            keys.problem("user", "there is no such account; leave it out if the server wants no login");
        }
        (Some(_), false) => {
            keys.problem("password", "how does the account prove itself? write password = { env = \"MAIL_PASSWORD\" }");
        }
        (None, true) => keys.problem("user", "whose password is it? write user = \"leads@example.com\""),
        _ => {}
    }
    Some((user?, password?))
}

fn from(keys: &mut Keys) -> Option<Mailbox> {
    if !keys.has("from") {
        keys.problem("from", "whom are mails from? write from = \"Leadgate <leads@example.com>\"");
    }
    mailbox(keys, "from")
}

fn mailbox(keys: &mut Keys, key: &'static str) -> Option<Mailbox> {
    let text = keys.text(key)?;
    let read = Mailbox::read(&text).and_then(|mailbox| {
        // Not every server takes others, and everything is to be sent with it.
        if mailbox.email().is_ascii() { Ok(mailbox) } else { Err(format!("{text:?} must be written in ASCII letters")) }
    });
    read.map_err(|why| keys.problem(key, why)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain;

    impl Secrets for Plain {
        fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
            value.as_str().map(Secret::new).ok_or_else(|| "there is no such variable".to_owned())
        }
    }

    fn settings(text: &str) -> (Option<Settings>, Vec<String>) {
        let mut keys = Keys::new(text.parse().unwrap());
        let settings = read(&mut keys, &Plain);
        (settings, keys.finish().into_iter().map(|problem| format!("{}: {}", problem.key, problem.words)).collect())
    }

    #[test]
    fn little_has_to_be_said() {
        let (settings, problems) = settings(
            "host = \"smtp.zavod.ru\"\nuser = \"leads@zavod.ru\"\npassword = \"x\"\nfrom = \"Leadgate <leads@zavod.ru>\"",
        );
        let settings = settings.unwrap();
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!((settings.server.port, settings.server.security), (587, Security::StartTls));
        assert_eq!((settings.bounces.email(), settings.connections), ("leads@zavod.ru", 4));
        assert_eq!(settings.server.timeout, Duration::from_mins(1));
        assert!(!format!("{settings:?}").contains("\"x\""));
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let (settings, problems) = settings(
            "host = \"smtp://x\"\nsecurity = \"none\"\nuser = \"a\"\nfrom = \"nobody\"\nbounces = \"ü@zavod.ru\"\ntimeout = \"1\"\n\
             connections = 0\nreply_via = \"post\"\ntemplates = \"/no/such/folder\"\nfrm = 1",
        );
        assert!(settings.is_none());
        let keys: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
        for key in ["host", "security", "password", "from", "bounces", "timeout", "connections", "reply_via", "templates", "frm"]
        {
            assert!(keys.contains(&key), "{key}: {problems:#?}");
        }
        let (_, problems) = self::settings("password = \"x\"");
        assert!(problems.iter().any(|problem| problem.starts_with("user: whose password")), "{problems:?}");
        assert!(problems.iter().any(|problem| problem.starts_with("from: whom are mails from")), "{problems:?}");
    }

    #[test]
    fn a_password_does_not_travel_in_plain_text() {
        let (_, problems) = settings("host = \"smtp.zavod.ru\"\nsecurity = \"plain\"\nfrom = \"a@zavod.ru\"");
        assert!(problems[0].contains("readable on the way"), "{problems:?}");
        let (here, problems) = settings("host = \"127.0.0.1\"\nsecurity = \"plain\"\nfrom = \"a@zavod.ru\"");
        assert_eq!((here.unwrap().server.port, problems.len()), (25, 0));
    }
}
