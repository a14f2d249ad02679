//! What one of us writes: in the company's own group, or to the bot. An answer to a notice goes to the customer; what else is said in a
//! lead's topic is a note.

use leadgate_core::change::LeadChange;
use leadgate_core::ids::LeadId;
use leadgate_core::ports::{Account, DeliverError, Delivered};
use leadgate_core::submission::ActivityKind;
use leadgate_telegram::api::{Message, text};

use super::received::Told;
use super::words::Words;
use super::{Desk, done, trouble};
use crate::answers::{Unanswerable, Via, Ways};

/// The command that answers the customer.
const REPLY: &str = "r";

/// What is meant by something one of us writes.
#[derive(Debug, PartialEq, Eq)]
enum Meant<'a> {
    /// It goes to the customer.
    Answer(LeadId, &'a str),
    /// It stays here.
    Note(LeadId, &'a str),
    /// `/r` without saying what, or about which lead.
    Unclear,
    /// It is about no lead.
    Nothing,
}

/// What is known of where it was written.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The lead of the notice that is answered.
    answered: Option<LeadId>,
    /// The lead of the topic.
    topic: Option<LeadId>,
}

fn meant<'a>(said: &'a str, command: Option<(&str, &'a str)>, place: Place) -> Meant<'a> {
    match command {
        Some((REPLY, argument)) => match place.answered.or(place.topic) {
            _ if argument.is_empty() => Meant::Unclear,
            Some(lead) => Meant::Answer(lead, argument),
            None => {
                let (number, rest) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
                match number.trim_start_matches('#').parse() {
                    Ok(lead) if !rest.trim().is_empty() => Meant::Answer(lead, rest.trim()),
                    _ => Meant::Unclear,
                }
            }
        },
        // Other commands are another bot's, or a slip.
        Some(_) => Meant::Nothing,
        None if said.is_empty() => Meant::Nothing,
        None => match (place.answered, place.topic) {
            (Some(lead), _) => Meant::Answer(lead, said),
            (None, Some(lead)) => Meant::Note(lead, said),
            (None, None) => Meant::Nothing,
        },
    }
}

impl Desk {
    /// Does what one of us wrote. `account`: whose account it is, where that is known already.
    pub(super) async fn staff(&self, told: &Told<'_>, account: Option<Account>) -> Result<Delivered, DeliverError> {
        let said = &told.said;
        // Who edits an answer that is gone would wait in vain.
        if said.edited_at.is_some() || said.from.as_ref().is_some_and(|from| from.is_bot && !said.anonymous) {
            return Ok(done("nothing is to be done"));
        }
        let account = match (account, &said.from) {
            (Some(account), _) => Some(account),
            (None, Some(person)) => self.manager(person).await?,
            (None, None) => None,
        };
        let actor = match (&account, &said.from) {
            (Some(account), _) => format!("telegram:{}", account.manager),
            (None, Some(person)) if !said.anonymous => format!("telegram:{} ({})", person.id, person.name),
            _ => "telegram:anonymous".to_owned(),
        };
        let place = self.place(told).await?;
        let command = said.command.as_ref().map(|command| (command.name.as_str(), command.argument.as_str()));
        let words = Words::of(self.live.language);
        match meant(said.text.trim(), command, place) {
            Meant::Answer(lead, answer) => {
                let answer = self.answer(told, lead, answer, actor).await?;
                let answer = match answer {
                    Ok((id, via)) => words.on_its_way(id, via),
                    Err(why) => words.not_sent(&why),
                };
                self.tell(told, &answer).await
            }
            Meant::Note(lead, note) => self.note(told, lead, note, actor).await,
            Meant::Unclear => self.tell(told, words.how_to_answer()).await,
            Meant::Nothing if said.is_private => self.tell(told, words.how_to_answer()).await,
            Meant::Nothing => Ok(done("it is about no lead")),
        }
    }

    async fn place(&self, told: &Told<'_>) -> Result<Place, DeliverError> {
        let said = &told.said;
        let Some(chat) = &said.chat else { return Ok(Place::default()) };
        let store = self.store().await?;
        // What is said in a topic answers the message the topic began with, unless it answers another.
        let answered = said.reply_to.as_ref().map(|answered| answered.message).filter(|id| Some(*id) != said.topic);
        let mut place = Place::default();
        if let Some(id) = answered {
            let job = store.job_by_ref(&self.scope(chat.id), &id.to_string()).await.map_err(|error| trouble(&error))?;
            place.answered = job.and_then(|job| job.job.lead);
        }
        if let Some(topic) = said.topic {
            let lead = store.lead_of_topic(&self.source, &chat.id.to_string(), &topic.to_string()).await;
            place.topic = lead.map_err(|error| trouble(&error))?;
        }
        Ok(place)
    }

    /// Writes the answer; why not, for people.
    async fn answer(
        &self,
        told: &Told<'_>,
        lead: LeadId,
        answer: &str,
        actor: String,
    ) -> Result<Result<(LeadId, Via), String>, DeliverError> {
        let onward = &self.live.onward;
        let ways = Ways { bots: &onward.bots, has_mail: onward.mail.is_some(), ours: &self.live.rules.ours };
        let act = self.act(told.parcel, "answer", actor);
        match ways.answer(self.store().await?, lead, answer, None, act).await {
            Ok(on_its_way) => Ok(Ok((lead, on_its_way.via))),
            Err(Unanswerable::Store(error)) => Err(trouble(&error)),
            Err(why) => Ok(Err(why.to_string())),
        }
    }

    pub(super) async fn note(&self, told: &Told<'_>, lead: LeadId, note: &str, actor: String) -> Result<Delivered, DeliverError> {
        let store = self.store().await?;
        let act = self.act(told.parcel, "note", actor);
        // Written before, and only that it was is lost.
        let before = store.lead(lead).await.map_err(|error| trouble(&error))?;
        let is_there = before.is_some_and(|lead| {
            lead.timeline.iter().any(|known| {
                known.kind == ActivityKind::Note
                    && known.occurred_at == act.at
                    && known.content.message.as_deref() == Some(note)
                    && known.author.as_deref() == Some(act.actor.as_str())
            })
        });
        if is_there {
            return Ok(done("the note stands there already"));
        }
        let changed = store.change_lead(lead, vec![LeadChange::Note(note.to_owned())], None, act).await;
        match changed.map_err(|error| trouble(&error))? {
            Ok(_) => Ok(done("a note")),
            Err(error) => Ok(done(&error.to_string())),
        }
    }

    /// Answers one of us.
    pub(super) async fn tell(&self, told: &Told<'_>, words: &str) -> Result<Delivered, DeliverError> {
        let Some(chat) = &told.said.chat else { return Ok(done("there is no chat")) };
        let mut message = Message::new(chat.id, text::escape(words));
        (message.reply_to, message.topic, message.silent) = (told.said.message, told.said.topic, true);
        self.say(&message).await?;
        Ok(done("answered"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: LeadId = LeadId(7);

    #[test]
    fn only_an_explicit_answer_goes_out() {
        let notice = Place { answered: Some(HERE), topic: Some(LeadId(8)) };
        let topic = Place { answered: None, topic: Some(HERE) };
        let nowhere = Place::default();
        assert_eq!(meant("we call you", None, notice), Meant::Answer(HERE, "we call you"));
        assert_eq!(meant("who takes it?", None, topic), Meant::Note(HERE, "who takes it?"));
        assert_eq!(meant("lunch?", None, nowhere), Meant::Nothing);
        assert_eq!(meant("", None, notice), Meant::Nothing, "a picture");
    }

    #[test]
    fn the_command_says_to_whom() {
        let topic = Place { answered: None, topic: Some(HERE) };
        let command = |argument| Some((REPLY, argument));
        assert_eq!(meant("/r 12 roses", command("12 roses"), topic), Meant::Answer(HERE, "12 roses"));
        assert_eq!(meant("/r 12 roses", command("12 roses"), Place::default()), Meant::Answer(LeadId(12), "roses"));
        assert_eq!(meant("/r #12 roses", command("#12 roses"), Place::default()), Meant::Answer(LeadId(12), "roses"));
        for unclear in ["", "12", "roses for you", "12 "] {
            assert_eq!(meant("/r", command(unclear.trim()), Place::default()), Meant::Unclear, "{unclear}");
        }
        assert_eq!(meant("/help", Some(("help", "")), topic), Meant::Nothing);
    }
}
