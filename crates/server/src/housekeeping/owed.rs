//! How much is owed to whom, as a gauge.

use std::collections::BTreeSet;

use leadgate_core::onward::JobState;
use leadgate_core::ports::{Store, StoreError};

use crate::metrics;

/// What is counted: what is done is not.
const COUNTED: [JobState; 5] = [JobState::Waiting, JobState::Sending, JobState::Dead, JobState::Held, JobState::Dropped];

/// The targets that were told of. A gauge keeps what it was told last, so what is not owed any more is told as none.
#[derive(Debug, Default)]
pub struct Owed(BTreeSet<String>);

impl Owed {
    /// Counts, and tells. `configured`: the targets there are.
    pub async fn tell(&mut self, store: &dyn Store, configured: impl Iterator<Item = String>) -> Result<(), StoreError> {
        let counts = store.job_counts().await?;
        for (target, state, count) in self.lines(&counts, configured) {
            metrics::owed(&target, state.as_str(), count);
        }
        Ok(())
    }

    fn lines(
        &mut self,
        counts: &[(String, JobState, u64)],
        configured: impl Iterator<Item = String>,
    ) -> Vec<(String, JobState, u64)> {
        self.0.extend(configured);
        self.0.extend(counts.iter().map(|(target, ..)| target.clone()));
        let count = |name: &str, state| {
            counts.iter().find(|(target, of, _)| target == name && *of == state).map_or(0, |(.., count)| *count)
        };
        let of = |name: &String| COUNTED.map(|state| (name.clone(), state, count(name, state)));
        self.0.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_owed_any_more_is_none() {
        let mut owed = Owed::default();
        let name = |text: &str| text.to_owned();
        let mut lines = |counts: &[(String, JobState, u64)]| {
            let all = owed.lines(counts, [name("mail")].into_iter());
            all.into_iter().filter(|(_, state, _)| *state == JobState::Dead).map(|(target, _, count)| (target, count)).collect()
        };
        let first: Vec<_> = lines(&[(name("webhook:crm"), JobState::Dead, 3), (name("webhook:crm"), JobState::Waiting, 1)]);
        assert_eq!(first, [(name("mail"), 0), (name("webhook:crm"), 3)]);
        let later: Vec<_> = lines(&[]);
        assert_eq!(later, [(name("mail"), 0), (name("webhook:crm"), 0)]);
    }
}
