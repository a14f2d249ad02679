//! What one of us answers a customer by mail.

use leadgate_core::ports::{DeliverError, Delivered, Parcel};
use leadgate_core::views::{ActivityView, LeadDetail};
use leadgate_outbound::mail::{self, Heading, Letter, LetterKind, Mailbox};

use super::{Mailing, activity, moot, trouble};
use crate::answers;

impl Mailing {
    /// Sends it to the customer, and keeps how that went.
    pub(super) async fn reply(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let store = self.store().await?;
        let Some(id) = parcel.job.data.lead else { return Ok(moot("not sent: it is of no lead")) };
        let Some(lead) = store.lead(id).await.map_err(|error| trouble(&error))? else {
            return Ok(moot("not sent: the lead does not exist any more"));
        };
        let Some(written) = activity(Some(&lead), None, parcel) else {
            return Ok(moot("not sent: there is nothing to send any more"));
        };
        let sent = match self.answer_letter(parcel, &lead, written) {
            Ok(letter) => self.mailer.send(&letter).await.map(|delivered| (delivered, letter.message_id)),
            Err(error) => Err(error),
        };
        let routes = &self.gateway.live().rules.routes;
        match sent {
            Ok((delivered, message_id)) => {
                answers::delivered(&**store, parcel, Some(message_id)).await.map_err(|error| trouble(&error))?;
                Ok(delivered)
            }
            Err(error) => {
                answers::refused(&**store, parcel, None, &error, routes).await.map_err(|error| trouble(&error))?;
                Err(error)
            }
        }
    }

    fn answer_letter(&self, parcel: &Parcel, lead: &LeadDetail, written: &ActivityView) -> Result<Letter, DeliverError> {
        let refused = |words: &str| DeliverError::Refused { words: words.to_owned() };
        let given = lead.timeline.iter().rev().find(|other| !other.content.outgoing && other.source.is_some());
        let to = mail::customer_address(lead.person.as_ref(), given, &self.rules.ours)
            .ok_or_else(|| refused("not sent: the customer has no address that can be written to"))?;
        let text = written.content.message.clone().ok_or_else(|| refused("not sent: it says nothing"))?;
        let settings = self.mailer.settings();
        let name = if settings.from.name().is_empty() { self.people.company.as_str() } else { settings.from.name() };
        let from = Mailbox::new(name, settings.from.email()).unwrap_or_else(|| settings.from.clone());
        let Heading { message_id, envelope_from, date, .. } = self.heading(parcel, to.clone());
        Ok(Letter {
            files: Vec::new(),
            from,
            to,
            reply_to: None,
            subject: subject(given).unwrap_or_else(|| self.people.company.clone()),
            text: text + "\n",
            html: None,
            message_id,
            in_reply_to: None,
            references: Vec::new(),
            envelope_from,
            kind: LetterKind::Written,
            date,
            canary: None,
        })
    }
}

/// As an answer to the mail the customer wrote last.
fn subject(given: Option<&ActivityView>) -> Option<String> {
    let subject = given?.content.mail.as_ref()?.subject.trim();
    let answers = subject.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("re:"));
    match subject {
        "" => None,
        _ if answers => Some(subject.to_owned()),
        _ => Some(format!("Re: {subject}")),
    }
}
