//! From a body's tree to events, by a mapping.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use leadgate_core::attribution::{Origin, Touch, attribution_key};
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::chat::OfferedFile;
use leadgate_core::ports::{Explanation, Missing, Refusal, Supplied};
use leadgate_core::submission::{ContentHash, Field};
use leadgate_core::text;
use leadgate_wire::body::Document;
use leadgate_wire::json::Json;
use leadgate_wire::mapper::{Leaf, Mapped, Picked};
use leadgate_wire::pointer::written;
use leadgate_wire::redact::{self, Hide};

use super::config::Config;
use super::layout::{FIELD, HANDLE, PATH};
use super::words::{self, EventKind};
use crate::party::Party;
use crate::provider::{Event, Heard, is_said, recording, recording_by_id};
use crate::times;

/// Fields that are shown of a call at most.
const MOST_FIELDS: usize = 100;

/// What a mapping found.
pub(super) struct Reading<'a> {
    config: &'a Config,
    root: &'a Json,
    mapped: Mapped,
    from_query: &'a [String],
}

/// What becomes nothing: variables that were not filled in.
pub(super) fn prune(json: &mut Json) {
    match json {
        Json::Object(pairs) => pairs.iter_mut().for_each(|(_, value)| prune(value)),
        Json::List(items) => items.iter_mut().for_each(prune),
        Json::Text(text) if !is_said(text.trim()) => *json = Json::Null,
        _ => {}
    }
}

impl<'a> Reading<'a> {
    /// Reads a body whose unfilled variables are taken out.
    pub(super) fn of(config: &'a Config, document: &'a Document) -> Self {
        let mapped = config.layout.mapper.map(&document.root);
        Self { config, root: &document.root, mapped, from_query: &document.from_query }
    }

    /// Whether the mapping found nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.mapped.picked.iter().all(|one| one.path.is_empty())
    }

    fn text(&self, target: &str) -> Option<&str> {
        let mut found = self.mapped.picked.iter().filter(|one| one.target == target);
        found.find_map(|one| Some(one.value.trim()).filter(|value| is_said(value)))
    }

    fn texts<'b>(&'b self, target: &'b str) -> impl Iterator<Item = &'b str> {
        let found = self.mapped.picked.iter().filter(move |one| one.target == target);
        found.map(|one| one.value.trim()).filter(|value| is_said(value))
    }

    fn party(&self, target: &str) -> Party {
        self.text(target).map_or(Party::Nobody, |text| Party::read(text, self.config.form))
    }

    /// A word before the mapping said what it means.
    fn raw(&self, target: &str) -> Option<String> {
        let one = self.mapped.picked.iter().find(|one| one.target == target)?;
        let found = one.path.iter().try_fold(self.root, |json, key| match json {
            Json::List(items) => key.parse().ok().and_then(|at: usize| items.get(at)),
            other => other.get(key),
        });
        found.and_then(Json::text).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn kind(&self) -> EventKind {
        match self.text("event") {
            Some(word) => words::kind(word),
            // A sender that has one event does not name it.
            None if self.config.layout.mapper.rules.iter().any(|rule| rule.target == "event") => EventKind::Unknown,
            None => EventKind::Finished,
        }
    }

    /// What the call tells.
    pub(super) fn hear(&self, zone: &TimeZone, hidden: &dyn Fn(&[String]) -> bool) -> Result<Option<Heard>, Refusal> {
        let kind = self.kind();
        let heard = match kind {
            EventKind::Ping => return Ok(None),
            EventKind::Unknown => Heard::Events(vec![self.event(None, kind, zone, hidden)]),
            EventKind::ContactLookup => {
                let ringing = self.call_id().map(|id| self.event(Some(&id), EventKind::Ringing, zone, hidden));
                Heard::Who {
                    number: self.sides().number,
                    within: Some(self.config.lookup.within),
                    tells: ringing.into_iter().collect(),
                }
            }
            _ => {
                let id = self.call_id().ok_or_else(|| {
                    Refusal::Unreadable(
                        "the call has no id: name its place in map.call_id, or what stands for it in call_id_of".to_owned(),
                    )
                })?;
                Heard::Events(vec![self.event(Some(&id), kind, zone, hidden)])
            }
        };
        Ok(Some(heard))
    }

    /// The call's id, or a hash of what stands for it: it is shown, and what it is made of is nobody's business.
    fn call_id(&self) -> Option<String> {
        if let Some(id) = self.text("call_id") {
            return Some(id.to_owned());
        }
        let parts: Vec<(&str, &str)> =
            self.config.id_of.iter().filter_map(|name| Some((name.as_str(), self.text(name)?))).collect();
        // One part alone may be a number, and a number calls more than once.
        let enough = parts.len() > 1 || (parts.len() == 1 && self.config.id_of.len() == 1);
        enough.then(|| ContentHash::of(parts).as_key())
    }

    fn event(&self, id: Option<&str>, kind: EventKind, zone: &TimeZone, hidden: &dyn Fn(&[String]) -> bool) -> Event {
        let time = |target: &str| self.text(target).and_then(|text| moment(text, zone));
        let call = id.map(|id| self.facts(id, kind, &time));
        let told = call.as_ref().map(|call| call.summary.as_ref().unwrap_or(&call.legs));
        let at = time("at").or_else(|| told.and_then(|told| told.ended.or(told.answered).or(told.started)));
        let (touch, fields) = self.around(hidden);
        Event {
            at,
            is_later: kind == EventKind::Updated,
            id: self.event_id(kind),
            name: self.text("name").map(str::to_owned),
            email: self.text("email").map(str::to_owned),
            message: self.message(),
            touch,
            fields,
            handles: self.handles(),
            recordings: self.recordings(),
            call,
        }
    }

    /// The provider's own id, with what happened: some give the id of the call as that of each event.
    fn event_id(&self, kind: EventKind) -> Option<String> {
        self.text("event_id").map(|id| format!("{kind:?}:{id}"))
    }

    fn message(&self) -> Option<String> {
        let lines: Vec<&str> = self.texts("message").collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn facts(&self, id: &str, kind: EventKind, time: &dyn Fn(&str) -> Option<Timestamp>) -> CallFacts {
        let sides = self.sides();
        let length = |target: &str| self.text(target).and_then(|text| words::seconds(text, self.config.unit));
        let is_yes = |target: &str| self.text(target).is_some_and(words::is_yes);
        let outcome =
            if is_yes("voicemail") { Some(CallOutcome::Voicemail) } else { self.text("outcome").and_then(words::outcome) };
        let mut told = CallTelling {
            direction: sides.direction,
            number: sides.number,
            hidden: sides.hidden,
            line: sides.line,
            scheme: self.text("scheme").map(str::to_owned),
            rang: self.texts("rang").map(str::to_owned).collect(),
            started: time("started_at"),
            answered: time("answered_at"),
            ended: time("ended_at"),
            wait_s: length("wait"),
            talk_s: length("talk"),
            total_s: length("total"),
            outcome,
            status: self.raw("outcome"),
            ..CallTelling::default()
        };
        match kind {
            EventKind::Started => told.started = told.started.or_else(|| time("at")),
            EventKind::Answered => {
                told.picked_up = true;
                told.answered = told.answered.or_else(|| time("at"));
            }
            EventKind::LegEnded | EventKind::Finished | EventKind::Missed => told.ended = told.ended.or_else(|| time("at")),
            _ => {}
        }
        if kind == EventKind::Missed {
            told.outcome = told.outcome.or(Some(CallOutcome::NoAnswer));
            told.direction = told.direction.or(Some(Direction::In));
        }
        place(&mut told, sides.agent, kind);
        if self.config.finals.contains(&kind) { CallFacts::summary(id, told) } else { CallFacts::event(id, told) }
    }

    /// Who is who. What the provider calls the customer's number goes before who called whom.
    fn sides(&self) -> Sides {
        let (caller, callee) = (self.party("caller"), self.party("callee"));
        let between = |side: &Party| matches!(side, Party::Extension(_));
        let said = self.text("direction").and_then(words::direction);
        let internal = self.text("internal").is_some_and(words::is_yes)
            || (between(&caller) && between(&callee) && self.party("number") == Party::Nobody);
        let direction = if internal { Some(Direction::Internal) } else { said };
        let (them, us, named) = match direction {
            Some(Direction::Out) => (callee, caller, "agent_out"),
            Some(Direction::Internal) => (Party::Nobody, caller, "agent_out"),
            Some(Direction::In) | None => (caller, callee, "agent_in"),
        };
        let them = match self.party("number") {
            Party::Nobody => them,
            said => said,
        };
        let hidden = them == Party::Hidden;
        let line = self.text("line").and_then(|text| self.line(text)).or_else(|| us.clone().phone());
        let agent = self.text("agent").or_else(|| self.text(named)).map(str::to_owned);
        Sides { direction, number: them.phone(), hidden, line, agent: agent.or_else(|| us.extension()) }
    }

    fn line(&self, text: &str) -> Option<CallNumber> {
        match Party::read(text, self.config.form) {
            Party::Phone(number) => Some(number),
            Party::Extension(short) => CallNumber::national(&short),
            Party::Hidden | Party::Nobody => None,
        }
    }

    fn recordings(&self) -> Vec<OfferedFile> {
        let ids: Vec<&str> = self.texts("recording_id").collect();
        let mut out: Vec<OfferedFile> = self.texts("recording").filter_map(recording).collect();
        // A link that is signed anew each time is known by the recording's id.
        if let ([file], [id]) = (out.as_mut_slice(), ids.as_slice()) {
            (*id).clone_into(&mut file.unique);
        }
        if out.is_empty()
            && let Some(template) = &self.config.recording_url
        {
            out.extend(ids.iter().filter_map(|id| self.recording_at(template, id)));
        }
        out
    }

    fn recording_at(&self, template: &str, id: &str) -> Option<OfferedFile> {
        // An id is one piece of a path and nothing else.
        let piece = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let call = self.text("call_id").unwrap_or_default();
        let link = template.replace("{recording_id}", &piece(id)).replace("{call_id}", &piece(call));
        let known = recording_by_id(id)?;
        recording(&link).map(|file| OfferedFile { unique: known.unique, ..file })
    }

    fn handles(&self) -> Vec<(String, String)> {
        let picked = self.mapped.picked.iter();
        let named = picked.filter_map(|one| Some((one.target.strip_prefix(HANDLE)?, one.value.trim())));
        named.filter(|(_, value)| is_said(value)).map(|(kind, value)| (kind.to_owned(), value.to_owned())).collect()
    }

    fn origin(&self, path: &[String]) -> Origin {
        let query = path.first().is_some_and(|first| self.from_query.contains(first));
        if query { Origin::ActionUrl } else { Origin::Field }
    }

    /// Where the customer came from, and what else is worth showing.
    fn around(&self, hidden: &dyn Fn(&[String]) -> bool) -> (Touch, Vec<Field>) {
        let mut touch = Touch::default();
        let mut fields = Vec::new();
        for one in &self.mapped.picked {
            touch.offer(&one.target, &one.value, self.origin(&one.path));
            if let Some(name) = one.target.strip_prefix(FIELD).map(str::trim).filter(|_| is_said(one.value.trim())) {
                fields.push(Field { name: name.to_owned(), value: one.value.trim().to_owned() });
            }
        }
        for Leaf { path, value } in &self.mapped.rest {
            let name = path.last().map_or("", String::as_str);
            let secret = hidden(path) || redact::usual(path, value) == Hide::All;
            if secret || name == PATH || touch.offer(name, value, self.origin(path)) {
                continue;
            }
            fields.push(Field { name: bracketed(path), value: text::cut(value.trim(), 2000).to_owned() });
        }
        let urls = [("page", &mut touch.page), ("landing", &mut touch.landing), ("referrer", &mut touch.referrer)];
        for (target, place) in urls {
            *place = self.text(target).map(|text| text::cut(text, 2000).to_owned());
        }
        for url in [touch.page.clone(), touch.landing.clone()].into_iter().flatten() {
            touch.offer_url(&url, Origin::PageUrl);
        }
        // The provider's id of a recording that nothing says how to fetch.
        if self.text("recording").is_none() && self.config.recording_url.is_none() {
            fields.extend(self.text("recording_id").map(|id| Field { name: "recording".to_owned(), value: id.to_owned() }));
        }
        fields.truncate(MOST_FIELDS);
        (touch, fields)
    }

    /// What became of each piece.
    pub(super) fn explain(self, hidden: &dyn Fn(&[String]) -> bool) -> Explanation {
        let mut out = Explanation::default();
        for Picked { target, value, path, from } in self.mapped.picked {
            if hidden(&path) {
                continue;
            }
            let field = target.strip_prefix(FIELD).map_or_else(|| target.clone(), |name| format!("field {name}"));
            out.read.push(Supplied { field, value, from });
        }
        for Leaf { path, value } in self.mapped.rest {
            let name = path.last().cloned().unwrap_or_default();
            if hidden(&path) || redact::usual(&path, &value) == Hide::All || name == PATH {
                continue;
            }
            let from = written(&path);
            match attribution_key(&name) {
                Some(key) => out.read.push(Supplied { field: key.into_owned(), value, from }),
                None => out.unmapped.push(Supplied { field: bracketed(&path), value, from }),
            }
        }
        // Nothing is amiss where a mapping covers every event of a provider; what matters is whether a call can be told.
        let needed = ["call_id", "event", "number", "caller", "direction"];
        let missing = self.mapped.missing.into_iter().filter(|(field, _)| needed.contains(&field.as_str()));
        out.missing = missing.map(|(field, places)| Missing { field, places }).collect();
        out
    }
}

/// The sides of a call.
struct Sides {
    direction: Option<Direction>,
    number: Option<CallNumber>,
    hidden: bool,
    line: Option<CallNumber>,
    agent: Option<String>,
}

/// An agent who did not answer a call that came in is one whose telephone rang.
fn place(told: &mut CallTelling, agent: Option<String>, kind: EventKind) {
    let Some(agent) = agent else { return };
    let comes_in = told.direction != Some(Direction::Out);
    let unanswered = told.outcome.is_some_and(|outcome| outcome != CallOutcome::Answered) || told.talk_s == Some(0);
    let rings = matches!(kind, EventKind::Started | EventKind::Ringing | EventKind::Missed);
    let talks = kind == EventKind::Answered || told.outcome == Some(CallOutcome::Answered) || told.talk_s > Some(0);
    if comes_in && (rings || unanswered) && !talks {
        told.rang.insert(agent);
    } else {
        told.agent = Some(agent);
    }
}

/// A time; also `2026-11-21 10:00:00 +0300` and `21.11.2026 10:00:00`, which trackers write.
fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    let spaced = || {
        let (civil, offset) = text.rsplit_once(' ')?;
        let offset = if matches!(offset, "UTC" | "GMT" | "Z") { "+0000" } else { offset };
        let whole = format!("{civil} {offset}");
        jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S %z", &whole).ok()?.to_timestamp().ok()
    };
    let dotted = || {
        let civil = ["%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S"]
            .iter()
            .find_map(|form| jiff::civil::DateTime::strptime(form, text).ok())?;
        zone.to_timestamp(civil).ok()
    };
    // Days with dots begin like a number of seconds with a fraction.
    dotted().or_else(|| times::any(text, zone)).or_else(spaced)
}

/// A path as a form would name it.
fn bracketed(path: &[String]) -> String {
    let mut parts = path.iter();
    let first = parts.next().cloned().unwrap_or_default();
    parts.fold(first, |name, part| format!("{name}[{part}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_trackers() {
        let moscow = TimeZone::get("Europe/Moscow").unwrap();
        let at: Option<Timestamp> = Some("2026-11-21T10:00:00Z".parse().unwrap());
        for text in [
            "2026-11-21 13:00:00",
            "21.11.2026 13:00:00",
            "21/11/2026 13:00:00",
            "2026-11-21 05:00:00 -0500",
            "2026-11-21 10:00:00 UTC",
            "2026-11-21T05:00:00.000-05:00",
            "1795255200000000",
        ] {
            assert_eq!(moment(text, &moscow), at, "{text}");
        }
        for text in ["", "soon", "2026-13-21 10:00:00", "2026-11-21 05:00:00 -xx", " +0000"] {
            assert_eq!(moment(text, &moscow), None, "{text}");
        }
    }
}
