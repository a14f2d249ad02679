//! A button below a notice was pressed.

use leadgate_core::change::{ChangeError, Close, LeadChange};
use leadgate_core::ids::LeadId;
use leadgate_core::onward::{BriefOf, event};
use leadgate_core::ports::{Account, DeliverError, Delivered};
use leadgate_core::views::{ActivityView, LeadDetail};
use leadgate_telegram::api::{ApiError, Message};
use leadgate_telegram::notice::{self, Press};

use super::notices::Stands;
use super::received::Told;
use super::words::Words;
use super::{Desk, done, trouble, unsaid};

impl Desk {
    /// Does what the button says, for managers; answers whoever pressed it, and shows at the message how the lead stands now.
    pub(super) async fn pressed(&self, told: &Told<'_>) -> Result<Delivered, DeliverError> {
        let said = &told.said;
        let (Some(callback), Some(person)) = (&said.callback, &said.from) else { return Ok(done("nobody pressed anything")) };
        let words = Words::of(self.live.language);
        let Some(press) = Press::parse(&callback.data) else {
            return self.answered(&callback.id, "", false).await;
        };
        let Some(account) = self.manager(person).await? else {
            return self.answered(&callback.id, words.stranger(), true).await;
        };
        let (answer, alert, lead) = self.do_it(told, press, &account, words).await?;
        if let Some(lead) = &lead {
            self.show(told, lead, &account).await?;
        }
        self.answered(&callback.id, &answer, alert).await
    }

    /// What to answer, whether it stands in a window of its own, and the lead as it is now.
    async fn do_it(
        &self,
        told: &Told<'_>,
        press: Press,
        account: &Account,
        words: Words,
    ) -> Result<(String, bool, Option<LeadDetail>), DeliverError> {
        let (store, id) = (self.store().await?, about(press));
        let change = match press {
            Press::Take(_) => LeadChange::Take(account.manager.clone()),
            Press::Junk(_) => LeadChange::Close(Close::Junk),
            Press::Undo(_) => LeadChange::Reopen,
            Press::Call(_) => {
                let Some(lead) = store.lead(id).await.map_err(|error| trouble(&error))? else {
                    return Ok((words.no_lead().to_owned(), true, None));
                };
                let (answer, alert) = self.call(told, &lead, words).await?;
                return Ok((answer, alert, None));
            }
        };
        let act = self.act(told.parcel, "pressed", format!("telegram:{}", account.manager));
        let changed = store.change_lead(id, vec![change], None, act).await.map_err(|error| trouble(&error))?;
        Ok(match changed {
            Ok(lead) => {
                let answer = match press {
                    Press::Junk(_) => words.junk(id),
                    Press::Undo(_) => words.reopened(id),
                    _ => words.taken(id),
                };
                (answer, false, Some(lead))
            }
            Err(error) => {
                let lead = store.lead(id).await.map_err(|error| trouble(&error))?;
                let answer = match (&error, press) {
                    (ChangeError::Taken(other), _) => words.taken_by(id, &self.name_of(other)),
                    (ChangeError::Missing(_), _) => words.no_lead().to_owned(),
                    // Pressed twice, or done by another in the same way.
                    (ChangeError::Closed(_), Press::Junk(_)) => words.junk(id),
                    (ChangeError::Open(_), Press::Undo(_)) => words.reopened(id),
                    _ => error.to_string(),
                };
                (answer, true, lead)
            }
        })
    }

    /// The customer's phone as a contact card, which a phone can call.
    async fn call(&self, told: &Told<'_>, lead: &LeadDetail, words: Words) -> Result<(String, bool), DeliverError> {
        let (Some(phone), Some(chat)) = (&lead.lead.phone, &told.said.chat) else {
            return Ok((words.no_phone().to_owned(), true));
        };
        let to = Message { topic: told.said.topic, reply_to: told.said.message, ..Message::new(chat.id, "") };
        match self.api.send_contact(&to, phone, &lead.lead.name).await {
            Ok(_) => Ok((String::new(), false)),
            Err(error) if error.may_pass() => Err(unsaid(&error)),
            // The number itself is better than nothing.
            Err(_) => Ok((phone.clone(), true)),
        }
    }

    /// Shows at the message how the lead stands now. That it cannot be changed any more is nobody's trouble.
    async fn show(&self, told: &Told<'_>, lead: &LeadDetail, account: &Account) -> Result<(), DeliverError> {
        let (Some(chat), Some(message)) = (&told.said.chat, told.said.message) else { return Ok(()) };
        let (store, id) = (self.store().await?, lead.lead.id);
        let job = store.job_by_ref(&self.scope(chat.id), &message.to_string()).await.map_err(|error| trouble(&error))?;
        let (name, at) = job.map_or((event::LEAD_CREATED.to_owned(), None), |job| (job.job.event, Some(job.job.at)));
        // What the message told of: the newest that had come by then.
        let came = |activity: &&ActivityView| !activity.content.outgoing && activity.source.is_some();
        let activity = lead.timeline.iter().filter(came).rfind(|activity| at.is_none_or(|at| activity.occurred_at <= at));
        let of = BriefOf {
            lead: Some(id),
            contact: lead.lead.contact,
            activity: activity.map(|activity| activity.id),
            submission: None,
        };
        let briefs = store.briefs(vec![of]).await.map_err(|error| trouble(&error))?;
        let Some(brief) = briefs.into_iter().next() else { return Ok(()) };
        let stand = Stands::of(&brief, &lead.history, |manager| self.name_of(manager));
        let by = match self.configured(chat.id).await? {
            Some(group) => self.scope(group),
            None => account.manager.0.clone(),
        };
        let url = self.open_url(id, &by).await;
        let shown = notice::tell(&brief, &Self::telling(&name, self.live.language, &brief, &stand, url.as_deref()));
        match self.api.edit_message(chat.id, message, &shown.html, &shown.buttons).await {
            Err(error) if matches!(error, ApiError::TooMany(_) | ApiError::Unavailable(_) | ApiError::Unauthorized(_)) => {
                Err(unsaid(&error))
            }
            _ => Ok(()),
        }
    }

    async fn answered(&self, callback: &str, words: &str, alert: bool) -> Result<Delivered, DeliverError> {
        match self.api.answer_callback(callback, words, alert).await {
            Ok(()) => Ok(done("answered")),
            // It was done all the same, and the message shows it.
            Err(ApiError::TooLate) => Ok(done("answered too late")),
            Err(error) => Err(unsaid(&error)),
        }
    }
}

fn about(press: Press) -> LeadId {
    match press {
        Press::Take(lead) | Press::Junk(lead) | Press::Undo(lead) | Press::Call(lead) => LeadId(lead),
    }
}
