//! Everything that is kept of a person, as one JSON document; the shape is told in docs/keeping.md.

use std::collections::BTreeMap;

use jiff::Timestamp;
use leadgate_core::ids::{ActivityId, ContactId};
use leadgate_core::keeping::{Person, PersonActivity, PersonLead, PersonSubmission};
use leadgate_core::ports::Store;
use leadgate_core::views::ContactDetail;
use serde::Serialize;
use uuid::Uuid;

use super::unpacked;

/// The form of the document.
const FORMAT: u32 = 1;

/// The document.
#[derive(Debug, Serialize)]
pub struct Export {
    /// Its form.
    format: u32,
    /// When it was made.
    exported_at: Timestamp,
    /// By whom.
    installation: Uuid,
    contact: ContactDetail,
    leads: Vec<PersonLead>,
    activities: Vec<PersonActivity>,
    submissions: Vec<Delivery>,
    /// The files of the activities.
    pub files: Vec<ExportFile>,
}

/// A delivery with its bytes.
#[derive(Debug, Serialize)]
struct Delivery {
    #[serde(flatten)]
    submission: PersonSubmission,
    /// The kept bytes, if they are UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Else these.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// A file.
#[derive(Clone, Debug, Serialize)]
pub struct ExportFile {
    /// Its hash, by which it is kept.
    pub sha256: String,
    /// The name as sent.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Which activities name it.
    pub activities: Vec<ActivityId>,
}

/// Makes the document; `None`: there is no such contact.
pub async fn export(store: &dyn Store, contact: ContactId, now: Timestamp) -> anyhow::Result<Option<Export>> {
    let Some(Person { contact, leads, activities, submissions }) = store.person(contact).await? else { return Ok(None) };
    let mut files: BTreeMap<String, ExportFile> = BTreeMap::new();
    for activity in &activities {
        let contents = activity.earlier.iter().map(|before| &before.content).chain([&activity.content]);
        for file in contents.flat_map(|content| &content.files) {
            let entry = files.entry(file.sha256.clone()).or_insert_with(|| ExportFile {
                sha256: file.sha256.clone(),
                name: file.name.clone(),
                size: file.size,
                activities: Vec::new(),
            });
            if !entry.activities.contains(&activity.id) {
                entry.activities.push(activity.id);
            }
        }
    }
    let submissions = submissions.into_iter().map(delivery).collect::<anyhow::Result<_>>()?;
    Ok(Some(Export {
        format: FORMAT,
        exported_at: now,
        installation: store.installation().await?,
        contact,
        leads,
        activities,
        submissions,
        files: files.into_values().collect(),
    }))
}

fn delivery(mut submission: PersonSubmission) -> anyhow::Result<Delivery> {
    let bytes = unpacked(submission.codec, std::mem::take(&mut submission.raw))?;
    let (text, base64) = match (submission.emptied_at, String::from_utf8(bytes)) {
        (Some(_), _) => (None, None),
        (None, Ok(text)) => (Some(text), None),
        (None, Err(error)) => (None, Some(data_encoding::BASE64.encode(error.as_bytes()))),
    };
    Ok(Delivery { submission, text, base64 })
}
