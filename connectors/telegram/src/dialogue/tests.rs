use leadgate_core::secret::Secret;
use serde_json::json;

use super::*;
use crate::settings::{Consent, Groups, Way};
use crate::update::Bot;

const AT: i64 = 1_795_000_000;

fn settings(ask: &[Question]) -> Settings {
    Settings {
        token: Secret::new("1:a"),
        way: Way::Polling,
        api_url: String::new(),
        proxy: None,
        take_over: false,
        username: None,
        staff_chat: None,
        topics: true,
        groups: Groups::Off,
        largest: 0,
        dialogue: Some(Dialogue {
            language: Some(Language::En),
            consent: Some(Consent { version: "v1".to_owned(), text: "You agree to <our> policy.".to_owned() }),
            ask: ask.to_vec(),
            greeting: Some("Hi from A&B!".to_owned()),
            away: None,
            thanks: None,
        }),
        language: Language::Ru,
        called_at: String::new(),
    }
}

const ALL: [Question; 3] = [Question::Phone, Question::Name, Question::About];

/// A talk: each line is said so many seconds after the beginning.
struct Chat {
    settings: Settings,
    state: Value,
    update: i64,
    open: bool,
    /// What was heard last as a name.
    name: Option<String>,
}

impl Chat {
    fn new(ask: &[Question]) -> Self {
        Self { settings: settings(ask), state: Value::Null, update: 0, open: true, name: None }
    }

    fn hears(&mut self, second: i64, content: &Value) -> Vec<String> {
        self.update += 1;
        self.again(second, content)
    }

    fn again(&mut self, second: i64, content: &Value) -> Vec<String> {
        let mut message = json!({"message_id": self.update, "date": AT + second, "chat": {"id": 5, "type": "private"},
            "from": {"id": 5, "is_bot": false, "first_name": "A", "language_code": "de"}});
        message.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        let said = Said::of(&json!({"update_id": self.update, "message": message}), &Bot { id: 1, ..Bot::default() });
        let now = Timestamp::from_second(AT + second).unwrap();
        let Next { state, says, name } = next(self.state.take(), &said, &self.settings, now, self.open);
        (self.state, self.name) = (state, name);
        says.into_iter().map(|say| say.html).collect()
    }

    fn says(&mut self, second: i64, text: &str) -> Vec<String> {
        self.hears(second, &json!({ "text": text }))
    }
}

fn first_words(says: &[String]) -> Vec<&str> {
    says.iter().map(|say| say.split(['.', '?', '!', '\n']).next().unwrap_or_default()).collect()
}

#[test]
fn the_whole_dialogue() {
    let mut chat = Chat::new(&ALL);
    let first = chat.says(0, "/start");
    assert_eq!(first_words(&first), ["Hi from A&amp;B", "Which number may we call"]);
    assert!(first[1].ends_with("You agree to &lt;our&gt; policy."), "{first:?}");
    let shared = json!({"contact": {"phone_number": "79160001122", "first_name": "A", "user_id": 5}});
    assert_eq!(first_words(&chat.hears(10, &shared)), ["What is your name"]);
    assert_eq!(chat.state["consent"], json!({"version": "v1", "at": AT + 10, "update": 2}));
    assert_eq!(first_words(&chat.says(20, "Anna")), ["What is it about"]);
    assert_eq!(first_words(&chat.says(30, "A fence")), ["Thank you"]);
    assert!(chat.says(40, "and a gate").is_empty() && chat.says(200_000, "hello?").is_empty());
}

#[test]
fn who_just_writes_is_not_asked_what_it_is_about() {
    let mut chat = Chat::new(&ALL);
    assert_eq!(first_words(&chat.says(0, "How much is a fence?")), ["Hi from A&amp;B", "Which number may we call"]);
    assert_eq!(first_words(&chat.says(10, "+7 916 000-11-22")), ["What is your name"]);
    assert_eq!(first_words(&chat.says(20, "Anna")), ["Thank you"]);
}

#[test]
fn whatever_is_written_is_an_answer() {
    let mut chat = Chat::new(&ALL);
    chat.says(0, "/start");
    assert_eq!(first_words(&chat.says(10, "I would rather write. A fence of 20 m")), ["What is your name"]);
    let mut chat = Chat::new(&[Question::Phone]);
    chat.says(0, "/start");
    assert_eq!(first_words(&chat.says(10, "Answer here")), ["Thank you"]);
    assert_eq!(chat.state["consent"], Value::Null);
}

#[test]
fn what_comes_in_one_breath_is_answered_once() {
    let mut chat = Chat::new(&ALL);
    let answers: usize = (0..30).map(|_| chat.says(0, "fence!")).map(|says| says.len()).sum();
    assert_eq!(answers, 2);
    let starts: usize = (0..30).map(|_| chat.says(1, "/start")).map(|says| says.len()).sum();
    assert_eq!(starts, 0);
    assert_eq!(chat.says(20, "+79160001122").len(), 1);
}

#[test]
fn an_update_that_comes_again_is_not_answered_again() {
    let mut chat = Chat::new(&ALL);
    assert_eq!(chat.says(0, "/start").len(), 2);
    assert!(chat.again(30, &json!({"text": "/start"})).is_empty());
}

#[test]
fn an_album_is_answered_once() {
    let mut chat = Chat::new(&[Question::Phone, Question::Name]);
    chat.says(0, "/start");
    let answers =
        (0..10).map(|_| chat.hears(60, &json!({"media_group_id": "1", "caption": "x"}))).filter(|says| !says.is_empty());
    assert_eq!(answers.count(), 1);
}

#[test]
fn stop_is_heard_until_start() {
    let mut chat = Chat::new(&ALL);
    chat.says(0, "hello");
    assert_eq!(first_words(&chat.says(10, "/stop")), ["All right, the bot asks nothing any more"]);
    assert!(chat.says(20, "/stop").is_empty() && chat.says(30, "hello").is_empty());
    assert_eq!(chat.says(40, "/start").len(), 2);
}

#[test]
fn nobody_is_reminded_of_a_question_of_yesterday() {
    let mut chat = Chat::new(&ALL);
    chat.says(0, "hello");
    assert!(chat.says(90_000, "Anna here").is_empty());
}

#[test]
fn outside_working_hours_that_is_said_now_and_then() {
    let mut chat = Chat::new(&[]);
    chat.open = false;
    let first = chat.says(0, "hello");
    assert!(first.len() == 1 && first[0].contains("not at work"), "{first:?}");
    assert!(chat.says(60, "hello?").is_empty());
    let later = chat.says(50_000, "and now?");
    assert!(later.len() == 1 && later[0].starts_with("We are not at work"), "{later:?}");
}

#[test]
fn only_people_in_private_chats_are_answered() {
    let settings = settings(&ALL);
    let now = Timestamp::from_second(AT).unwrap();
    let person = json!({"id": 5, "is_bot": false, "first_name": "A"});
    let private = json!({"id": 5, "type": "private"});
    for update in [
        json!({"update_id": 1, "message": {"message_id": 1, "from": person, "chat": {"id": -7, "type": "group"}, "text": "x"}}),
        json!({"update_id": 1, "message": {"message_id": 1, "from": {"id": 5, "is_bot": true}, "chat": private, "text": "x"}}),
        json!({"update_id": 1, "business_message": {"message_id": 1, "from": person, "chat": private, "text": "x", "business_connection_id": "b"}}),
        json!({"update_id": 1, "edited_message": {"message_id": 1, "from": person, "chat": private, "text": "x"}}),
        json!({"update_id": 1, "message": {"message_id": 1, "from": person, "chat": private, "text": "/start m_ABC"}}),
        json!({"update_id": 1}),
    ] {
        let said = Said::of(&update, &Bot { id: 1, ..Bot::default() });
        let kept = Next { state: json!({"kept": 1}), ..Next::default() };
        assert_eq!(next(json!({"kept": 1}), &said, &settings, now, true), kept, "{update}");
    }
    let said = Said::of(
        &json!({"update_id": 1, "message": {"message_id": 1, "from": person, "chat": private, "text": "x"}}),
        &Bot::default(),
    );
    assert_eq!(next(json!(["nonsense"]), &said, &settings, now, true).says.len(), 2, "a state that is none begins anew");
    let silent = Settings { dialogue: None, ..settings };
    assert!(next(Value::Null, &said, &silent, now, true).says.is_empty());
}

#[test]
fn the_answer_to_the_question_for_a_name_is_a_name_if_it_looks_like_one() {
    let answered = |text: &str| {
        let mut chat = Chat::new(&[Question::Name]);
        chat.says(0, "/start");
        chat.says(10, text);
        chat.name
    };
    for (text, name) in [
        ("Anna", "Anna"),
        ("анна", "анна"),
        ("Меня зовут Анна Петрова.", "Анна Петрова"),
        ("My name is Anna-Maria", "Anna-Maria"),
        (" Пётр Ильич ", "Пётр Ильич"),
    ] {
        assert_eq!(answered(text).as_deref(), Some(name), "{text}");
    }
    for text in [
        "нет",
        "Skip",
        "хочу забор",
        "How much is a fence?",
        "+7 916 000-11-22",
        "anna@example.com",
        "https://example.com",
        "...",
        "",
        "Anna\nand a fence",
        "/stop",
    ] {
        assert_eq!(answered(text), None, "{text}");
    }
    // Nobody has asked.
    let mut chat = Chat::new(&[Question::Phone]);
    chat.says(0, "/start");
    chat.says(10, "Anna");
    assert_eq!(chat.name, None);
}
