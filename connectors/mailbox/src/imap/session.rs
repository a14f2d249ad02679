//! A connection that is logged in, and the one way a command is run: to its tagged end, or it failed.

use std::collections::{BTreeSet, HashMap};

use leadgate_wire::peer::{Io, Security, fingerprint_text};
use tokio::time::Instant;

use super::login::{self, Proof};
use super::said::{self, Answer, Data, Status, Verdict};
use super::wire::{Frame, Wire};
use super::{FolderState, ImapError};
use crate::settings::{Connection, Login};

/// A connection that is logged in.
///
/// After [`ImapError::NoFolder`] and [`ImapError::Server`] it can be used further; after any other error, or when a step was dropped
/// halfway, every further step fails.
pub struct Session {
    pub(super) wire: Wire,
    capabilities: BTreeSet<String>,
    /// The SHA-256 of the server's certificate.
    certificate: Option<[u8; 32]>,
    /// How many commands there were; each has its number as tag.
    tag: u32,
    /// Whether nothing is under way and nothing went wrong.
    usable: bool,
    /// Mails in the open folder, as far as the server told.
    exists: u32,
    /// Whether mails came that nobody has looked for since.
    pub(super) news: bool,
    /// Whether the last command was told of a change.
    pub(super) changed: bool,
    pub(super) idle_refused: bool,
    /// Folders whose names the server does not write as the standard says.
    pub(super) written: HashMap<String, String>,
}

impl Session {
    /// Connects, proves the account, asks what the server can do.
    pub async fn open(connection: &Connection) -> Result<Self, ImapError> {
        let oauth = match &connection.login {
            Login::Password(password) => return Self::open_with(connection, Proof::Password(password)).await,
            Login::OAuth(oauth) => oauth,
        };
        let (token, new) = oauth.access(None).await?;
        match Self::open_with(connection, Proof::Token(&token)).await {
            // Taken back before its time: once more with a new one.
            Err(ImapError::Refused(_)) if !new => {
                let (token, _) = oauth.access(Some(&token)).await?;
                Self::open_with(connection, Proof::Token(&token)).await
            }
            Err(ImapError::Refused(why)) => {
                oauth.forget(&token).await;
                Err(ImapError::Refused(why))
            }
            other => other,
        }
    }

    async fn open_with(connection: &Connection, proof: Proof<'_>) -> Result<Self, ImapError> {
        let (mut stream, mut certificate) = (connection.server.connect().await?, None);
        if connection.server.security == Security::Tls {
            let (encrypted, shown) = connection.server.shake(stream).await?;
            (stream, certificate) = (encrypted, Some(shown));
        }
        let mut session = Self::over(stream, certificate, connection);
        let greeted = session.greeting(connection).await?;
        if connection.server.security == Security::StartTls {
            if greeted == Verdict::PreAuth {
                let server = session.wire.server();
                return Err(ImapError::Tls(format!(
                    "{server} skips the login and so forbids STARTTLS: somebody may be in the way"
                )));
            }
            session = session.start_tls(connection).await?;
        }
        if greeted == Verdict::Ok {
            login::login(&mut session, &connection.user, proof).await?;
        }
        if session.capabilities.is_empty() {
            session.ask_capabilities().await?;
        }
        Ok(session)
    }

    fn over(stream: Box<dyn Io>, certificate: Option<[u8; 32]>, connection: &Connection) -> Self {
        Self {
            wire: Wire::new(stream, connection.server.name(), connection.server.timeout),
            capabilities: BTreeSet::new(),
            certificate,
            tag: 0,
            usable: true,
            exists: 0,
            news: false,
            changed: false,
            idle_refused: false,
            written: HashMap::new(),
        }
    }

    async fn greeting(&mut self, connection: &Connection) -> Result<Verdict, ImapError> {
        let frame = self.wire.answer_by(Instant::now() + connection.server.timeout).await?;
        let server = self.wire.server();
        let Some(frame) = frame else {
            let hint = match connection.server.security {
                Security::Tls => "",
                _ => "; a server that wants TLS from the first byte waits for it silently: is it the port of security = \"tls\"?",
            };
            return Err(ImapError::Network(format!("{server} does not greet{hint}")));
        };
        match said::read(&frame) {
            Answer::Data(Data::Status(status)) if matches!(status.verdict, Verdict::Ok | Verdict::PreAuth) => {
                self.learn(&status);
                Ok(status.verdict)
            }
            Answer::Data(Data::Status(status)) => {
                Err(ImapError::Network(format!("{server} does not let us in now: {}", status.text)))
            }
            _ => Err(ImapError::Unreadable(format!("what answers at {server} is no IMAP server"))),
        }
    }

    async fn start_tls(mut self, connection: &Connection) -> Result<Self, ImapError> {
        if self.capabilities.is_empty() {
            self.ask_capabilities().await?;
        }
        if !self.offers("STARTTLS") {
            let server = self.wire.server();
            return Err(ImapError::Tls(format!(
                "{server} offers no STARTTLS; write security = \"tls\", and the port for it (993 usually)"
            )));
        }
        self.run("STARTTLS", "", |_| Ok(())).await?.ok(self.wire.server(), "does not begin TLS")?;
        let server = self.wire.server().to_owned();
        let (stream, early) = self.wire.into_parts();
        // What came before encryption anybody can have written: it must not be taken for the server's word later.
        if !early.is_empty() {
            return Err(ImapError::Tls(format!("{server} goes on in plain text after STARTTLS: somebody may be in the way")));
        }
        let (stream, shown) = connection.server.shake(stream).await?;
        Ok(Self::over(stream, Some(shown), connection))
    }

    pub(super) async fn ask_capabilities(&mut self) -> Result<(), ImapError> {
        self.run("CAPABILITY", "CAPABILITY", |_| Ok(())).await?.ok(self.wire.server(), "does not say what it can do")?;
        Ok(())
    }

    /// Whether it is known what the server can do.
    pub(super) fn knows_capabilities(&self) -> bool {
        !self.capabilities.is_empty()
    }

    /// What was known before a login or TLS holds no more.
    pub(super) fn forget_capabilities(&mut self) {
        self.capabilities.clear();
    }

    /// Whether the server offers IDLE, MOVE ... (upper case); an IDLE that was refused is no more offered.
    pub fn offers(&self, capability: &str) -> bool {
        self.capabilities.contains(capability) && !(self.idle_refused && capability == "IDLE")
    }

    /// The SHA-256 of the server's certificate, as `fingerprint` takes it; `None` without encryption.
    pub fn certificate(&self) -> Option<String> {
        self.certificate.as_ref().map(fingerprint_text)
    }

    /// Opens a folder: for reading only (EXAMINE) unless it is to be changed.
    pub async fn select(&mut self, folder: &str, change: bool) -> Result<FolderState, ImapError> {
        let mut name = self.written(folder);
        loop {
            let verb = if change { "SELECT" } else { "EXAMINE" };
            (self.news, self.exists) = (false, 0);
            let (mut validity, mut next, mut keywords) = (None, None, false);
            let status = self
                .run(&format!("{verb} {}", super::folders::quoted(&name)), "", |data| {
                    if let Data::Status(status) = data {
                        match status.code.as_str() {
                            "UIDVALIDITY" => validity = status.value.parse().ok(),
                            "UIDNEXT" => next = status.value.parse().ok(),
                            "PERMANENTFLAGS" => keywords = status.value.contains("\\*"),
                            _ => {}
                        }
                    }
                    Ok(())
                })
                .await?;
            self.news = false;
            if status.verdict == Verdict::Ok {
                return self.state(folder, validity, next, Some(self.exists), keywords);
            }
            name = self.other_name(folder, &name, &status).await?;
        }
    }

    /// Looks at a folder that is not open.
    pub async fn status(&mut self, folder: &str) -> Result<FolderState, ImapError> {
        let mut name = self.written(folder);
        loop {
            let mut found = Vec::new();
            let command = format!("STATUS {} (MESSAGES UIDNEXT UIDVALIDITY)", super::folders::quoted(&name));
            let status = self
                .run(&command, "STATUS", |data| {
                    if let Data::Folder { name, messages, uid_next, uid_validity } = data {
                        found.push((name, messages, uid_next, uid_validity));
                    }
                    Ok(())
                })
                .await?;
            if status.verdict == Verdict::Ok {
                // The server may write the name in another way; what it says of other folders is not meant.
                let at = found.iter().position(|(known, ..)| super::folders::same(known, &name));
                let at = at.or((found.len() == 1).then_some(0));
                let (_, messages, next, validity) = at.map(|at| found.swap_remove(at)).unwrap_or_default();
                return self.state(folder, validity, next, messages, false);
            }
            name = self.other_name(folder, &name, &status).await?;
        }
    }

    fn state(
        &self,
        folder: &str,
        validity: Option<u32>,
        next: Option<u32>,
        exists: Option<u32>,
        keywords: bool,
    ) -> Result<FolderState, ImapError> {
        let missing =
            |what: &str| Err(ImapError::Unreadable(format!("{} gives no {what} of the folder {folder:?}", self.wire.server())));
        // Zero is no such number (RFC 3501); with it, every mail would look new.
        let Some(uid_validity) = validity.filter(|number| *number > 0) else { return missing("UIDVALIDITY") };
        let Some(uid_next) = next.filter(|number| *number > 0) else { return missing("UIDNEXT") };
        let Some(exists) = exists else { return missing("number of mails") };
        Ok(FolderState { uid_validity, uid_next, exists, keywords })
    }

    /// Says goodbye; what fails then does not matter.
    pub async fn close(mut self) {
        if let Ok(tag) = self.send("LOGOUT").await {
            let until = Instant::now() + std::time::Duration::from_secs(2);
            while let Ok(Some(frame)) = self.wire.answer_by(until).await {
                if matches!(said::read(&frame), Answer::Done(of, _) if of == tag) {
                    break;
                }
            }
        }
        self.wire.shut().await;
    }

    /// Runs a command to its tagged end; every untagged answer on the way goes to `each`. An answer that begins with `wanted` and
    /// cannot be read is an error, others of that kind are passed over.
    pub(super) async fn run(
        &mut self,
        command: &str,
        wanted: &str,
        mut each: impl FnMut(Data) -> Result<(), ImapError>,
    ) -> Result<Status, ImapError> {
        let tag = self.send(command).await?;
        let mut unreadable = false;
        loop {
            match self.next(&tag).await? {
                Answer::Done(_, status) => {
                    self.usable = true;
                    if unreadable {
                        let server = self.wire.server();
                        return Err(ImapError::Unreadable(format!(
                            "{server} answered with something that cannot be read ({wanted})"
                        )));
                    }
                    return Ok(status);
                }
                Answer::More(_) => return Err(self.out_of_step()),
                Answer::Data(Data::Unreadable(of)) => unreadable |= of == wanted,
                Answer::Data(data) => each(data)?,
            }
        }
    }

    /// Sends a command, which is under way from now on. Gives its tag.
    pub(super) async fn send(&mut self, command: &str) -> Result<String, ImapError> {
        if !self.usable {
            return Err(ImapError::Network(format!("the connection to {} was left in the middle of a step", self.wire.server())));
        }
        self.usable = false;
        self.changed = false;
        self.tag += 1;
        let tag = format!("L{}", self.tag);
        self.wire.begin();
        self.wire.send(&format!("{tag} {command}")).await?;
        Ok(tag)
    }

    /// A command has ended in order.
    pub(super) fn done(&mut self) {
        self.usable = true;
    }

    /// The next answer to the command with this tag.
    pub(super) async fn next(&mut self, tag: &str) -> Result<Answer, ImapError> {
        let frame = self.wire.answer().await?;
        self.take(&frame, tag)
    }

    /// The next answer, or `None` when the time is over.
    pub(super) async fn next_by(&mut self, tag: &str, until: Instant) -> Result<Option<Answer>, ImapError> {
        let Some(frame) = self.wire.answer_by(until).await? else { return Ok(None) };
        self.take(&frame, tag).map(Some)
    }

    fn take(&mut self, frame: &Frame, tag: &str) -> Result<Answer, ImapError> {
        let answer = said::read(frame);
        match &answer {
            Answer::Done(of, status) => {
                if of != tag {
                    return Err(self.out_of_step());
                }
                self.learn(status);
            }
            Answer::Data(Data::Status(status)) if status.verdict == Verdict::Bye => {
                let server = self.wire.server();
                return Err(ImapError::Network(format!("{server} ended the connection: {}", status.text)));
            }
            Answer::Data(Data::Status(status)) => self.learn(status),
            Answer::Data(Data::Capabilities(capabilities)) => self.capabilities = capabilities.iter().cloned().collect(),
            Answer::Data(Data::Exists(count)) => {
                self.changed |= *count != self.exists;
                self.news |= *count > self.exists;
                self.exists = *count;
            }
            Answer::Data(Data::Expunge) => {
                self.changed = true;
                self.exists = self.exists.saturating_sub(1);
            }
            Answer::Data(Data::Fetch(_)) => self.changed = true,
            Answer::Data(Data::Unreadable(_)) => {
                tracing::debug!(server = self.wire.server(), bytes = frame.bytes.len(), "an answer that cannot be read");
            }
            Answer::More(_) | Answer::Data(_) => {}
        }
        Ok(answer)
    }

    /// Takes the capabilities a status may carry.
    fn learn(&mut self, status: &Status) {
        if status.code == "CAPABILITY" {
            self.capabilities = said::capabilities(&status.value).into_iter().collect();
        }
    }

    pub(super) fn out_of_step(&self) -> ImapError {
        ImapError::Unreadable(format!("{} answered something else than it was asked", self.wire.server()))
    }
}

impl Status {
    /// An error unless it is OK: `what` it was that the server did not do.
    pub(super) fn ok(self, server: &str, what: &str) -> Result<Self, ImapError> {
        match self.verdict {
            Verdict::Ok => Ok(self),
            _ => Err(ImapError::Server(format!("{server} {what}: {}", self.text))),
        }
    }
}
