//! What a manager writes to a customer by the gateway, as a mail. How it fares stands on the timeline.

use std::sync::Arc;

use leadgate_core::chat::{SendState, SentAs};
use leadgate_core::ports::{DeliverError, Delivered, Parcel, Store};
use leadgate_core::submission::Reference;
use leadgate_core::views::{ActivityView, ContactDetail, LeadDetail};
use leadgate_mailbox::mime::{self, Hints};
use leadgate_outbound::mail::{self, Heading, Letter, LetterKind, Mailbox};

use super::{Mailing, activity, moot, trouble};
use crate::answers;
use crate::erasing::unpacked;

/// Bytes of a kept mail in which its head is looked for.
const HEAD: usize = 64 << 10;

impl Mailing {
    /// A manager's answer goes to the customer, once: what was taken is not sent again, whatever happened to the delivery.
    pub(super) async fn reply(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let store = self.store().await?;
        let (lead, person) = self.about(parcel).await?;
        let Some(written) = activity(lead.as_ref(), person.as_ref(), parcel) else {
            return Ok(moot("not sent: it does not stand on the timeline any more"));
        };
        match &written.content.sending {
            None => return Ok(moot("not sent: it is not to be sent any more")),
            Some(sending) if sending.state == SendState::Delivered => return Ok(moot("it was sent before")),
            Some(_) => {}
        }
        let outcome = match self.letter(store, parcel, written, lead.as_ref(), person.as_ref()).await {
            Ok(letter) => self.mailer.send(&letter).await,
            Err(error) => Err(error),
        };
        self.fares(store, parcel, written, &outcome).await;
        outcome
    }

    async fn letter(
        &self,
        store: &Arc<dyn Store>,
        parcel: &Parcel,
        written: &ActivityView,
        lead: Option<&LeadDetail>,
        person: Option<&ContactDetail>,
    ) -> Result<Letter, DeliverError> {
        let refused = |words: &str| DeliverError::Refused { words: format!("not sent: {words}") };
        let timeline = lead.map(|lead| &lead.timeline).or_else(|| person.map(|person| &person.timeline));
        let came = || timeline.into_iter().flatten().rev().filter(|one| !one.content.outgoing && one.source.is_some());
        let whose = lead.and_then(|lead| lead.person.as_ref()).or(person);
        let to = mail::customer_address(whose, came().next(), &self.rules.ours)
            .ok_or_else(|| refused("the customer has no address that can be written to"))?;
        let text = written.content.message.clone().filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| refused("it says nothing"))?;
        let last = came().find_map(|one| Some((one, one.content.mail.as_ref()?)));
        let (mut in_reply_to, mut references) = (None, Vec::new());
        if let Some(id) = last.and_then(|(one, _)| one.submission)
            && let Some(kept) = store.submission(id).await.map_err(|error| trouble(&error))?
        {
            // Its bytes may be gone: then it is an answer all the same, of a thread of its own.
            let bytes = unpacked(kept.codec, kept.raw).unwrap_or_default();
            let read = mime::read(&bytes[..bytes.len().min(HEAD)], &Hints::default());
            references = read.references;
            references.extend(read.message_id.clone());
            in_reply_to = read.message_id;
        }
        let about = last.map(|(_, mail)| mail.subject.as_str()).filter(|subject| !subject.is_empty());
        let about = about.or_else(|| lead.map(|lead| lead.lead.title.as_str())).unwrap_or(self.people.company.as_str());
        let answers = about.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("re:"));
        let settings = self.mailer.settings();
        let name = if settings.from.name().is_empty() { self.people.company.as_str() } else { settings.from.name() };
        let from = Mailbox::new(name, settings.from.email()).unwrap_or_else(|| settings.from.clone());
        let Heading { to, message_id, envelope_from, date, .. } = self.heading(parcel, to);
        Ok(Letter {
            from,
            to,
            reply_to: None,
            subject: if answers { about.to_owned() } else { format!("Re: {about}") },
            text: text + "\n",
            html: None,
            files: Vec::new(),
            message_id,
            in_reply_to,
            references,
            envelope_from,
            kind: LetterKind::Written,
            date,
            canary: None,
        })
    }

    /// Keeps how it fares, once that is certain. If that cannot be written now, the mail is on its way all the same.
    async fn fares(
        &self,
        store: &Arc<dyn Store>,
        parcel: &Parcel,
        written: &ActivityView,
        outcome: &Result<Delivered, DeliverError>,
    ) {
        let kept = match outcome {
            Ok(delivered) => {
                let known = delivered.refs.iter().find(|(scope, _)| scope == Reference::MESSAGE_ID);
                let sent_as =
                    |(scope, id): &(String, String)| SentAs { message: id.clone(), reference: Reference::new(scope, id) };
                answers::delivered(&**store, parcel, known.map(sent_as)).await
            }
            Err(error) => answers::refused(&**store, parcel, written.source.as_ref(), error, &self.rules.routes).await,
        };
        if let Err(error) = kept {
            tracing::warn!(%error, job = %parcel.job.id, "how a reply fares could not be written");
        }
    }
}
