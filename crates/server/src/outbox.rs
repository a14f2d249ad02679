//! What people see and change of what is owed outward: through the API of a gateway, or by a command on a database that nobody
//! serves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use leadgate_core::ids::LeadId;
use leadgate_core::onward::{JobFilter, JobId, JobState};
use leadgate_core::ports::{Store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::onward::TargetView;

/// The most ids of one call.
const MOST_IDS: usize = 1000;
/// What is retried or dropped where no state is named. What a person dropped stays dropped until somebody names it.
const USUAL: [JobState; 3] = [JobState::Waiting, JobState::Dead, JobState::Held];

/// What is to be done with jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// They are due now, and their time begins anew.
    Retry,
    /// They are not delivered.
    Drop,
}

/// Which deliveries that are owed; also the body of the API's calls. Everything named must fit, and something must be named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = OutboxChoice)]
pub struct Asked {
    /// These; then nothing else is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<JobId>,
    /// In one of these states; none named: waiting, dead or held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<JobState>,
    /// Of this target: `mail`, `webhook:<id>`, `telegram:<source>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Of this lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<LeadId>,
}

impl Asked {
    /// What is wrong with it, in words.
    pub fn problem(&self, deed: Deed) -> Option<String> {
        let narrowed = !self.states.is_empty() || self.target.is_some() || self.lead.is_some();
        if self.ids.is_empty() && !narrowed {
            return Some("say which: `ids`, or `states`, `target` or `lead`".to_owned());
        }
        if !self.ids.is_empty() && narrowed {
            return Some("either `ids`, or `states`, `target` and `lead`: ids stand for themselves".to_owned());
        }
        if self.ids.len() > MOST_IDS {
            return Some(format!("at most {MOST_IDS} ids at once"));
        }
        let state = self.states.iter().find(|state| !deed.takes(**state))?;
        Some(match deed {
            Deed::Retry => format!("`states`: what is {state} cannot be delivered again: choose of waiting, dead, held, dropped"),
            Deed::Drop => format!("`states`: what is {state} cannot be dropped: choose of waiting, dead, held"),
        })
    }

    /// As the store is asked, if no ids are named.
    pub fn filter(&self) -> JobFilter {
        let states = if self.states.is_empty() { USUAL.to_vec() } else { self.states.clone() };
        JobFilter { states, target: self.target.clone(), id: None, lead: self.lead }
    }
}

impl Deed {
    fn takes(self, state: JobState) -> bool {
        USUAL.contains(&state) || (self == Self::Retry && state == JobState::Dropped)
    }

    async fn one(self, store: &dyn Store, filter: JobFilter, now: Timestamp) -> Result<u64, StoreError> {
        match self {
            Self::Retry => store.retry_jobs(filter, now).await,
            Self::Drop => store.drop_jobs(filter, now).await,
        }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OutboxChanged)]
pub struct Changed {
    /// With so many deliveries or alarms. Deliveries that are done, on the way, or gone are not among them.
    pub count: u64,
}

/// Does it. `asked` must have no problem.
pub async fn change(store: &dyn Store, asked: &Asked, deed: Deed, now: Timestamp) -> Result<Changed, StoreError> {
    if asked.ids.is_empty() {
        return Ok(Changed { count: deed.one(store, asked.filter(), now).await? });
    }
    let mut count = 0;
    for id in &asked.ids {
        count += deed.one(store, JobFilter { id: Some(*id), ..JobFilter::default() }, now).await?;
    }
    Ok(Changed { count })
}

/// Which alarms; also the body of the API's call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmChoice {
    /// Of what: a source, a target, `mail:manager:<id>`, a machine.
    pub key: String,
}

/// Takes alarms back, and tells nobody. What is still wrong is raised anew. How many there were.
pub async fn clear_alarms(store: &dyn Store, choice: &AlarmChoice) -> Result<Changed, StoreError> {
    let mut count = 0;
    for alarm in store.alarms().await?.iter().filter(|alarm| alarm.key == choice.key) {
        count += u64::from(store.clear(&alarm.name, &alarm.key, None).await?);
    }
    Ok(Changed { count })
}

/// A target, how it does, and what it is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutboxTarget {
    /// How it does, as this gateway sees it.
    #[serde(flatten)]
    pub target: TargetView,
    /// Whether it is in the configuration. If not, what it is owed waits a week for it to come back.
    pub configured: bool,
    /// Deliveries that wait: they are due now or later.
    pub waiting: u64,
    /// Deliveries on their way.
    pub sending: u64,
    /// Deliveries that were given up.
    pub dead: u64,
    /// Deliveries that wait for a person's word, since a backup was put back.
    pub held: u64,
    /// Deliveries that a person dropped.
    pub dropped: u64,
}

impl OutboxTarget {
    fn new(target: TargetView, configured: bool) -> Self {
        Self { target, configured, waiting: 0, sending: 0, dead: 0, held: 0, dropped: 0 }
    }
}

/// Every target that is configured or owed something, by name. `known`: those that are configured, as far as anything is known of
/// them.
pub fn targets(known: Vec<TargetView>, counts: Vec<(String, JobState, u64)>) -> Vec<OutboxTarget> {
    let configured = known.into_iter().map(|view| (view.target.clone(), OutboxTarget::new(view, true)));
    let mut all: BTreeMap<String, OutboxTarget> = configured.collect();
    for (name, state, count) in counts {
        let one = all.entry(name).or_insert_with_key(|name| OutboxTarget::new(TargetView::quiet(name.clone()), false));
        match state {
            JobState::Waiting => one.waiting = count,
            JobState::Sending => one.sending = count,
            JobState::Dead => one.dead = count,
            JobState::Held => one.held = count,
            JobState::Dropped => one.dropped = count,
            JobState::Done => {}
        }
    }
    all.into_values().collect()
}

impl TargetView {
    /// A target of which nothing is known.
    pub fn quiet(target: String) -> Self {
        Self { target, failing_since: None, asked_again_at: None, words: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_happens_to_everything_by_accident() {
        let id = JobId(uuid::Uuid::nil());
        let problem = |asked: &Asked, deed| asked.problem(deed).unwrap_or_default();
        assert!(problem(&Asked::default(), Deed::Retry).contains("say which"));
        let both = Asked { ids: vec![id], target: Some("mail".to_owned()), ..Asked::default() };
        assert!(problem(&both, Deed::Drop).contains("either"));
        let many = Asked { ids: vec![id; 1001], ..Asked::default() };
        assert!(problem(&many, Deed::Drop).contains("1000"));
        let dropped = Asked { states: vec![JobState::Dropped], ..Asked::default() };
        assert_eq!(dropped.problem(Deed::Retry), None);
        assert!(problem(&dropped, Deed::Drop).contains("dropped"));
        let done = Asked { states: vec![JobState::Done], ..Asked::default() };
        assert!(problem(&done, Deed::Retry).contains("done"));
        let target = Asked { target: Some("mail".to_owned()), ..Asked::default() };
        assert_eq!((target.problem(Deed::Retry), target.filter().states), (None, USUAL.to_vec()));
    }

    #[test]
    fn targets_are_told_with_what_they_are_owed() {
        let counts = vec![
            ("webhook:gone".to_owned(), JobState::Held, 2),
            ("mail".to_owned(), JobState::Waiting, 3),
            ("mail".to_owned(), JobState::Dead, 1),
        ];
        let told = targets(vec![TargetView::quiet("mail".to_owned()), TargetView::quiet("webhook:crm".to_owned())], counts);
        let lines: Vec<_> =
            told.iter().map(|one| (one.target.target.as_str(), one.configured, one.waiting, one.dead, one.held)).collect();
        assert_eq!(lines, [("mail", true, 3, 1, 0), ("webhook:crm", true, 0, 0, 0), ("webhook:gone", false, 0, 0, 2)]);
    }
}
