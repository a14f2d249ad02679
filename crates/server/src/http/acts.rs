//! Where the links of mails lead: a page that asks, and the deed after the answer. Opening a link does nothing, for programs that
//! look after mails open links, too.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use leadgate_core::change::{ChangeError, Close, LeadChange};
use leadgate_core::ids::{EventId, ManagerId};
use leadgate_core::onward::Recipient;
use leadgate_core::ports::{Act, Store, StoreError};

use super::pages::{self, STYLE};
use super::problem::Problem;
use crate::app::{Gateway, Live};
use crate::config::Language;
use crate::onward::links::{BadLink, Deed, Link};
use crate::replay::{self, Asked, Done, Readers};

#[derive(Template)]
#[template(path = "act.html")]
struct Question<'a> {
    lang: &'a str,
    title: &'a str,
    text: &'a str,
    button: &'a str,
    style: &'a str,
    nonce: &'a str,
}

/// The pages behind links.
pub fn router() -> Router<Arc<Gateway>> {
    Router::new().route("/act/{token}", get(ask).post(act))
}

/// A link, and whom it asks in which words.
struct Followed {
    link: Link,
    live: Arc<Live>,
    words: &'static Words,
}

async fn follow(gateway: &Gateway, token: &str, headers: &HeaderMap) -> Result<Followed, Response> {
    let live = gateway.live();
    let words = Words::of(pages::language(headers, &live));
    let refuse = |title: &str, text: &str, status| pages::plain(words.lang, title, text, status);
    let Some(signer) = gateway.signer().await else {
        return Err(refuse(words.sorry, words.later, StatusCode::SERVICE_UNAVAILABLE));
    };
    match signer.read(token, gateway.clock.now()) {
        Ok(link) if knows(&live, &link.by) => Ok(Followed { link, live, words }),
        Ok(_) => Err(refuse(words.sorry, words.stranger, StatusCode::FORBIDDEN)),
        Err(BadLink::Forged) => Err(refuse(words.sorry, words.forged, StatusCode::NOT_FOUND)),
        Err(BadLink::Over) => Err(refuse(words.sorry, words.over, StatusCode::GONE)),
    }
}

/// Whether whoever got the link is still somebody who gets mails.
pub(super) fn knows(live: &Live, by: &str) -> bool {
    if by.contains('@') {
        return live.rules.routes.iter().any(|route| route.recipient == Recipient::Address(by.to_owned()))
            || live.digests.iter().any(|digest| digest.to == Recipient::Address(by.to_owned()));
    }
    live.managers.iter().any(|manager| manager == by)
}

async fn ask(State(gateway): State<Arc<Gateway>>, Path(token): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let Followed { link, words, .. } = match follow(&gateway, &token, &headers).await {
        Ok(followed) => followed,
        Err(refused) => return Ok(refused),
    };
    let (title, text, button) = words.question(&link.deed);
    let nonce = gateway.clock.uuid().simple().to_string();
    let page = pages::render(&Question { lang: words.lang, title: &title, text, button, style: STYLE, nonce: &nonce })?;
    Ok(pages::html(page, &nonce, StatusCode::OK))
}

async fn act(State(gateway): State<Arc<Gateway>>, Path(token): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let Followed { link, live, words } = match follow(&gateway, &token, &headers).await {
        Ok(followed) => followed,
        Err(refused) => return Ok(refused),
    };
    let Some(store) = gateway.store().await else {
        return Ok(pages::plain(words.lang, words.sorry, words.later, StatusCode::SERVICE_UNAVAILABLE));
    };
    let (at, event) = gateway.clock.stamped();
    let act = Act { actor: format!("mail:{}", link.by), at, event: EventId(event), routes: Arc::clone(&live.rules.routes) };
    let outcome = run(&**store, &live, &link, act).await?;
    tracing::info!(deed = ?link.deed, done = outcome.is_ok(), "a link of a mail was followed");
    Ok(match outcome {
        Ok(()) => pages::plain(words.lang, words.done, &words.outcome(&link.deed), StatusCode::OK),
        Err(why) => pages::plain(words.lang, words.not_done, &why, StatusCode::CONFLICT),
    })
}

/// Does it, or says why not.
async fn run(store: &dyn Store, live: &Live, link: &Link, act: Act) -> Result<Result<(), String>, StoreError> {
    let told = |error: ChangeError| error.to_string();
    Ok(match &link.deed {
        Deed::Take(lead) => {
            let take = LeadChange::Take(ManagerId(link.by.clone()));
            store.change_lead(*lead, vec![take], None, act).await?.map(|_| ()).map_err(told)
        }
        Deed::Junk(lead) => {
            store.change_lead(*lead, vec![LeadChange::Close(Close::Junk)], None, act).await?.map(|_| ()).map_err(told)
        }
        Deed::TakeContact(contact) => store.take_contact(*contact, link.by.clone(), act).await?.map(|_| ()).map_err(told),
        Deed::Release(submission) => {
            let asked = Asked { ids: vec![*submission], ..Asked::default() };
            let batch = replay::batch(store, &Readers::of_live(live), &asked, replay::Deed::Release, &act).await?;
            match batch.items.first() {
                Some(told) if told.done == Done::Changed => Ok(()),
                Some(told) => Err(told.why.clone().unwrap_or_else(|| "it was let in before".to_owned())),
                None => Err("it does not wait any more".to_owned()),
            }
        }
    })
}

/// The words of these pages.
pub(super) struct Words {
    pub lang: &'static str,
    russian: bool,
    pub sorry: &'static str,
    pub later: &'static str,
    pub stranger: &'static str,
    pub forged: &'static str,
    pub over: &'static str,
    done: &'static str,
    not_done: &'static str,
}

static RU: Words = Words {
    lang: "ru",
    russian: true,
    sorry: "Не получилось",
    later: "Шлюз сейчас не может ответить. Попробуйте через минуту.",
    stranger: "Тот, кому пришла эта ссылка, больше не получает сообщений шлюза.",
    forged: "Такой ссылки нет. Возможно, она скопирована не целиком.",
    over: "Срок действия этой ссылки истёк.",
    done: "Готово",
    not_done: "Не получилось",
};

static EN: Words = Words {
    lang: "en",
    russian: false,
    sorry: "That did not work",
    later: "The gateway cannot answer now. Try again in a minute.",
    stranger: "Whoever got this link is not told of anything by the gateway any more.",
    forged: "There is no such link. Perhaps it was not copied as a whole.",
    over: "The time of this link is over.",
    done: "Done",
    not_done: "That did not work",
};

impl Words {
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::Ru => &RU,
            Language::En => &EN,
        }
    }

    /// Title, text and button of the page that asks.
    fn question(&self, deed: &Deed) -> (String, &'static str, &'static str) {
        match (deed, self.russian) {
            (Deed::Take(lead), true) => {
                (format!("Взять лид {lead}?"), "Вы станете ответственным, и никто другой его не возьмёт.", "Взять")
            }
            (Deed::Take(lead), false) => (format!("Take lead {lead}?"), "It becomes yours, and nobody else's.", "Take it"),
            (Deed::TakeContact(contact), true) => {
                (format!("Взять обращение контакта {contact}?"), "Вы станете ответственным за этот контакт.", "Взять")
            }
            (Deed::TakeContact(contact), false) => {
                (format!("Take contact {contact}?"), "You become responsible for this person.", "Take it")
            }
            (Deed::Junk(lead), true) => {
                (format!("Закрыть лид {lead} как спам?"), "Следующее обращение этого человека станет новым лидом.", "Закрыть")
            }
            (Deed::Junk(lead), false) => {
                (format!("Close lead {lead} as junk?"), "The next enquiry of this person becomes a new lead.", "Close it")
            }
            (Deed::Release(_), true) => ("Принять заявку?".to_owned(), "Она станет лидом, как обычная.", "Принять"),
            (Deed::Release(_), false) => ("Let this delivery in?".to_owned(), "It becomes a lead, as any other.", "Let it in"),
        }
    }

    /// What has happened.
    fn outcome(&self, deed: &Deed) -> String {
        match (deed, self.russian) {
            (Deed::Take(lead), true) => format!("Лид {lead} теперь ваш."),
            (Deed::Take(lead), false) => format!("Lead {lead} is yours now."),
            (Deed::TakeContact(contact), true) => format!("Контакт {contact} теперь ваш."),
            (Deed::TakeContact(contact), false) => format!("Contact {contact} is yours now."),
            (Deed::Junk(lead), true) => format!("Лид {lead} закрыт как спам."),
            (Deed::Junk(lead), false) => format!("Lead {lead} is closed as junk."),
            (Deed::Release(_), true) => "Заявка принята.".to_owned(),
            (Deed::Release(_), false) => "The delivery was let in.".to_owned(),
        }
    }
}
