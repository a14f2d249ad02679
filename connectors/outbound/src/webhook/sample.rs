//! Events that never happened: to try a webhook, and to try a template before it is needed.

use std::borrow::Cow;

use jiff::Timestamp;
use leadgate_core::attribution::{Origin, Touch, TouchValue};
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::change::Stage;
use leadgate_core::ids::{ActivityId, ContactId, EventId, LeadId, SourceId, SubmissionId};
use leadgate_core::onward::{
    ActivityBrief, Brief, ContactBrief, Detail, EVENTS, EventData, IdentityBrief, Job, JobId, LeadBrief, Recipient, Subject,
    SubmissionBrief, event,
};
use leadgate_core::ports::Parcel;
use leadgate_core::prepare::{Content, IdentityKind};
use leadgate_core::receipt::IdentityState;
use leadgate_core::submission::{ActivityKind, FormRef, Order};
use uuid::Uuid;

/// An event of this name about nobody, for a target. `id` is the event's; `None`: there is no event of this name. It is told
/// from a true one by [`super::Webhook::test`]; its source is called `test`.
pub fn sample(name: &str, target: &str, id: Uuid, installation: Uuid, now: Timestamp) -> Option<Parcel> {
    let subject = EVENTS.iter().find(|kind| kind.name == name)?.subject;
    let source = SourceId::parse("test").ok()?;
    let mut data = EventData::default();
    let mut brief = Brief::default();
    match subject {
        Subject::Lead | Subject::Contact => {
            (data.contact, data.activity) = (Some(ContactId(1)), Some(ActivityId(1)));
            brief.contact = Some(contact(id));
            let is_call = [event::CALL_MISSED, event::CALL_UNRETURNED, event::CALL_MADE].contains(&name);
            brief.activity = Some(if is_call { call(name, &source, now) } else { activity(&source, now) });
            if subject == Subject::Lead {
                data.lead = Some(LeadId(1));
                brief.lead = Some(lead(id, &source, now));
            }
        }
        Subject::Submission => {
            data.submission = Some(SubmissionId(id));
            let reasons = vec!["this is a test".to_owned()];
            brief.submission = Some(SubmissionBrief { id: SubmissionId(id), source, received_at: now, reasons });
        }
        Subject::Operation => {
            let words = "This is a test: nothing is wrong.".to_owned();
            data.detail = Some(Detail { source: Some(source), since: Some(now), count: Some(1), words, ..Detail::default() });
        }
    }
    let event_id = EventId(id);
    let job = Job {
        seq: 0,
        id: JobId::of(event_id, target, &Recipient::Target),
        target: target.to_owned(),
        recipient: Recipient::Target,
        event: event_id,
        name: name.to_owned(),
        data,
        at: now,
        since: now,
        attempt: 1,
    };
    Some(Parcel { job, installation, brief, now })
}

fn touch() -> Touch {
    let value =
        |key: &'static str, value: &str| TouchValue { key: Cow::Borrowed(key), value: value.to_owned(), from: Origin::PageUrl };
    Touch {
        values: vec![value("utm_source", "test"), value("utm_campaign", "test")],
        page: Some("https://example.com/contacts?utm_source=test&utm_campaign=test".to_owned()),
        ..Touch::default()
    }
}

fn lead(id: Uuid, source: &SourceId, now: Timestamp) -> LeadBrief {
    LeadBrief {
        id,
        number: LeadId(1),
        title: "Test: please ignore".to_owned(),
        stage: Stage::New,
        name: "Test Leadgate".to_owned(),
        source: source.clone(),
        responsible: None,
        created_at: now,
        closed_at: None,
        suspect: false,
        return_customer: false,
        first_touch: touch(),
        last_touch: touch(),
    }
}

fn contact(id: Uuid) -> ContactBrief {
    let identity = |kind: IdentityKind, value: &str, display: &str| IdentityBrief {
        kind,
        value: value.to_owned(),
        display: display.to_owned(),
        state: IdentityState::Active,
        unreachable: None,
    };
    ContactBrief {
        id,
        number: ContactId(1),
        name: "Test Leadgate".to_owned(),
        responsible: None,
        waiting_since: None,
        // A number that is given to nobody (555-01xx), and an address that nobody can have.
        identities: vec![
            identity(IdentityKind::PHONE, "+12025550123", "+1 202-555-0123"),
            identity(IdentityKind::EMAIL, "test@example.com", "test@example.com"),
        ],
    }
}

fn activity(source: &SourceId, now: Timestamp) -> ActivityBrief {
    let content = Content {
        name: Some("Test Leadgate".to_owned()),
        message: Some("This is a test of the webhook. Nobody wrote it.".to_owned()),
        form: Some(FormRef { id: None, name: Some("Test".to_owned()) }),
        order: Some(Order { amount: Some(150_050), currency: Some("EUR".to_owned()), ..Order::default() }),
        ..Content::default()
    };
    ActivityBrief {
        number: ActivityId(1),
        kind: ActivityKind::Form,
        source: Some(source.clone()),
        occurred_at: now,
        content,
        touch: touch(),
    }
}

/// A call of nobody: missed, or one of ours.
fn call(name: &str, source: &SourceId, now: Timestamp) -> ActivityBrief {
    let made = name == event::CALL_MADE;
    let told = CallTelling {
        direction: Some(if made { Direction::Out } else { Direction::In }),
        number: CallNumber::international("+12025550123"),
        line: CallNumber::international("+12025550100"),
        agent: made.then(|| "101".to_owned()),
        started: Some(now),
        wait_s: Some(if made { 5 } else { 35 }),
        talk_s: made.then_some(70),
        outcome: Some(if made { CallOutcome::Answered } else { CallOutcome::NoAnswer }),
        ..CallTelling::default()
    };
    let content = Content {
        name: Some("Test Leadgate".to_owned()),
        call: Some(Box::new(CallFacts::summary("test", told))),
        ..Content::default()
    };
    ActivityBrief { kind: ActivityKind::Call, content, ..activity(source, now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_of_every_event() {
        for kind in EVENTS {
            let parcel = sample(kind.name, "webhook:x", Uuid::from_u128(1), Uuid::from_u128(2), Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(parcel.job.name, kind.name);
            assert_eq!(parcel.brief.lead.is_some(), kind.subject == Subject::Lead, "{}", kind.name);
            assert_eq!(parcel.job.data.detail.is_some(), kind.subject == Subject::Operation, "{}", kind.name);
        }
        assert!(sample("lead.invented", "x", Uuid::nil(), Uuid::nil(), Timestamp::UNIX_EPOCH).is_none());
    }
}
