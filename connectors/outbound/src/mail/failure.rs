//! What an attempt failed by, in words that say what to do; and what that means for others. Words hold the server's name, codes, and
//! nothing a server wrote: that may hold an address.

use leadgate_core::ports::DeliverError;
use leadgate_wire::peer::PeerError;
use lettre::transport::smtp::Error;

/// Where in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Connecting, and TLS.
    Connect,
    /// The greeting.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Login,
    /// MAIL FROM.
    From,
    /// RCPT TO.
    To,
    /// DATA and the mail itself.
    Data,
}

impl Step {
    /// What the server should have done then.
    fn words(self) -> &'static str {
        match self {
            Self::Connect => "let itself be reached",
            Self::Greeting => "greeted",
            Self::Hello => "answered EHLO",
            Self::StartTls => "begun TLS",
            Self::Login => "answered the login",
            Self::From => "taken the sender",
            Self::To => "taken the recipient",
            Self::Data => "taken the mail",
        }
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection, or a certificate that is not believed.
    Peer(PeerError),
    /// The server refused a step.
    Said {
        /// Which.
        step: Step,
        /// The reply's code.
        code: u16,
        /// The enhanced code (RFC 3463), if it gave one.
        status: Option<String>,
    },
    /// The connection broke, or what came cannot be read.
    Broke {
        /// In which step.
        step: Step,
        /// How.
        words: &'static str,
    },
    /// It was not done in time.
    Slow {
        /// In which step.
        step: Step,
        /// Seconds.
        seconds: u64,
    },
    /// It offers no STARTTLS.
    NoStartTls,
    /// It goes on in plain text after STARTTLS.
    Injected,
    /// It takes no login, or none of the ways to log in.
    NoLogin,
    /// The recipient's address has letters that it does not take.
    NoUnicode,
}

impl Failure {
    /// What a step of `lettre`'s ended with.
    pub(super) fn of(step: Step, error: &Error) -> Self {
        let Some(code) = error.status() else {
            let words = if error.is_response() { "what it answers cannot be read" } else { "the connection broke" };
            return Self::Broke { step, words };
        };
        let said = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        Self::Said { step, code: code.into(), status: enhanced(&said) }
    }

    /// Whether a connection that had been waiting was closed before anything was said.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Broke { step: Step::From, .. } | Self::Said { step: Step::From, code: 421, .. })
    }

    /// What it means for this mail and for others.
    pub(super) fn verdict(self, server: &str) -> DeliverError {
        let unavailable = |words: String| DeliverError::Unavailable { words, after: None };
        match self {
            Self::Peer(error) => unavailable(error.to_string()),
            Self::Said { step, code, status } => said(server, step, code, status.as_deref()),
            // It took the mail's beginning, so it is there: what broke may be this mail's doing, and the others are not to wait for it.
            Self::Broke { step: Step::Data, words } => DeliverError::Later {
                words: format!(
                    "{server} did not say that it has taken the mail: {words}; it may have arrived, and is sent again"
                ),
                after: None,
            },
            Self::Slow { step: Step::Data, seconds } => DeliverError::Later {
                words: format!("{server} did not take the mail within {seconds} s; it may have arrived, and is sent again"),
                after: None,
            },
            Self::Broke { step, words } => unavailable(format!("{server} has not {}: {words}", step.words())),
            Self::Slow { step, seconds } => {
                let hint = match step {
                    Step::Greeting => {
                        "; a server that wants TLS from the first byte waits for it silently: is it the port of security = \"tls\"?"
                    }
                    _ => "",
                };
                unavailable(format!("{server} has not {} within {seconds} s{hint}", step.words()))
            }
            Self::NoStartTls => {
                unavailable(format!("{server} offers no STARTTLS; write security = \"tls\", and the port for it (465 usually)"))
            }
            Self::Injected => unavailable(format!("{server} goes on in plain text after STARTTLS: somebody may be in the way")),
            Self::NoLogin => unavailable(format!(
                "{server} takes no login by user and password here: is it the port for sending (587, or 465 with security = \"tls\"), and \
                 does the provider allow SMTP with a password?"
            )),
            Self::NoUnicode => DeliverError::Refused {
                words: format!("the recipient's address is not written in ASCII letters, and {server} takes no other (SMTPUTF8)"),
            },
        }
    }
}

fn said(server: &str, step: Step, code: u16, status: Option<&str>) -> DeliverError {
    let codes = status.map_or_else(|| code.to_string(), |status| format!("{code} {status}"));
    let passing = (400..500).contains(&code);
    let words = match (step, code) {
        (_, 421) => format!("{server} has no time now ({codes})"),
        (Step::Login, _) if passing => format!("{server} takes no logins now ({codes})"),
        (Step::Login, _) => format!(
            "{server} does not accept user and password of [mail] ({codes}). Many providers want a password made for this program alone (an \
             app password) and SMTP switched on for the mailbox"
        ),
        (_, 530) => format!("{server} wants a login first ({codes}): write user and password in [mail]"),
        (Step::From, _) if passing => format!("{server} takes no mail from this sender now ({codes})"),
        (Step::From, _) => format!(
            "{server} does not let this account send from the address in [mail] ({codes}): from and bounces must be addresses of the \
             account"
        ),
        (Step::To, _) if passing => format!("{server} does not take mail for this recipient now ({codes})"),
        (Step::To, _) if is_relay(status) => format!(
            "{server} does not pass mail on to this recipient ({codes}): if so with every one, it wants a login, or does not know this \
             gateway"
        ),
        (Step::To, _) => format!("{server} says that there is no such recipient, or that it takes nothing ({codes})"),
        (Step::Data, _) if passing => format!("{server} does not take the mail now ({codes})"),
        (Step::Data, _) => format!("{server} refuses the mail ({codes})"),
        (step, _) => format!("{server} has not {} ({codes})", step.words()),
    };
    match step {
        _ if code == 421 || code == 530 => DeliverError::Unavailable { words, after: None },
        Step::To | Step::Data if passing => DeliverError::Later { words, after: None },
        // Where everybody is refused, it is not the recipient's doing.
        Step::To if !is_relay(status) => DeliverError::NoRecipient { words },
        Step::To | Step::Data => DeliverError::Refused { words },
        _ => DeliverError::Unavailable { words, after: None },
    }
}

/// `X.7.1`: not authorised (RFC 3463, section 3.8), which servers say where they do not relay.
fn is_relay(status: Option<&str>) -> bool {
    status.is_some_and(|status| status.ends_with(".7.1"))
}

/// The enhanced code a reply begins with (RFC 2034): `5.1.1`.
fn enhanced(said: &str) -> Option<String> {
    let word = said.split_whitespace().next()?;
    let parts: Vec<&str> = word.split('.').collect();
    let number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(number)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_code_is_taken_of_what_a_server_says() {
        assert_eq!(enhanced("5.1.1 <anna@mail.ru> unknown"), Some("5.1.1".to_owned()));
        for no in ["", "anna@mail.ru", "5.1", "5.1.1.1", "9.1.1 x", "5.a.1", "5.1111.1", "5..1"] {
            assert_eq!(enhanced(no), None, "{no}");
        }
    }

    #[test]
    fn a_refusal_is_of_the_mail_the_recipient_or_the_server() {
        let verdict = |step, code| Failure::Said { step, code, status: None }.verdict("mail.example.com:587");
        for (step, code) in
            [(Step::Login, 535), (Step::From, 550), (Step::From, 451), (Step::To, 421), (Step::To, 530), (Step::Greeting, 554)]
        {
            assert!(matches!(verdict(step, code), DeliverError::Unavailable { .. }), "{step:?} {code}");
        }
        for (step, code) in [(Step::To, 450), (Step::To, 452), (Step::Data, 451)] {
            assert!(matches!(verdict(step, code), DeliverError::Later { .. }), "{step:?} {code}");
        }
        for code in [550, 552, 553] {
            assert!(matches!(verdict(Step::To, code), DeliverError::NoRecipient { .. }), "{code}");
        }
        for (step, code) in [(Step::Data, 554), (Step::Data, 552)] {
            assert!(matches!(verdict(step, code), DeliverError::Refused { .. }), "{step:?} {code}");
        }
        assert!(verdict(Step::Login, 535).to_string().contains("app password"));
        let relay = Failure::Said { step: Step::To, code: 550, status: Some("5.7.1".to_owned()) }.verdict("here:25");
        assert!(matches!(relay, DeliverError::Refused { .. }), "{relay:?}");
        let relay = relay.to_string();
        assert!(relay.contains("550 5.7.1") && relay.contains("wants a login"), "{relay}");
    }
}
