use leadgate_core::call::{CallOutcome, CallState, Direction};
use leadgate_core::ids::ContactId;
use leadgate_core::ports::{Parsed, PathToken};
use leadgate_core::submission::Purpose;
use proptest::prelude::*;

use super::*;
use crate::testing::{Call, Source, noon, source, try_source};
use crate::trials::{Told as _, in_all_orders, nonsense, survives, told};

const TOKEN: &str = "9f6ff9a5-a4b7";

fn open() -> Source {
    source(&KIND, "")
}

fn closed() -> Source {
    source(&KIND, &format!("crm_token = \"{TOKEN}\""))
}

fn command(cmd: &str, more: &[(&str, &str)]) -> Call {
    let mut fields =
        vec![("cmd", cmd), ("crm_token", TOKEN), ("callid", "C1"), ("phone", "79161234567"), ("diversion", "74951234567")];
    fields.extend_from_slice(more);
    Call::form("", &fields)
}

fn event(kind: &str, user: &str) -> Call {
    command("event", &[("type", kind), ("user", user), ("ext", "701"), ("groupRealName", "Продажи")])
}

fn history(kind: &str, status: &str, more: &[(&str, &str)]) -> Call {
    let mut fields =
        vec![("type", kind), ("status", status), ("user", "ivanov"), ("start", "20261121T100000Z"), ("duration", "65")];
    fields.extend_from_slice(more);
    command("history", &fields)
}

#[test]
fn the_token_in_the_body_or_in_a_header() {
    let source = closed();
    assert_eq!(source.refused(&event("INCOMING", "ivanov")), None);
    let bare = [("cmd", "event"), ("type", "INCOMING"), ("callid", "C1"), ("phone", "79161234567")];
    assert!(source.refused(&Call::form("", &bare)).unwrap().contains("missing"));
    assert_eq!(source.refused(&Call::form("", &bare).header("X-API-KEY", TOKEN)), None);
    assert!(source.refused(&Call::form("", &bare).header("X-API-KEY", "other")).unwrap().contains("wrong"));
    // Its name may be written otherwise; in the URL it is no token.
    let mut fields = bare.to_vec();
    fields.push(("CRM_Token", TOKEN));
    assert_eq!(source.refused(&Call::form("", &fields)), None);
    assert!(source.refused(&Call::form(&format!("?crm_token={TOKEN}"), &bare)).is_some());
    for wrong in ["", " ", "9f6ff9a5-a4b8", "9F6FF9A5-A4B7"] {
        let mut fields = bare.to_vec();
        fields.push(("crm_token", wrong));
        assert!(source.refused(&Call::form("", &fields)).is_some(), "{wrong:?}");
    }
    // Two while one is changed; none: the address alone counts.
    let two = self::source(&KIND, &format!("crm_token = [\"new\", \"{TOKEN}\"]"));
    assert_eq!(two.refused(&event("INCOMING", "ivanov")), None);
    assert_eq!(open().refused(&Call::form("", &bare)), None);
    assert!(open().refused(&Call { token: PathToken::Absent, ..Call::form("", &bare) }).is_some());
    assert!(matches!(source.parse(&Call { token: PathToken::Vouched, ..Call::form("", &bare) }), Ok(Parsed::Submissions(_))));
}

#[test]
fn answers_are_exact() {
    let json = [("content-type", "application/json".to_owned())];
    let (thanks, refusal) = (closed().thanks(&event("INCOMING", "a")), closed().refusal(&event("INCOMING", "a")));
    assert_eq!((thanks.status, &thanks.body[..], &thanks.headers[..]), (200, &b"{}"[..], &json[..]));
    assert_eq!(
        (refusal.status, &refusal.body[..], &refusal.headers[..]),
        (401, &b"{\"error\":\"Invalid token\"}"[..], &json[..])
    );
    let Ok(Parsed::Probe(invalid)) = closed().parse(&Call::form("", &[("crm_token", TOKEN), ("phone", "1")])) else {
        panic!("kept")
    };
    assert_eq!((invalid.status, &invalid.body[..]), (400, &b"{\"error\":\"Invalid parameters\"}"[..]));
    for ping in [Call::get(""), Call::post("", "", ""), Call::form("", &[("crm_token", TOKEN)])] {
        assert!(
            matches!(closed().parse(&ping), Ok(Parsed::Probe(reply)) if (reply.status, &reply.body[..]) == (200, &b"{}"[..]))
        );
    }
}

#[test]
fn an_answered_call_in_any_order() {
    let calls = [
        event("INCOMING", "ivanov"),
        event("INCOMING", "petrov"),
        event("ACCEPTED", "ivanov"),
        event("CANCELLED", "petrov"),
        event("COMPLETED", "ivanov"),
        history("in", "Success", &[("link", "https://records.megapbx.ru/a.mp3"), ("groupRealName", "Продажи"), ("wait", "7")]),
    ];
    let facts = in_all_orders(&closed(), &calls);
    let view = facts.view();
    assert_eq!((view.state, view.outcome), (CallState::Over, Some(CallOutcome::Answered)));
    assert_eq!((view.talk_s, view.wait_s, view.agent.as_deref()), (Some(65), Some(7), Some("ivanov")));
    assert_eq!((view.started, view.scheme.as_deref()), (Some(noon()), Some("Продажи")));
    assert_eq!((facts.legs.rang.len(), view.line.unwrap().typed.as_str()), (2, "74951234567"));
    // Whoever was not fast enough has missed nothing.
    let going_on = in_all_orders(&closed(), &calls[..4]).view();
    assert_eq!((going_on.state, going_on.is_missed()), (CallState::Talking, false));
    let rings = in_all_orders(&closed(), &[calls[0].clone(), calls[3].clone()]).view();
    assert_eq!((rings.state, rings.is_missed()), (CallState::Ringing, false));
}

#[test]
fn words_are_read_in_any_capitals() {
    for (status, outcome) in [
        ("missed", CallOutcome::NoAnswer),
        ("Missed", CallOutcome::NoAnswer),
        ("Cancel", CallOutcome::Cancelled),
        ("BUSY", CallOutcome::Busy),
        ("NotAvailable", CallOutcome::Unreachable),
        ("NotAllowed", CallOutcome::Blocked),
        ("NotFound", CallOutcome::BadNumber),
    ] {
        let facts = in_all_orders(&open(), &[event("Incoming", "ivanov"), history("IN", status, &[])]);
        let view = facts.view();
        assert_eq!((view.outcome, view.is_missed(), view.agent, view.wait_s), (Some(outcome), true, None, Some(65)), "{status}");
    }
    let names = r#"{"CMD":"History","CallID":"C1","Type":"In","Status":"Success","Phone":79161234567,"Start":"20261121T100000Z","Duration":65}"#;
    let facts = told(&open().one(&Call::json("", names)));
    assert!(facts.view().is_answered() && facts.number_is("79161234567"));
    let unheard = told(&open().one(&history("in", "Teleported", &[])));
    assert_eq!((unheard.view().is_missed(), unheard.summary.unwrap().outcome), (true, None));
}

#[test]
fn calls_out_between_colleagues_and_hidden_ones() {
    let facts =
        in_all_orders(&open(), &[event("OUTGOING", "ivanov"), event("ACCEPTED", "ivanov"), history("out", "Success", &[])]);
    let view = facts.view();
    assert_eq!((view.direction, view.agent.as_deref(), view.talk_s), (Some(Direction::Out), Some("ivanov"), Some(65)));
    let busy = in_all_orders(&open(), &[event("OUTGOING", "ivanov"), history("out", "Busy", &[])]).view();
    assert_eq!((busy.outcome, busy.is_missed(), busy.agent.as_deref()), (Some(CallOutcome::Busy), false, Some("ivanov")));
    let with = |phone: &str| {
        let fields = [("cmd", "event"), ("type", "INCOMING"), ("callid", "C1"), ("phone", phone), ("direction", "in")];
        told(&open().one(&Call::form("", &fields))).view()
    };
    assert_eq!(with("702").direction, Some(Direction::Internal));
    for hidden in ["", "anonymous", "Unknown"] {
        assert!(with(hidden).hidden, "{hidden:?}");
    }
    // White labels write numbers as their country does, too.
    assert!(!with("87071234567").number.unwrap().provider_format);
    assert!(with("77071234567").number.unwrap().provider_format);
}

#[test]
fn who_calls() {
    let source = closed();
    let Ok(Parsed::Who(who)) = source.parse(&command("contact", &[])) else { panic!("no question") };
    assert_eq!((who.number.unwrap().typed.as_str(), who.within), ("79161234567", Some(Duration::from_millis(1500))));
    assert_eq!((who.tells.len(), told(&who.tells[0]).id.as_str()), (1, "C1"));
    assert_eq!(told(&who.tells[0]).view().direction, Some(Direction::In));
    assert!(source.refused(&Call::form("", &[("cmd", "contact"), ("phone", "79161234567")])).is_some());
    let Ok(Parsed::Who(hidden)) = open().parse(&Call::form("", &[("cmd", "Contact")])) else { panic!("no question") };
    assert_eq!((hidden.number, hidden.tells.len()), (None, 0));
    let call = command("contact", &[]);
    let known = |name: &str, extension: Option<&str>| Known {
        contact: ContactId(1),
        name: name.to_owned(),
        lead: None,
        responsible: None,
        extension: extension.map(str::to_owned),
    };
    let said = |known: Option<&Known>| String::from_utf8(source.known(&call, known).body.to_vec()).unwrap();
    assert_eq!(said(None), "{}");
    assert_eq!(said(Some(&known("Анна \"Мир\"", Some("ivanov")))), r#"{"contact_name":"Анна \"Мир\"","responsible":"ivanov"}"#);
    assert_eq!(said(Some(&known("Анна", None))), r#"{"contact_name":"Анна"}"#);
    assert_eq!(said(Some(&known(" ", None))), "{}");
    assert_eq!(source.known(&call, None).headers, [("content-type", "application/json".to_owned())]);
}

#[test]
fn a_history_sent_again_is_the_same_until_its_recording_comes() {
    let source = open();
    let with = |link: &str| source.one(&history("in", "Success", &[("link", link)]));
    let (bare, one, other) =
        (with(""), with("https://records.megapbx.ru/a.mp3?sig=1"), with("https://records.megapbx.ru/a.mp3?sig=2"));
    assert_eq!(bare.keys, with("").keys);
    assert_eq!(one.keys, other.keys);
    assert_ne!(bare.keys, one.keys);
    assert_eq!((bare.draft.offered.len(), one.draft.offered.len()), (0, 1));
    assert_eq!(one.draft.offered[0].unique, other.draft.offered[0].unique);
    let fetch = source.push.fetch(&one.draft.offered[0], None).unwrap();
    assert!(fetch.hosts.contains(&".megapbx.ru".to_owned()) && !fetch.asks);
}

#[test]
fn a_rating_and_what_nobody_knows_are_kept() {
    let rating = open().one(&command("rating", &[("rating", "5"), ("user", "ivanov")]));
    assert_eq!((told(&rating).id.as_str(), rating.draft.fields[0].name.as_str()), ("C1", "rating"));
    let unknown = closed().one(&command("sms", &[("text", "é + %")]));
    assert_eq!((unknown.purpose, unknown.draft.call.is_none()), (Purpose::Note, true));
    assert!(unknown.draft.fields.iter().all(|field| field.value != TOKEN));
    let kept = String::from_utf8_lossy(&unknown.raw.body).into_owned();
    assert!(!kept.contains(TOKEN), "{kept}");
    let moved = closed().one(&command("event", &[("type", "TRANSFERRED"), ("second_callid", "C2")]));
    assert!(moved.draft.fields.iter().any(|field| field.value == "C2"));
}

#[test]
fn a_call_without_an_id_is_unreadable() {
    for cmd in ["event", "history", "rating"] {
        let call = Call::form("", &[("cmd", cmd), ("type", "INCOMING"), ("phone", "79161234567"), ("callid", "")]);
        assert!(matches!(open().parse(&call), Err(Refusal::Unreadable(why)) if why.contains("callid")), "{cmd}");
    }
}

#[test]
fn keys_of_the_section() {
    for keys in ["crm_token = \"\"", "secret = \"x\"", "lead_on = \"never\"", "recordings = \"maybe\""] {
        assert!(try_source(&KIND, keys).is_err(), "{keys}");
    }
    assert!(setup("ru").contains("{url}") && setup("en").contains("{url}"));
}

const WORDS: &[&str] = &[
    "cmd",
    "event",
    "history",
    "contact",
    "rating",
    "type",
    "INCOMING",
    "callid",
    "phone",
    "start",
    "duration",
    "status",
    "Success",
    "link",
    "crm_token",
    "20261121T100000Z",
    "99999999999999999999",
    "https://a.example/x",
];

proptest! {
    #[test]
    fn the_token_is_right_or_it_is_not(token in "[!-~]{1,40}", place in any::<prop::sample::Index>()) {
        let source = source(&KIND, &format!("crm_token = {}", toml::Value::String(token.clone())));
        let with = |token: &str| Call::form("", &[("cmd", "event"), ("callid", "C1"), ("crm_token", token)]);
        prop_assert!(source.refused(&with(&token)).is_none());
        let at = place.index(token.len());
        let other = if token.as_bytes()[at] == b'a' { 'b' } else { 'a' };
        let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        prop_assert!(source.refused(&with(&changed)).is_some());
    }

    #[test]
    fn nothing_breaks_it(call in nonsense(WORDS)) {
        survives(&open(), &call);
        survives(&closed(), &call);
    }
}
