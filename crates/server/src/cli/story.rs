//! A lead or a contact as a story for people: who, what happened, where from, and why it was recognised so.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use leadgate_core::attribution::FirstTouch;
use leadgate_core::language::Language;
use leadgate_core::prepare::ReadValue;
use leadgate_core::submission::{MailClass, MailFacts, Order};
use leadgate_core::views::{ActivityView, ContactDetail, IdentityView, LeadDetail, ReviewView};

use crate::http::link;
use crate::print::{Text, indented, safe, short};

/// A time in the company's zone.
pub(super) fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%d %b %Y %H:%M").to_string()
}

/// A time, or a dash.
pub(super) fn time_or_dash(at: Option<Timestamp>, zone: &TimeZone) -> String {
    at.map_or_else(|| "-".to_owned(), |at| time(at, zone))
}

/// A number of bytes for people.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Writes a story.
struct Story<'a> {
    text: Text,
    zone: &'a TimeZone,
}

impl Story<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.line(line);
    }

    fn pair(&mut self, indent: usize, name: &str, value: &str) {
        self.text.pair(indent, name, value);
    }

    fn time(&self, at: Timestamp) -> String {
        time(at, self.zone)
    }
}

/// Everything on a lead.
pub(super) fn lead(detail: &LeadDetail, zone: &TimeZone) -> String {
    let mut story = Story { text: Text::default(), zone };
    story.lead_head(detail);
    match &detail.person {
        Some(person) => {
            story.line("");
            story.contact_head(person);
        }
        None => story.line("\nNo contact: nothing in it says who it is from."),
    }
    story.line("\nWhat happened");
    story.timeline(&detail.timeline, detail.lead.activities);
    if !detail.history.is_empty() {
        story.line("\nWhat people changed");
        for entry in &detail.history {
            let (from, to) = (entry.from.as_deref().unwrap_or("nothing"), entry.to.as_deref().unwrap_or("nothing"));
            let line = format!(
                "  {}  {}: {}, {} -> {}",
                story.time(entry.at),
                safe(&entry.actor),
                safe(&entry.field),
                safe(from),
                safe(to)
            );
            story.line(line);
        }
    }
    story.line(format!("\nTimes are in {}.", zone.iana_name().unwrap_or("the zone of this machine")));
    story.text.finish()
}

/// Everything on a contact.
pub(super) fn contact(detail: &ContactDetail, zone: &TimeZone) -> String {
    let mut story = Story { text: Text::default(), zone };
    story.contact_head(detail);
    if !detail.timeline.is_empty() {
        story.line("\nWhat happened outside leads");
        let all = u32::try_from(detail.timeline.len()).unwrap_or(u32::MAX);
        story.timeline(&detail.timeline, all);
    }
    story.line(format!("\nTimes are in {}.", zone.iana_name().unwrap_or("the zone of this machine")));
    story.text.finish()
}

impl Story<'_> {
    fn lead_head(&mut self, detail: &LeadDetail) {
        let lead = &detail.lead;
        let named = if lead.name.is_empty() { String::new() } else { format!(", {}", safe(&lead.name)) };
        self.line(format!("Lead {}: {}{named}", lead.id, safe(&lead.title)));
        let taken = lead
            .responsible
            .as_deref()
            .map_or_else(|| "nobody has taken it".to_owned(), |who| format!("{} works on it", safe(who)));
        let stage = match lead.closed_at {
            Some(at) => format!("{}, closed {}", lead.stage, self.time(at)),
            None => format!("{}, {taken}", lead.stage),
        };
        self.pair(2, "stage", &stage);
        let from = format!("{}, {}", lead.source, self.time(lead.created_at));
        self.pair(2, "came from", &from);
        let touched = format!("{} ({})", self.time(lead.touched_at), activities(lead.activities));
        self.pair(2, "last touched", &touched);
        let mut marks = Vec::new();
        if lead.test {
            marks.push("a test: it counts nowhere");
        }
        if lead.suspect {
            marks.push("suspect: one sign speaks against it");
        }
        if lead.return_customer {
            marks.push("a return customer's");
        }
        if !marks.is_empty() {
            self.pair(2, "marked", &marks.join("; "));
        }
        if let Some(first) = &detail.first_touch.first {
            self.first_visit(first);
        }
        let last = Some(&detail.last_touch).filter(|last| last.values != detail.first_touch.values);
        for (name, touch) in [("first touch", Some(&detail.first_touch)), ("last touch", last)] {
            let Some(touch) = touch else { continue };
            let values: Vec<String> =
                touch.values.iter().map(|value| format!("{}={}", value.key, short(&value.value, 60))).collect();
            if !values.is_empty() {
                self.pair(2, name, &values.join(", "));
            }
        }
    }

    /// What the visitor's browser remembers.
    fn first_visit(&mut self, first: &FirstTouch) {
        let mut parts: Vec<String> = first.at.map(|at| self.time(at)).into_iter().collect();
        parts.extend(first.values.iter().map(|value| format!("{}={}", value.key, short(&value.value, 60))));
        parts.extend(first.landing.as_deref().map(|url| format!("on {}", short(url, 100))));
        parts.extend(first.referrer.as_deref().map(|url| format!("from {}", short(url, 100))));
        self.pair(2, "first visit", &parts.join(", "));
    }

    fn contact_head(&mut self, person: &ContactDetail) {
        let contact = &person.contact;
        let name = if contact.name.is_empty() { "name unknown".to_owned() } else { safe(&contact.name) };
        self.line(format!("Contact {}: {name}", contact.id));
        if !contact.other_names.is_empty() {
            self.pair(2, "also as", &contact.other_names.join(", "));
        }
        for identity in &person.identities {
            self.identity(identity);
        }
        if let Some(who) = &contact.responsible {
            self.pair(2, "works with", who);
        }
        if let Some(since) = contact.waiting_since {
            let words = format!("to be taken since {} (`leadgate contacts take {}`)", self.time(since), contact.id);
            self.pair(2, "waits", &words);
        }
        if let Some(other) = contact.merged_into {
            self.pair(2, "merged into", &format!("contact {other}"));
        }
        let leads: Vec<String> = person.lead_ids.iter().map(ToString::to_string).collect();
        if leads.len() > 1 {
            self.pair(2, "leads", &leads.join(", "));
        }
        for pair in &person.reviews {
            let words = review(pair);
            self.pair(2, "review", &words);
        }
    }

    fn identity(&mut self, identity: &IdentityView) {
        let canonical = if identity.display == identity.value { String::new() } else { format!("  ({})", identity.value) };
        let since = self.time(identity.first_seen);
        let held = format!("{}, {}, since {since}", identity.strength.as_str(), identity.state.as_str());
        self.pair(2, identity.kind.as_str(), &format!("{}{canonical}  {held}", identity.display));
        if let Some(unreachable) = &identity.unreachable {
            let since = self.time(unreachable.since);
            let status = if unreachable.status.is_empty() { String::new() } else { format!(" ({})", unreachable.status) };
            self.pair(2, "", &format!("mails to it come back since {since}{status}: {}", short(&unreachable.words, 200)));
        }
    }

    fn timeline(&mut self, timeline: &[ActivityView], all: u32) {
        let shown = u32::try_from(timeline.len()).unwrap_or(u32::MAX);
        if shown < all {
            self.line(format!("  ({} older ones are not shown)", all - shown));
        }
        for (index, activity) in timeline.iter().enumerate() {
            if index > 0 {
                self.line("");
            }
            self.activity(index + 1, activity);
        }
    }

    fn activity(&mut self, number: usize, activity: &ActivityView) {
        let from = match (&activity.source, &activity.author) {
            (Some(source), _) => format!(" from {source}"),
            (None, Some(author)) => format!(" by {}", safe(author)),
            (None, None) => String::new(),
        };
        let updated = if activity.revisions > 0 { format!(", updated {} times", activity.revisions) } else { String::new() };
        let (at, kind) = (self.time(activity.occurred_at), activity.kind.as_str());
        let ours = if activity.content.outgoing { ", sent by us" } else { "" };
        self.line(format!("  {number}. {at}  {kind}{from}{ours}  (activity {}){updated}", activity.id));
        self.content(activity);
        self.touch(activity);
        if let Some(receipt) = &activity.receipt {
            self.line(format!("     Result: {}{}", receipt.outcome, outcome_of(activity)));
            for reason in &activity.reasons {
                self.line(format!("       - {}", safe(reason)));
            }
        }
    }

    fn content(&mut self, activity: &ActivityView) {
        const INDENT: usize = 5;
        let content = &activity.content;
        if let Some(mail) = &content.mail {
            self.mail(mail);
        }
        if let Some(call) = &content.call {
            self.pair(INDENT, "call", &short(&call.view().words(Language::En), 300));
            if call.clock_wrong {
                self.pair(INDENT, "", "the clock of who told of it is wrong: times are those of receipt");
            }
        }
        if let Some(name) = &content.name {
            self.pair(INDENT, "name", name);
        }
        for value in &content.values {
            self.pair(INDENT, value.kind.as_str(), &read_value(value));
        }
        if let Some(message) = &content.message {
            let lines = indented(message, "                  ");
            // The first line stands beside its name.
            self.line(format!("{:INDENT$}{:<12} {}", "", "message", lines.trim()));
        }
        if let Some(form) = content.form.as_ref().and_then(|form| form.name.as_ref().or(form.id.as_ref())) {
            self.pair(INDENT, "form", form);
        }
        for field in &content.fields {
            self.pair(INDENT, &short(&field.name, 40), &short(&field.value, 300));
        }
        if let Some(order) = &content.order {
            self.order(order);
        }
        for consent in &content.consents {
            let given = if consent.given { "given" } else { "not given" };
            let words = format!("{given} {}: {}", self.time(consent.at), short(&consent.text, 120));
            self.pair(INDENT, "consent", &words);
        }
        for file in &content.files {
            self.pair(INDENT, "file", &format!("{} ({})", file.name, size(file.size)));
        }
        for file in content.offered.iter().filter(|file| !content.files.iter().any(|kept| kept.field == file.unique)) {
            let why = match (file.problem.as_str(), content.call.is_some() && link(&file.id).is_some()) {
                ("", true) => "not here; --json has its link".to_owned(),
                ("", false) => "not here".to_owned(),
                (problem, _) => format!("not here: {}", short(problem, 200)),
            };
            self.pair(INDENT, "file", &format!("{} ({why})", file.name));
        }
        if activity.ambiguous {
            self.line("     Several people could be meant: look before you call.");
        }
        if activity.suspect {
            self.line("     One sign speaks against it.");
        }
    }

    fn mail(&mut self, mail: &MailFacts) {
        const INDENT: usize = 5;
        self.pair(INDENT, "subject", &short(&mail.subject, 200));
        self.pair(INDENT, "from", &short(&mail.from, 200));
        for (name, addresses) in [("to", &mail.to), ("cc", &mail.cc)] {
            if !addresses.is_empty() {
                self.pair(INDENT, name, &short(&addresses.join(", "), 300));
            }
        }
        if mail.class != MailClass::Human {
            self.pair(INDENT, "class", &format!("{}: {}", mail.class.as_str(), short(&mail.why.join("; "), 300)));
        }
        if let Some(whole) = &mail.whole {
            let words = format!("{} characters with what is quoted; --json has them", whole.chars().count());
            self.pair(INDENT, "whole text", &words);
        }
        if let Some(bytes) = mail.truncated {
            let words = format!("only its beginning was read: it has {}, and stays in {}", size(bytes), short(&mail.folder, 60));
            self.pair(INDENT, "truncated", &words);
        }
    }

    fn order(&mut self, order: &Order) {
        const INDENT: usize = 5;
        let money = |amount: Option<i64>| {
            amount.map(|amount| {
                let (whole, rest) = (amount / 100, (amount % 100).abs());
                format!("{whole}.{rest:02} {}", order.currency.as_deref().unwrap_or_default()).trim_end().to_owned()
            })
        };
        let paid = if order.paid { "paid" } else { "not paid" };
        let head: Vec<String> = [order.id.clone(), money(order.amount), Some(paid.to_owned())].into_iter().flatten().collect();
        self.pair(INDENT, "order", &head.join(", "));
        for line in &order.lines {
            let parts = [Some(line.name.clone()), line.quantity.as_ref().map(|count| format!("x {count}")), money(line.amount)];
            self.pair(INDENT, "", &parts.into_iter().flatten().collect::<Vec<_>>().join("  "));
        }
        for detail in &order.details {
            self.pair(INDENT, &short(&detail.name, 40), &short(&detail.value, 200));
        }
    }

    fn touch(&mut self, activity: &ActivityView) {
        const INDENT: usize = 5;
        let touch = &activity.touch;
        for value in &touch.values {
            self.pair(INDENT, &value.key, &format!("{}  (from the {})", short(&value.value, 120), value.from.words()));
        }
        for (name, value) in [("page", &touch.page), ("landing", &touch.landing), ("referrer", &touch.referrer)] {
            if let Some(value) = value {
                self.pair(INDENT, name, &short(value, 200));
            }
        }
    }
}

fn activities(count: u32) -> String {
    if count == 1 { "1 activity".to_owned() } else { format!("{count} activities") }
}

/// A phone or e-mail as typed, and what was made of it.
fn read_value(value: &ReadValue) -> String {
    let canonical = value.value.as_ref().filter(|canonical| **canonical != value.typed);
    let parts = [
        Some(value.typed.clone()),
        canonical.map(|canonical| format!("->  {canonical}")),
        (!value.flags.is_empty()).then(|| format!("[{}]", value.flags.join(", "))),
        value.note.as_ref().map(|note| format!("({note})")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

fn outcome_of(activity: &ActivityView) -> String {
    let Some(receipt) = &activity.receipt else { return String::new() };
    match (receipt.lead, receipt.contact) {
        (Some(lead), Some(contact)) => format!(", lead {lead} of contact {contact}"),
        (Some(lead), None) => format!(", lead {lead}"),
        (None, Some(contact)) => format!(", contact {contact}"),
        (None, None) => String::new(),
    }
}

/// A pair of contacts in words.
pub(super) fn review(pair: &ReviewView) -> String {
    let why = if pair.reasons.is_empty() { String::new() } else { format!(": {}", pair.reasons.join("; ")) };
    format!("contacts {} and {} may be one person{why}", pair.a, pair.b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_company_s_and_sizes_are_short() {
        let zone = TimeZone::get("Europe/Moscow").unwrap();
        assert_eq!(time("2026-11-21T21:30:00Z".parse().unwrap(), &zone), "22 Nov 2026 00:30");
        assert_eq!(time_or_dash(None, &zone), "-");
        assert_eq!((size(17), size(1536), size(10 << 20)), ("17 bytes".to_owned(), "1.5 KB".to_owned(), "10.0 MB".to_owned()));
    }

    const LEAD: &str = r#"{
        "id": 1, "title": "Callback", "stage": "NEW", "contact": 1, "name": "Анна\u001b[2J", "phone": null, "email": null,
        "source": "site", "responsible": null, "created_at": "2026-11-21T10:00:00Z", "touched_at": "2026-11-21T10:05:00Z",
        "closed_at": null, "activities": 1, "suspect": false, "test": true, "return_customer": false, "utm_source": "vk",
        "uuid": "019aa5c5-0000-7000-8000-000000000001", "version": 1, "first_touch": {}, "last_touch": {},
        "person": {
            "id": 1, "name": "Анна", "other_names": [], "created_at": "2026-11-21T10:00:00Z", "last_active": "2026-11-21T10:00:00Z",
            "waiting_since": null, "responsible": null, "merged_into": null, "phone": null, "email": null, "leads": 1,
            "uuid": "019aa5c5-0000-7000-8000-000000000002", "lead_ids": [1], "reviews": [], "timeline": [],
            "identities": [{ "kind": "phone", "value": "+79161234567", "display": "+7 916 123-45-67", "strength": "strong",
                "state": "active", "first_seen": "2026-11-21T10:00:00Z", "last_seen": "2026-11-21T10:00:00Z", "activity": 1 }]
        },
        "timeline": [{
            "id": 1, "kind": "form", "lead": 1, "contact": 1, "source": "site", "occurred_at": "2026-11-21T10:00:00Z",
            "submission": "019aa5c5-0000-7000-8000-000000000003",
            "content": { "name": "Анна", "message": "Перезвоните\nпосле \u202eшести",
                "values": [{ "kind": "phone", "field": "phone", "typed": "8 916 123 45 67", "value": "+79161234567", "strength": "strong" }] },
            "touch": { "values": [{ "key": "utm_source", "value": "vk", "from": "page_url" }] },
            "ambiguous": false, "suspect": false, "revisions": 0, "author": null,
            "receipt": { "submission": "019aa5c5-0000-7000-8000-000000000003", "outcome": "created", "lead": 1, "contact": 1 },
            "reasons": ["nobody has the phone +79161234567 (strong)", "contact 1 is new"]
        }],
        "history": [{ "at": "2026-11-21T10:06:00Z", "actor": "cli", "field": "stage", "from": "NEW", "to": "JUNK" }]
    }"#;

    #[test]
    fn a_lead_tells_its_story_and_hides_no_tricks() {
        let detail: LeadDetail = serde_json::from_str(LEAD).unwrap();
        let told = lead(&detail, &TimeZone::get("Europe/Moscow").unwrap());
        for part in [
            "Lead 1: Callback, Анна[2J\n",
            "  stage        NEW, nobody has taken it\n",
            "  phone        +7 916 123-45-67  (+79161234567)  strong, active, since 21 Nov 2026 13:00\n",
            "  1. 21 Nov 2026 13:00  form from site  (activity 1)\n",
            "     phone        8 916 123 45 67  ->  +79161234567\n",
            "     message      Перезвоните\n                  после шести\n",
            "     utm_source   vk  (from the page URL)\n",
            "     Result: created, lead 1 of contact 1\n       - nobody has the phone +79161234567 (strong)\n",
            "  21 Nov 2026 13:06  cli: stage, NEW -> JUNK\n",
            "Times are in Europe/Moscow.\n",
        ] {
            assert!(told.contains(part), "{part}\n---\n{told}");
        }
        assert!(!told.contains(['\u{1b}', '\u{202e}']));
    }

    #[test]
    fn a_call_tells_what_it_was_and_where_its_recordings_are() {
        let mut detail: serde_json::Value = serde_json::from_str(LEAD).unwrap();
        let recording = |unique: &str, id: &str, problem: &str| serde_json::json!({ "id": id, "unique": unique, "name": format!("{unique}.mp3"), "kind": "recording", "problem": problem });
        detail["timeline"][0]["content"] = serde_json::json!({
            "call": { "id": "c1", "clock_wrong": true, "legs": {}, "summary": { "direction": "in", "outcome": "no_answer",
                "line": { "typed": "+74951234567" }, "scheme": "Sales\u{1b}[2J", "wait_s": 35 } },
            "files": [{ "sha256": "00", "name": "a.mp3", "content_type": "audio/mpeg", "size": 17, "field": "a" }],
            "offered": [recording("a", "https://x.example/a", ""), recording("b", "https://x.example/b", ""), recording("c", "7", ""),
                recording("d", "8", "not fetched in 24 hours: answered 404")],
        });
        let told = lead(&serde_json::from_value(detail).unwrap(), &TimeZone::UTC);
        for part in [
            "     call         missed call to +74951234567, by Sales[2J, waited 0:35\n",
            "                  the clock of who told of it is wrong: times are those of receipt\n",
            "     file         a.mp3 (17 bytes)\n     file         b.mp3 (not here; --json has its link)\n",
            "     file         c.mp3 (not here)\n     file         d.mp3 (not here: not fetched in 24 hours: answered 404)\n",
        ] {
            assert!(told.contains(part), "{part}\n---\n{told}");
        }
    }

    #[test]
    fn a_mail_tells_who_wrote_it_and_what_is_left_out() {
        let mut detail: serde_json::Value = serde_json::from_str(LEAD).unwrap();
        detail["timeline"][0]["content"] = serde_json::json!({
            "outgoing": true, "message": "Да",
            "mail": { "subject": "Re: Счёт\u{1b}[2J", "from": "Вера <vera@company.ru>", "to": ["anna@firma.ru"], "folder": "Sent",
                "class": "auto_reply", "why": ["it says so"], "may_answer": false, "whole": "Да > нет?", "truncated": 41_943_040 }
        });
        detail["person"]["identities"][0]["unreachable"] =
            serde_json::json!({ "since": "2026-11-21T10:00:00Z", "status": "5.1.1", "words": "no such user" });
        let told = lead(&serde_json::from_value(detail).unwrap(), &TimeZone::UTC);
        for part in [
            "form from site, sent by us  (activity 1)\n     subject      Re: Счёт[2J\n",
            "     from         Вера <vera@company.ru>\n     to           anna@firma.ru\n",
            "     class        auto_reply: it says so\n",
            "     whole text   9 characters with what is quoted; --json has them\n",
            "     truncated    only its beginning was read: it has 40.0 MB, and stays in Sent\n",
            "               mails to it come back since 21 Nov 2026 10:00 (5.1.1): no such user\n",
        ] {
            assert!(told.contains(part), "{part}\n---\n{told}");
        }
    }
}
