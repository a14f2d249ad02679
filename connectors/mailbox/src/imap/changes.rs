//! Changing a folder, where its owner wants that: flags, and moving what was read.

use super::mails::sets;
use super::said::{Status, Verdict};
use super::{ImapError, Session, folders};

impl Session {
    /// Sets a flag or keyword (UID STORE +FLAGS.SILENT).
    pub async fn flag(&mut self, uids: &[u32], flag: &str) -> Result<(), ImapError> {
        if !is_flag(flag) {
            return Err(ImapError::Server(format!("{flag:?} is no flag: letters, digits and the like, without blanks")));
        }
        for (_, set) in sets(uids) {
            let status = self.twice(&format!("UID STORE {set} +FLAGS.SILENT ({flag})")).await?;
            status.ok(self.wire.server(), &format!("does not set {flag}"))?;
        }
        Ok(())
    }

    /// Moves mails (RFC 6851; else COPY, `\Deleted` and UID EXPUNGE, which needs UIDPLUS), making the folder if it is missing. What
    /// is gone already is no error.
    pub async fn move_to(&mut self, uids: &[u32], folder: &str) -> Result<(), ImapError> {
        let moves = self.offers("MOVE");
        // A plain EXPUNGE would remove what others have marked.
        if !moves && !self.offers("UIDPLUS") {
            return Err(ImapError::Server(format!(
                "{} can move no mails (it offers neither MOVE nor UIDPLUS); mark them by a flag instead",
                self.wire.server()
            )));
        }
        for (_, set) in sets(uids) {
            self.put_into(if moves { "UID MOVE" } else { "UID COPY" }, &set, folder).await?;
            if !moves {
                let marked = self.twice(&format!("UID STORE {set} +FLAGS.SILENT (\\Deleted)")).await?;
                marked.ok(self.wire.server(), "does not mark what was copied")?;
                let removed = self.run(&format!("UID EXPUNGE {set}"), "", |_| Ok(())).await?;
                removed.ok(self.wire.server(), "does not remove what was copied")?;
            }
        }
        Ok(())
    }

    async fn put_into(&mut self, verb: &str, set: &str, folder: &str) -> Result<(), ImapError> {
        let mut name = self.written(folder);
        let mut made = false;
        loop {
            let status = self.twice(&format!("{verb} {set} {}", folders::quoted(&name))).await?;
            if status.verdict == Verdict::Ok {
                return Ok(());
            }
            if made {
                status.ok(self.wire.server(), &format!("does not move mails to {folder:?}"))?;
                return Ok(());
            }
            match self.other_name(folder, &name, &status).await {
                Ok(other) => name = other,
                Err(ImapError::NoFolder(_)) => {
                    self.make(folder, &name).await?;
                    made = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn make(&mut self, folder: &str, name: &str) -> Result<(), ImapError> {
        let name = folders::quoted(name);
        let status = self.run(&format!("CREATE {name}"), "", |_| Ok(())).await?;
        // Somebody else may have been faster.
        if status.code != "ALREADYEXISTS" {
            status.ok(self.wire.server(), &format!("does not make the folder {folder:?}"))?;
        }
        // Many mail programs show only what is subscribed to; that it fails takes nothing away.
        self.run(&format!("SUBSCRIBE {name}"), "", |_| Ok(())).await?;
        Ok(())
    }

    /// Runs a command on mails, once more if some of them were gone without the server having told.
    async fn twice(&mut self, command: &str) -> Result<Status, ImapError> {
        let status = self.run(command, "", |_| Ok(())).await?;
        if status.verdict != Verdict::No || status.code != "EXPUNGEISSUED" {
            return Ok(status);
        }
        self.noop().await?;
        self.run(command, "", |_| Ok(())).await
    }
}

/// `\Seen`, or a keyword: an atom.
fn is_flag(flag: &str) -> bool {
    let name = flag.strip_prefix('\\').unwrap_or(flag);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::is_flag;

    #[test]
    fn flags() {
        assert!(["\\Seen", "$LeadImported", "done"].into_iter().all(is_flag));
        assert!(["", "\\", "a b", "a)", "a\r\nL1 LOGOUT", "готово", "a\"", "\\\\Seen"].into_iter().all(|flag| !is_flag(flag)));
    }
}
