//! What is done before the transaction, in the caller's task: canonical forms, strengths, and the JSON to keep.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::attribution::Touch;
use crate::call::{CallFacts, CallView, Direction};
use crate::chat::{ChatFacts, OfferedFile, Sending};
use crate::mail::{Failure, MailFacts};
use crate::name::{NameKey, PersonName};
use crate::phone::{Country, PhoneKind};
use crate::rules::{Rules, SourceRules, Strength};
use crate::submission::{Consent, Draft, Field, FileRef, FormRef, Order, Reference, Signal, Submission, Typed};
use crate::{email, name, phone, text};

/// The kind of an identity: `phone`, `email`, or a messenger's or client id's own name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct IdentityKind(pub Cow<'static, str>);

impl IdentityKind {
    /// A phone: E.164, with `;ext=` if there is an extension.
    pub const PHONE: Self = Self(Cow::Borrowed("phone"));
    /// An e-mail's canonical key.
    pub const EMAIL: Self = Self(Cow::Borrowed("email"));

    /// The name in the database.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One canonical value that may mean a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What it is.
    pub kind: IdentityKind,
    /// The canonical form: what is compared.
    pub value: String,
    /// What to show and to write to.
    pub display: String,
    /// What it is worth from this source.
    pub strength: Strength,
    /// The channel itself proves it.
    pub proven: bool,
    /// A landline attaches within a configured time even if the lead is closed.
    pub landline: bool,
    /// It stood in running text or a signature.
    pub found: bool,
}

/// A phone or e-mail as typed, with what was made of it. Kept with the activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadValue {
    /// What it is.
    pub kind: IdentityKind,
    /// The field it stood in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// As typed.
    pub typed: String,
    /// The canonical form, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What it is worth.
    pub strength: Strength,
    /// What is odd about it: `invalid`, `looks_test`, `guessed`, `role`, `placeholder`, `disposable`, `ours`, `found` (in
    /// running text or a signature), `spoofed` (the mail is not from where it says) ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Cow<'static, str>>,
    /// What is wrong with it or could be meant, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What an activity tells, as it is kept (JSON) and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Content {
    /// The name as typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Phones and e-mails as typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ReadValue>,
    /// What they wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<FormRef>,
    /// Everything else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// What they agreed to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<Consent>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileRef>,
    /// The order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// The customer's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<std::net::IpAddr>,
    /// The customer's browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The page's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// We wrote it, not the customer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outgoing: bool,
    /// It tells what a form sent, which the form itself would tell better.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notification: bool,
    /// What the mail says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailFacts>,
    /// What the messenger's message says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<Box<ChatFacts>>,
    /// What is told of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<CallFacts>>,
    /// Files that were named and are not here yet, or could not be fetched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered: Vec<OfferedFile>,
    /// How it fares, if the gateway sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending: Option<Sending>,
}

/// An address that could not be reached, with its canonical form if it is nobody of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What the mail says.
    pub failure: Failure,
    /// The canonical form.
    pub key: Option<String>,
}

/// A submission made ready: what `plan` reads and a store writes.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The submission. Its draft's parts have moved into `content`.
    pub submission: Submission,
    /// Canonical identities, strongest first, without doubles.
    pub identities: Vec<Identity>,
    /// The name, if one was given.
    pub name: Option<PersonName>,
    /// The name's folded form.
    pub name_key: NameKey,
    /// The line that names the lead.
    pub title: String,
    /// The activity's content.
    pub content: Content,
    /// `content` as JSON, made here so that the writer need not.
    pub content_json: String,
    /// The touch as JSON; empty if there is none.
    pub touch_json: String,
    /// Every phone or e-mail given is the company's own.
    pub ours_alone: bool,
    /// A short hash of the sender's address, for counting different senders; empty if unknown.
    pub sender: String,
    /// Addresses it says could not be reached.
    pub failed: Vec<Failed>,
    /// Another channel may have brought the same, or bring it: what its people did lately is looked at.
    pub seeks_twin: bool,
}

/// The most names, phones, e-mails and handles read from one submission; more are kept as fields.
const MOST_VALUES: usize = 20;
/// The most references of each kind: a mail's References and In-Reply-To.
const MOST_REFERENCES: usize = 60;
/// The most addresses one mail marks as unreachable.
const MOST_FAILED: usize = 100;

impl Prepared {
    /// Canonicalises a submission. Total: whatever a sender typed becomes something.
    pub fn new(mut submission: Submission, rules: &Rules) -> Self {
        let source_rules = rules.of(&submission.source);
        let mut draft = std::mem::take(&mut submission.draft);
        let called = draft.call.as_ref().map(|call| call.view());
        if let Some(call) = &called {
            draft.phones.splice(0..0, caller(call));
            by_line(&mut draft, call, source_rules);
        }
        draft.touch.fill_from(&source_rules.touch);
        let name = draft.name.as_deref().and_then(text::present).map(|typed| name::read(text::cut(&typed, 300)));
        let name_key = name.as_ref().map(PersonName::key).unwrap_or_default();
        let mut read = Read::default();
        read.phones(&mut draft, source_rules.country, rules, source_rules.identities.phone);
        read.emails(&mut draft, rules, source_rules.identities.email);
        read.handles(&draft);
        bound_references(&mut draft);
        let spoofed = submission.signals.iter().any(|signal| matches!(signal, Signal::Spoof { .. }));
        if spoofed {
            read.disbelieve();
            disbelieve(&mut draft);
        }
        // Stable: within a strength the order of the form holds.
        read.identities.sort_by_key(|identity| std::cmp::Reverse((identity.strength, identity.proven)));
        let ours_alone = read.given > 0 && read.given == read.ours;
        // What one of us answers to our own mailbox is what we wrote, though it went to nobody else.
        let answered = ours_alone && draft.mail.is_some() && !draft.notification && !draft.refers_to.is_empty();
        let title = title(&draft, &submission);
        let touch_json = if draft.touch.is_empty() { String::new() } else { json(&draft.touch) };
        let sender = draft.address.map(sender_hash).unwrap_or_default();
        let content = Content {
            name: name.as_ref().map(|name| name.typed.clone()),
            values: read.values,
            message: draft.message.take().as_deref().and_then(text::present),
            form: draft.form.take(),
            fields: std::mem::take(&mut draft.fields),
            consents: std::mem::take(&mut draft.consents),
            files: std::mem::take(&mut draft.files),
            order: draft.order.take(),
            address: draft.address,
            user_agent: draft.user_agent.take(),
            language: draft.language.take(),
            outgoing: draft.outgoing || answered || called.is_some_and(|call| call.direction == Some(Direction::Out)),
            notification: draft.notification,
            mail: draft.mail.take().map(|mail| mail.bounded()),
            chat: draft.chat.take().map(|chat| Box::new(chat.bounded())),
            call: draft.call.take().map(|call| Box::new(call.bounded())),
            offered: OfferedFile::bounded(std::mem::take(&mut draft.offered)),
            sending: None,
        };
        let failed = failed(std::mem::take(&mut draft.failures), rules);
        let seeks_twin = draft.notification || (source_rules.notified && content.mail.is_none());
        let content_json = json(&content);
        submission.draft = draft;
        Self {
            submission,
            identities: read.identities,
            name,
            name_key,
            title,
            content,
            content_json,
            touch_json,
            ours_alone,
            sender,
            failed,
            seeks_twin,
        }
    }

    /// The same delivery, telling more: what it says of people is read from that. `touch`: what else is known of where they came
    /// from.
    #[must_use]
    pub(crate) fn retold(&self, content: Content, touch: Option<&Touch>, rules: &Rules) -> Self {
        let typed = |value: &ReadValue| Typed::new(value.field.clone(), value.typed.clone());
        let emails = content.values.iter().filter(|value| value.kind == IdentityKind::EMAIL).map(typed);
        let mut submission = self.submission.clone();
        let draft = &mut submission.draft;
        draft.emails = emails.collect();
        draft.call.clone_from(&content.call);
        draft.touch.fill_from(touch.unwrap_or(&Touch::default()));
        draft.name.clone_from(&content.name);
        draft.language.clone_from(&content.language);
        draft.title = Some(self.title.clone());
        if let Some(started) = content.call.as_ref().and_then(|call| call.view().started) {
            submission.occurred_at = Some(started);
        }
        let mut told = Self::new(submission, rules);
        let read = std::mem::take(&mut told.content);
        // Told by what was joined: but what is read of it is read anew.
        told.content =
            Content { values: read.values, name: read.name, outgoing: read.outgoing, language: read.language, ..content };
        told.content_json = json(&told.content);
        told
    }

    /// When it happened, as far as anybody says; else when it came.
    pub fn happened_at(&self) -> Timestamp {
        self.submission.occurred_at.unwrap_or(self.submission.received_at)
    }

    /// Whether it is a mail that a customer wrote.
    pub fn is_mail_from_customer(&self) -> bool {
        self.content.mail.is_some() && !self.content.outgoing && !self.content.notification
    }

    /// The touch of the delivery.
    pub fn touch(&self) -> &Touch {
        &self.submission.draft.touch
    }
}

/// What is known of whoever calls a line of the company.
fn by_line(draft: &mut Draft, call: &CallView, rules: &SourceRules) {
    let Some(line) = call.line.as_ref().filter(|_| !rules.calls.lines.is_empty()) else { return };
    let hints =
        phone::Hints { explicit: None, configured: rules.country, provider_format: line.provider_format, free_text: false };
    let phones = phone::read(&line.typed, &hints).phones;
    let Some(line) = phones.iter().find_map(|phone| rules.calls.lines.get(&phone.key())) else { return };
    draft.touch.fill_from(&line.touch);
    draft.language = draft.language.take().or_else(|| line.language.clone());
    draft.title = draft.title.take().or_else(|| line.title.clone());
}

/// The other side of a call, as a phone that was typed: a call that came in proves it.
fn caller(call: &CallView) -> Option<Typed> {
    let number = call.number.as_ref().filter(|_| call.direction != Some(Direction::Internal))?;
    Some(Typed {
        provider_format: number.provider_format,
        proven: call.is_incoming(),
        ..Typed::new("number", number.typed.clone())
    })
}

/// JSON of a value whose serialisation has no failing case (no maps with odd keys, no foreign code).
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        tracing::error!(%error, "a value that always serialises did not");
        "{}".to_owned()
    })
}

/// References that fit into an index, each once.
fn bound_references(draft: &mut Draft) {
    for references in [&mut draft.refers_to, &mut draft.known_as].into_iter().filter(|references| !references.is_empty()) {
        let mut kept: Vec<Reference> = Vec::with_capacity(references.len().min(MOST_REFERENCES));
        for reference in std::mem::take(references) {
            let Some(reference) = Reference::new(reference.scope, &reference.value) else { continue };
            if kept.len() < MOST_REFERENCES && !kept.contains(&reference) {
                kept.push(reference);
            }
        }
        *references = kept;
    }
}

/// What a forged mail says of its place among others is believed as little as whom it says it is from. That it is the same in another
/// mailbox is seen, not said.
fn disbelieve(draft: &mut Draft) {
    draft.refers_to.clear();
    draft.known_as.retain(|reference| reference.scope == Reference::COPY);
    for reference in &mut draft.known_as {
        Reference::FORGED_COPY.clone_into(&mut reference.scope);
    }
    draft.external_key = None;
    draft.failures.clear();
    draft.outgoing = false;
    draft.notification = false;
}

fn failed(failures: Vec<Failure>, rules: &Rules) -> Vec<Failed> {
    let canonical = |failure: &Failure| {
        let email = email::read(&failure.address).emails.into_iter().next()?;
        (!rules.ours.email(&email.key, &email.domain)).then_some(email.key)
    };
    let failed = failures.into_iter().take(MOST_FAILED).map(Failure::bounded);
    failed.map(|failure| Failed { key: canonical(&failure), failure }).collect()
}

fn title(draft: &Draft, submission: &Submission) -> String {
    let form = draft.form.as_ref().and_then(|form| form.name.as_deref());
    let subject = || draft.mail.as_ref().map(|mail| mail.subject.as_str());
    let picked = draft.title.as_deref().or(form).or_else(subject).and_then(text::present);
    picked.map_or_else(|| submission.source.to_string(), |title| text::cut(&title, 200).to_owned())
}

fn sender_hash(address: std::net::IpAddr) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(address.to_string().as_bytes());
    crate::submission::hex(&digest[..6])
}

#[derive(Default)]
struct Read {
    values: Vec<ReadValue>,
    identities: Vec<Identity>,
    given: usize,
    ours: usize,
}

impl Read {
    fn add(&mut self, identity: Identity) {
        match self.identities.iter_mut().find(|known| known.kind == identity.kind && known.value == identity.value) {
            None => self.identities.push(identity),
            // What was typed counts for more than the same in a signature.
            Some(known) if known.found && !identity.found => *known = identity,
            Some(_) => {}
        }
    }

    /// Nothing it says means anybody; it is still shown.
    fn disbelieve(&mut self) {
        self.identities.clear();
        for value in &mut self.values {
            value.strength = Strength::None;
            value.flags.push("spoofed".into());
        }
    }

    fn phones(&mut self, draft: &mut Draft, configured: Option<Country>, rules: &Rules, forced: Option<Strength>) {
        let explicit = draft.country.as_deref().and_then(Country::parse);
        for typed in std::mem::take(&mut draft.phones).into_iter().take(MOST_VALUES) {
            let Some(text) = text::present(&typed.text) else { continue };
            self.given += 1;
            let hints = phone::Hints { explicit, configured, provider_format: typed.provider_format, free_text: false };
            let reading = phone::read(&text, &hints);
            if reading.phones.is_empty() && reading.alternatives.is_empty() {
                self.values.push(ReadValue {
                    kind: IdentityKind::PHONE,
                    field: typed.field,
                    typed: text,
                    value: None,
                    strength: Strength::None,
                    flags: vec!["invalid".into()],
                    note: reading.problem.map(|problem| problem.to_string()),
                });
                continue;
            }
            let guesses = if reading.phones.is_empty() { reading.alternatives } else { reading.phones };
            let mut all_ours = true;
            for phone in guesses {
                let key = phone.key();
                let ours = rules.ours.phone(&key);
                all_ours &= ours;
                let strength = if ours { Strength::None } else { worth(phone_strength(&phone, forced), typed.found) };
                self.values.push(ReadValue {
                    kind: IdentityKind::PHONE,
                    field: typed.field.clone(),
                    typed: text.clone(),
                    value: Some(key.clone()),
                    strength,
                    flags: flags_of(phone_flags(&phone, ours), typed.found),
                    note: None,
                });
                if !ours && !phone.unusable {
                    self.add(Identity {
                        kind: IdentityKind::PHONE,
                        value: key,
                        display: phone.international(),
                        strength,
                        proven: typed.proven,
                        landline: phone.kind == PhoneKind::FixedLine,
                        found: typed.found,
                    });
                }
            }
            self.ours += usize::from(all_ours);
        }
    }

    fn emails(&mut self, draft: &mut Draft, rules: &Rules, forced: Option<Strength>) {
        for typed in std::mem::take(&mut draft.emails).into_iter().take(MOST_VALUES) {
            let Some(text) = text::present(&typed.text) else { continue };
            self.given += 1;
            let reading = email::read(&text);
            if reading.emails.is_empty() {
                self.values.push(ReadValue {
                    kind: IdentityKind::EMAIL,
                    field: typed.field,
                    typed: text,
                    value: None,
                    strength: Strength::None,
                    flags: vec!["invalid".into()],
                    note: reading.problem.map(|problem| problem.to_string()),
                });
                continue;
            }
            let mut all_ours = true;
            for email in reading.emails {
                let ours = rules.ours.email(&email.key, &email.domain);
                all_ours &= ours;
                let strength = if ours { Strength::None } else { worth(email_strength(&email, forced), typed.found) };
                self.values.push(ReadValue {
                    kind: IdentityKind::EMAIL,
                    field: typed.field.clone(),
                    typed: text.clone(),
                    value: Some(email.key.clone()),
                    strength,
                    flags: flags_of(email_flags(&email, ours), typed.found),
                    note: email.suggestion().map(|suggestion| format!("did they mean {suggestion}?")),
                });
                if !ours && !email.flags.placeholder {
                    self.add(Identity {
                        kind: IdentityKind::EMAIL,
                        value: email.key,
                        display: email.address,
                        strength,
                        proven: typed.proven,
                        landline: false,
                        found: typed.found,
                    });
                }
            }
            self.ours += usize::from(all_ours);
        }
    }

    fn handles(&mut self, draft: &Draft) {
        for handle in draft.handles.iter().take(MOST_VALUES) {
            let Some(value) = text::present(&handle.value) else { continue };
            self.given += 1;
            self.add(Identity {
                kind: IdentityKind(Cow::Owned(handle.kind.clone())),
                value,
                display: text::clean(&handle.display).into_owned(),
                strength: if handle.proven { Strength::Strong } else { Strength::Weak },
                proven: handle.proven,
                landline: false,
                found: false,
            });
        }
    }
}

/// What stands in running text or a signature is worth one step less: it may be anybody's.
fn worth(strength: Strength, found: bool) -> Strength {
    match (strength, found) {
        (strength, false) => strength,
        (Strength::Strong, true) => Strength::Weak,
        (Strength::Weak | Strength::None, true) => Strength::None,
    }
}

fn flags_of(mut flags: Vec<Cow<'static, str>>, found: bool) -> Vec<Cow<'static, str>> {
    if found {
        flags.push("found".into());
    }
    flags
}

/// What a phone is worth: a mobile of confidence 2 or 3 is strong; a landline or an extension is weak; numbers that many
/// people share by their nature (toll-free, premium ...) and guesses are none.
fn phone_strength(phone: &phone::Phone, forced: Option<Strength>) -> Strength {
    if phone.confidence < 2 || phone.unusable {
        return Strength::None;
    }
    forced.unwrap_or(match phone.kind {
        PhoneKind::TollFree | PhoneKind::SharedCost | PhoneKind::Premium | PhoneKind::Uan | PhoneKind::Voicemail => {
            Strength::None
        }
        PhoneKind::Mobile if phone.extension.is_none() => Strength::Strong,
        _ => Strength::Weak,
    })
}

/// What an e-mail is worth: personal and business addresses are strong, role addresses weak, placeholders and disposable
/// addresses none.
fn email_strength(email: &email::Email, forced: Option<Strength>) -> Strength {
    let flags = &email.flags;
    if flags.placeholder || flags.disposable || flags.no_reply {
        return Strength::None;
    }
    forced.unwrap_or(if flags.role || flags.unknown_tld { Strength::Weak } else { Strength::Strong })
}

fn phone_flags(phone: &phone::Phone, ours: bool) -> Vec<Cow<'static, str>> {
    flags(&[(phone.looks_test, "looks_test"), (phone.unusable, "unusable"), (phone.confidence < 2, "guessed"), (ours, "ours")])
}

fn email_flags(email: &email::Email, ours: bool) -> Vec<Cow<'static, str>> {
    let f = &email.flags;
    flags(&[
        (f.role, "role"),
        (f.placeholder, "placeholder"),
        (f.disposable, "disposable"),
        (f.no_reply, "no_reply"),
        (f.unknown_tld, "unknown_tld"),
        (ours, "ours"),
    ])
}

fn flags(of: &[(bool, &'static str)]) -> Vec<Cow<'static, str>> {
    of.iter().filter(|(on, _)| *on).map(|(_, name)| Cow::Borrowed(*name)).collect()
}
