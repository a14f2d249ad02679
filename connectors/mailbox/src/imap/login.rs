//! Proving the account.

use data_encoding::BASE64;
use leadgate_core::secret::Secret;

use super::folders::escaped;
use super::said::{self, Answer, Data, Status, Verdict};
use super::{ImapError, Session};

/// What the account proves itself by.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    Password(&'a Secret),
    /// An access token.
    Token(&'a Secret),
}

/// How often a server may ask back: once for the proof, once to tell why it refuses it.
const CHALLENGES: usize = 3;

/// Logs in. Afterwards the server's capabilities are those of the account, or unknown.
pub(super) async fn login(session: &mut Session, user: &str, proof: Proof<'_>) -> Result<(), ImapError> {
    if !session.knows_capabilities() {
        session.ask_capabilities().await?;
    }
    let plain = session.offers("AUTH=PLAIN");
    let disabled = session.offers("LOGINDISABLED");
    let (tokens, encrypted) = (session.offers("AUTH=XOAUTH2"), session.offers("STARTTLS"));
    session.forget_capabilities();
    let server = session.wire.server().to_owned();
    let (status, told) = match proof {
        Proof::Token(token) => {
            if !tokens {
                return Err(ImapError::Refused(format!(
                    "{server} takes no access tokens (XOAUTH2); write a password instead of oauth"
                )));
            }
            let answer = format!("user={user}\x01auth=Bearer {}\x01\x01", token.expose());
            authenticate(session, "XOAUTH2", &answer).await?
        }
        Proof::Password(_) if disabled && !plain => {
            let hint = if encrypted { "; write security = \"starttls\"" } else { "" };
            return Err(ImapError::Refused(format!("{server} takes no password on this connection (LOGINDISABLED){hint}")));
        }
        // What is not ASCII, LOGIN has no way to send.
        Proof::Password(password) if plain || !is_plain(user) || !is_plain(password.expose()) => {
            authenticate(session, "PLAIN", &format!("\0{user}\0{}", password.expose())).await?
        }
        Proof::Password(password) => {
            let command = format!("LOGIN {} {}", escaped(user), escaped(password.expose()));
            (session.run(&command, "", |_| Ok(())).await?, String::new())
        }
    };
    match status.verdict {
        Verdict::Ok => Ok(()),
        _ => Err(refusal(&server, user, proof, &status, &told)),
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Runs AUTHENTICATE. The first challenge is empty and is answered by the proof; a second one tells why it is refused, and has to
/// be answered by nothing. Gives how it ended, and what the server told.
async fn authenticate(session: &mut Session, mechanism: &str, proof: &str) -> Result<(Status, String), ImapError> {
    let mut answer = Some(BASE64.encode(proof.as_bytes()));
    let mut told = String::new();
    let tag = session.send(&format!("AUTHENTICATE {mechanism}")).await?;
    for _ in 0..CHALLENGES {
        let challenge = loop {
            match session.next(&tag).await? {
                Answer::Done(_, status) => {
                    session.done();
                    return Ok((status, told));
                }
                Answer::More(challenge) => break challenge,
                Answer::Data(Data::Unreadable(_)) => return Err(session.out_of_step()),
                Answer::Data(_) => {}
            }
        };
        let next = answer.take().unwrap_or_else(|| {
            told = BASE64.decode(&challenge).map(|plain| said::words(&String::from_utf8_lossy(&plain))).unwrap_or_default();
            String::new()
        });
        session.wire.send(&next).await?;
    }
    Err(session.out_of_step())
}

/// Tells a refused account from trouble that goes away by itself: by the code (RFC 5530), or where there is none by what servers
/// write then.
fn refusal(server: &str, user: &str, proof: Proof<'_>, status: &Status, told: &str) -> ImapError {
    let secret = match proof {
        Proof::Password(secret) | Proof::Token(secret) => secret,
    };
    // No server should repeat it; this one might. A shorter one is part of too many words.
    let clean = |text: &str| if secret.expose().len() < 4 { text.to_owned() } else { text.replace(secret.expose(), "<secret>") };
    let told = if told.is_empty() { String::new() } else { format!(" ({})", clean(told)) };
    let text = format!("{}{told}", clean(status.text.trim_end_matches('.')));
    let low = status.text.to_ascii_lowercase();
    let passing = ["too many", "temporar", "try again", "unavailable", "server busy", "rate limit"];
    let passes = match status.code.as_str() {
        "UNAVAILABLE" | "INUSE" | "LIMIT" | "SERVERBUG" => true,
        "" | "ALERT" => passing.iter().any(|words| low.contains(words)),
        _ => false,
    };
    if passes {
        return ImapError::Network(format!("{server} cannot let {user:?} in now: {text}"));
    }
    let hint = match (status.code.as_str(), proof) {
        ("PRIVACYREQUIRED", _) => "; it wants an encrypted connection: write security = \"starttls\" or \"tls\"",
        ("EXPIRED", Proof::Password(_)) => "; the password ran out",
        (_, Proof::Password(_)) if low.contains("application-specific") || low.contains("app password") => {
            "; make a password for applications in the account's settings and write that one"
        }
        (_, Proof::Password(_)) => "; providers with two-step login want a password for applications, and IMAP to be switched on",
        (_, Proof::Token(_)) => "; the token may lack the scope for IMAP, or belong to another account",
    };
    ImapError::Refused(format!("{server} refused {user:?}: {text}{hint}"))
}
