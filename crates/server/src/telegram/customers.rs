//! What the bot says to customers by itself: greetings, a few questions, thanks.

use leadgate_core::name;
use leadgate_core::ports::{ChatState, DeliverError, Delivered};
use leadgate_core::views::{LeadFilter, PageAt};
use leadgate_telegram::api::ApiError;
use leadgate_telegram::dialogue::{self, Next, Say};
use leadgate_telegram::update::Person;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::received::Told;
use super::words::Words;
use super::{Desk, done, trouble, unsaid};

/// What is kept of a dialogue: how it stands, and how it stood before the last update. So what follows from that update is found
/// again, should the gateway die before it is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    now: Value,
    before: Value,
    update: i64,
}

impl Kept {
    fn of(state: &ChatState) -> Self {
        serde_json::from_value(state.dialogue.clone()).unwrap_or_default()
    }

    /// How it stood when an update was heard first.
    fn heard(self, update: i64) -> Value {
        if self.update == update { self.before } else { self.now }
    }
}

impl Desk {
    /// Goes on with the dialogue. How it stands is kept before anything is said, so that of two who act on one chat one begins anew.
    pub(super) async fn customer(&self, told: &Told<'_>, person: &Person) -> Result<Delivered, DeliverError> {
        let said = &told.said;
        let (Some(chat), Some(update)) = (said.chat.as_ref().map(|chat| chat.id), said.update) else {
            return Ok(done("there is nobody to answer"));
        };
        if said.is_private && said.connection.is_none() && said.command.as_ref().is_some_and(|command| command.name == "stop") {
            self.stopped(told, person).await?;
        }
        let (store, at) = (self.store().await?, told.kept.submission.received_at);
        let mut state = self.chat(chat).await?;
        let before = Kept::of(&state).heard(update);
        let is_open = self.live.hours.as_ref().is_none_or(|hours| hours.is_open(at));
        let Next { state: now, says, name } = dialogue::next(before.clone(), said, &self.settings, at, is_open);
        let was_closed = said.is_private && state.closed_at.is_some();
        if now == before && says.is_empty() && !was_closed {
            return Ok(done("nothing is to be said"));
        }
        let kept = Kept { now, before, update };
        if Kept::of(&state) != kept || was_closed {
            state.version += 1;
            state.changed_at = Some(at);
            // Whoever writes can be written to.
            state.closed_at = state.closed_at.filter(|_| !was_closed);
            state.dialogue = serde_json::to_value(&kept).unwrap_or_default();
            let ours = store.keep_chat(&self.source, &chat.to_string(), state).await.map_err(|error| trouble(&error))?;
            if !ours {
                return Err(DeliverError::Later { words: "another message of this chat was faster".to_owned(), after: None });
            }
        }
        if let (Some(name), Some(contact)) = (name, told.kept.submission.contact) {
            let named = store.name_contact(contact, name::read(&name), &person.name).await;
            named.map_err(|error| trouble(&error))?;
        }
        self.say_all(chat, says).await
    }

    async fn say_all(&self, chat: i64, says: Vec<Say>) -> Result<Delivered, DeliverError> {
        let count = says.len();
        for say in says {
            match self.try_to_say(&say.message(chat)).await? {
                Ok(_) => {}
                // Who blocks the bot wants to hear nothing: that is no trouble.
                Err(error @ ApiError::Blocked(_)) => return Ok(done(&error.to_string())),
                Err(error) => return Err(unsaid(&error)),
            }
        }
        Ok(done(&format!("{count} said")))
    }

    /// Those who work on the customer's lead see that the bot is to say no more.
    async fn stopped(&self, told: &Told<'_>, person: &Person) -> Result<(), DeliverError> {
        let store = self.store().await?;
        let filter = LeadFilter { open: Some(true), identity: Some(person.id.to_string()), ..LeadFilter::default() };
        let leads = store.leads(filter, PageAt { after: None, limit: 1 }).await.map_err(|error| trouble(&error))?;
        let Some(lead) = leads.items.first() else { return Ok(()) };
        let note = Words::of(self.live.language).stopped();
        self.note(told, lead.id, note, format!("telegram:{}", self.source)).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_heard_before_is_heard_as_it_was_then() {
        let kept = Kept { now: json!({ "asked": "name" }), before: json!({ "asked": "phone" }), update: 7 };
        let state = ChatState { dialogue: serde_json::to_value(&kept).unwrap(), ..ChatState::default() };
        assert_eq!(Kept::of(&state), kept);
        assert_eq!(Kept::of(&state).heard(7), json!({ "asked": "phone" }));
        assert_eq!(Kept::of(&state).heard(8), json!({ "asked": "name" }));
        assert_eq!(Kept::of(&ChatState::default()).heard(8), Value::Null);
    }
}
