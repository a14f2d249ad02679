//! Updates of every kind, in the shapes of the Bot API's documentation, and what is read in them.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use leadgate_core::ids::SubmissionId;
use leadgate_core::ports::{BuildContext, Secrets};
use leadgate_core::receipt::Outcome;
use leadgate_core::replay::Kept;
use leadgate_core::secret::Secret;
use leadgate_core::submission::{Codec, Draft, Purpose, Submission};
use leadgate_telegram::settings::{self, Settings};
use leadgate_telegram::update::{Bot, Reader, Said, UpdateKind};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

struct Plain;

impl Secrets for Plain {
    fn resolve(&self, value: &toml::Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "no text".to_owned())
    }
}

const SECTION: &str = "token = \"123456:key\"\nusername = \"zavod_bot\"\nstaff_chat = -1001000000001\ngroups = \"addressed\"\n\
     [dialogue]\nconsent = { version = \"2026-01\", text = \"вы соглашаетесь с политикой\" }";

fn settings_of(section: &str) -> Arc<Settings> {
    let context = BuildContext {
        source: "bot".parse().unwrap(),
        language: "ru".to_owned(),
        company: String::new(),
        public_url: String::new(),
        country: None,
        ours: Arc::default(),
        data: PathBuf::new(),
    };
    Arc::new(settings::read(section.parse().unwrap(), &Plain, &context).unwrap())
}

fn reader() -> Reader {
    Reader::new("bot".parse().unwrap(), settings_of(SECTION))
}

fn now() -> Timestamp {
    Timestamp::from_second(1_795_100_000).unwrap()
}

fn read_with(reader: &Reader, update: &[u8], at: Timestamp) -> Submission {
    reader.read(&Bytes::copy_from_slice(update), at, SubmissionId(Uuid::from_u128(7))).submission
}

fn read(update: &Value) -> Submission {
    read_with(&reader(), update.to_string().as_bytes(), now())
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn fixtures() -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder().join("updates")).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())).collect()
}

fn fixture(name: &str) -> Submission {
    read_with(&reader(), &fixtures()[name], now())
}

/// What is worth looking at of a reading.
fn shown(submission: &Submission) -> Value {
    let Draft { chat, offered, .. } = &submission.draft;
    let draft = &submission.draft;
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        let nothing = value.is_null() || value == json!([]) || value == json!(false);
        if !nothing {
            out.insert(key.to_owned(), value);
        }
    };
    put("purpose", json!(submission.purpose));
    put("hold", json!(submission.hold.as_ref().map(|hold| &hold.code)));
    put("key", json!(submission.keys.iter().map(|key| format!("{}={}", key.scope, key.value)).collect::<Vec<_>>()));
    put("at", json!(submission.occurred_at));
    put("name", json!(draft.name));
    put("phones", json!(draft.phones));
    put("emails", json!(draft.emails));
    put("handles", json!(draft.handles.iter().map(|handle| format!("{} {}", handle.value, handle.display)).collect::<Vec<_>>()));
    put("message", json!(draft.message));
    put("fields", json!(draft.fields.iter().map(|field| format!("{}: {}", field.name, field.value)).collect::<Vec<_>>()));
    put("files", json!(offered));
    put("external_key", json!(draft.external_key));
    put("gathers", json!(draft.gathers));
    put("chat", json!(chat));
    put("campaign", json!(draft.campaign));
    put("outgoing", json!(draft.outgoing));
    put("follow_up", json!(draft.follow_up));
    put("known_as", json!(draft.known_as.iter().map(|known| format!("{}={}", known.scope, known.value)).collect::<Vec<_>>()));
    put("refers_to", json!(draft.refers_to.iter().map(|known| format!("{}={}", known.scope, known.value)).collect::<Vec<_>>()));
    put("consents", json!(draft.consents));
    put("language", json!(draft.language));
    Value::Object(out)
}

/// `UPDATE_EXPECTED=1` writes what is read, to be looked at before it is committed.
#[test]
fn every_fixture_is_read_as_expected() {
    let read: BTreeMap<String, Value> =
        fixtures().iter().map(|(name, raw)| (name.clone(), shown(&read_with(&reader(), raw, now())))).collect();
    assert!(read.len() >= 60, "{}", read.len());
    let path = folder().join("expected.json");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&read).unwrap() + "\n").unwrap();
    }
    let expected: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (name, reading) in &read {
        assert_eq!(Some(reading), expected.get(name), "{name}");
    }
    assert_eq!(read.len(), expected.len(), "an expectation without its fixture");
}

#[test]
fn a_card_of_somebody_else_identifies_nobody() {
    for name in ["contact_of_somebody_else", "contact_without_user", "contact_own_forwarded"] {
        let draft = fixture(name).draft;
        assert!(draft.phones.is_empty() && draft.consents.is_empty(), "{name}: {:?}", draft.phones);
        assert!(draft.fields.iter().any(|field| field.name == "contact card"), "{name}");
    }
    let own = fixture("contact_own").draft;
    assert!(own.phones.len() == 1 && own.phones[0].proven && own.phones[0].provider_format && own.consents.is_empty(), "{own:?}");
    let asked = fixture("contact_own_by_button").draft;
    assert_eq!(asked.consents.len(), 1);
    assert!(asked.consents[0].given && asked.consents[0].field.starts_with("telegram update 90"), "{:?}", asked.consents);
}

#[test]
fn what_is_no_enquiry_is_noted_and_names_nobody() {
    for (name, raw) in fixtures() {
        let submission = read_with(&reader(), &raw, now());
        if submission.purpose == Purpose::Note {
            let draft = &submission.draft;
            assert!(
                draft.handles.is_empty() && draft.phones.is_empty() && draft.name.is_none() && draft.external_key.is_none(),
                "{name}"
            );
        }
        assert_eq!(submission.keys.len(), 1, "{name}");
        assert_eq!(&*submission.raw.body, &*raw, "{name}: the bytes are kept as they came");
    }
}

#[test]
fn groups_count_as_configured() {
    let raw = &fixtures()["group_not_addressed"];
    let read_as = |groups: &str| {
        let reader = Reader::new("bot".parse().unwrap(), settings_of(&format!("token = \"123456:key\"\n{groups}")));
        read_with(&reader, raw, now()).purpose
    };
    assert_eq!(read_as(""), Purpose::Note);
    assert_eq!(read_as("groups = \"addressed\""), Purpose::Note);
    assert_eq!(read_as("groups = [-1002000000002]"), Purpose::Lead);
    assert_eq!(read_as("groups = [-1002000000003]"), Purpose::Note);
    // A basic group of the staff may have become any supergroup: the server looks.
    let reader = Reader::new("bot".parse().unwrap(), settings_of("token = \"123456:key\"\nstaff_chat = -4000"));
    let submission = read_with(&reader, raw, now());
    assert!(submission.purpose == Purpose::Note && submission.draft.follow_up);
}

#[test]
fn said_has_what_acting_on_it_takes() {
    let bot = Bot { id: 123_456, username: Some("zavod_bot".to_owned()), staff_chat: Some(-1_001_000_000_001) };
    let all = fixtures();
    let said = |name: &str| Said::read(&all[name], &bot).unwrap();
    let pressed = said("callback");
    let callback = pressed.callback.clone().unwrap();
    assert_eq!(
        (callback.id.as_str(), callback.data.as_str(), pressed.message, pressed.topic),
        ("4382bfdwdsb323b2d9", "t:12", Some(50), Some(7))
    );
    assert!(pressed.is_staff && !pressed.is_private && pressed.from.unwrap().id == 777);
    let reply = said("staff_reply_in_topic");
    assert!(reply.reply_to.as_ref().is_some_and(|to| to.ours && to.message == 69), "{reply:?}");
    let command = said("staff_command");
    assert_eq!(command.reply_to, None, "a topic's first message is not answered by each that is written there");
    let r = command.command.unwrap();
    assert_eq!((r.name.as_str(), r.of.as_deref(), r.argument.as_str()), ("r", Some("zavod_bot"), "Завтра приедем"));
    assert_eq!(said("start_manager_code").link_code(), Some("4F7K2Q"));
    assert_eq!(said("start_bare").start(), Some(""));
    assert_eq!(said("business_messages_deleted").deleted_keys(), ["business:BC1:777:40", "business:BC1:777:43"]);
    assert_eq!(said("group_migrated_to").migration, said("group_migrated_from").migration);
    assert!(said("business_connection").business.is_some_and(|business| business.can_reply && business.is_enabled));
    assert!(said("business_message_of_the_owner").is_outgoing() && !said("business_message").is_outgoing());
    assert_eq!(said("unknown_kind").kind, UpdateKind::Other("quantum_message".to_owned()));
}

#[test]
fn a_flood_is_one_activity_and_is_not_answered() {
    let reader = reader();
    let message = |id: i64| {
        json!({"update_id": id, "message": {"message_id": id, "date": 1_795_000_000, "text": format!("line {id}"),
        "from": {"id": 5, "is_bot": false, "first_name": "F"}, "chat": {"id": 5, "type": "private"}}})
    };
    let all: Vec<Submission> = (1..=50).map(|id| read_with(&reader, message(id).to_string().as_bytes(), now())).collect();
    let flooded: Vec<&Submission> = all.iter().filter(|submission| submission.draft.gathers).collect();
    assert_eq!(flooded.len(), 30);
    assert!(flooded.iter().all(|one| one.draft.external_key.as_deref() == Some("flood:5:21") && !one.draft.follow_up));
    assert!(all.iter().all(|one| one.draft.message.is_some()), "nothing is lost");
}

#[test]
fn an_odd_update_is_held_by_itself() {
    let deep = format!("{{\"update_id\":5,\"message\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    for (raw, id) in [
        (deep.as_str(), Some(5)),
        ("{\"update_id\":6,\"message\":{\"text\":\"\\ud800\"}}", Some(6)),
        ("", None),
        ("nonsense", None),
        ("{\"update_id\":7", None),
    ] {
        let read = reader().read(&Bytes::copy_from_slice(raw.as_bytes()), now(), SubmissionId(Uuid::from_u128(7)));
        assert_eq!(read.id, id, "{}", &raw[..raw.len().min(50)]);
        assert_eq!(read.submission.hold.as_ref().map(|hold| hold.code.as_str()), Some("unreadable"));
        assert_eq!(read.submission.keys.len(), usize::from(id.is_some()));
    }
    for odd in
        ["null", "[]", "1", "{\"update_id\":\"9\"}", "{\"update_id\":1.5,\"message\":7}", "{\"message\":{\"chat\":{\"id\":{}}}}"]
    {
        let submission = read_with(&reader(), odd.as_bytes(), now());
        assert_eq!(submission.purpose, Purpose::Note, "{odd}");
    }
}

#[test]
fn hostile_texts_are_bounded() {
    let huge = "я\u{202e}\u{0}".repeat(500_000);
    let update = json!({"update_id": 1, "message": {"message_id": 1, "date": i64::MAX, "text": huge, "media_group_id": huge, "hologram": {},
        "from": {"id": 5, "is_bot": false, "first_name": huge, "username": huge}, "chat": {"id": 5, "type": "private"},
        "document": {"file_id": huge, "file_name": huge, "mime_type": huge, "file_size": -1},
        "entities": (0..5_000).map(|n| json!({"type": "text_link", "offset": n, "length": -4, "url": "x".repeat(2_000)})).collect::<Vec<_>>()}});
    let submission = read(&update);
    let draft = &submission.draft;
    assert!(draft.message.as_ref().is_some_and(|text| text.len() <= 64 << 10 && !text.contains('\0')));
    assert!(draft.name.as_ref().is_some_and(|name| name.len() <= 300 && !name.contains('\u{202e}')));
    assert!(draft.fields.len() <= 100 && draft.fields.iter().all(|field| field.value.len() <= 1_000));
    assert!(draft.offered[0].name.len() <= 200 && !draft.offered[0].name.contains('\u{202e}'), "{:?}", draft.offered[0].size);
    assert_eq!(submission.occurred_at, None);
}

#[test]
fn what_was_kept_reads_as_it_did() {
    for (name, raw) in fixtures() {
        let first = read_with(&reader(), &raw, now());
        let kept = Kept {
            seq: 1,
            id: first.id,
            source: "bot".parse().unwrap(),
            received_at: now(),
            outcome: Outcome::Noted,
            receipt: 1,
            dropped: false,
            authenticated: true,
            historic: false,
            content_type: "application/json".to_owned(),
            query: String::new(),
            peer: None,
            head: String::new(),
            emptied_at: None,
            codec: Codec::Plain,
            raw: Bytes::from(raw),
            reasons: Vec::new(),
            content: None,
            touch: None,
        };
        let again = reader().read_again(&kept).unwrap();
        assert_eq!((shown(&again), again.content, &again.keys), (shown(&first), first.content, &first.keys), "{name}");
        assert!(again.historic);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = proptest::sample::select(vec![
        "message",
        "chat",
        "from",
        "id",
        "type",
        "private",
        "text",
        "entities",
        "offset",
        "length",
        "photo",
        "file_id",
        "contact",
        "user_id",
        "phone_number",
        "update_id",
        "message_id",
        "date",
        "reply_to_message",
        "callback_query",
        "data",
        "supergroup",
        "my_chat_member",
        "new_chat_member",
        "status",
        "kicked",
        "phone_number",
        "poll",
        "options",
        "venue",
        "forward_origin",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::String),
        words.clone().prop_map(|word| json!(word)),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((words.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_never_fails_on_any_json(body in any_json(), kind in "message|edited_message|business_message|callback_query|my_chat_member|x") {
        let submission = read(&json!({ "update_id": 1, kind: body }));
        prop_assert!(submission.hold.is_none(), "{:?}", submission.hold);
    }

    #[test]
    fn reading_never_fails_on_a_fixture_with_something_changed(at in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), with in any_json()) {
        let all = fixtures();
        let (_, raw) = all.iter().nth(at.index(all.len())).unwrap();
        let mut update: Value = serde_json::from_slice(raw).unwrap();
        let mut paths = Vec::new();
        collect(&update, String::new(), &mut paths);
        *update.pointer_mut(&paths[place.index(paths.len())]).unwrap() = with;
        let submission = read(&update);
        prop_assert!(submission.hold.is_none(), "{:?}", submission.hold);
    }

    #[test]
    fn bytes_that_are_cut_off_or_changed_are_held_or_read(at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let all = fixtures();
        let (_, raw) = all.iter().nth(at.index(all.len())).unwrap();
        // Without the end of the line, or all of it would be there.
        let raw = raw.trim_ascii_end();
        let submission = read_with(&reader(), &raw[..cut.index(raw.len())], now());
        prop_assert!(submission.hold.is_some() || submission.purpose == Purpose::Note);
    }
}

fn collect(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, inner)| collect(inner, format!("{path}/{key}"), paths)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, inner)| collect(inner, format!("{path}/{at}"), paths)),
        _ => {}
    }
    paths.push(path);
}
