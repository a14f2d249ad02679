//! A lead, a person and what happened, for these tests.

use std::borrow::Cow;

use jiff::Timestamp;
use leadgate_core::attribution::{Origin, Touch, TouchValue};
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::change::Stage;
use leadgate_core::chat::OfferedFile;
use leadgate_core::ids::{ActivityId, ContactId, LeadId, SourceId, SubmissionId};
use leadgate_core::prepare::{Content, IdentityKind, ReadValue};
use leadgate_core::receipt::{IdentityState, Outcome, Reason, Receipt};
use leadgate_core::rules::{KnownContact, Strength};
use leadgate_core::submission::{ActivityKind, Field, FileRef};
use leadgate_core::views::{ActivityView, ContactDetail, ContactSummary, IdentityView, LeadDetail, LeadSummary};

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn source(id: &str) -> SourceId {
    id.parse().unwrap()
}

pub fn identity(kind: IdentityKind, value: &str, display: &str) -> IdentityView {
    let seen = time("2026-11-01T09:00:00Z");
    IdentityView {
        kind,
        value: value.to_owned(),
        display: display.to_owned(),
        strength: Strength::Strong,
        state: IdentityState::Active,
        first_seen: seen,
        last_seen: seen,
        activity: None,
        unreachable: None,
    }
}

pub fn email(typed: &str, flags: &[&'static str]) -> ReadValue {
    let read = leadgate_core::email::read(typed).emails;
    ReadValue {
        kind: IdentityKind::EMAIL,
        field: "email".to_owned(),
        typed: typed.to_owned(),
        value: read.first().map(|email| email.key.clone()),
        strength: Strength::Strong,
        flags: flags.iter().copied().map(Cow::Borrowed).collect(),
        note: None,
    }
}

pub fn activity(number: i64, at: &str, message: &str) -> ActivityView {
    ActivityView {
        id: ActivityId(number),
        kind: ActivityKind::Form,
        lead: Some(LeadId(412)),
        contact: Some(ContactId(7)),
        source: Some(source("site")),
        occurred_at: time(at),
        submission: None,
        content: Content { message: Some(message.to_owned()), ..Content::default() },
        touch: Touch::default(),
        ambiguous: false,
        suspect: false,
        revisions: 0,
        author: None,
        receipt: None,
        reasons: Vec::new(),
    }
}

/// What came: a form with everything.
pub fn came() -> ActivityView {
    let mut came = activity(92, "2026-11-21T19:42:45Z", "Добрый день!\nНужен забор, 40 м & <калитка>.\nКогда можно приехать?");
    came.content.name = Some("Пётр Иванов".to_owned());
    came.content.values = vec![email("petr.ivanov@mail.ru", &[])];
    came.content.fields = vec![Field { name: "Длина".to_owned(), value: "40 м".to_owned() }];
    came.content.files = vec![FileRef {
        sha256: "0".repeat(64),
        name: "участок.jpg".to_owned(),
        content_type: "image/jpeg".to_owned(),
        size: 2_345_678,
        field: String::new(),
    }];
    let value =
        |key: &'static str, value: &str| TouchValue { key: Cow::Borrowed(key), value: value.to_owned(), from: Origin::PageUrl };
    came.touch = Touch {
        values: vec![value("utm_source", "yandex"), value("utm_campaign", "Заборы — осень"), value("yclid", "1234567890")],
        page: Some("https://zavod.ru/zabory/?utm_source=yandex".to_owned()),
        ..Touch::default()
    };
    came.receipt = Some(Receipt {
        submission: SubmissionId(uuid::Uuid::from_u128(92)),
        outcome: Outcome::Attached,
        lead: Some(LeadId(412)),
        contact: Some(ContactId(7)),
        activity: Some(ActivityId(92)),
        reasons: vec![
            Reason::Matched {
                kind: IdentityKind::PHONE,
                value: "+79161234567".to_owned(),
                strength: Strength::Strong,
                state: IdentityState::Active,
                contact: ContactId(7),
            },
            Reason::OpenLead { lead: LeadId(412) },
            Reason::Returned { policy: KnownContact::RepeatLead },
        ],
    });
    came
}

/// A call that nobody answered, with a recording that lies elsewhere.
pub fn called() -> ActivityView {
    let told = CallTelling {
        direction: Some(Direction::In),
        line: CallNumber::international("+7 495 123-45-67"),
        scheme: Some("Продажи <b>".to_owned()),
        wait_s: Some(35),
        outcome: Some(CallOutcome::NoAnswer),
        ..CallTelling::default()
    };
    let recording = |unique: &str, problem: &str| OfferedFile {
        id: format!("https://records.pbx.ru/{unique}"),
        unique: unique.to_owned(),
        name: format!("{unique}.mp3"),
        problem: problem.to_owned(),
        ..OfferedFile::default()
    };
    let mut call = activity(93, "2026-11-21T19:12:45Z", "");
    call.kind = ActivityKind::Call;
    call.content = Content {
        call: Some(Box::new(CallFacts::summary("c1", told))),
        files: vec![FileRef { field: "fetched".to_owned(), name: "fetched.mp3".to_owned(), ..came().content.files[0].clone() }],
        offered: vec![recording("fetched", ""), recording("elsewhere", ""), recording("gone", "not fetched")],
        fields: vec![Field { name: "Город".to_owned(), value: "Пермь".to_owned() }],
        ..Content::default()
    };
    call.receipt = Some(Receipt {
        submission: SubmissionId(uuid::Uuid::from_u128(93)),
        outcome: Outcome::Attached,
        lead: Some(LeadId(412)),
        contact: Some(ContactId(7)),
        activity: Some(ActivityId(93)),
        reasons: vec![Reason::CallMissed],
    });
    call
}

pub fn person() -> ContactDetail {
    ContactDetail {
        contact: ContactSummary {
            id: ContactId(7),
            name: "Пётр Иванов".to_owned(),
            other_names: Vec::new(),
            created_at: time("2026-11-01T09:00:00Z"),
            last_active: time("2026-11-21T19:42:45Z"),
            waiting_since: Some(time("2026-11-21T18:42:45Z")),
            responsible: None,
            merged_into: None,
            phone: Some("+7 916 123-45-67".to_owned()),
            email: Some("petr.ivanov@mail.ru".to_owned()),
            leads: 1,
        },
        uuid: uuid::Uuid::from_u128(7),
        erased_at: None,
        identities: vec![
            identity(IdentityKind::PHONE, "+79161234567", "+7 916 123-45-67"),
            identity(IdentityKind::EMAIL, "petr.ivanov@mail.ru", "petr.ivanov@mail.ru"),
            identity(IdentityKind(Cow::Borrowed("telegram")), "4711", "@petr"),
        ],
        lead_ids: vec![LeadId(412)],
        reviews: Vec::new(),
        timeline: Vec::new(),
    }
}

pub fn summary() -> LeadSummary {
    LeadSummary {
        id: LeadId(412),
        title: "Расчёт забора".to_owned(),
        stage: Stage::New,
        contact: Some(ContactId(7)),
        name: "Пётр Иванов".to_owned(),
        phone: Some("+7 916 123-45-67".to_owned()),
        email: Some("petr.ivanov@mail.ru".to_owned()),
        source: source("site"),
        responsible: None,
        created_at: time("2026-11-21T17:12:45Z"),
        touched_at: time("2026-11-21T19:42:45Z"),
        closed_at: None,
        activities: 2,
        suspect: false,
        test: false,
        return_customer: true,
        utm_source: Some("yandex".to_owned()),
    }
}

pub fn lead() -> LeadDetail {
    LeadDetail {
        lead: summary(),
        uuid: uuid::Uuid::from_u128(412),
        version: 1,
        first_touch: Touch::default(),
        last_touch: Touch::default(),
        person: Some(person()),
        timeline: vec![activity(90, "2026-11-21T17:12:45Z", "Сколько стоит забор из профлиста?"), came()],
        history: Vec::new(),
    }
}
