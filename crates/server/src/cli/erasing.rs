//! `contacts export`, `erase` and `erased`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use dialoguer::Confirm;
use dialoguer::theme::ColorfulTheme;
use futures_util::TryStreamExt as _;
use leadgate_core::ids::SubmissionId;
use leadgate_core::keeping::{ErasedView, ErasureKey, Footprint};
use leadgate_core::receipt::Outcome;
use leadgate_core::text;
use serde_json::{Value, json};

use super::api::Query;
use super::args::{Erase, ErasedList, Export};
use super::gate::{Gate, Reader, Writer};
use super::{leads, story};
use crate::attachments::{Attachments, private_folder};
use crate::backup::Progress;
use crate::erasing::{self, Done, Wanted};
use crate::{print, secrets};

/// The longest part of a file's name that is kept.
const NAME_BYTES: usize = 120;

/// Runs `contacts export`.
pub(super) async fn export(gate: &Gate, command: &Export) -> anyhow::Result<()> {
    let missing = || anyhow!("there is no contact {}; `leadgate contacts list` shows who there is", command.id);
    let reader = gate.reader().await?;
    let document: Value = match &reader {
        Reader::Store(store) => {
            let found = erasing::export(&**store, command.id, gate.clock.now()).await?;
            serde_json::to_value(found.ok_or_else(missing)?)?
        }
        Reader::Api(api) => api.find(&format!("/api/v1/contacts/{}/export", command.id)).await?.ok_or_else(missing)?,
    };
    let Some(folder) = &command.to else { return Ok(print::json(&document)?) };
    if folder.exists() {
        bail!("{} exists: name a folder that does not", folder.display());
    }
    private_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("contact-{}.json", command.id));
    fs::write(&path, serde_json::to_vec_pretty(&document)?).with_context(|| format!("cannot write {}", path.display()))?;
    let (mut written, mut lost) = (0_u64, Vec::new());
    for file in document["files"].as_array().into_iter().flatten() {
        let (Some(sha256), Some(name)) = (file["sha256"].as_str(), file["name"].as_str()) else { continue };
        match bytes_of(gate, &reader, sha256).await? {
            Some(bytes) => {
                let path = folder.join(file_name(sha256, name));
                fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
                written += 1;
            }
            None => lost.push(name.to_owned()),
        }
    }
    for name in &lost {
        print::note(&format!("{} is not kept any more.", print::safe(name)));
    }
    if gate.json() {
        return Ok(print::json(&json!({ "folder": folder, "files": written, "not_kept": lost }))?);
    }
    Ok(print::line(&format!(
        "Everything that is kept of contact {} is in {}, {written} files with it.",
        command.id,
        folder.display()
    ))?)
}

/// The bytes of a file; `None`: it is not kept any more.
async fn bytes_of(gate: &Gate, reader: &Reader, sha256: &str) -> anyhow::Result<Option<Vec<u8>>> {
    match reader {
        Reader::Api(api) => api.bytes(&format!("/api/v1/attachments/{sha256}")).await,
        Reader::Store(_) => {
            let attachments = Attachments::open(&gate.config.attachments, &gate.config.data_dir)?;
            let Some((_, mut stream)) = attachments.read(sha256).await? else { return Ok(None) };
            let mut bytes = Vec::new();
            while let Some(piece) = stream.try_next().await? {
                bytes.extend_from_slice(&piece);
            }
            Ok(Some(bytes))
        }
    }
}

/// A name no sender can lead elsewhere with, and no two files share.
fn file_name(sha256: &str, name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' }).collect();
    format!("{}-{}", sha256.get(..8).unwrap_or(sha256), text::cut(&plain, NAME_BYTES).trim())
}

/// Runs `contacts erase`.
pub(super) async fn erase(gate: &Gate, command: &Erase) -> anyhow::Result<()> {
    let id = command.id;
    let reason = text::present(&command.reason).ok_or_else(|| anyhow!("say why with --reason"))?;
    let reader = gate.reader().await?;
    let footprint: Option<Footprint> = match &reader {
        Reader::Store(store) => store.footprint(id).await?,
        Reader::Api(api) => api.find(&format!("/api/v1/contacts/{id}/footprint")).await?,
    };
    let footprint = footprint.ok_or_else(|| anyhow!("there is no contact {id}; `leadgate contacts list` shows who there is"))?;
    let also = if command.search { search(gate, &reader, command).await? } else { Vec::new() };
    let asked = !command.yes;
    if asked {
        confirm(gate, &reader, command, &footprint, also.len()).await?;
    }
    let writer = gate.writer().await?;
    let outcome = match &writer {
        Writer::Api(api) => {
            let distant = command.search && matches!(reader, Reader::Api(_));
            let body = json!({ "reason": reason, "also": also, "search": distant, "rebuild": command.rebuild });
            api.post(&format!("/api/v1/contacts/{id}/erase"), &body).await
        }
        Writer::Store(store, beside) => {
            let attachments = Attachments::open(&gate.config.attachments, &gate.config.data_dir)?;
            let key = secrets::erasure_key(&gate.config.data_dir)?;
            let wanted = Wanted { contact: id, reason, also, rebuild: command.rebuild };
            match erasing::erase(&**store, &attachments, &beside.clock, key, wanted, beside.act()).await {
                Ok(done) => done.map_err(Into::into),
                Err(error) => Err(error),
            }
        }
    };
    writer.close().await;
    told(gate, &outcome?)
}

/// What holds one of their phones or e-mails and made no lead. A distant gateway looks for itself.
async fn search(gate: &Gate, reader: &Reader, command: &Erase) -> anyhow::Result<Vec<SubmissionId>> {
    let Reader::Store(store) = reader else { return Ok(Vec::new()) };
    let Some(contact) = store.contact(command.id).await? else { return Ok(Vec::new()) };
    let without_lead = [Outcome::Quarantined, Outcome::Spam, Outcome::Noted, Outcome::Probe];
    let health = store.health(gate.clock.now()).await?;
    let counts = health.iter().flat_map(|source| &source.counts);
    let most = counts.filter(|(outcome, _)| without_lead.contains(outcome)).map(|(_, count)| count).sum();
    let progress = if gate.json() { Progress::hidden() } else { Progress::for_people() };
    let bar = progress.things("looking through them", most);
    let found = erasing::search(&**store, &contact.identities, Some(&bar)).await;
    bar.finish();
    found
}

/// Tells what will go, and asks.
async fn confirm(gate: &Gate, reader: &Reader, command: &Erase, footprint: &Footprint, found: usize) -> anyhow::Result<()> {
    let contact = reader.contact(command.id).await?.ok_or_else(|| anyhow!("there is no contact {}", command.id))?;
    let name = if contact.contact.name.is_empty() { "nobody has told a name" } else { &contact.contact.name };
    let values: Vec<&str> = contact.identities.iter().map(|identity| identity.display.as_str()).collect();
    let mut text = print::Text::default();
    text.line(format!("Contact {}: {}", command.id, print::safe(name)));
    text.pair(2, "known by", &values.join(", "));
    text.pair(2, "since", &story::time(contact.contact.created_at, gate.zone()));
    let Footprint { leads, activities, submissions, .. } = footprint;
    text.pair(2, "will go", &format!("{activities} activities on {leads} leads, {submissions} deliveries with what came along"));
    if command.search && matches!(reader, Reader::Store(_)) {
        text.pair(2, "and", &format!("{found} deliveries without a lead that hold one of these values"));
    } else if !command.search {
        text.pair(2, "not", "what waits in quarantine or is spam: add --search to look through it");
    }
    text.line("This cannot be undone. Backups made before still hold it.");
    print::note(text.finish().trim_end());
    if !print::can_ask() {
        bail!("nothing was erased: add --yes to erase without being asked");
    }
    if !Confirm::with_theme(&ColorfulTheme::default()).with_prompt("Erase?").default(false).interact()? {
        bail!("nothing was erased");
    }
    Ok(())
}

fn told(gate: &Gate, done: &Done) -> anyhow::Result<()> {
    if gate.json() {
        return Ok(print::json(done)?);
    }
    let Done { erased, files_deleted, left } = done;
    let gone = erased.gone;
    let mut text = print::Text::default();
    text.line(format!(
        "Contact {} is erased: {} values, what {} leads and {} activities said, {} deliveries, {files_deleted} files{}.",
        erased.contact,
        gone.identities,
        gone.leads,
        gone.activities,
        gone.submissions,
        if gone.found > 0 { format!(", and {} deliveries without a lead", gone.found) } else { String::new() }
    ));
    for words in left {
        text.pair(2, "left", words);
    }
    Ok(print::out(&text.finish())?)
}

/// Runs `contacts erased`.
pub(super) async fn erased(gate: &Gate, command: &ErasedList) -> anyhow::Result<()> {
    if let Some(path) = &command.apply {
        return apply(gate, path).await;
    }
    let value = command.find.as_ref().map(|text| leads::identity(gate, text));
    let list: Vec<ErasedView> = match gate.reader().await? {
        Reader::Api(api) => api.get(&Query::new("/erased").with("identity", value).path()).await?,
        Reader::Store(store) => {
            let all = store.erased(None).await?;
            match value {
                None => all,
                Some(value) => {
                    let key = secrets::read_erasure_key(&gate.config.data_dir)?;
                    other_keys(&all, key.as_ref());
                    let hashes = key.map(|key| ["phone", "email"].map(|kind| key.hash(kind, &value)).to_vec());
                    store.erased(Some(hashes.unwrap_or_default())).await?
                }
            }
        }
    };
    if gate.json() {
        return Ok(print::json(&list)?);
    }
    if list.is_empty() {
        let words = if command.find.is_some() { "Nobody with this phone or e-mail was erased." } else { "Nobody was erased." };
        return Ok(print::line(words)?);
    }
    let rows: Vec<_> = list
        .iter()
        .map(|row| {
            vec![row.contact.to_string(), story::time(row.at, gate.zone()), row.actor.clone(), print::short(&row.reason, 80)]
        })
        .collect();
    Ok(print::out(&print::table(&["contact", "erased", "by", "why"], &rows, &[]))?)
}

/// Of people another key hid nothing can be said.
fn other_keys(all: &[ErasedView], key: Option<&ErasureKey>) {
    let name = key.map(ErasureKey::name);
    let others = all.iter().filter(|row| Some(&row.key) != name.as_ref()).count();
    if others > 0 {
        print::note(&format!(
            "{others} people were erased under another key than the one here: put that gateway's data/erasure-key here to look among them."
        ));
    }
}

/// Erases once more everybody of a list who is there.
async fn apply(gate: &Gate, path: &Path) -> anyhow::Result<()> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let list: Vec<ErasedView> =
        serde_json::from_slice(&text).with_context(|| format!("{} is no list of `contacts erased --json`", path.display()))?;
    let writer = gate.writer().await?;
    let Writer::Store(store, beside) = &writer else {
        bail!("a gateway serves this database: stop it first");
    };
    let outcome = async {
        let attachments = Attachments::open(&gate.config.attachments, &gate.config.data_dir)?;
        let key = secrets::erasure_key(&gate.config.data_dir)?;
        let again = store.note_erased(list).await?;
        for contact in &again {
            let reason = "erased before the database was put back".to_owned();
            let wanted = Wanted { contact: *contact, reason, also: Vec::new(), rebuild: false };
            erasing::erase(&**store, &attachments, &beside.clock, key.clone(), wanted, beside.act()).await??;
        }
        anyhow::Ok(again.len())
    }
    .await;
    writer.close().await;
    let again = outcome?;
    if gate.json() {
        return Ok(print::json(&json!({ "erased_again": again }))?);
    }
    Ok(print::line(&format!("{again} people of the list were there and are erased once more."))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_cannot_be_led_elsewhere() {
        let sha256 = "ab".repeat(32);
        assert_eq!(file_name(&sha256, "../../etc/passwd"), "abababab-.._.._etc_passwd");
        assert_eq!(file_name(&sha256, "план дома.pdf"), "abababab-план дома.pdf");
    }
}
