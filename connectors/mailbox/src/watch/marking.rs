//! What is done on the server with mails that are committed: a flag, a keyword, another folder. What is not done yet is part of
//! the place, so that it is done after a restart.

use super::place::Place;
use super::server::Server;
use super::session::{Connected, Stop, Watch};
use super::status::About;
use crate::settings::After;

/// Mails of one command.
const AT_ONCE: usize = 256;
/// A server that refuses so often in a row is not asked again for these.
const MOST_TIMES: u32 = 3;

impl Watch<'_> {
    /// Marks or moves what is committed, in every folder.
    pub(super) async fn mark_all<S: Server>(&mut self, c: &mut Connected<S>) -> Result<(), Stop> {
        for folder in c.usable.clone() {
            while self.place_of(folder).is_some_and(|place| !place.todo.is_empty()) {
                self.mark(c, folder).await?;
            }
        }
        Ok(())
    }

    async fn mark<S: Server>(&mut self, c: &mut Connected<S>, folder: usize) -> Result<(), Stop> {
        if !self.marks(folder) {
            return self.forget(folder, None).await;
        }
        self.open(c, folder).await?;
        // Opening it may have made the list void.
        let Some(uids) = self.place_of(folder).map(|place| place.todo.some(AT_ONCE)).filter(|uids| !uids.is_empty()) else {
            return Ok(());
        };
        let able = c.selected.is_some_and(|(_, state)| state.keywords);
        let outcome = match &self.settings.watching.after {
            After::Keyword(keyword) if !able => {
                let words =
                    format!("the server keeps no new keywords in it ({keyword}): mark mails as seen, or move them, instead");
                return self.forget(folder, Some(words)).await;
            }
            After::Keyword(keyword) => c.server.flag(&uids, keyword).await,
            After::Seen => c.server.flag(&uids, "\\Seen").await,
            After::Move(to) => c.server.move_to(&uids, to).await,
            After::Nothing => Ok(()),
        };
        let mut place = self.place.clone();
        let Some(read) = place.folders.get_mut(&*self.folders[folder].name) else { return Ok(()) };
        match outcome {
            Ok(()) => {
                read.todo.done(uids.len());
                self.status.notices.remove(&About::Marking(folder));
                self.heard();
                self.commit(place).await
            }
            Err(error) if read.todo.times + 1 >= MOST_TIMES => {
                self.forget(folder, Some(error.to_string())).await?;
                Err(Stop::Again(std::time::Duration::ZERO))
            }
            Err(error) => {
                read.todo.times += 1;
                self.commit(place).await?;
                Err(error.into())
            }
        }
    }

    /// What is not done is given up, and told.
    async fn forget(&mut self, folder: usize, why: Option<String>) -> Result<(), Stop> {
        let mut place: Place = self.place.clone();
        let name = &self.folders[folder].name;
        if let Some(read) = place.folders.get_mut(&**name) {
            read.todo = super::place::Todo::default();
        }
        if let Some(why) = why {
            tracing::warn!(source = %self.source, folder = %name, why, "mails that were read are not marked or moved");
            let words = format!("mails of the folder {name:?} are read and not marked or moved: {why}");
            self.status.notices.insert(About::Marking(folder), words);
        }
        self.commit(place).await
    }
}
