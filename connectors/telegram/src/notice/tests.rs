use leadgate_core::attribution::Touch;
use leadgate_core::call::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::change::Stage;
use leadgate_core::chat::OfferedFile;
use leadgate_core::ids::{ActivityId, ContactId, LeadId};
use leadgate_core::onward::{ContactBrief, IdentityBrief, LeadBrief};
use leadgate_core::prepare::Content;
use leadgate_core::receipt::IdentityState;
use leadgate_core::submission::{ActivityKind, Field};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn brief(name: &str, message: &str) -> Brief {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let phone = IdentityBrief {
        kind: IdentityKind::PHONE,
        value: "+79160001122;ext=5".to_owned(),
        display: "+7 916 000-11-22".to_owned(),
        state: IdentityState::Active,
        unreachable: None,
    };
    Brief {
        lead: Some(LeadBrief {
            id: Uuid::nil(),
            number: LeadId(12),
            title: "Callback".to_owned(),
            stage: Stage::New,
            name: name.to_owned(),
            source: "site".parse().unwrap(),
            responsible: None,
            created_at: at,
            closed_at: None,
            suspect: false,
            return_customer: false,
            first_touch: Touch::default(),
            last_touch: Touch::default(),
        }),
        contact: Some(ContactBrief {
            id: Uuid::nil(),
            number: ContactId(3),
            name: name.to_owned(),
            responsible: None,
            waiting_since: None,
            identities: vec![phone],
        }),
        activity: Some(ActivityBrief {
            number: ActivityId(4),
            kind: ActivityKind::Form,
            source: Some("site".parse().unwrap()),
            occurred_at: at,
            content: Content {
                message: Some(message.to_owned()),
                fields: (0..20).map(|n| Field { name: format!("f{n}"), value: message.to_owned() }).collect(),
                ..Content::default()
            },
            touch: Touch::default(),
        }),
        submission: None,
    }
}

fn telling<'a>(stand: Stand<'a>, url: Option<&'a str>) -> Telling<'a> {
    Telling { language: En, event: event::LEAD_CREATED, source: "Site", stand, url }
}

fn labels(told: &Told) -> Vec<Vec<&str>> {
    told.buttons.iter().map(|row| row.iter().map(|button| button.text.as_str()).collect()).collect()
}

#[test]
fn a_lead_is_told_with_its_buttons() {
    let told = tell(&brief("Anna <3", "a & b"), &telling(Stand::Free, Some("https://x.example/12")));
    assert!(
        told.html.starts_with("A new lead №12 · Site\n<b>Anna &lt;3</b>\n+7 916 000-11-22\n<i>Callback</i>\n"),
        "{}",
        told.html
    );
    assert!(told.html.contains("<blockquote>a &amp; b</blockquote>"), "{}", told.html);
    assert_eq!(labels(&told), [vec!["Take", "Junk"], vec!["Call", "Open"]]);
    assert_eq!(told.buttons[0][0].does, Does::Says("t:12".to_owned()));
    let taken = tell(&brief("A", "b"), &telling(Stand::Taken("Oleg"), None));
    assert!(taken.html.ends_with("<b>Taken by Oleg</b>"), "{}", taken.html);
    assert_eq!(labels(&taken), [vec!["Call"]]);
    assert_eq!(labels(&tell(&brief("A", "b"), &telling(Stand::Junk("Oleg"), None)))[0], ["Undo"]);
    assert_eq!(phone(&brief("A", "b")), Some("+79160001122"));
    assert_eq!(topic(&brief("Anna\n\u{202e}", "b")), "№12 Anna ");
    assert!(tell(&Brief::default(), &telling(Stand::Free, None)).buttons.is_empty());
}

#[test]
fn a_call_is_told_as_what_it_was() {
    let told = CallTelling {
        direction: Some(Direction::In),
        line: CallNumber::international("+74951234567"),
        scheme: Some("<b>Sales".to_owned()),
        wait_s: Some(35),
        outcome: Some(CallOutcome::NoAnswer),
        ..CallTelling::default()
    };
    let recording = OfferedFile { id: "https://records.pbx.ru/a".to_owned(), unique: "a".to_owned(), ..OfferedFile::default() };
    let mut call = brief("Anna", "");
    if let Some(activity) = &mut call.activity {
        activity.content =
            Content { call: Some(Box::new(CallFacts::summary("c1", told))), offered: vec![recording], ..Content::default() };
    }
    let missed = tell(&call, &Telling { event: event::CALL_MISSED, ..telling(Stand::Free, None) });
    assert!(missed.html.starts_with("A missed call №12 · Site\n"), "{}", missed.html);
    assert!(
        missed.html.ends_with("\nMissed call to +74951234567, by &lt;b&gt;Sales, waited 0:35\nRecordings: 1"),
        "{}",
        missed.html
    );
    let late = tell(&call, &Telling { event: event::CALL_UNRETURNED, language: Ru, ..telling(Stand::Free, None) });
    assert!(late.html.starts_with("Клиенту не перезвонили №12"), "{}", late.html);
    assert!(
        late.html.contains("\nПропущенный звонок на линию +74951234567") && late.html.ends_with("\nЗаписей: 1"),
        "{}",
        late.html
    );
    assert!(!late.html.contains("records.pbx.ru"), "a recording is no open link");
}

#[test]
fn a_press_is_what_was_said() {
    for (data, press) in [("t:5", Press::Take(5)), ("j:6", Press::Junk(6)), ("u:7", Press::Undo(7)), ("c:8", Press::Call(8))] {
        assert_eq!((Press::parse(data), press.data().as_str()), (Some(press), data));
    }
    for odd in ["", "t", "t:", "t:0", "t:-5", "x:5", "t:5x", "t:99999999999999999999"] {
        assert_eq!(Press::parse(odd), None, "{odd}");
    }
}

proptest! {
    #[test]
    fn whatever_was_typed_fits_and_is_data(name in "(?s).{0,400}", message in "(?s)[<&\"a😀\n]{0,6000}") {
        let told = tell(&brief(&name, &message), &telling(Stand::Taken(&name), None));
        prop_assert!(units(&told.html) <= MESSAGE);
        let tags = told.html.matches('<').count();
        let ours = ["<b>", "</b>", "<i>", "</i>", "<blockquote>", "</blockquote>"].iter().map(|tag| told.html.matches(tag).count()).sum::<usize>();
        prop_assert_eq!(tags, ours);
    }
}
