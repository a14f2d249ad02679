use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use leadgate_core::ports::Store as _;
use leadgate_store_sqlite::{Options, SqliteStore};

use super::*;

/// A folder for attachments beside a database.
struct Place {
    folder: tempfile::TempDir,
    store: SqliteStore,
    clock: Clock,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("leadgate.db"), Options::default()).await.unwrap();
        Self { folder, store, clock: Clock::manual(Timestamp::UNIX_EPOCH, 1) }
    }

    fn open(&self) -> Attachments {
        let place = config::Attachments::in_data(self.folder.path());
        Attachments::open(&place, self.folder.path()).unwrap()
    }

    async fn claimed(&self) -> Attachments {
        let attachments = self.open();
        attachments.claim(&self.store, &self.clock).await.unwrap();
        attachments
    }

    async fn keep(&self, store: &Attachments, pieces: &[&'static [u8]]) -> Kept {
        let mut upload = store.begin(&self.clock).await.unwrap();
        for piece in pieces {
            upload.write(Bytes::from_static(piece)).await.unwrap();
        }
        upload.finish().await.unwrap()
    }
}

async fn files(store: &Attachments) -> Vec<String> {
    let all: Vec<ObjectMeta> = store.0.objects.list(None).try_collect().await.unwrap();
    let mut names: Vec<String> = all.into_iter().map(|object| object.location.to_string()).collect();
    names.sort();
    names
}

fn everything() -> Old {
    Old { before: Timestamp::MAX, since: None }
}

#[tokio::test]
async fn a_file_is_kept_once_under_its_hash() {
    let place = Place::new().await;
    let store = place.claimed().await;
    let one = place.keep(&store, &[b"he", b"llo"]).await;
    let two = place.keep(&store, &[b"hello"]).await;
    assert_eq!(one, two);
    assert_eq!(one.sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    let (size, bytes) = store.read(&one.sha256).await.unwrap().unwrap();
    let bytes: Vec<Bytes> = bytes.try_collect().await.unwrap();
    assert_eq!((size, bytes.concat().as_slice()), (5, b"hello".as_slice()));
    assert_eq!(store.size(&one.sha256).await.unwrap(), Some(5));
    assert_eq!(std::fs::read(store.path(&one.sha256).await.unwrap().unwrap()).unwrap(), b"hello");
    assert!(store.read("../../etc/passwd").await.unwrap().is_none());
    assert!(store.read(&"0".repeat(64)).await.unwrap().is_none());
    let kept = files(&store).await;
    assert_eq!(kept.len(), 2, "the file and the marker: {kept:?}");
}

#[tokio::test]
async fn what_is_thrown_away_leaves_nothing() {
    let place = Place::new().await;
    let store = place.open();
    let mut upload = store.begin(&place.clock).await.unwrap();
    upload.write(Bytes::from_static(b"half")).await.unwrap();
    upload.abort().await.unwrap();
    let mut upload = store.begin(&place.clock).await.unwrap();
    upload.write(Bytes::from_static(b"half")).await.unwrap();
    drop(upload);
    assert!(files(&store).await.is_empty());
}

#[tokio::test]
async fn old_files_of_former_versions_are_read_and_swept() {
    let place = Place::new().await;
    let store = place.claimed().await;
    let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    store.0.objects.put(&former_place(sha256), PutPayload::from_static(b"hello")).await.unwrap();
    assert!(store.read(sha256).await.unwrap().is_some());
    assert_eq!(store.sweep_old(&place.store, everything()).await.unwrap(), 1);
    assert!(store.read(sha256).await.unwrap().is_none());
    assert_eq!(files(&store).await, ["leadgate-installation"]);
}

#[tokio::test]
async fn a_sweep_takes_what_is_old_and_nothing_else() {
    let place = Place::new().await;
    let store = place.claimed().await;
    // As another gateway sees it: it has not asked the store for the time, so it puts the same file once more.
    let other = place.open();
    place.keep(&store, &[b"hello"]).await;
    let kept = place.keep(&other, &[b"hello"]).await;
    std::fs::write(place.folder.path().join("attachments/somebody-s-notes.txt"), "keep").unwrap();
    std::fs::write(place.folder.path().join("attachments/incoming/0191#1"), "half").unwrap();
    assert_eq!(store.sweep(&place.store, &place.clock).await.unwrap(), 0, "nothing is a day old");
    let at = |store: &Attachments| store.time_now().unwrap();
    let spared = Old { before: Timestamp::MAX, since: Some(at(&store) + SignedDuration::from_hours(1)) };
    assert_eq!(store.sweep_old(&place.store, spared).await.unwrap(), 0, "what lay there before a restore stays");
    assert_eq!(store.sweep_old(&place.store, everything()).await.unwrap(), 3);
    assert!(store.read(&kept.sha256).await.unwrap().is_none());
    assert_eq!(files(&store).await, ["leadgate-installation", "somebody-s-notes.txt"]);
}

#[tokio::test]
async fn a_folder_belongs_to_one_installation() {
    let (one, two) = (Place::new().await, Place::new().await);
    let store = one.claimed().await;
    one.claimed().await;
    let refused = store.claim(&two.store, &two.clock).await.unwrap_err().to_string();
    let theirs = one.store.installation().await.unwrap().to_string();
    assert!(
        refused.contains("another installation") && refused.contains(&theirs) && refused.contains("[attachments]"),
        "{refused}"
    );
    let refused = store.sweep(&two.store, &two.clock).await.unwrap_err().to_string();
    assert!(refused.contains("another installation"), "{refused}");

    // Files and no marker: whose are they?
    one.keep(&store, &[b"hello"]).await;
    std::fs::remove_file(one.folder.path().join("attachments/leadgate-installation")).unwrap();
    let refused = store.claim(&two.store, &two.clock).await.unwrap_err().to_string();
    assert!(refused.contains("does not say whose") && refused.contains("leadgate-installation"), "{refused}");
    std::fs::write(one.folder.path().join("attachments/leadgate-installation"), "nonsense").unwrap();
    assert!(store.claim(&one.store, &one.clock).await.unwrap_err().to_string().contains("put the right one back"));
}

#[tokio::test]
async fn a_shared_folder_must_be_there() {
    let place = Place::new().await;
    let shared = config::Attachments::Shared(place.folder.path().join("mounted/leadgate"));
    let refused = Attachments::open(&shared, place.folder.path()).unwrap_err().to_string();
    assert!(refused.contains("mount that") && !place.folder.path().join("mounted").exists(), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_while_the_store_is_asked_for_the_time() {
    let place = Place::new().await;
    let store = place.claimed().await;
    // One that has not asked puts every file anew.
    let (coming, clock) = (place.open(), place.clock.clone());
    let uploads = tokio::spawn(async move {
        for n in 0..200_u32 {
            let mut upload = coming.begin(&clock).await?;
            upload.write(Bytes::from((n % 3).to_string())).await?;
            upload.finish().await?;
        }
        Ok::<_, AttachmentError>(())
    });
    while !uploads.is_finished() {
        store.ask_time(&place.clock).await.unwrap();
    }
    uploads.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_somebody_may_be_naming_is_not_forgotten() {
    let place = Place::new().await;
    let store = place.claimed().await;
    let kept = place.keep(&store, &[b"hello"]).await;
    let names = [kept.sha256.clone()];
    let forget = || store.forget_within(std::time::Duration::ZERO, &place.store, &place.clock, &names);
    let taking_in = store.taking_in().await;
    assert_eq!(forget().await.unwrap(), 0);
    assert!(store.size(&kept.sha256).await.unwrap().is_some());
    drop(taking_in);
    assert_eq!(forget().await.unwrap(), 1);
    assert_eq!(store.size(&kept.sha256).await.unwrap(), None);
    assert_eq!(files(&store).await.len(), 1, "the marker");
}
