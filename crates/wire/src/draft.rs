//! From a form's fields to a draft: what all that bring fields have in common.

mod names;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;
use leadgate_core::attribution::{Origin, attribution_key};
use leadgate_core::submission::{Consent, ContentHash, Draft, Field, FileRef, FormRef, Typed};
use leadgate_core::text;

use crate::body::{Entry, RefusedFile};
use crate::fields::{self, Found, Kind};
use crate::redact::{self, Hide};
use names::NameParts;

/// What the owner says of his fields, by their names in lower case.
pub type Own = HashMap<String, Kind>;

/// A field and where it stood.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The field.
    pub entry: Entry,
    /// Where it stood.
    pub from: Origin,
    /// What its name says it is.
    pub named: Found,
}

impl Placed {
    /// A field; its name tells what it is.
    pub fn new(entry: Entry, from: Origin) -> Self {
        let named = fields::classify(&entry.path);
        Self { entry, from, named }
    }

    /// A value under a name; what it is, is known, or else its name tells.
    pub fn named(name: &str, value: String, kind: Option<Kind>, from: Origin) -> Self {
        let entry = Entry { name: name.to_owned(), path: vec![name.to_owned()], value };
        match kind {
            Some(kind) => Self { entry, from, named: Found { kind, exact: true } },
            None => Self::new(entry, from),
        }
    }
}

/// What a field is by its name and value, or by what the owner says; for attribution its key.
pub fn meaning(own: &Own, one: &Placed) -> String {
    let key = fields::last_part(&one.entry.path).trim().to_lowercase().replace([' ', '-'], "_");
    match attribution_key(&key) {
        Some(key) => key.into_owned(),
        None => found(own, one).kind.name().to_owned(),
    }
}

/// Adds fields nobody asked for: a campaign tag among them is one, a secret is left out, everything else stays as it is.
pub fn left_over(draft: &mut Draft, rest: impl IntoIterator<Item = Placed>) {
    for one in rest {
        let Some(kept) = redact::value(one.named.kind, &one.entry.path, &one.entry.value) else { continue };
        let Some(value) = typed(&kept) else { continue };
        if !draft.touch.offer(fields::last_part(&one.entry.path), &value, one.from) {
            draft.fields.push(Field { name: shown_name(&one.entry), value });
        }
    }
}

/// The body's fields, and those of the action URL that the body does not have.
pub fn place(body: Vec<Entry>, query: Vec<Entry>) -> Vec<Placed> {
    let defaults: Vec<Entry> = query
        .into_iter()
        .filter(|given| !body.iter().any(|entry| same_name(&entry.name, &given.name) && !entry.value.trim().is_empty()))
        .collect();
    let body = body.into_iter().map(|entry| Placed::new(entry, Origin::Field));
    body.chain(defaults.into_iter().map(|entry| Placed::new(entry, Origin::ActionUrl))).collect()
}

/// Whether two names are one, case apart.
pub fn same_name(a: &str, b: &str) -> bool {
    trimmed(a).eq_ignore_ascii_case(trimmed(b))
}

/// Whether a name is one of several, each of them trimmed; case apart.
pub fn is_one_of<'a>(name: &str, trimmed_names: impl IntoIterator<Item = &'a str>) -> bool {
    let name = trimmed(name);
    trimmed_names.into_iter().any(|known| known.len() == name.len() && known.eq_ignore_ascii_case(name))
}

/// `trim`, which most names have no need of: a printed ASCII character at both ends is no space.
fn trimmed(name: &str) -> &str {
    match name.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => name,
        _ => name.trim(),
    }
}

/// The first value of a field that has one; its name is given trimmed.
pub fn first<'a>(placed: &'a [Placed], name: &str) -> Option<&'a str> {
    placed
        .iter()
        .find(|placed| is_one_of(&placed.entry.name, [name]) && !placed.entry.value.trim().is_empty())
        .map(|placed| placed.entry.value.trim())
}

/// The field in which a page's script tells of the visitor's first visit.
pub const FIRST_VISIT: &str = "_first";

/// The circumstances of a delivery.
pub struct Circumstances<'a> {
    /// What the owner says of his fields.
    pub own: &'a Own,
    /// When it came.
    pub received_at: Timestamp,
    /// The visitor's address, if it is known.
    pub address: Option<IpAddr>,
}

/// What the owner says of a field, else what its name and value say.
fn found(own: &Own, one: &Placed) -> Found {
    let entry = &one.entry;
    let said = || {
        let names = [entry.name.trim(), fields::display(entry).as_ref()].map(str::to_lowercase);
        names.iter().find_map(|name| own.get(name)).copied()
    };
    match if own.is_empty() { None } else { said() } {
        Some(kind) => Found { kind, exact: true },
        None => fields::refine(one.named, entry),
    }
}

/// What of a field is not kept: the owner's own secrets and the usual ones.
pub fn hide(own: &Own, path: &[String], value: &str) -> Hide {
    if own.iter().any(|(name, kind)| *kind == Kind::Secret && path.last().is_some_and(|last| same_name(last, name))) {
        return Hide::All;
    }
    redact::usual(path, value)
}

/// The hash of what was meant: without what is new in every rendering or request. Files count by their content.
pub fn content_hash<'a>(
    placed: impl IntoIterator<Item = &'a Placed>,
    files: &[FileRef],
    per_request: impl Fn(&Entry) -> bool,
) -> ContentHash {
    let meant =
        placed.into_iter().filter(|one| !per_request(&one.entry) && !matches!(one.named.kind, Kind::Service | Kind::Secret));
    let fields = meant.map(|one| (one.entry.name.as_str(), one.entry.value.as_str()));
    ContentHash::of(fields.chain(files.iter().map(|file| (file.field.as_str(), file.sha256.as_str()))))
}

/// Sorts fields into a draft.
pub fn fill(placed: &[&Placed], around: &Circumstances<'_>) -> Draft {
    let mut filler = Filler { around, draft: Draft::default(), names: NameParts::default(), left: Vec::new(), message: None };
    let companions = companions(placed);
    for (at, one) in placed.iter().enumerate() {
        if !companions.contains(&at) {
            filler.take(at, one, placed);
        }
    }
    filler.finish()
}

/// The places of hidden fields that hold the wording beside a consent (`consent_text` beside `consent`).
fn companions(placed: &[&Placed]) -> BTreeSet<usize> {
    let consents = placed.iter().filter(|one| one.named.kind == Kind::Consent);
    consents.flat_map(|one| wording_places(placed, &one.entry.name)).collect()
}

fn wording_places<'a>(placed: &'a [&'a Placed], name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let stem = name.trim();
    placed.iter().enumerate().filter_map(move |(at, other)| {
        let rest = other.entry.name.trim().strip_prefix(stem)?;
        matches!(rest, "_text" | "-text" | "_label" | "-label" | "_wording" | "[text]" | "[label]").then_some(at)
    })
}

struct Filler<'a> {
    around: &'a Circumstances<'a>,
    draft: Draft,
    names: NameParts,
    /// Fields that are nothing else, by place; with whether their value may be looked at for a phone or an e-mail.
    left: Vec<(usize, Field, bool)>,
    message: Option<(usize, bool, Field)>,
}

impl Filler<'_> {
    fn take(&mut self, at: usize, one: &Placed, all: &[&Placed]) {
        let entry = &one.entry;
        let found = found(self.around.own, one);
        if found.kind == Kind::Service {
            return;
        }
        let Some(kept) = redact::value(found.kind, &entry.path, &entry.value) else { return };
        let Some(value) = typed(&kept) else { return };
        if self.attribution(entry, &value, one.from) {
            return;
        }
        let field = Field { name: shown_name(entry), value };
        match found.kind {
            Kind::Name | Kind::NameGuess | Kind::GivenName | Kind::FamilyName | Kind::Patronymic => {
                self.names.offer(found.kind, at, &field.value);
                // Those of which the name is made go out at the end.
                self.left.push((at, field, true));
            }
            Kind::Phone => push(&mut self.draft.phones, field),
            Kind::Email => push(&mut self.draft.emails, field),
            Kind::Message => self.message(at, found.exact, field),
            Kind::Consent => self.consent(entry, field, all),
            Kind::Country => {
                self.draft.country.get_or_insert_with(|| field.value.clone());
                self.left.push((at, field, false));
            }
            Kind::Subject => self.once(at, field, |draft| &mut draft.title),
            Kind::Page => self.once(at, field, |draft| &mut draft.touch.page),
            Kind::Landing => self.once(at, field, |draft| &mut draft.touch.landing),
            Kind::Referrer => self.once(at, field, |draft| &mut draft.touch.referrer),
            Kind::FormId => self.once(at, field, |draft| &mut draft.form.get_or_insert_with(FormRef::default).id),
            Kind::FormName => self.once(at, field, |draft| &mut draft.form.get_or_insert_with(FormRef::default).name),
            Kind::Other => {
                let open = may_hold_a_contact(entry);
                self.left.push((at, field, open));
            }
            _ => self.left.push((at, field, false)),
        }
    }

    fn attribution(&mut self, entry: &Entry, value: &str, from: Origin) -> bool {
        let name = fields::last_part(&entry.path);
        if self.draft.touch.offer(name, value, from) {
            return true;
        }
        // "UTM Source" as a label. No letters but these three have them as their lower case.
        let name = name.trim();
        name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("utm"))
            && self.draft.touch.offer(&name.to_lowercase().replace([' ', '-'], "_"), value, from)
    }

    /// Takes the first value of a kind; another one stays a field.
    fn once(&mut self, at: usize, field: Field, slot: impl Fn(&mut Draft) -> &mut Option<String>) {
        let slot = slot(&mut self.draft);
        match slot {
            None => *slot = Some(field.value),
            Some(known) if *known == field.value => {}
            Some(_) => self.left.push((at, field, false)),
        }
    }

    /// A field named "message" beats one that has the word in its name.
    fn message(&mut self, at: usize, exact: bool, field: Field) {
        match &self.message {
            Some((_, known, _)) if *known || !exact => self.left.push((at, field, false)),
            _ => {
                if let Some((at, _, other)) = self.message.replace((at, exact, field)) {
                    self.left.push((at, other, false));
                }
            }
        }
    }

    fn consent(&mut self, entry: &Entry, field: Field, all: &[&Placed]) {
        let wording = wording_places(all, &entry.name).find_map(|at| typed(&all[at].entry.value));
        let given = fields::agreement(&field.value).unwrap_or(true);
        self.draft.consents.push(Consent {
            text: wording.unwrap_or(field.value),
            field: field.name,
            given,
            at: self.around.received_at,
            page: None,
            address: self.around.address,
        });
    }

    fn finish(mut self) -> Draft {
        let (name, used) = std::mem::take(&mut self.names).join();
        self.draft.name = name;
        self.left.retain(|(at, ..)| !used.contains(at));
        if self.draft.emails.is_empty() {
            self.by_look(fields::looks_like_email, |draft| &mut draft.emails);
        }
        if self.draft.phones.is_empty() {
            self.by_look(fields::looks_like_phone, |draft| &mut draft.phones);
        }
        self.draft.message = self.message.take().map(|(_, _, field)| field.value);
        self.left.sort_by_key(|(at, ..)| *at);
        let mut draft = self.draft;
        draft.fields = self.left.into_iter().map(|(_, field, _)| field).collect();
        pages(&mut draft);
        draft
    }

    /// Fields of unknown name whose values can be nothing else.
    fn by_look(&mut self, looks: fn(&str) -> bool, list: fn(&mut Draft) -> &mut Vec<Typed>) {
        let (matching, rest) =
            std::mem::take(&mut self.left).into_iter().partition(|(_, field, open)| *open && looks(&field.value));
        self.left = rest;
        for (_, field, _) in matching {
            push(list(&mut self.draft), field);
        }
    }
}

fn push(list: &mut Vec<Typed>, field: Field) {
    // "Repeat your e-mail" says nothing new.
    if !list.iter().any(|known| known.text == field.value) {
        list.push(Typed::new(field.name, field.value));
    }
}

/// What the queries of pages in fields say; the page itself first.
fn pages(draft: &mut Draft) {
    let touch = &mut draft.touch;
    // Only a query says anything.
    let with_query = |url: &Option<String>| url.as_ref().filter(|url| url.contains('?')).cloned();
    for (url, from) in [
        (with_query(&touch.page), Origin::PageUrl),
        (with_query(&touch.landing), Origin::PageUrl),
        (with_query(&touch.referrer), Origin::Referrer),
    ] {
        if let Some(url) = url {
            touch.offer_url(&url, from);
        }
    }
}

/// Consents are given on the page.
pub fn consent_pages(draft: &mut Draft) {
    for consent in &mut draft.consents {
        if consent.page.is_none() {
            consent.page.clone_from(&draft.touch.page);
        }
    }
}

/// Names whose digits are no phone.
fn may_hold_a_contact(entry: &Entry) -> bool {
    const NOT: &[&str] = &[
        "order",
        "invoice",
        "id",
        "number",
        "date",
        "vin",
        "inn",
        "kpp",
        "ogrn",
        "snils",
        "passport",
        "price",
        "sum",
        "amount",
        "ip",
        "code",
        "заказ",
        "заказа",
        "счет",
        "счета",
        "инн",
        "кпп",
        "огрн",
        "снилс",
        "паспорт",
        "паспорта",
        "дата",
        "полис",
        "полиса",
        "цена",
        "сумма",
        "бюджет",
        "договор",
        "договора",
        "лицевой",
        "индекс",
        "артикул",
        "sku",
        "zip",
        "postcode",
        "plz",
        "nif",
        "cpf",
        "cnpj",
        "username",
        "login",
        "логин",
        "рассылка",
        "time",
        "время",
    ];
    let label = fields::label(&entry.path);
    !label.split(' ').any(|word| NOT.contains(&word))
}

/// A value as it enters: one kind of line break, no NUL; `None` if nothing is left.
pub fn typed(value: &str) -> Option<String> {
    if value.contains('\r') {
        return text::present(&value.replace("\r\n", "\n").replace('\r', "\n"));
    }
    text::present(value)
}

/// A field's name for people.
fn shown_name(entry: &Entry) -> String {
    let shown = fields::display(entry);
    let clean = text::printable(&shown, true);
    text::cut(text::clean(&clean).trim(), 200).to_owned()
}

/// Files for a draft, their names made harmless; notes about those not kept go into its fields.
pub fn files(draft: &mut Draft, files: Vec<FileRef>, refused: Vec<RefusedFile>) {
    draft.files = files
        .into_iter()
        .filter(|file| file.size > 0 || !file.name.trim().is_empty())
        .map(|file| FileRef { name: file_name(&file.name), field: text::clean(&file.field).into_owned(), ..file })
        .collect();
    for file in refused {
        let (name, why) = (format!("file {}", file_name(&file.name)), format!("not kept: {}", text::printable(&file.why, true)));
        draft.fields.push(Field { name, value: why });
    }
}

/// A file's name for display: no folders, no control characters.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default().replace("%22", "\"");
    let clean = text::printable(&last, true);
    let name = text::cut(text::clean(&clean).trim(), 200).trim_matches('.').to_owned();
    if name.is_empty() { "file".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_of_files() {
        assert_eq!(file_name("C:\\Users\\a\\план.pdf"), "план.pdf");
        assert_eq!(file_name("../../etc/passwd"), "passwd");
        assert_eq!(file_name("a\u{202e}gpj.exe\r\n"), "agpj.exe");
        assert_eq!(file_name(".."), "file");
    }
}
