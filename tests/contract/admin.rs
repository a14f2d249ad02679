//! What people and housekeeping do.

use leadgate_core::change::{ChangeError, Close, LeadChange, Stage};
use leadgate_core::ids::{LeadId, ManagerId, SourceId};
use leadgate_core::ports::{NewToken, Refusals, Sweep};
use leadgate_core::receipt::Outcome;
use leadgate_core::submission::FileRef;
use leadgate_core::views::Scope;

use crate::support::{Db, act, column, days, minutes, post, start};

const PHONE: &str = "+7 916 123-45-67";

fn anna() -> ManagerId {
    ManagerId("anna".to_owned())
}

pub(crate) async fn a_lead_is_worked_on(db: Db) {
    let receipt = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    let id = receipt.lead.unwrap();
    let changes =
        vec![LeadChange::Take(anna()), LeadChange::Stage(Stage::Processed), LeadChange::Note("called twice".to_owned())];
    let lead = db.store.change_lead(id, changes, Some(1), act(start() + minutes(9))).await.unwrap().unwrap();
    assert_eq!((lead.lead.stage, lead.lead.responsible.as_deref(), lead.version), (Stage::Processed, Some("anna"), 2));
    let history: Vec<_> =
        lead.history.iter().map(|entry| (entry.field.as_str(), entry.from.as_deref(), entry.to.as_deref())).collect();
    assert_eq!(
        history,
        [
            ("stage", Some("NEW"), Some("IN_PROCESS")),
            ("responsible", None, Some("anna")),
            ("stage", Some("IN_PROCESS"), Some("PROCESSED"))
        ]
    );
    let note = lead.timeline.last().unwrap();
    assert_eq!(
        (note.author.as_deref(), note.content.message.as_deref(), note.source.as_ref()),
        (Some("api:test"), Some("called twice"), None)
    );
    assert_eq!(
        lead.person.unwrap().contact.responsible.as_deref(),
        Some("anna"),
        "whoever takes the first enquiry works with the person"
    );
    let taken = db.store.change_lead(id, vec![LeadChange::Take(ManagerId("oleg".into()))], None, act(start())).await.unwrap();
    assert_eq!(taken, Err(ChangeError::Taken(anna())));
    let closed =
        db.store.change_lead(id, vec![LeadChange::Close(Close::Converted)], None, act(start() + days(1))).await.unwrap().unwrap();
    assert_eq!((closed.lead.closed_at, closed.lead.stage), (Some(start() + days(1)), Stage::Converted));
    let before = db.dump().await;
    // One of several that cannot be made: none is.
    let refused = db
        .store
        .change_lead(id, vec![LeadChange::Note("x".to_owned()), LeadChange::Stage(Stage::New)], None, act(start()))
        .await
        .unwrap();
    assert_eq!(refused, Err(ChangeError::Closed(Stage::Converted)));
    assert_eq!(
        db.store.change_lead(LeadId(77), vec![LeadChange::Reopen], None, act(start())).await.unwrap(),
        Err(ChangeError::Missing("lead"))
    );
    assert_eq!(db.dump().await, before);
    let mut events: Vec<String> =
        db.rows("event").await.iter().map(|row| column(row, "name")).filter(|name| name.contains("lead.")).collect();
    events.sort();
    assert_eq!(events, ["'lead.closed'", "'lead.created'", "'lead.updated'"]);
}

pub(crate) async fn versions_guard_changes(db: Db) {
    let id = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await.lead.unwrap();
    db.store.change_lead(id, vec![LeadChange::Responsible(Some(anna()))], Some(1), act(start())).await.unwrap().unwrap();
    let stale = db.store.change_lead(id, vec![LeadChange::Close(Close::Junk)], Some(1), act(start())).await.unwrap();
    assert_eq!(stale, Err(ChangeError::NotPossible("the lead changed meanwhile (version 2 now)".to_owned())));
    // What changes nothing is no change.
    let same = db.store.change_lead(id, vec![LeadChange::Responsible(Some(anna()))], None, act(start())).await.unwrap().unwrap();
    assert_eq!((same.version, same.history.len()), (2, 1));
}

pub(crate) async fn reopening_needs_the_place(db: Db) {
    let first = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE)).await;
    let change = |lead: Option<LeadId>, change| db.store.change_lead(lead.unwrap(), vec![change], None, act(start() + days(1)));
    change(first.lead, LeadChange::Close(Close::Junk)).await.unwrap().unwrap();
    let second = db.expect(Outcome::Created, post(days(1)).phone(PHONE)).await;
    assert_eq!(change(first.lead, LeadChange::Reopen).await.unwrap(), Err(ChangeError::OtherOpen(second.lead.unwrap())));
    change(second.lead, LeadChange::Close(Close::Converted)).await.unwrap().unwrap();
    let reopened = change(first.lead, LeadChange::Reopen).await.unwrap().unwrap();
    assert_eq!(reopened.lead.stage, Stage::InProcess);
    let third = db.expect(Outcome::Attached, post(days(2)).phone(PHONE)).await;
    assert_eq!(third.lead, first.lead, "it takes again");
}

pub(crate) async fn tokens_are_kept_as_hashes(db: Db) {
    let token = |name: &str, hash: u8| NewToken {
        name: name.to_owned(),
        hash: [hash; 32],
        scopes: vec![Scope::Read, Scope::Write],
        sources: (hash == 2).then(|| vec![SourceId::parse("site").unwrap()]),
    };
    assert!(db.store.add_token(token("crm", 1), start()).await.unwrap());
    assert!(!db.store.add_token(token("crm", 3), start()).await.unwrap());
    assert!(db.store.add_token(token("form", 2), start() + minutes(1)).await.unwrap());
    assert!(db.store.add_token(token("else", 1), start()).await.is_err(), "one token has one name");
    let tokens = db.store.tokens().await.unwrap();
    assert_eq!(tokens.iter().map(|token| token.name.as_str()).collect::<Vec<_>>(), ["form", "crm"]);
    let found = db.store.token([2; 32]).await.unwrap().unwrap();
    assert_eq!((found.scopes, found.sources.unwrap()[0].as_str()), (vec![Scope::Read, Scope::Write], "site"));
    assert!(db.store.revoke_token("crm", start() + minutes(2)).await.unwrap());
    assert!(!db.store.revoke_token("crm", start() + minutes(2)).await.unwrap());
    assert!(db.store.token([1; 32]).await.unwrap().is_none());
    assert!(db.store.add_token(token("crm", 4), start()).await.unwrap(), "a name is free again");
    assert_eq!(db.store.tokens().await.unwrap().len(), 3);
}

pub(crate) async fn health_counts_and_totals(db: Db) {
    let twice = || post(minutes(0)).phone(PHONE).key("k", "1").content("c");
    db.record(vec![
        twice(),
        twice(),
        post(minutes(1)).phone(PHONE),
        post(minutes(2)).spam(),
        post(minutes(9)).source("shop").held(true),
    ])
    .await;
    db.record(vec![post(minutes(3)).phone(PHONE)]).await;
    let site = SourceId::parse("site").unwrap();
    let refusal = |minute, count, why: &str| Refusals {
        source: site.clone(),
        count,
        last_at: start() + minutes(minute),
        last_why: why.to_owned(),
    };
    db.store.refused(vec![refusal(4, 3, "no token"), refusal(1, 2, "older")]).await.unwrap();
    let health = db.store.health(start()).await.unwrap();
    let of = &health[1];
    assert_eq!((of.source.as_str(), of.refused, of.last_accepted), ("site", 5, Some(start() + minutes(3))));
    assert_eq!((of.last_rejected, of.last_rejection.as_deref()), (Some(start() + minutes(4)), Some("no token")));
    assert_eq!(of.counts, [(Outcome::Created, 1), (Outcome::Attached, 2), (Outcome::Repeat, 1), (Outcome::Spam, 1)]);
    assert_eq!(health[0].last_rejection.as_deref(), Some("no one can read it"));
    let totals = db.store.totals().await.unwrap();
    assert_eq!(
        (totals.leads, totals.open_leads, totals.new_leads, totals.contacts, totals.submissions, totals.quarantined),
        (1, 1, 1, 1, 5, 1)
    );
    assert!(totals.database_bytes > 4096);
    db.store.ready().await.unwrap();
}

pub(crate) async fn a_sweep_takes_what_is_old(db: Db) {
    let kept = db.expect(Outcome::Created, post(minutes(0)).phone(PHONE).key("k", "1")).await;
    let mut posts: Vec<_> =
        (0..300).map(|n| post(minutes(1)).content(&n.to_string()).spam().edit(|s| s.signals.clear())).collect();
    posts.push(post(minutes(1)).held(false));
    posts.push(post(days(8)).held(false));
    posts.push(post(days(8)).content("new"));
    db.record(posts).await;
    let sweep = Sweep {
        now: start() + days(9),
        content_keys_before: start() + days(8),
        ring_before: Some(start() + days(2)),
        ..Sweep::default()
    };
    let mut gone = Vec::new();
    loop {
        let rows = db.store.sweep(sweep).await.unwrap();
        if rows == 0 {
            break;
        }
        gone.push(rows);
    }
    assert_eq!(gone, [256, 45], "at most 256 rows a call");
    assert_eq!(db.rows("submission_key").await.len(), 2, "the sender's key and the young content");
    assert_eq!(db.store.totals().await.unwrap().quarantined, 1);
    assert!(db.store.submission(kept.submission).await.unwrap().is_some());
}

pub(crate) async fn attachments_are_known_while_named(db: Db) {
    let file = |sha256: &str| FileRef {
        sha256: sha256.to_owned(),
        name: "a.pdf".to_owned(),
        content_type: String::new(),
        size: 1,
        field: String::new(),
    };
    db.expect(Outcome::Created, post(minutes(0)).phone(PHONE).edit(|s| s.draft.files = vec![file("aa"), file("bb")])).await;
    db.expect(Outcome::Quarantined, post(minutes(0)).held(false).edit(|s| s.draft.files = vec![file("cc")])).await;
    let asked = || ["aa", "bb", "cc", "dd"].map(ToOwned::to_owned).to_vec();
    assert_eq!(db.store.attachments_known(asked()).await.unwrap(), ["aa", "bb", "cc"]);
    let late =
        Sweep { now: start() + days(9), content_keys_before: start(), ring_before: Some(start() + days(9)), ..Sweep::default() };
    assert_eq!(db.store.sweep(late).await.unwrap(), 1);
    assert_eq!(db.store.attachments_known(asked()).await.unwrap(), ["aa", "bb"]);
}
