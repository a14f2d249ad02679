//! One conversation with the mail server: connecting, encrypting, logging in, handing mails over.

use std::sync::{Mutex, PoisonError};

use leadgate_wire::peer::{Io, Security};
use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::time::Instant;

use super::failure::{Failure, Step};
use super::line::{self, Line};
use super::settings::Settings;

/// How far a conversation has come, for whoever gives up on it.
#[derive(Debug)]
pub(super) struct Progress(Mutex<Step>);

impl Progress {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Step::Connect))
    }

    fn at(&self, step: Step) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    pub(super) fn now(&self) -> Step {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is logged in.
pub(super) struct Talk {
    smtp: AsyncSmtpConnection,
    /// When it was last of use.
    pub since: Instant,
    /// The SHA-256 of the server's certificate.
    pub certificate: Option<[u8; 32]>,
}

/// A mail and its envelope.
pub(super) struct Envelope<'a> {
    /// Whom it is told to if it cannot be delivered; `None`: nobody (the null sender).
    pub from: Option<Address>,
    /// To whom.
    pub to: Address,
    /// The mail.
    pub bytes: &'a [u8],
}

impl Talk {
    /// Connects and logs in.
    pub(super) async fn open(settings: &Settings, progress: &Progress) -> Result<Self, Failure> {
        let peer = &settings.server;
        progress.at(Step::Connect);
        let hello = ClientId::default();
        let mut stream = peer.connect().await.map_err(Failure::Peer)?;
        let (mut said, mut certificate) = (Vec::new(), None);
        if peer.security == Security::StartTls {
            said = start_tls(&mut stream, &hello, progress).await?;
        }
        if peer.security != Security::Plain {
            progress.at(Step::StartTls);
            let (encrypted, shown) = peer.shake(stream).await.map_err(Failure::Peer)?;
            (stream, certificate) = (encrypted, Some(shown));
        }
        progress.at(if said.is_empty() { Step::Greeting } else { Step::Hello });
        let line = Box::new(Line::new(stream, said));
        let smtp = AsyncSmtpConnection::connect_with_transport(line, &hello).await;
        let mut smtp = smtp.map_err(|error| Failure::of(progress.now(), &error))?;
        if let Some((user, password)) = &settings.login {
            progress.at(Step::Login);
            let ways = [Mechanism::Plain, Mechanism::Login];
            if !ways.iter().any(|way| smtp.server_info().supports_auth_mechanism(*way)) {
                return Err(Failure::NoLogin);
            }
            let proof = Credentials::new(user.clone(), password.expose().to_owned());
            smtp.auth(&ways, &proof).await.map_err(|error| Failure::of(Step::Login, &error))?;
        }
        Ok(Self { smtp, since: Instant::now(), certificate })
    }

    /// Whether the other end still listens.
    pub(super) async fn listens(&mut self) -> bool {
        self.smtp.test_connected().await
    }

    /// Hands a mail over. After a refusal the connection can be used further if [`Talk::recovers`] says so.
    pub(super) async fn send(&mut self, envelope: &Envelope<'_>, progress: &Progress) -> Result<String, Failure> {
        let (from, to) = (envelope.from.clone(), envelope.to.clone());
        let mut parameters = Vec::new();
        if !is_ascii(&to) || from.as_ref().is_some_and(|from| !is_ascii(from)) {
            if !self.smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(Failure::NoUnicode);
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        progress.at(Step::From);
        self.smtp.command(Mail::new(from, parameters)).await.map_err(|error| Failure::of(Step::From, &error))?;
        progress.at(Step::To);
        self.smtp.command(Rcpt::new(to, Vec::new())).await.map_err(|error| Failure::of(Step::To, &error))?;
        progress.at(Step::Data);
        self.smtp.command(Data).await.map_err(|error| Failure::of(Step::Data, &error))?;
        let taken = self.smtp.message(envelope.bytes).await.map_err(|error| Failure::of(Step::Data, &error))?;
        self.since = Instant::now();
        Ok(taken.code().to_string())
    }

    /// Whether it can be used after a failure: the server refused, and forgets the mail.
    pub(super) async fn recovers(&mut self, failure: &Failure) -> bool {
        match failure {
            Failure::NoUnicode => true,
            Failure::Said { code: 421, .. } => false,
            Failure::Said { .. } => self.smtp.command(Rset).await.is_ok(),
            _ => false,
        }
    }

    /// Takes leave.
    pub(super) async fn quit(mut self) {
        // Whether it answers matters to nobody.
        drop(self.smtp.quit().await);
    }
}

fn is_ascii(address: &Address) -> bool {
    let text: &str = address.as_ref();
    text.is_ascii()
}

/// Asks for TLS. What the server answers stands for the greeting that it will not give a second time.
async fn start_tls(stream: &mut Box<dyn Io>, hello: &ClientId, progress: &Progress) -> Result<Vec<u8>, Failure> {
    for (step, command) in
        [(Step::Greeting, String::new()), (Step::Hello, format!("EHLO {hello}")), (Step::StartTls, "STARTTLS".to_owned())]
    {
        progress.at(step);
        let said = line::ask(stream, &command).await.map_err(|error| match (step, error.kind()) {
            (Step::StartTls, std::io::ErrorKind::InvalidData) => Failure::Injected,
            (_, std::io::ErrorKind::InvalidData) => Failure::Broke { step, words: "what it answers cannot be read" },
            _ => Failure::Broke { step, words: "the connection broke" },
        })?;
        if said.code / 100 != 2 {
            return Err(Failure::Said { step, code: said.code, status: None });
        }
        match step {
            Step::Hello if !said.lines.iter().any(|line| line.trim().eq_ignore_ascii_case("STARTTLS")) => {
                return Err(Failure::NoStartTls);
            }
            Step::StartTls => return Ok(said.bytes),
            _ => {}
        }
    }
    Err(Failure::NoStartTls)
}
