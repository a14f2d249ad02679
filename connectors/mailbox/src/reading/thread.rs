//! What a mail answers, and what answers to it will name.

use leadgate_core::submission::Reference;

use super::bounce;
use crate::mime::Mail;

/// Message ids are looked up in this scope.
pub const SCOPE: &str = "message-id";
/// References that are looked up at most: a thread of years names hundreds.
const MOST: usize = 50;

/// Mails that this one may answer: In-Reply-To, then References, the newest first, each once. A bounce or a report answers the
/// mail it speaks of.
pub fn refers_to(mail: &Mail) -> Vec<Reference> {
    let ids =
        bounce::original(mail).into_iter().chain(mail.in_reply_to.iter().cloned()).chain(mail.references.iter().rev().cloned());
    let mut out: Vec<Reference> = Vec::new();
    for id in ids {
        if out.len() == MOST {
            break;
        }
        let Some(reference) = reference(&id) else { continue };
        let own = mail.message_id.as_deref().is_some_and(|own| own == reference.value);
        if !own && !out.contains(&reference) {
            out.push(reference);
        }
    }
    out
}

/// What answers to this mail will name.
pub fn known_as(mail: &Mail) -> Vec<Reference> {
    mail.message_id.as_deref().and_then(reference).into_iter().collect()
}

fn reference(id: &str) -> Option<Reference> {
    let value = id.trim().trim_start_matches('<').trim_end_matches('>').trim();
    (!value.is_empty()).then(|| Reference { scope: SCOPE.to_owned(), value: value.to_owned() })
}
