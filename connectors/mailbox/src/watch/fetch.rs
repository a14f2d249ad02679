//! Fetching mails in groups: while one is recorded, the next is read and a third is fetched.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::mail::Got;
use super::server::Server;
use crate::imap::{Head, ImapError};

/// Mails whose heads are asked for at once.
const HEADS: usize = 256;
/// The widest range of UIDs heads are asked for at once: what was searched for may lie far apart.
const WIDEST: u32 = 4_096;
/// Mails of a group.
const GROUP_MAILS: usize = 128;
/// Bytes of a group, unless one mail alone has more.
const GROUP_BYTES: u64 = 2 << 20;
/// The room for bytes that are fetched and not yet committed, in permits of a KiB; a larger mail takes all of it.
const ROOM_KIB: u32 = 6 << 10;
/// What is fetched of a mail that is over the limit.
pub(super) const START: u32 = 256 << 10;

/// What one round trip brought.
pub(super) struct Group {
    /// What was there of it.
    pub mails: Vec<Got>,
    /// The line is read up to this UID with it.
    pub upto: u32,
    /// Given back when it is committed.
    pub room: OwnedSemaphorePermit,
}

/// A group that could not be fetched.
#[derive(Debug)]
pub(super) struct Broken {
    pub from: u32,
    pub until: u32,
    pub error: ImapError,
}

/// The room for what is under way.
pub(super) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(ROOM_KIB as usize))
}

/// Fetches mails by UID, in order, group by group. Nobody takes them any more: it ends.
pub(super) async fn all<S: Server>(
    server: &mut S,
    uids: &[u32],
    wanted: impl Fn(&Head) -> bool + Send + Sync,
    largest: u64,
    room: &Arc<Semaphore>,
    out: mpsc::Sender<Group>,
) -> Result<(), Broken> {
    for near in chunks(uids) {
        let (from, until) = (near[0], near[near.len() - 1]);
        let heads = server.heads(from, until).await.map_err(|error| Broken { from, until, error })?;
        for group in groups(near, &heads, largest) {
            let weight = |head: &Head| if is_alone(head, largest) { START } else { head.size } / 1024 + 1;
            let kib = group.iter().map(weight).fold(0, u32::saturating_add).min(ROOM_KIB);
            let Ok(permit) = Arc::clone(room).acquire_many_owned(kib).await else { return Ok(()) };
            let (from, until) = (group[0].uid, group[group.len() - 1].uid);
            let asked: Vec<Head> = group.into_iter().filter(&wanted).collect();
            let mails = fetch(server, &asked, largest).await.map_err(|error| Broken { from, until, error })?;
            if out.send(Group { mails, upto: until, room: permit }).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Fetches some mails whose heads are known. What is gone is missing; what is there and yields nothing is an error.
pub(super) async fn fetch<S: Server>(server: &mut S, heads: &[Head], largest: u64) -> Result<Vec<Got>, ImapError> {
    let Some(first) = heads.first() else { return Ok(Vec::new()) };
    let mut mails = Vec::with_capacity(heads.len());
    if is_alone(first, largest) {
        if let Some(bytes) = server.fetch_start(first.uid, START).await? {
            // Of an unknown size it may be the whole.
            let size = first.size.max(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            mails.push(Got { head: Head { size, ..*first }, cut: !is_unknown(first) || size >= START, bytes });
        }
    } else {
        let uids: Vec<u32> = heads.iter().map(|head| head.uid).collect();
        for (uid, bytes) in server.fetch(&uids).await? {
            if let Some(head) = heads.iter().find(|head| head.uid == uid) {
                mails.push(Got { head: *head, bytes, cut: false });
            }
        }
        mails.sort_by_key(|got| got.head.uid);
        mails.dedup_by_key(|got| got.head.uid);
    }
    let Some(missing) = heads.iter().find(|head| mails.iter().all(|got| got.head.uid != head.uid)) else { return Ok(mails) };
    let there = server.uids(missing.uid, None).await?;
    let lost = heads.iter().find(|head| mails.iter().all(|got| got.head.uid != head.uid) && there.contains(&head.uid));
    match lost {
        Some(head) => {
            Err(ImapError::Unreadable(format!("the server lists the mail with UID {} and gives nothing of it", head.uid)))
        }
        None => Ok(mails),
    }
}

/// A mail of which nothing is known: it may be of any size.
pub(super) fn unknown(uid: u32) -> Head {
    Head { uid, size: 0, at: None }
}

fn is_unknown(head: &Head) -> bool {
    head.size == 0 && head.at.is_none()
}

/// Whether a mail's beginning is fetched by itself.
fn is_alone(head: &Head, largest: u64) -> bool {
    u64::from(head.size) > largest || is_unknown(head)
}

/// Runs of UIDs that lie near each other.
fn chunks(uids: &[u32]) -> impl Iterator<Item = &[u32]> {
    let mut rest = uids;
    std::iter::from_fn(move || {
        let first = *rest.first()?;
        let near = rest.iter().take(HEADS).take_while(|uid| uid.saturating_sub(first) < WIDEST).count();
        let (chunk, later) = rest.split_at(near.max(1));
        rest = later;
        Some(chunk)
    })
}

/// Groups of listed mails, bounded in count and bytes; one over the limit is a group of its own. A mail the server lists and
/// tells nothing of is fetched all the same: that it is gone, its fetch will tell.
fn groups(uids: &[u32], heads: &[Head], largest: u64) -> Vec<Vec<Head>> {
    let mut groups: Vec<Vec<Head>> = Vec::new();
    let mut bytes = 0;
    let mut alone = true;
    for uid in uids {
        let known = heads.iter().find(|head| head.uid == *uid);
        let head = known.copied().unwrap_or_else(|| unknown(*uid));
        let size = u64::from(head.size);
        let over = is_alone(&head, largest);
        match groups.last_mut() {
            Some(group) if !alone && !over && group.len() < GROUP_MAILS && bytes + size <= GROUP_BYTES => {
                group.push(head);
                bytes += size;
            }
            _ => {
                groups.push(vec![head]);
                (bytes, alone) = (size, over);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uid: u32, size: u32) -> Head {
        Head { uid, size, at: None }
    }

    fn sizes(heads: &[Head]) -> Vec<Vec<u32>> {
        let uids: Vec<u32> = heads.iter().map(|head| head.uid).collect();
        groups(&uids, heads, 10 << 20).iter().map(|group| group.iter().map(|head| head.uid).collect()).collect()
    }

    #[test]
    fn groups_are_bounded_and_keep_the_order() {
        let many: Vec<Head> = (1..=300).map(|uid| head(uid, 10)).collect();
        assert_eq!(sizes(&many).iter().map(Vec::len).collect::<Vec<_>>(), [128, 128, 44]);
        let mega = 1 << 20;
        assert_eq!(
            sizes(&[head(1, mega), head(2, mega), head(3, mega), head(4, 9 * mega), head(5, 1)]),
            [vec![1, 2], vec![3], vec![4], vec![5]]
        );
        let over = 11 << 20;
        assert_eq!(
            sizes(&[head(1, 5), head(2, over), head(3, over), head(4, 5), head(6, 5)]),
            [vec![1], vec![2], vec![3], vec![4, 6]]
        );
    }

    #[test]
    fn heads_are_asked_for_in_narrow_ranges() {
        let uids: Vec<u32> = (1..=300).chain([10_000, 10_001, u32::MAX]).collect();
        let told: Vec<(u32, usize)> = chunks(&uids).map(|chunk| (chunk[0], chunk.len())).collect();
        assert_eq!(told, [(1, 256), (257, 44), (10_000, 2), (u32::MAX, 1)]);
    }
}
