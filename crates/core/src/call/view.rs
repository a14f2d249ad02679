//! What a call comes to: its summary before its legs.

use jiff::Timestamp;

use super::{CallFacts, CallNumber, CallOutcome, CallTelling, Direction};
use crate::language::Language;

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallState {
    /// It rings.
    Ringing,
    /// Somebody answered.
    Talking,
    /// It is over.
    Over,
}

impl CallState {
    /// The name in the variables of templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ringing => "ringing",
            Self::Talking => "talking",
            Self::Over => "over",
        }
    }
}

/// A call as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// How far it is.
    pub state: CallState,
    /// Which way it went, if that is known.
    pub direction: Option<Direction>,
    /// The customer's number; none if it is hidden or was not told.
    pub number: Option<CallNumber>,
    /// The caller hides the number.
    pub hidden: bool,
    /// Our line.
    pub line: Option<CallNumber>,
    /// Who answered or called.
    pub agent: Option<String>,
    /// The group or call scheme.
    pub scheme: Option<String>,
    /// When it began; `None` where that is not told, or the provider's clock is wrong.
    pub started: Option<Timestamp>,
    /// How it ended; `None` before.
    pub outcome: Option<CallOutcome>,
    /// Seconds until somebody answered, or the caller gave up.
    pub wait_s: Option<u32>,
    /// Seconds people talked.
    pub talk_s: Option<u32>,
    /// A leg was answered, and the provider says that the call was not: a menu, or a machine.
    pub conflict: bool,
}

impl CallView {
    pub(super) fn of(facts: &CallFacts) -> Self {
        let (legs, summary) = (&facts.legs, facts.summary.as_ref());
        let nothing = CallTelling::default();
        let told = summary.unwrap_or(&nothing);
        let picked_up = legs.picked_up || legs.outcome == Some(CallOutcome::Answered);
        let outcome = facts.is_over().then(|| outcome(told, legs, picked_up));
        let number = told.number.clone().or_else(|| legs.number.clone());
        let started = if facts.clock_wrong { None } else { told.started.or(legs.started) };
        let talked = match (outcome, told.talk_s.or(legs.talk_s)) {
            (Some(CallOutcome::Answered), known @ Some(_)) => known,
            (Some(CallOutcome::Answered), None) => between(told.answered.or(legs.answered), told.ended.or(legs.ended)),
            _ => None,
        };
        Self {
            state: match outcome {
                Some(_) => CallState::Over,
                None if picked_up => CallState::Talking,
                None => CallState::Ringing,
            },
            direction: told.direction.or(legs.direction),
            hidden: number.is_none() && (told.hidden || legs.hidden),
            number,
            line: told.line.clone().or_else(|| legs.line.clone()),
            agent: told.agent.clone().or_else(|| legs.agent.clone()),
            scheme: told.scheme.clone().or_else(|| legs.scheme.clone()),
            started,
            wait_s: told.wait_s.or(legs.wait_s).or_else(|| between(legs.started, legs.answered)),
            talk_s: talked,
            conflict: picked_up && outcome.is_some_and(|outcome| outcome != CallOutcome::Answered),
            outcome,
        }
    }

    /// Whether the customer called: so it is taken where nobody says which way it went.
    pub fn is_incoming(&self) -> bool {
        self.direction.is_none_or(|direction| direction == Direction::In)
    }

    /// Whether the customer called and reached nobody.
    pub fn is_missed(&self) -> bool {
        self.is_incoming() && self.outcome.is_some_and(|outcome| outcome != CallOutcome::Answered)
    }

    /// Whether people talked.
    pub fn is_answered(&self) -> bool {
        self.outcome == Some(CallOutcome::Answered)
    }

    /// What it was, in a line: "missed call to +7 495 123-45-67, after 35 s".
    pub fn words(&self, language: Language) -> String {
        let ru = language == Language::Ru;
        let mut words = self.what(ru).to_owned();
        if let Some(line) = self.line.as_ref().filter(|_| self.direction != Some(Direction::Internal)) {
            let from = self.direction == Some(Direction::Out);
            words.push_str(match (ru, from) {
                (true, true) => " с линии ",
                (true, false) => " на линию ",
                (false, true) => " from ",
                (false, false) => " to ",
            });
            words.push_str(&line.typed);
        }
        if let Some(scheme) = &self.scheme {
            words.push_str(if ru { ", схема " } else { ", by " });
            words.push_str(scheme);
        }
        if let Some(agent) = &self.agent {
            words.push_str(match (ru, self.direction == Some(Direction::Out)) {
                (true, true) => ", звонил ",
                (true, false) => ", ответил ",
                (false, true) => ", called by ",
                (false, false) => ", answered by ",
            });
            words.push_str(agent);
        }
        match (self.talk_s, self.wait_s) {
            (Some(talk), _) => {
                words.push_str(if ru { ", разговор " } else { ", talked " });
                words.push_str(&clock(talk));
            }
            (None, Some(wait)) if self.outcome.is_some() => {
                words.push_str(if ru { ", ожидание " } else { ", waited " });
                words.push_str(&clock(wait));
            }
            _ => {}
        }
        if self.conflict {
            words.push_str(if ru {
                " (трубку снимал автомат или меню)"
            } else {
                " (a menu or a machine picked it up)"
            });
        }
        words
    }

    /// [`CallView::words`] where they stand alone, with a capital.
    pub fn sentence(&self, language: Language) -> String {
        let words = self.words(language);
        let mut rest = words.chars();
        rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
    }

    fn what(&self, ru: bool) -> &'static str {
        use CallOutcome as O;
        let out = self.direction == Some(Direction::Out);
        match (self.direction, self.outcome, ru) {
            (Some(Direction::Internal), _, true) => "внутренний звонок",
            (Some(Direction::Internal), _, false) => "internal call",
            (_, None, true) => match (self.state, out) {
                (CallState::Talking, _) => "идёт разговор",
                (_, true) => "исходящий звонок",
                (_, false) => "входящий звонок",
            },
            (_, None, false) => match (self.state, out) {
                (CallState::Talking, _) => "call going on",
                (_, true) => "outgoing call",
                (_, false) => "incoming call",
            },
            (_, Some(O::Answered), true) => {
                if out {
                    "исходящий звонок, дозвонились"
                } else {
                    "входящий звонок, отвечен"
                }
            }
            (_, Some(O::Answered), false) => {
                if out {
                    "outgoing call, answered"
                } else {
                    "incoming call, answered"
                }
            }
            (_, Some(O::Voicemail), true) => {
                if out {
                    "исходящий звонок, автоответчик"
                } else {
                    "пропущенный звонок, голосовая почта"
                }
            }
            (_, Some(O::Voicemail), false) => {
                if out {
                    "outgoing call, voicemail"
                } else {
                    "missed call, voicemail"
                }
            }
            (_, Some(_), true) if !out => "пропущенный звонок",
            (_, Some(_), false) if !out => "missed call",
            (_, Some(O::Busy), true) => "исходящий звонок, занято",
            (_, Some(O::Busy), false) => "outgoing call, busy",
            (_, Some(O::Declined), true) => "исходящий звонок, отклонён",
            (_, Some(O::Declined), false) => "outgoing call, declined",
            (_, Some(O::NoAnswer | O::Cancelled), true) => "исходящий звонок, не дозвонились",
            (_, Some(O::NoAnswer | O::Cancelled), false) => "outgoing call, no answer",
            (_, Some(_), true) => "исходящий звонок не состоялся",
            (_, Some(_), false) => "outgoing call that could not be put through",
        }
    }
}

/// How a call that is over ended. What the summary says counts; without its word, whether anybody picked it up.
fn outcome(told: &CallTelling, legs: &CallTelling, picked_up: bool) -> CallOutcome {
    let said = told.outcome.or_else(|| match told.talk_s {
        Some(0) => None,
        Some(_) => Some(CallOutcome::Answered),
        None => legs.outcome.max(picked_up.then_some(CallOutcome::Answered)),
    });
    said.unwrap_or(CallOutcome::NoAnswer)
}

fn between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<u32> {
    u32::try_from(to?.duration_since(from?).as_secs()).ok()
}

/// Minutes and seconds: `2:05`; hours where there are any.
fn clock(seconds: u32) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}
