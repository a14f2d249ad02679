//! What a backup says of itself, and whether that is true.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Progress;
use crate::attachments::is_name;

/// The form of backups this version writes and reads.
pub const FORMAT: u32 = 1;
/// Its file.
pub const MANIFEST: &str = "manifest.json";
/// The database in a backup.
pub const DATABASE: &str = "leadgate.db";
/// The folder of secrets in a backup.
pub const SECRETS: &str = "secrets";
/// The folder of attachments in a backup.
pub const ATTACHMENTS: &str = "attachments";

/// `manifest.json`: what a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup.
    pub format: u32,
    /// The version of the gateway that made it.
    pub leadgate: String,
    /// The moment the database is of, or a little before.
    pub made_at: Timestamp,
    /// Whose it is.
    pub installation: Uuid,
    /// How much of everything there is.
    pub counts: Counts,
    /// Every file of it but this one.
    pub parts: Vec<Part>,
    /// Attachments that the database names and that could not be copied. Empty in a whole backup.
    pub lost: Vec<Lost>,
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Leads.
    pub leads: u64,
    /// Contacts.
    pub contacts: u64,
    /// Deliveries as they came.
    pub submissions: u64,
    /// Files.
    pub attachments: u64,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Below the backup's folder, with slashes.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hex.
    pub sha256: String,
}

/// An attachment that could not be copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Its name.
    pub sha256: String,
    /// Why.
    pub why: String,
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The database.
    Database,
    /// A file of the data folder that holds secrets.
    Secret,
    /// An attachment.
    Attachment,
}

impl Part {
    /// The path of an attachment in a backup.
    pub fn attachment_path(sha256: &str) -> String {
        format!("{ATTACHMENTS}/{}/{sha256}", sha256.get(..2).unwrap_or_default())
    }

    /// What it is; `None`: nothing this version knows. A path that leads elsewhere is nothing.
    pub fn kind(&self) -> Option<Kind> {
        match self.path.split('/').collect::<Vec<_>>().as_slice() {
            [DATABASE] => Some(Kind::Database),
            [SECRETS, "tokens.toml" | "api-token" | "erasure-key"] => Some(Kind::Secret),
            [ATTACHMENTS, folder, name] if is_name(name) && name.starts_with(folder) && self.sha256 == *name => {
                Some(Kind::Attachment)
            }
            _ => None,
        }
    }

    /// The last step of its path.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

impl Manifest {
    /// Reads the manifest of a backup.
    pub fn read(backup: &Path) -> anyhow::Result<Self> {
        let path = backup.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "{} is no backup: there is no {MANIFEST} in it. Name the folder that `leadgate backup` made",
                backup.display()
            ),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let said: Form = serde_json::from_slice(&text).with_context(|| format!("{} makes no sense", path.display()))?;
        if said.format != FORMAT {
            bail!(
                "{} was made by leadgate {} in another form ({}; this is {}, form {FORMAT}): restore it with that version",
                backup.display(),
                said.leadgate,
                said.format,
                env!("CARGO_PKG_VERSION")
            );
        }
        serde_json::from_slice(&text).with_context(|| format!("{} makes no sense", path.display()))
    }

    /// Bytes of all parts.
    pub fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// Reads every part and compares it with what the manifest says. Changes nothing.
    pub fn verify(&self, backup: &Path, progress: &Progress) -> anyhow::Result<()> {
        let mut seen = BTreeSet::new();
        for part in &self.parts {
            if part.kind().is_none() || !seen.insert(&part.path) {
                bail!("the manifest names {:?}, which is no part of a backup: somebody changed it", part.path);
            }
        }
        if !seen.iter().any(|path| *path == DATABASE) {
            bail!("the manifest names no database: somebody changed it");
        }
        let bar = progress.bytes("checking the backup", self.size());
        for part in &self.parts {
            let path = backup.join(&part.path);
            let (size, sha256) = hash(&path, |bytes| bar.add(bytes))
                .with_context(|| format!("the backup is not whole: {} cannot be read", path.display()))?;
            if (size, sha256.as_str()) != (part.size, part.sha256.as_str()) {
                bail!(
                    "the backup is damaged: {} is not what was written. Nothing was touched; use another backup",
                    path.display()
                );
            }
        }
        bar.finish();
        Ok(())
    }

    /// Where a part lies.
    pub fn path(backup: &Path, part: &Part) -> PathBuf {
        backup.join(&part.path)
    }
}

/// What the manifest of every version says.
#[derive(Deserialize)]
struct Form {
    format: u32,
    leadgate: String,
}

/// A file's size and SHA-256. `read` hears of every piece.
pub fn hash(path: &Path, read: impl Fn(u64)) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hash, mut size, mut piece) = (Sha256::new(), 0, vec![0; 256 << 10]);
    loop {
        let n = file.read(&mut piece)?;
        let Some(bytes) = piece.get(..n).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
        size += bytes.len() as u64;
        read(bytes.len() as u64);
    }
    Ok((size, data_encoding::HEXLOWER.encode(&hash.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(path: &str, sha256: &str) -> Part {
        Part { path: path.to_owned(), size: 1, sha256: sha256.to_owned() }
    }

    #[test]
    fn parts_lie_where_they_belong() {
        let name = "ab".repeat(32);
        assert_eq!(part(DATABASE, "").kind(), Some(Kind::Database));
        assert_eq!(part("secrets/api-token", "").kind(), Some(Kind::Secret));
        assert_eq!(part(&Part::attachment_path(&name), &name).kind(), Some(Kind::Attachment));
        for path in ["../leadgate.db", "/etc/passwd", "secrets/../leadgate.db", "secrets/other", "", "attachments/ab/x"] {
            assert_eq!(part(path, &name).kind(), None, "{path}");
        }
        assert_eq!(part(&Part::attachment_path(&name), &"0".repeat(64)).kind(), None, "an attachment is named by its bytes");
    }

    #[test]
    fn what_is_no_backup_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Manifest::read(folder.path()).unwrap_err().to_string().contains("no backup"));
        std::fs::write(folder.path().join(MANIFEST), "{\"format\": 7, \"leadgate\": \"9.0.0\"}").unwrap();
        let words = Manifest::read(folder.path()).unwrap_err().to_string();
        assert!(words.contains("9.0.0") && words.contains("form"), "{words}");
    }
}
