//! Where the button "open" of a notice leads: a lead, to be read. Nothing is changed by it, so that whatever looks after links may open it, too.
//!
//! Whatever customers typed stands on it as text: escaped, without characters that turn the direction of writing, and bounded. The page has no
//! script and loads nothing.

mod words;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};
use http::{HeaderMap, StatusCode};
use leadgate_core::attribution::Touch;
use leadgate_core::chat::SendState;
use leadgate_core::ids::{ManagerId, SourceId};
use leadgate_core::prepare::{Content, IdentityKind};
use leadgate_core::receipt::IdentityState;
use leadgate_core::views::{ActivityView, ContactDetail, LeadDetail};
use leadgate_outbound::mail::{Mailbox, clean, words as said};
use url::Url;

use self::words::{Words, of};
use super::acts::{self, Words as Refusals};
use super::pages::{self, STYLE};
use super::problem::Problem;
use crate::app::{Gateway, Live};
use crate::config::Language;
use crate::onward::links::BadLink;

/// Characters of a name, a title, a field's name.
const SHORT: usize = 200;
/// Characters of a field's value.
const VALUE: usize = 1_000;
/// Characters of what was written.
const TEXT: usize = 8_000;
/// Activities, from the newest.
const ACTIVITIES: usize = 50;
/// Identities, fields, files, tags.
const MOST: usize = 40;

#[derive(Template)]
#[template(path = "lead.html")]
struct Page<'a> {
    words: &'static Words,
    style: &'a str,
    nonce: &'a str,
    number: i64,
    source: String,
    name: String,
    /// The line that names it; empty if that is its source.
    title: String,
    stage: &'static str,
    responsible: Option<String>,
    made: String,
    ways: Vec<Way>,
    activities: Vec<Happened>,
    /// There are more than are shown.
    more: bool,
    touch: Vec<(String, String)>,
}

/// How somebody is reached.
struct Way {
    /// What it opens; `None`: nothing can be opened.
    href: Option<String>,
    shown: String,
    /// What is to be known of it; empty: nothing.
    note: &'static str,
}

/// An activity.
struct Happened {
    kind: &'static str,
    at: String,
    /// Which of us wrote it.
    author: String,
    /// What a call was.
    call: String,
    text: String,
    /// The text goes on.
    cut: bool,
    fields: Vec<(String, String)>,
    files: Vec<Shown>,
    /// How it fares, if we sent it.
    sending: String,
    outgoing: bool,
}

/// A file.
struct Shown {
    name: String,
    /// Where it lies, if that is elsewhere.
    href: Option<String>,
}

/// The page.
pub fn router() -> Router<Arc<Gateway>> {
    Router::new().route("/open/{token}", get(open))
}

async fn open(State(gateway): State<Arc<Gateway>>, Path(token): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let live = gateway.live();
    let language = pages::language(&headers, &live);
    let (words, refusals) = (of(language), Refusals::of(language));
    let refuse = |text: &str, status| Ok(closed(pages::plain(refusals.lang, refusals.sorry, text, status)));
    let (Some(signer), Some(store)) = (gateway.signer().await, gateway.store().await) else {
        return refuse(refusals.later, StatusCode::SERVICE_UNAVAILABLE);
    };
    let link = match signer.read_open(&token, gateway.clock.now()) {
        Ok(link) if is_told(&live, &link.by) => link,
        Ok(_) => return refuse(refusals.stranger, StatusCode::FORBIDDEN),
        Err(BadLink::Forged) => return refuse(refusals.forged, StatusCode::NOT_FOUND),
        Err(BadLink::Over) => return refuse(refusals.over, StatusCode::GONE),
    };
    let Some(lead) = store.lead(link.lead).await? else { return refuse(words.no_lead, StatusCode::NOT_FOUND) };
    tracing::info!(lead = %link.lead, by = link.by, "a lead was opened by its link");
    let nonce = gateway.clock.uuid().simple().to_string();
    let page = pages::render(&page(&lead, &live, language, &nonce))?;
    let mut response = closed(pages::html(page, &nonce, StatusCode::OK));
    let policy =
        format!("default-src 'none'; style-src 'nonce-{nonce}'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'");
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// What is behind the link is for nobody else: no other page is told of it.
fn closed(mut response: Response) -> Response {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Whether whoever got the link is still somebody who is told of leads.
fn is_told(live: &Live, by: &str) -> bool {
    match by.strip_prefix("telegram:").and_then(|chat| chat.rsplit_once(':')) {
        Some((source, chat)) => {
            let (source, chat) = (SourceId::parse(source), chat.parse());
            matches!((source, chat), (Ok(source), Ok(chat)) if live.onward.chats(&source).contains(&chat))
        }
        None => acts::knows(live, by),
    }
}

fn page<'a>(lead: &LeadDetail, live: &Live, language: Language, nonce: &'a str) -> Page<'a> {
    let words = of(language);
    let (summary, show) = (&lead.lead, Show { live, language, words });
    let name = [lead.person.as_ref().map_or("", |person| person.contact.name.as_str()), &summary.name];
    let name = name.into_iter().map(|name| clean::line(name, SHORT)).find(|name| !name.is_empty());
    let source = clean::line(summary.source.as_str(), SHORT);
    let responsible = summary.responsible.as_ref().map(|id| show.manager(id));
    let shown = lead.timeline.iter().rev().take(ACTIVITIES);
    Page {
        words,
        style: STYLE,
        nonce,
        number: summary.id.0,
        title: Some(clean::line(&summary.title, SHORT)).filter(|title| *title != source).unwrap_or_default(),
        source,
        name: name.unwrap_or_else(|| words.nameless.to_owned()),
        stage: said::stage(summary.stage, language),
        responsible,
        made: show.time(summary.created_at),
        ways: lead.person.as_ref().map_or_else(|| typed(lead), |person| show.ways(person)),
        activities: shown.map(|activity| show.activity(activity)).collect(),
        more: lead.timeline.len() > ACTIVITIES,
        touch: show.touch(&lead.first_touch, &lead.last_touch),
    }
}

/// Writes for people.
struct Show<'a> {
    live: &'a Live,
    language: Language,
    words: &'static Words,
}

impl Show<'_> {
    fn time(&self, at: jiff::Timestamp) -> String {
        let form = if self.language == Language::Ru { "%d.%m.%Y %H:%M" } else { "%Y-%m-%d %H:%M" };
        at.to_zoned(self.live.time_zone.clone()).strftime(form).to_string()
    }

    fn manager(&self, id: &str) -> String {
        let known = self.live.people.iter().find(|manager| manager.id == ManagerId(id.to_owned()));
        clean::line(known.map_or(id, |manager| manager.name.as_str()), SHORT)
    }

    /// How a person is reached.
    fn ways(&self, person: &ContactDetail) -> Vec<Way> {
        let ways = person.identities.iter().take(MOST).map(|held| {
            let note = match held.state {
                _ if held.unreachable.is_some() => self.words.comes_back,
                IdentityState::Claimed => self.words.claimed,
                IdentityState::Historic => self.words.former,
                IdentityState::Active | IdentityState::Shared | IdentityState::Generic => "",
            };
            Way { href: href(&held.kind, &held.value, &held.display), shown: clean::line(&held.display, SHORT), note }
        });
        ways.filter(|way| !way.shown.is_empty()).collect()
    }

    fn activity(&self, activity: &ActivityView) -> Happened {
        let content = &activity.content;
        let (text, cut) = clean::block(content.message.as_deref().unwrap_or_default(), TEXT);
        let fields = content.fields.iter().filter(|field| !field.value.trim().is_empty()).take(MOST);
        let offered = content.offered.iter().filter(|file| !content.files.iter().any(|kept| kept.field == file.unique));
        // Those of a messenger have ids, too, but no links.
        let place = |id: &str| link(id).filter(|_| content.call.is_some());
        let kept = content.files.iter().map(|file| Shown { name: named(&file.name, Some(file.size), ""), href: None });
        let offered = offered.map(|file| Shown { name: named(&file.name, file.size, &file.problem), href: place(&file.id) });
        Happened {
            kind: said::activity(activity.kind, content.outgoing, self.language),
            at: self.time(activity.occurred_at),
            author: activity.author.as_deref().map(|author| self.author(author)).unwrap_or_default(),
            call: content.call.as_ref().map(|call| clean::line(&call.view().sentence(self.language), VALUE)).unwrap_or_default(),
            text,
            cut,
            fields: fields.map(|field| (clean::line(&field.name, SHORT), clean::line(&field.value, VALUE))).collect(),
            files: kept.chain(offered).take(MOST).collect(),
            sending: self.sending(content),
            outgoing: content.outgoing,
        }
    }

    /// `telegram:anna`, `api:crm`: who, and how they came in.
    fn author(&self, actor: &str) -> String {
        match actor.split_once(':') {
            Some(("telegram" | "mail", id)) => self.manager(id),
            _ => clean::line(actor, SHORT),
        }
    }

    fn sending(&self, content: &Content) -> String {
        let Some(sending) = &content.sending else { return String::new() };
        match sending.state {
            SendState::Sending => self.words.on_its_way.to_owned(),
            SendState::Delivered => self.words.delivered.to_owned(),
            SendState::Failed => format!("{}: {}", self.words.failed, clean::line(&sending.words, VALUE)),
        }
    }

    /// Where they came from: first, and then whatever else.
    fn touch(&self, first: &Touch, last: &Touch) -> Vec<(String, String)> {
        let mut rows: Vec<(String, String)> = Vec::new();
        for touch in [first, last] {
            let tags = touch.values.iter().map(|tag| (said::tag(&tag.key, self.language), Some(tag.value.as_str())));
            let pages = [
                (self.words.page, touch.page.as_deref()),
                (self.words.landing, touch.landing.as_deref()),
                (self.words.referrer, touch.referrer.as_deref()),
            ];
            for (name, value) in tags.chain(pages) {
                let row = (clean::line(name, SHORT), clean::line(value.unwrap_or_default(), VALUE));
                if !row.1.is_empty() && !rows.contains(&row) && rows.len() < MOST {
                    rows.push(row);
                }
            }
        }
        rows
    }
}

/// What somebody typed of whom nothing is known.
fn typed(lead: &LeadDetail) -> Vec<Way> {
    let values = lead.timeline.iter().flat_map(|activity| &activity.content.values).take(MOST);
    let ways = values.map(|given| Way {
        href: given.value.as_deref().and_then(|value| href(&given.kind, value, &given.typed)),
        shown: clean::line(&given.typed, SHORT),
        note: "",
    });
    ways.filter(|way| !way.shown.is_empty()).collect()
}

/// What a touch of a finger opens.
fn href(kind: &IdentityKind, value: &str, display: &str) -> Option<String> {
    if *kind == IdentityKind::PHONE {
        return clean::tel(value);
    }
    Mailbox::new("", display).filter(|_| *kind == IdentityKind::EMAIL).map(|mailbox| mailbox.href())
}

/// Where a file lies that a delivery named by its link; `None`: what it names is no link.
pub(crate) fn link(id: &str) -> Option<String> {
    let url = Url::parse(id).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    // Whoever follows a link gives nobody's password.
    (url.username().is_empty() && url.password().is_none()).then(|| url.to_string())
}

fn named(name: &str, size: Option<u64>, problem: &str) -> String {
    let mut shown = clean::line(name, SHORT);
    if let Some(size) = size {
        shown = format!("{shown} ({})", clean::size(size));
    }
    if !problem.is_empty() {
        shown = format!("{shown}: {}", clean::line(problem, VALUE));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_address_in_a_link() {
        let mailto = |address: &str| href(&IdentityKind::EMAIL, "", address);
        assert_eq!(mailto("vera+shop@firma-mail.ru").as_deref(), Some("mailto:vera%2Bshop@firma-mail.ru"));
        for no_address in ["vera&cc=x@firma-mail.ru", "a@b.ru?bcc=x@y.ru&c", ""] {
            assert_eq!(mailto(no_address), None, "{no_address}");
        }
    }

    #[test]
    fn what_is_offered_is_a_link_or_an_id() {
        assert_eq!(link("https://pbx.example/a b?x=1").as_deref(), Some("https://pbx.example/a%20b?x=1"));
        assert!(link("http://pbx.example/a").is_some());
        for other in
            ["1234.5", "javascript:alert(1)", "data:text/html,x", "ftp://x/y", "https://u:p@x.example/", "//x.example/a", ""]
        {
            assert_eq!(link(other), None, "{other}");
        }
    }

    #[test]
    fn only_phones_and_addresses_are_links() {
        assert_eq!(href(&IdentityKind::PHONE, "+79161234567", "+7 916 123-45-67").as_deref(), Some("tel:+79161234567"));
        assert_eq!(href(&IdentityKind::PHONE, "javascript:1", "x"), None);
        assert_eq!(href(&IdentityKind("telegram".into()), "5", "javascript:alert(1)"), None);
    }
}
