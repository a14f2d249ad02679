//! What people do to leads, and where a lead may go from where it stands.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{ContactId, ManagerId};
use crate::onward::event;

/// Where a lead stands. `Converted` and `Junk` are final: only reopening leads out of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Stage {
    /// Nobody has looked yet.
    New,
    /// Somebody works on it.
    InProcess,
    /// Worked on, not decided.
    Processed,
    /// A customer.
    Converted,
    /// Not a customer.
    Junk,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::New, Self::InProcess, Self::Processed, Self::Converted, Self::Junk];

    /// The name in the database and the API, as in Bitrix24.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::InProcess => "IN_PROCESS",
            Self::Processed => "PROCESSED",
            Self::Converted => "CONVERTED",
            Self::Junk => "JUNK",
        }
    }

    /// Reads [`Self::as_str`] back, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether a lead here is still worked on.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Converted | Self::Junk)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a lead ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Close {
    /// A customer.
    Converted,
    /// Not a customer.
    Junk,
}

/// One thing a person does to a lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeadChange {
    /// Moves it to an open stage.
    Stage(Stage),
    /// Ends it.
    Close(Close),
    /// Opens it again.
    Reopen,
    /// Takes it: the manager becomes responsible, a new lead goes into work.
    Take(ManagerId),
    /// Makes somebody responsible, or nobody.
    Responsible(Option<ManagerId>),
    /// Writes a note on the timeline.
    Note(String),
}

/// The part of a lead a change may depend on or alter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadState {
    /// Where it stands.
    pub stage: Stage,
    /// Who works on it.
    pub responsible: Option<ManagerId>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// Why a change cannot be made. The messages are for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It is closed.
    #[error("the lead is closed as {0}: reopen it first")]
    Closed(Stage),
    /// It is open.
    #[error("the lead is open already ({0})")]
    Open(Stage),
    /// Final stages are reached by closing.
    #[error("{0} is a final stage: close the lead instead")]
    Final(Stage),
    /// Somebody else has it.
    #[error("{0} has taken this lead already")]
    Taken(ManagerId),
    /// The contact has another open lead.
    #[error("the contact has another open lead, number {0}: close that first, or work there")]
    OtherOpen(crate::ids::LeadId),
    /// There is no such thing.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// It was undone already, or something came after it.
    #[error("{0}")]
    NotPossible(String),
}

/// Nobody said that mails to an address come back.
pub fn reachable_already(contact: ContactId, email: &str) -> ChangeError {
    ChangeError::NotPossible(format!("no mail to {email} of contact {contact} came back: there is nothing to take back"))
}

impl LeadState {
    /// The state after a change. Pure; a store writes what differs and keeps it as history.
    pub fn after(&self, change: &LeadChange, at: Timestamp) -> Result<Self, ChangeError> {
        let mut next = self.clone();
        match change {
            LeadChange::Stage(to) if !to.is_open() => return Err(ChangeError::Final(*to)),
            LeadChange::Stage(to) => {
                self.must_be_open()?;
                next.stage = *to;
            }
            LeadChange::Close(how) => {
                self.must_be_open()?;
                next.stage = match how {
                    Close::Converted => Stage::Converted,
                    Close::Junk => Stage::Junk,
                };
                next.closed_at = Some(at);
            }
            LeadChange::Reopen => {
                if self.stage.is_open() {
                    return Err(ChangeError::Open(self.stage));
                }
                next.stage = Stage::InProcess;
                next.closed_at = None;
            }
            LeadChange::Take(manager) => {
                self.must_be_open()?;
                if let Some(other) = self.responsible.as_ref().filter(|other| *other != manager) {
                    return Err(ChangeError::Taken(other.clone()));
                }
                next.responsible = Some(manager.clone());
                if self.stage == Stage::New {
                    next.stage = Stage::InProcess;
                }
            }
            LeadChange::Responsible(manager) => next.responsible.clone_from(manager),
            LeadChange::Note(_) => {}
        }
        Ok(next)
    }

    fn must_be_open(&self) -> Result<(), ChangeError> {
        if self.stage.is_open() { Ok(()) } else { Err(ChangeError::Closed(self.stage)) }
    }
}

/// What a list of changes comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The lead after them.
    pub state: LeadState,
    /// Whether it takes its contact's activities.
    pub takes: bool,
    /// Whether it was opened again.
    pub reopened: bool,
    /// The manager who took it.
    pub taken_by: Option<String>,
    /// What changed: the field, from what, to what.
    pub history: Vec<(&'static str, Option<String>, Option<String>)>,
    /// Notes to write.
    pub notes: Vec<String>,
    /// The name of the event that tells of it.
    pub event: &'static str,
}

/// Decides a list of changes: all of them, or why one of them cannot be made. `takes`: whether the lead takes its contact's
/// activities now.
pub fn decide(
    state: &LeadState,
    takes: bool,
    has_contact: bool,
    changes: &[LeadChange],
    at: Timestamp,
) -> Result<Decided, ChangeError> {
    let mut decided = Decided {
        state: state.clone(),
        takes,
        reopened: false,
        taken_by: None,
        history: Vec::new(),
        notes: Vec::new(),
        event: event::LEAD_UPDATED,
    };
    for change in changes {
        let next = decided.state.after(change, at)?;
        let field = match change {
            LeadChange::Close(_) => {
                (decided.takes, decided.reopened, decided.event) = (false, false, event::LEAD_CLOSED);
                "closed"
            }
            LeadChange::Reopen => {
                (decided.takes, decided.reopened, decided.event) = (has_contact, true, event::LEAD_REOPENED);
                "reopened"
            }
            LeadChange::Take(manager) => {
                decided.taken_by = Some(manager.0.clone());
                "stage"
            }
            LeadChange::Note(text) => {
                decided.notes.push(text.clone());
                "stage"
            }
            LeadChange::Stage(_) | LeadChange::Responsible(_) => "stage",
        };
        let before = &decided.state;
        if before.stage != next.stage {
            decided.history.push((field, Some(before.stage.to_string()), Some(next.stage.to_string())));
        }
        if before.responsible != next.responsible {
            let name = |manager: &Option<ManagerId>| manager.as_ref().map(ToString::to_string);
            decided.history.push(("responsible", name(&before.responsible), name(&next.responsible)));
        }
        decided.state = next;
    }
    Ok(decided)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(stage: Stage) -> LeadState {
        LeadState { stage, responsible: None, closed_at: None }
    }

    #[test]
    fn a_lead_moves_closes_and_reopens() {
        let now = Timestamp::UNIX_EPOCH;
        let anna = ManagerId("anna".into());
        let taken = state(Stage::New).after(&LeadChange::Take(anna.clone()), now).unwrap();
        assert_eq!((taken.stage, taken.responsible.as_ref()), (Stage::InProcess, Some(&anna)));
        assert_eq!(taken.after(&LeadChange::Take(ManagerId("oleg".into())), now), Err(ChangeError::Taken(anna)));
        let closed = taken.after(&LeadChange::Close(Close::Junk), now).unwrap();
        assert_eq!(closed.closed_at, Some(now));
        assert_eq!(closed.after(&LeadChange::Stage(Stage::New), now), Err(ChangeError::Closed(Stage::Junk)));
        assert_eq!(closed.after(&LeadChange::Reopen, now).unwrap().stage, Stage::InProcess);
        assert_eq!(state(Stage::New).after(&LeadChange::Stage(Stage::Junk), now), Err(ChangeError::Final(Stage::Junk)));
        assert_eq!(state(Stage::New).after(&LeadChange::Reopen, now), Err(ChangeError::Open(Stage::New)));
    }
}
