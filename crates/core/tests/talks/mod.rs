//! Messages that belong together: what one activity tells of several deliveries.

use std::sync::Arc;

use jiff::SignedDuration;
use leadgate_core::chat::{ChatFacts, OfferedFile};
use leadgate_core::ids::{ActivityId, ManagerId};
use leadgate_core::prepare::Prepared;
use leadgate_core::receipt::{Outcome, Reason};
use leadgate_core::rules::Rules;
use leadgate_core::submission::{ActivityKind, Handle, Purpose, Reference};
use proptest::prelude::*;

use crate::Story;
use crate::memory::{Delivery, Memory, rules, start};

fn message(n: u32, key: &str, text: &str) -> Delivery {
    Delivery::new(n).key(&n.to_string()).with(|s| {
        s.draft.activity = ActivityKind::Message;
        s.draft.message = Some(text.to_owned()).filter(|text| !text.is_empty());
        s.draft.external_key = Some(key.to_owned());
        let telegram = |value: &str| value.to_owned();
        s.draft.handles.push(Handle { kind: telegram("telegram"), value: telegram("42"), display: String::new(), proven: true });
        s.draft.chat = Some(Box::new(ChatFacts { chat: "42".to_owned(), message: n.to_string(), ..ChatFacts::default() }));
        s.draft.known_as.extend(Reference::new("telegram", &format!("1/42:{n}")));
    })
}

fn part(delivery: Delivery) -> Delivery {
    delivery.with(|s| s.draft.gathers = true)
}

fn offering(delivery: Delivery, unique: &str) -> Delivery {
    delivery.with(|s| s.draft.offered.push(OfferedFile { unique: unique.to_owned(), ..OfferedFile::default() }))
}

fn told(db: &Memory, activity: i64) -> (Option<&str>, Vec<&str>) {
    let content = &db.told[&ActivityId(activity)].content;
    (content.message.as_deref(), content.offered.iter().map(|file| file.unique.as_str()).collect())
}

#[test]
fn parts_are_gathered_and_edits_take_their_place() {
    let mut story = Story::new();
    assert_eq!(story.send(part(offering(message(1, "album", "Our kitchen"), "a"))).outcome, Outcome::Created);
    assert_eq!(story.send(part(offering(message(2, "album", ""), "b"))).outcome, Outcome::Amended);
    assert_eq!(told(&story.db, 1), (Some("Our kitchen"), vec!["a", "b"]));
    let edited = part(message(3, "album", "Our new kitchen")).with(|s| s.draft.chat.as_mut().unwrap().edited_at = Some(start()));
    story.send(edited);
    assert_eq!(told(&story.db, 1), (Some("Our new kitchen"), vec!["a", "b"]));
    story.send(message(4, "album", "Something else"));
    assert_eq!(told(&story.db, 1), (Some("Something else"), vec![]), "what does not add takes the place");
    assert_eq!(story.db.activities.len(), 1);
}

#[test]
fn events_ask_for_what_is_to_be_done() {
    let mut story = Story::new();
    story.send(offering(message(1, "1", "hello").with(|s| s.draft.follow_up = true), "a"));
    let names = |story: &Story, from: usize| story.db.events[from..].iter().map(|(_, name)| *name).collect::<Vec<_>>();
    assert_eq!(names(&story, 0), ["contact.created", "lead.created", "message.received", "file.offered"]);
    story.send(message(2, "2", "/stop").with(|s| (s.purpose, s.draft.follow_up) = (Purpose::Note, true)));
    assert_eq!(names(&story, 4), ["message.received"]);
    let staff = message(3, "3", "hello").with(|s| s.draft.by_staff = Some(ManagerId("anna".into())));
    let receipt = story.send(staff);
    assert_eq!((receipt.outcome, receipt.reasons.len()), (Outcome::Noted, 1));
    assert!(matches!(&receipt.reasons[0], Reason::ByStaff { manager } if manager.0 == "anna"));
    assert_eq!(story.db.events.len(), 5);
}

#[derive(Clone, Debug)]
struct Shape {
    key: usize,
    text: usize,
    file: usize,
    gathers: bool,
    edited: bool,
    ours: bool,
    kind: u8,
}

fn shape() -> impl Strategy<Value = Shape> {
    (0..3_usize, 0..4_usize, 0..5_usize, any::<bool>(), any::<bool>(), 0..6_u8, 0..8_u8).prop_map(
        |(key, text, file, gathers, edited, ours, kind)| Shape { key, text, file, gathers, edited, ours: ours == 0, kind },
    )
}

fn build(shapes: &[Shape], rules: &Rules) -> Vec<Arc<Prepared>> {
    let one = |(n, shape): (u32, &Shape)| {
        let mut delivery = message(n, ["a", "b", "c"][shape.key], ["", "one", "two", "three"][shape.text]);
        if shape.file > 0 {
            delivery = offering(delivery, &shape.file.to_string());
        }
        let delivery = delivery.with(|s| {
            s.draft.gathers = shape.gathers;
            s.draft.outgoing = shape.ours;
            s.draft.follow_up = shape.kind == 1;
            if shape.kind == 2 {
                s.purpose = Purpose::Note;
            }
            if let Some(chat) = s.draft.chat.as_mut().filter(|_| shape.edited) {
                chat.edited_at = Some(start() + SignedDuration::from_secs(i64::from(n)));
            }
        });
        delivery.ready(rules)
    };
    (1..).zip(shapes).map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// However what belongs together is cut into batches, the rows are the same; sent again it changes nothing.
    #[test]
    fn parts_gather_however_they_come(shapes in prop::collection::vec(shape(), 1..12), cuts in prop::collection::vec(any::<bool>(), 12)) {
        let rules = rules();
        let items = build(&shapes, &rules);
        let (mut whole, mut pieces) = (Memory::default(), Memory::default());
        whole.record(&items, &rules);
        let mut from = 0;
        for end in 1..=items.len() {
            if end == items.len() || cuts[end - 1] {
                pieces.record(&items[from..end], &rules);
                from = end;
            }
        }
        prop_assert_eq!(&whole, &pieces);
        let told = whole.told.clone();
        for receipt in whole.record(&items, &rules) {
            prop_assert_eq!(receipt.outcome, Outcome::Repeat);
        }
        prop_assert_eq!(told, whole.told);
    }
}
