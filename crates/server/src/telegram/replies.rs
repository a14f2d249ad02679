//! What one of us answers a customer, on its way.

use leadgate_core::chat::{ChatFacts, SentAs};
use leadgate_core::ports::{DeliverError, Delivered, Parcel};
use leadgate_telegram::api::{Message, text};
use leadgate_telegram::update;

use super::{Desk, done, trouble};
use crate::answers;

impl Desk {
    /// Sends an answer to the customer's chat, and keeps how that went.
    pub(super) async fn reply(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let Some(activity) = &parcel.brief.activity else { return Ok(done("not sent: there is nothing to send any more")) };
        let (Some(chat), Some(typed)) = (&activity.content.chat, &activity.content.message) else {
            return Ok(done("not sent: it says nothing, or to nobody"));
        };
        match self.send_parts(parcel, chat, typed).await {
            Ok(delivered) => Ok(delivered),
            Err(error) => {
                let (store, routes) = (self.store().await?, &self.live.rules.routes);
                let kept = answers::refused(store, parcel, Some(&self.source), &error, routes).await;
                kept.map_err(|error| trouble(&error))?;
                Err(error)
            }
        }
    }

    async fn send_parts(&self, parcel: &Parcel, to: &ChatFacts, typed: &str) -> Result<Delivered, DeliverError> {
        let refused = |words: &str| DeliverError::Refused { words: words.to_owned() };
        let chat = to.chat.parse::<i64>().map_err(|_| refused("the chat's id is none of this messenger"))?;
        let mut message = Message::new(self.now_at(chat).await?, "");
        message.connection.clone_from(&to.connection);
        message.reply_to = to.reply_to.as_deref().and_then(|id| id.parse().ok());
        let (store, mut refs) = (self.store().await?, Vec::new());
        for html in text::messages(typed) {
            message.html = html;
            let (chat, id) = self.say(&message).await?;
            refs.push((self.scope(chat), id.to_string()));
            // Each part by itself, so that to each may be answered.
            let reference = update::reference(self.settings.bot(), message.connection.as_deref(), chat, id);
            let sent_as = SentAs { message: id.to_string(), reference };
            answers::delivered(store, parcel, Some(sent_as)).await.map_err(|error| trouble(&error))?;
            message.chat = chat;
        }
        if refs.is_empty() {
            return Err(refused("it says nothing"));
        }
        Ok(Delivered { refs, words: String::new() })
    }
}
