//! A trial: connects, looks, tells, and reads nothing into the gateway.

use leadgate_core::ports::Finding;
use leadgate_wire::peer::Security;

use super::server::{Door, Server};
use crate::imap::{FolderInfo, FolderState, ImapError};
use crate::settings::{After, Settings, Start};

/// Folders that are told by name.
const MOST_NAMES: usize = 40;

/// Tries a mailbox, telling each finding as it is made.
pub(super) async fn try_out<D: Door>(door: &D, settings: &Settings, tell: &(dyn Fn(Finding) + Send + Sync)) {
    let good = |words: String| tell(Finding { ok: true, words });
    let bad = |words: String| tell(Finding { ok: false, words });
    let connection = &settings.connection;
    let mut server = match door.open().await {
        Ok(server) => server,
        Err(error) => return bad(advice(&error, settings)),
    };
    let how = match connection.server.security {
        Security::Tls if connection.server.fingerprint.is_some() => "by TLS, with the certificate that is named",
        Security::Tls => "by TLS, with a certificate that is believed",
        Security::StartTls if connection.server.fingerprint.is_some() => "by STARTTLS, with the certificate that is named",
        Security::StartTls => "by STARTTLS, with a certificate that is believed",
        Security::Plain => "without encryption",
    };
    let shown = server.certificate().map(|fingerprint| format!(" (SHA-256 {fingerprint})")).unwrap_or_default();
    good(format!("connected to {}:{} {how}{shown}", connection.server.host, connection.server.port));
    good(format!("logged in as {}", connection.user));
    if let Some(warning) = connection.warning() {
        bad(warning);
    }
    let poll = settings.watching.poll.as_secs();
    good(if server.offers("IDLE") {
        "the server tells of new mail at once (IDLE)".to_owned()
    } else {
        format!("the server does not tell of new mail (no IDLE): it is looked for every {poll} s")
    });
    match server.folders().await {
        Ok(there) => good(format!("there are {} folders: {}", there.len(), names(&there))),
        Err(error) => return bad(format!("the folders cannot be listed: {error}")),
    }
    let (folders, sent) = (&settings.watching.folders, &settings.watching.sent);
    for (name, sent) in folders.iter().map(|name| (name, false)).chain(sent.iter().map(|name| (name, true))) {
        match folder(&mut server, name, sent, settings).await {
            Ok(words) => good(words),
            Err(error @ ImapError::NoFolder(_)) => {
                bad(format!("{error}: write the folder's name as it is listed above"));
                // After an error a connection is not used again.
                server = match door.open().await {
                    Ok(server) => server,
                    Err(error) => return bad(advice(&error, settings)),
                };
            }
            Err(error) => return bad(format!("the folder {name:?} cannot be opened: {error}")),
        }
    }
    server.close().await;
}

/// What would be read of a folder, and what would be done.
async fn folder<S: Server>(server: &mut S, name: &str, sent: bool, settings: &Settings) -> Result<String, ImapError> {
    let after = if sent { &After::Nothing } else { &settings.watching.after };
    let state = server.select(name, *after != After::Nothing).await?;
    let FolderState { exists, .. } = state;
    let kind = if sent { "the folder of sent mail" } else { "the folder" };
    let begins = match settings.watching.start {
        Start::Now => format!("{exists} mails are there, of which none is read: reading begins with what comes from now on"),
        Start::Since(day) => {
            let count = server.uids(1, Some(day)).await?.len();
            format!("{exists} mails are there, of which the {count} since {day} are read, as older ones")
        }
    };
    let done = match after {
        After::Nothing => "nothing is changed in it".to_owned(),
        After::Seen => "what was read is marked as seen".to_owned(),
        After::Keyword(keyword) if state.keywords => format!("what was read gets the keyword {keyword}"),
        After::Keyword(keyword) => {
            format!("what was read should get the keyword {keyword}, which this server does not keep: use \"seen\" or a folder")
        }
        After::Move(to) => format!("what was read is moved to {to:?}"),
    };
    Ok(format!("{kind} {name:?}: {begins}; {done}"))
}

fn names(there: &[FolderInfo]) -> String {
    let mut names: Vec<String> = there.iter().take(MOST_NAMES).map(|folder| format!("{:?}", folder.name)).collect();
    if there.len() > MOST_NAMES {
        names.push("...".to_owned());
    }
    names.join(", ")
}

/// What failed when connecting, and what to do about it.
fn advice(error: &ImapError, settings: &Settings) -> String {
    let connection = &settings.connection;
    let (host, port) = (&connection.server.host, connection.server.port);
    match error {
        ImapError::Network(why) => format!(
            "{host}:{port} cannot be reached: {why}. Check host, port and security in the configuration (993 with tls, 143 with \
             starttls), and that this machine may connect to it"
        ),
        ImapError::Tls(why) => format!(
            "the connection to {host}:{port} cannot be encrypted: {why}. Name the certificate authority (ca), or the certificate's \
             fingerprint, if you know that it is right"
        ),
        // It names the account, and what such a server wants.
        ImapError::Refused(why) => why.clone(),
        other => format!("the server does not speak as it should: {other}"),
    }
}
