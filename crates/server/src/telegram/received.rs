//! What is to be done because of an update: the kept one is read again, and acted on.

use leadgate_core::ids::ManagerId;
use leadgate_core::ports::{Account, DeliverError, Delivered, Parcel, Redeemed};
use leadgate_core::views::SubmissionDetail;
use leadgate_telegram::api::{Message, text};
use leadgate_telegram::update::{Person, Said, Standing, UpdateKind};

use super::words::Words;
use super::{Desk, KIND, done, links, trouble};
use crate::erasing::unpacked;

/// An update, and who is behind it.
pub(super) struct Told<'a> {
    pub parcel: &'a Parcel,
    pub said: Said,
    pub kept: SubmissionDetail,
}

impl Desk {
    /// Does what an update asks for.
    pub(super) async fn received(&self, parcel: &Parcel) -> Result<Delivered, DeliverError> {
        let Some(id) = parcel.job.data.submission else { return Ok(done("it is of no delivery")) };
        let kept = self.store().await?.submission(id).await.map_err(|error| trouble(&error))?;
        let Some(kept) = kept.filter(|kept| kept.emptied_at.is_none()) else { return Ok(done("it is not kept any more")) };
        let raw = unpacked(kept.codec, kept.raw.clone());
        let said = raw.map_err(|error| error.to_string());
        let bot = self.bot().await?;
        let said = match said.and_then(|raw| Said::read(&raw, &bot)) {
            Ok(said) => said,
            Err(words) => return Err(DeliverError::Refused { words }),
        };
        self.act_on(Told { parcel, said, kept }).await
    }

    async fn act_on(&self, told: Told<'_>) -> Result<Delivered, DeliverError> {
        let said = &told.said;
        if let Some(migration) = said.migration {
            self.moved(migration.from, migration.to).await?;
            return Ok(done("the group has another id"));
        }
        match said.kind {
            UpdateKind::MyChatMember => self.stands(said).await,
            UpdateKind::DeletedBusinessMessages => self.deleted(&told).await,
            UpdateKind::CallbackQuery => self.pressed(&told).await,
            UpdateKind::Message | UpdateKind::EditedMessage if said.is_staff => self.staff(&told, None).await,
            UpdateKind::Message | UpdateKind::BusinessMessage => self.spoken(&told).await,
            _ => Ok(done("nothing is to be done")),
        }
    }

    /// The bot was blocked, put out, or may write again.
    async fn stands(&self, said: &Said) -> Result<Delivered, DeliverError> {
        let (Some(chat), Some(member)) = (&said.chat, said.member) else { return Ok(done("it says nothing of the bot")) };
        let closed = matches!(member.to, Standing::Out | Standing::Left);
        let at = said.at.unwrap_or_else(|| self.gateway.clock.now());
        self.opened(chat.id, closed.then_some(at)).await?;
        Ok(done(if closed { "the bot may not write there any more" } else { "the bot may write there" }))
    }

    async fn deleted(&self, told: &Told<'_>) -> Result<Delivered, DeliverError> {
        let (store, mut count) = (self.store().await?, 0);
        for key in told.said.deleted_keys() {
            let known = store.deleted(&self.source, &key, told.kept.submission.received_at).await;
            count += u32::from(known.map_err(|error| trouble(&error))?);
        }
        Ok(done(&format!("{count} marked as deleted")))
    }

    /// Somebody wrote in a chat that is not the company's own.
    async fn spoken(&self, told: &Told<'_>) -> Result<Delivered, DeliverError> {
        let said = &told.said;
        let Some(person) = &said.from else { return Ok(done("nobody is named")) };
        if let (Some(code), true) = (said.link_code(), said.connection.is_none()) {
            return self.link(told, person, code).await;
        }
        match self.manager(person).await? {
            // One of us, at the bot: what they answer to a notice goes to the customer.
            Some(account) if said.is_private => self.staff(told, Some(account)).await,
            _ => self.customer(told, person).await,
        }
    }

    /// Whose account it is, if it is a manager's who is still in the configuration.
    pub(super) async fn manager(&self, person: &Person) -> Result<Option<Account>, DeliverError> {
        let asked = vec![(KIND.to_owned(), person.id.to_string())];
        let known = self.store().await?.accounts_of(asked).await.map_err(|error| trouble(&error))?;
        let own = known.iter().find(|account| account.source == self.source).or(known.first());
        Ok(own.filter(|account| self.is_configured(&account.manager)).cloned())
    }

    fn is_configured(&self, manager: &ManagerId) -> bool {
        self.live.managers.is_empty() || self.live.managers.contains(&manager.0)
    }

    /// A manager says a code.
    async fn link(&self, told: &Told<'_>, person: &Person, code: &str) -> Result<Delivered, DeliverError> {
        let (parcel, words) = (told.parcel, Words::of(self.live.language));
        let Some(chat) = &told.said.chat else { return Ok(done("there is no chat")) };
        let display = person.username.as_ref().map_or_else(|| person.name.clone(), |name| format!("@{name}"));
        let account = Account {
            // Whose it becomes the code says.
            manager: ManagerId(String::new()),
            kind: KIND.to_owned(),
            value: person.id.to_string(),
            display,
            source: self.source.clone(),
            chat: chat.id.to_string(),
            linked_at: parcel.now,
        };
        // A code counts once: said again after an answer that was lost, it is known whose the account is.
        let before = self.manager(person).await?;
        let store = self.store().await?;
        let redeemed = store.redeem_code(links::hash(code), account, told.kept.submission.received_at).await;
        let (answer, note) = match redeemed.map_err(|error| trouble(&error))? {
            Redeemed::Linked(manager) => (words.linked(&self.name_of(&manager)), "linked"),
            Redeemed::Wrong(_) if before.is_some() && parcel.job.attempt > 1 => (words.linked(&person.name), "linked before"),
            Redeemed::Wrong(left) => (words.wrong_code(left), "a wrong code"),
            Redeemed::TooMany(until) => {
                let minutes = until.duration_since(parcel.now).as_mins().max(0) + 1;
                (words.too_many_codes(minutes), "too many wrong codes")
            }
        };
        self.say(&Message::new(chat.id, text::escape(&answer))).await?;
        Ok(done(note))
    }

    /// What a manager is called.
    pub(super) fn name_of(&self, manager: &ManagerId) -> String {
        let known = self.live.people.iter().find(|one| one.id == *manager);
        known.map_or_else(|| manager.0.clone(), |manager| manager.name.clone())
    }
}
