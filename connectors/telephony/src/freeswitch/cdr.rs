//! What a record of a leg tells.

use std::borrow::Cow;

use jiff::Timestamp;
use leadgate_core::attribution::{Origin, Touch, attribution_key, percent_decode};
use leadgate_core::call::{CallNumber, CallOutcome, CallTelling, Direction};
use leadgate_core::chat::OfferedFile;
use leadgate_core::submission::Field;
use leadgate_wire::json::Json;

use crate::basic;
use crate::party::{Form, Party};
use crate::provider::{is_said, recording};
use crate::times;

/// A record. Any part of it may be missing.
pub(super) struct Cdr<'a> {
    variables: Option<&'a Json>,
    /// The caller's profiles, the newest first.
    flow: Vec<&'a Json>,
    direction: Option<String>,
}

/// Whose leg a record is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// The caller's: it sums the call up.
    Caller,
    /// One that another called.
    Of(String),
    /// One that another called, which it does not name.
    Unclear,
}

/// Variables that name the leg which called this one.
const ORIGINATORS: &[&str] =
    &["originating_leg_uuid", "ent_originate_aleg_uuid", "cc_member_session_uuid", "campon_uuid", "originator"];

/// Variables that name a partner: of a leg that is known to be called by another, it is that one.
const PARTNERS: &[&str] = &["other_loopback_leg_uuid", "bridge_uuid", "signal_bond"];

/// Where a recording may be named.
const RECORDINGS: &[&str] = &["record_file_path", "record_path", "recording_file", "record_name", "nolocal:execute_on_record"];

impl<'a> Cdr<'a> {
    pub(super) fn of(record: &'a Json) -> Self {
        let flow = match record.get("callflow") {
            Some(Json::List(items)) => items.iter().collect(),
            Some(one @ Json::Object(_)) => vec![one],
            _ => Vec::new(),
        };
        let channel = record.get("channel_data").and_then(|data| data.get("direction")).and_then(Json::text);
        Self { variables: record.get("variables"), flow, direction: channel.map(Cow::into_owned) }
    }

    /// A variable. Its value is escaped once more, unless the module is told not to.
    fn variable(&self, name: &str) -> Option<String> {
        let value = self.variables?.get(name)?.text()?;
        let value = unescaped(value.trim());
        is_said(value.trim()).then(|| value.trim().to_owned())
    }

    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.variable(name))
    }

    /// A value of the caller's profile, of the newest or of the oldest that has it.
    fn profile(&self, name: &str, oldest: bool) -> Option<String> {
        let read = |flow: &&Json| {
            let text = flow.get("caller_profile")?.get(name)?.text()?;
            let text = unescaped(text.trim());
            is_said(text.trim()).then(|| text.trim().to_owned())
        };
        if oldest { self.flow.iter().rev().find_map(read) } else { self.flow.iter().find_map(read) }
    }

    /// The times of a name, of every profile; never is 0.
    fn times(&self, name: &str) -> impl Iterator<Item = Timestamp> {
        let found = self.flow.iter().filter_map(move |flow| flow.get("times")?.get(name)?.text().map(Cow::into_owned));
        found.filter_map(|text| times::microseconds(&text))
    }

    pub(super) fn uuid(&self) -> Option<String> {
        self.variable("uuid").or_else(|| self.profile("uuid", false))
    }

    /// Whose leg it is. Both legs of a bridge name their partner, so that alone proves nothing.
    pub(super) fn leg(&self, own: &str) -> Leg {
        // The dialplan may say it: `export leadgate_call=${uuid}` reaches every leg.
        if let Some(call) = self.variable("leadgate_call") {
            return if call == own { Leg::Caller } else { Leg::Of(call) };
        }
        let profiles = self.flow.iter().filter_map(|flow| flow.get("caller_profile")?.get("originator"));
        let originators: Vec<&Json> = profiles.filter(|json| matches!(json, Json::Object(pairs) if !pairs.is_empty())).collect();
        let named = originators.iter().find_map(|originator| match originator.get("originator_caller_profiles") {
            Some(Json::List(items)) => items.iter().find_map(uuid_of),
            Some(one) => uuid_of(one),
            None => uuid_of(originator),
        });
        let other = |uuid: &String| uuid != own;
        let said = ORIGINATORS.iter().find_map(|name| self.variable(name).filter(other));
        let is_loopback = self.variable("loopback_leg").as_deref() == Some("B");
        if originators.is_empty() && said.is_none() && !is_loopback {
            return Leg::Caller;
        }
        // A leg may be told which call it belongs to; that goes before the leg next to it.
        let call = self.variable("call_uuid").filter(other);
        let partner = || PARTNERS.iter().find_map(|name| self.variable(name).filter(other));
        match call.or(said).or(named).or_else(partner) {
            Some(uuid) if uuid != own => Leg::Of(uuid),
            // A leg cannot have called itself: then it is the caller's own.
            Some(_) => Leg::Caller,
            None => Leg::Unclear,
        }
    }

    fn seconds(&self, name: &str) -> Option<u32> {
        self.variable(name)?.split('.').next()?.parse().ok()
    }

    fn time(&self, epochs: &[&str]) -> Option<Timestamp> {
        self.first(epochs).and_then(|text| times::since_1970(&text))
    }

    /// What the leg tells.
    pub(super) fn telling(&self, leg: &Leg) -> CallTelling {
        let started = self.times("created_time").min().or_else(|| self.time(&["start_uepoch", "start_epoch"]));
        let answered = self.times("answered_time").min().or_else(|| self.time(&["answer_uepoch", "answer_epoch"]));
        let ended = self.times("hangup_time").max().or_else(|| self.time(&["end_uepoch", "end_epoch"]));
        let mut told = CallTelling { started, answered, ended, ..CallTelling::default() };
        let billed = self.seconds("billsec");
        told.total_s = self.seconds("duration");
        let up = billed.is_some_and(|seconds| seconds > 0) || answered.is_some();
        told.status = self.first(&["hangup_cause", "last_bridge_hangup_cause"]);
        if *leg == Leg::Caller {
            self.tell_a(&mut told, up, billed);
        } else {
            self.tell_b(&mut told, up);
        }
        told
    }

    /// Of the caller's own leg, which sums the call up.
    fn tell_a(&self, told: &mut CallTelling, up: bool, billed: Option<u32>) {
        let caller = self.first(&["caller_id_number", "sip_from_user", "effective_caller_id_number"]);
        let caller = caller.or_else(|| self.profile("caller_id_number", true)).unwrap_or_default();
        // Whoever transfers a call gives it another destination; the first one is the number that was called.
        let callee = self.profile("destination_number", true);
        let callee = callee.or_else(|| self.first(&["destination_number", "sip_to_user", "sip_req_user"])).unwrap_or_default();
        let (caller, callee) = (Party::read(&caller, Form::National), Party::read(&callee, Form::National));
        told.direction = Some(self.way(&caller, &callee));
        match told.direction {
            Some(Direction::In) => {
                told.hidden = caller == Party::Hidden;
                told.number = caller.phone();
                told.line = line(callee);
            }
            Some(Direction::Out) => {
                told.agent = self.first(&["user_name", "sip_auth_username"]).or_else(|| caller.agent());
                told.number = callee.phone();
                let shown =
                    self.first(&["outbound_caller_id_number", "effective_caller_id_number", "origination_caller_id_number"]);
                told.line = shown.and_then(|shown| Party::read(&shown, Form::National).phone());
            }
            _ => told.agent = self.first(&["user_name", "sip_auth_username"]).or_else(|| caller.agent()),
        }
        told.scheme = self.first(&["cc_queue", "ring_group_name", "ivr_menu_name", "call_center_queue_name"]);
        let bridged = self.times("bridged_time").min().or_else(|| self.time(&["bridge_uepoch", "bridge_epoch"]));
        let knows_bridges =
            self.flow.iter().any(|flow| flow.get("times").is_some_and(|times| times.get("bridged_time").is_some()));
        let talked = up && (bridged.is_some() || !knows_bridges || told.direction != Some(Direction::In) || self.is_attended());
        let outcome = self.outcome(up, talked);
        told.outcome = Some(outcome);
        if outcome == CallOutcome::Answered {
            told.talk_s = match (bridged, told.ended) {
                (Some(from), Some(to)) => u32::try_from(to.duration_since(from).as_secs()).ok(),
                _ => billed,
            };
            told.answered = bridged.or(told.answered);
            if told.direction == Some(Direction::In) {
                told.agent = self.who_answered();
            }
            told.wait_s =
                told.started.zip(told.answered).and_then(|(from, to)| u32::try_from(to.duration_since(from).as_secs()).ok());
        } else {
            told.talk_s = Some(0);
            told.wait_s = told.total_s;
            told.answered = None;
            told.picked_up = up;
        }
    }

    /// The colleague who answered, as the caller's leg has it.
    fn who_answered(&self) -> Option<String> {
        let extension = |text: String| Party::read(&text, Form::National).extension();
        let called = || {
            let originatee = self
                .flow
                .iter()
                .find_map(|flow| flow.get("caller_profile")?.get("originatee")?.get("originatee_caller_profiles"));
            let profile = match originatee? {
                Json::List(items) => items.first()?,
                one => one,
            };
            profile.get("destination_number")?.text().map(|text| unescaped(text.trim())).and_then(extension)
        };
        let said = self.first(&["cc_agent"]).or_else(|| self.first(&["last_sent_callee_id_number"]).and_then(extension));
        said.or_else(called).or_else(|| self.first(&["dialed_user", "callee_id_number"]))
    }

    /// Of a leg that was called: whose telephone rang, and whether it was answered.
    fn tell_b(&self, told: &mut CallTelling, up: bool) {
        // A phone that was called may as well be the customer's.
        let other = || self.first(&["callee_id_number"]).or_else(|| self.profile("destination_number", false));
        let agent = self.first(&["dialed_user", "cc_agent"]).or_else(|| Party::read(&other()?, Form::National).extension());
        // What a leg began with, and how long it was up, is not the call's.
        told.total_s = None;
        told.picked_up = up;
        if up {
            told.agent = agent;
        } else {
            told.rang.extend(agent);
            told.outcome = Some(self.outcome(false, false));
        }
    }

    /// Which way the call goes: a PBX's own leg of a colleague comes in to the switch, too.
    fn way(&self, caller: &Party, callee: &Party) -> Direction {
        match self.variable("call_direction").as_deref() {
            Some("inbound") => return Direction::In,
            Some("outbound") => return Direction::Out,
            Some("local" | "internal") => return Direction::Internal,
            _ => {}
        }
        let registered = self.first(&["user_name", "sip_auth_username"]).is_some();
        let originated = self.variable("direction").or_else(|| self.direction.clone()).as_deref() == Some("outbound");
        let ours = registered || originated || matches!(caller, Party::Extension(_));
        match (ours, callee) {
            (true, Party::Extension(_)) => Direction::Internal,
            (true, _) => Direction::Out,
            (false, _) => Direction::In,
        }
    }

    /// Applications in which people talk without a bridge.
    fn is_attended(&self) -> bool {
        let last = self.variable("last_app").unwrap_or_default();
        ["conference", "valet_park", "eavesdrop", "intercept"].contains(&last.as_str())
    }

    fn outcome(&self, up: bool, talked: bool) -> CallOutcome {
        if talked {
            return CallOutcome::Answered;
        }
        let voicemail = ["voicemail_answer_stamp", "voicemail_message_len", "voicemail_file_path"];
        if up && (self.variable("last_app").as_deref() == Some("voicemail") || self.first(&voicemail).is_some()) {
            return CallOutcome::Voicemail;
        }
        let cause = self.first(&["hangup_cause"]).unwrap_or_default();
        // A caller who heard a menu and went hangs up normally; how the dialling ended says more.
        let dialled = self.first(&["originate_disposition", "last_bridge_hangup_cause", "originate_failed_cause"]);
        match of_cause(&cause) {
            CallOutcome::NoAnswer => dialled.as_deref().map_or(CallOutcome::NoAnswer, of_cause),
            said => said,
        }
    }

    /// Where recordings lie. Their path on the PBX is of use with the address of its folder only.
    pub(super) fn recordings(&self, folder: Option<&str>) -> (Vec<OfferedFile>, Vec<Field>) {
        let (mut files, mut fields) = (Vec::new(), Vec::new());
        let Some(named) = self.first(RECORDINGS) else { return (files, fields) };
        if named.starts_with("http://") || named.starts_with("https://") {
            files.extend(recording(&named));
            return (files, fields);
        }
        let file = named.rsplit(['/', '\\']).next().unwrap_or_default();
        match folder.and_then(|folder| basic::link(folder, file)) {
            Some(link) => files.extend(recording(&link)),
            None => fields.push(Field { name: "recording".to_owned(), value: named }),
        }
        (files, fields)
    }

    /// Campaign tags that the dialplan set.
    pub(super) fn touch(&self) -> Touch {
        let mut touch = Touch::default();
        if let Some(Json::Object(pairs)) = self.variables {
            for (name, value) in pairs {
                let name = name.strip_prefix("sip_h_X-").unwrap_or(name);
                if let (Some(_), Some(value)) = (attribution_key(name), value.text()) {
                    touch.offer(name, &unescaped(&value), Origin::Field);
                }
            }
        }
        touch
    }
}

fn uuid_of(json: &Json) -> Option<String> {
    json.get("uuid")?.text().map(|text| text.trim().to_owned()).filter(|uuid| !uuid.is_empty())
}

fn line(callee: Party) -> Option<CallNumber> {
    match callee {
        Party::Phone(number) => Some(number),
        Party::Extension(short) => CallNumber::national(&short),
        Party::Hidden | Party::Nobody => None,
    }
}

/// A value that may be escaped. Its plus is a plus: the module escapes as a path is, not as a form.
fn unescaped(text: &str) -> String {
    if text.contains('%') { percent_decode(&text.replace('+', "%2B")) } else { text.to_owned() }
}

/// What a cause of hanging up comes to, where nobody talked.
fn of_cause(cause: &str) -> CallOutcome {
    match cause {
        "USER_BUSY" => CallOutcome::Busy,
        "ORIGINATOR_CANCEL" | "LOSE_RACE" | "PICKED_OFF" => CallOutcome::Cancelled,
        "CALL_REJECTED" => CallOutcome::Declined,
        "UNALLOCATED_NUMBER" | "INVALID_NUMBER_FORMAT" | "NO_ROUTE_DESTINATION" | "NO_ROUTE_TRANSIT_NET" | "NUMBER_CHANGED" => {
            CallOutcome::BadNumber
        }
        "USER_NOT_REGISTERED"
        | "SUBSCRIBER_ABSENT"
        | "NETWORK_OUT_OF_ORDER"
        | "DESTINATION_OUT_OF_ORDER"
        | "NORMAL_TEMPORARY_FAILURE"
        | "NORMAL_CIRCUIT_CONGESTION"
        | "SWITCH_CONGESTION"
        | "GATEWAY_DOWN" => CallOutcome::Unreachable,
        "OUTGOING_CALL_BARRED" | "INCOMING_CALL_BARRED" | "BEARERCAPABILITY_NOTAUTH" => CallOutcome::Blocked,
        ""
        | "NONE"
        | "NORMAL_CLEARING"
        | "NORMAL_UNSPECIFIED"
        | "SUCCESS"
        | "NO_ANSWER"
        | "NO_USER_RESPONSE"
        | "ALLOTTED_TIMEOUT"
        | "PROGRESS_TIMEOUT"
        | "RECOVERY_ON_TIMER_EXPIRE"
        | "ATTENDED_TRANSFER"
        | "BLIND_TRANSFER" => CallOutcome::NoAnswer,
        _ => CallOutcome::Failed,
    }
}
