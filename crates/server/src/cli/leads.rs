//! `leads`, `contacts`, `activities` and `reviews`.

use anyhow::{anyhow, bail};
use leadgate_core::change::{Close, LeadChange};
use leadgate_core::ids::{ContactId, LeadId, ManagerId};
use leadgate_core::phone::{self, Hints};
use leadgate_core::views::{ContactFilter, ContactSummary, LeadDetail, LeadFilter, LeadSummary, PageAt};
use leadgate_core::{email, name};

use super::args::{Activities, CloseAs, ContactList, Contacts, LeadList, Leads, Paging, since};
use super::gate::Gate;
use super::{erasing, story};
use crate::answers::Via;
use crate::print;

/// Runs `leads`.
pub(super) async fn leads(gate: &Gate, command: Option<Leads>) -> anyhow::Result<()> {
    match command.unwrap_or_else(|| Leads::List(LeadList::default())) {
        Leads::List(list) => list_leads(gate, list).await,
        Leads::Show { id } => show_lead(gate, id).await,
        Leads::Close { id, how, ignore_sender } => {
            let how = match how {
                CloseAs::Junk => Close::Junk,
                CloseAs::Converted => Close::Converted,
            };
            change(gate, id, LeadChange::Close(how)).await?;
            if ignore_sender {
                let Some(lead) = gate.reader().await?.lead(id).await? else { return Ok(()) };
                print::note(super::senders::ignore_behind(gate, &lead).await?.trim_end());
            }
            Ok(())
        }
        Leads::Reopen { id } => change(gate, id, LeadChange::Reopen).await,
        Leads::Take { id, manager } => {
            let manager = gate.manager(manager.as_deref())?;
            change(gate, id, LeadChange::Take(ManagerId(manager))).await
        }
        Leads::Note { id, text } => {
            let text = leadgate_core::text::present(&text.join(" ")).ok_or_else(|| anyhow!("the note is empty"))?;
            change(gate, id, LeadChange::Note(text)).await
        }
        Leads::Reply { id, text, via } => reply(gate, id, &text.join(" "), via).await,
        Leads::Stage { id, stage } => change(gate, id, LeadChange::Stage(stage)).await,
    }
}

async fn list_leads(gate: &Gate, list: LeadList) -> anyhow::Result<()> {
    let now = gate.clock.now();
    let filter = LeadFilter {
        stage: list.stage,
        open: if list.open { Some(true) } else { list.closed.then_some(false) },
        sources: Some(list.source).filter(|sources| !sources.is_empty()),
        contact: list.contact,
        responsible: if list.unassigned { Some(String::new()) } else { list.manager },
        since: list.since.map(|text| since(&text, gate.zone(), now)).transpose().map_err(|words| anyhow!(words))?,
        identity: list.find.map(|text| identity(gate, &text)),
        tests: list.tests,
    };
    let unfiltered = filter == LeadFilter { tests: filter.tests, ..LeadFilter::default() };
    let page = gate.reader().await?.leads(filter, at(list.paging)).await?;
    if gate.json() {
        return Ok(print::json(&page)?);
    }
    if page.items.is_empty() {
        let words =
            if unfiltered { "There are no leads yet. `leadgate send --real` sends one." } else { "No lead is like that." };
        return Ok(print::line(words)?);
    }
    let rows: Vec<_> = page.items.iter().map(|lead| lead_row(gate, lead)).collect();
    let head = ["id", "stage", "name", "phone", "e-mail", "source", "campaign", "manager", "touched", "times"];
    print::out(&print::table(&head, &rows, &["times", "campaign", "e-mail", "manager", "source", "touched"]))?;
    more(page.next.as_deref());
    Ok(())
}

fn lead_row(gate: &Gate, lead: &LeadSummary) -> Vec<String> {
    let mut name = if lead.name.is_empty() { print::short(&lead.title, 40) } else { print::short(&lead.name, 40) };
    for (on, mark) in [(lead.test, " (test)"), (lead.suspect, " (suspect)"), (lead.return_customer, " (came back)")] {
        if on {
            name.push_str(mark);
        }
    }
    let text = |value: &Option<String>, most| print::short(value.as_deref().unwrap_or_default(), most);
    vec![
        lead.id.to_string(),
        lead.stage.to_string(),
        name,
        text(&lead.phone, 24),
        text(&lead.email, 40),
        lead.source.to_string(),
        text(&lead.utm_source, 20),
        text(&lead.responsible, 20),
        story::time(lead.touched_at, gate.zone()),
        lead.activities.to_string(),
    ]
}

async fn show_lead(gate: &Gate, id: LeadId) -> anyhow::Result<()> {
    match gate.reader().await?.lead(id).await? {
        None => bail!("there is no lead {id}; `leadgate leads list --tests` shows what there is"),
        Some(detail) if gate.json() => Ok(print::json(&detail)?),
        Some(detail) => Ok(print::out(&story::lead(&detail, gate.zone()))?),
    }
}

async fn change(gate: &Gate, id: LeadId, change: LeadChange) -> anyhow::Result<()> {
    let writer = gate.writer().await?;
    let outcome = writer.change_lead(id, change.clone()).await;
    writer.close().await;
    let detail = outcome?;
    if gate.json() {
        return Ok(print::json(&detail)?);
    }
    Ok(print::line(&changed(&detail, &change))?)
}

async fn reply(gate: &Gate, id: LeadId, text: &str, via: Option<Via>) -> anyhow::Result<()> {
    let writer = gate.writer().await?;
    let (outcome, now) = (writer.reply(gate, id, text, via).await, writer.is_served());
    writer.close().await;
    let told = outcome?;
    if gate.json() {
        return Ok(print::json(&told)?);
    }
    let words = if now { "is on its way" } else { "goes when the gateway is started" };
    Ok(print::line(&format!("The answer to lead {id} {words} by {}. `leadgate leads show {id}` says how it fares.", told.via))?)
}

fn changed(detail: &LeadDetail, change: &LeadChange) -> String {
    let lead = &detail.lead;
    match change {
        LeadChange::Close(Close::Junk) => {
            format!("Lead {} is closed as {}. What this person sends next makes a new lead.", lead.id, lead.stage)
        }
        LeadChange::Close(Close::Converted) => format!("Lead {} is closed as {}: a customer.", lead.id, lead.stage),
        LeadChange::Reopen => format!("Lead {} is open again: {}.", lead.id, lead.stage),
        LeadChange::Take(_) => {
            format!("Lead {} is {}'s now: {}.", lead.id, print::safe(lead.responsible.as_deref().unwrap_or("nobody")), lead.stage)
        }
        LeadChange::Note(_) => format!("The note stands on lead {}.", lead.id),
        LeadChange::Stage(_) | LeadChange::Responsible(_) => format!("Lead {} is in stage {}.", lead.id, lead.stage),
    }
}

/// Runs `contacts`.
pub(super) async fn contacts(gate: &Gate, command: Option<Contacts>) -> anyhow::Result<()> {
    match command.unwrap_or_else(|| Contacts::List(ContactList::default())) {
        Contacts::List(list) => list_contacts(gate, list).await,
        Contacts::Show { id } => show_contact(gate, id).await,
        Contacts::Export(command) => erasing::export(gate, &command).await,
        Contacts::Erase(command) => erasing::erase(gate, &command).await,
        Contacts::Erased(command) => erasing::erased(gate, &command).await,
        Contacts::Reachable { id, email } => {
            let email = identity(gate, &email);
            let writer = gate.writer().await?;
            let outcome = writer.reachable(id, email.clone()).await;
            writer.close().await;
            let detail = outcome?;
            if gate.json() {
                return Ok(print::json(&detail)?);
            }
            Ok(print::line(&format!("{} of contact {id} counts as reachable again.", print::safe(&email)))?)
        }
        Contacts::Take { id, manager } => {
            let manager = gate.manager(manager.as_deref())?;
            let writer = gate.writer().await?;
            let outcome = writer.take_contact(id, manager).await;
            writer.close().await;
            let detail = outcome?;
            if gate.json() {
                return Ok(print::json(&detail)?);
            }
            let who = print::safe(detail.contact.responsible.as_deref().unwrap_or("nobody"));
            Ok(print::line(&format!("Contact {id} is {who}'s now and no longer waits."))?)
        }
    }
}

async fn list_contacts(gate: &Gate, list: ContactList) -> anyhow::Result<()> {
    let filter = ContactFilter {
        waiting: list.waiting,
        identity: list.find.map(|text| identity(gate, &text)),
        name: list.name.map(|text| name::fold(&text)),
        sources: Some(list.source).filter(|sources| !sources.is_empty()),
    };
    let unfiltered = filter == ContactFilter::default();
    let page = gate.reader().await?.contacts(filter, at(list.paging)).await?;
    if gate.json() {
        return Ok(print::json(&page)?);
    }
    if page.items.is_empty() {
        return Ok(print::line(if unfiltered { "There are no contacts yet." } else { "No contact is like that." })?);
    }
    let rows: Vec<_> = page.items.iter().map(|contact| contact_row(gate, contact)).collect();
    let head = ["id", "name", "phone", "e-mail", "leads", "manager", "last active", "waits since"];
    print::out(&print::table(&head, &rows, &["leads", "e-mail", "manager", "last active"]))?;
    more(page.next.as_deref());
    Ok(())
}

fn contact_row(gate: &Gate, contact: &ContactSummary) -> Vec<String> {
    let text = |value: &Option<String>, most| print::short(value.as_deref().unwrap_or_default(), most);
    vec![
        contact.id.to_string(),
        print::short(&contact.name, 40),
        text(&contact.phone, 24),
        text(&contact.email, 40),
        contact.leads.to_string(),
        text(&contact.responsible, 20),
        story::time(contact.last_active, gate.zone()),
        story::time_or_dash(contact.waiting_since, gate.zone()),
    ]
}

async fn show_contact(gate: &Gate, id: ContactId) -> anyhow::Result<()> {
    match gate.reader().await?.contact(id).await? {
        None => bail!("there is no contact {id}; `leadgate contacts list` shows who there is"),
        Some(detail) if gate.json() => Ok(print::json(&detail)?),
        Some(detail) => Ok(print::out(&story::contact(&detail, gate.zone()))?),
    }
}

/// Runs `activities`.
pub(super) async fn activities(gate: &Gate, command: Activities) -> anyhow::Result<()> {
    let writer = gate.writer().await?;
    let outcome = match &command {
        Activities::Detach { id } => writer.detach(*id).await,
        Activities::Undo { id } => writer.undo(*id).await,
    };
    writer.close().await;
    let moved = outcome?;
    if gate.json() {
        return Ok(print::json(&moved)?);
    }
    let place = |lead: Option<LeadId>, contact: Option<ContactId>| match (lead, contact) {
        (Some(lead), Some(contact)) => format!("lead {lead} of contact {contact}"),
        (Some(lead), None) => format!("lead {lead}"),
        (None, Some(contact)) => format!("contact {contact}"),
        (None, None) => "nothing".to_owned(),
    };
    let (from, to) = (place(moved.from_lead, moved.from_contact), place(moved.to_lead, moved.to_contact));
    Ok(print::line(&match command {
        Activities::Detach { .. } => {
            format!("Activity {} went from {from} to {to}. To put it back: leadgate activities undo {}", moved.activity, moved.id)
        }
        Activities::Undo { .. } => format!("Activity {} is back on {from}.", moved.activity),
    })?)
}

/// Runs `reviews`.
pub(super) async fn reviews(gate: &Gate, paging: Paging) -> anyhow::Result<()> {
    let page = gate.reader().await?.reviews(at(paging)).await?;
    if gate.json() {
        return Ok(print::json(&page)?);
    }
    if page.items.is_empty() {
        return Ok(print::line("No pairs wait: everybody was told apart.")?);
    }
    let mut text = print::Text::default();
    for pair in &page.items {
        text.line(format!(
            "{:>4}  {}  {}",
            pair.id,
            story::time(pair.created_at, gate.zone()),
            print::safe(&story::review(pair))
        ));
    }
    print::out(&text.finish())?;
    more(page.next.as_deref());
    Ok(())
}

/// A phone or e-mail in any spelling as its canonical form; other texts as they are.
pub(super) fn identity(gate: &Gate, text: &str) -> String {
    let hints = Hints { configured: Some(gate.config.company.country), ..Hints::default() };
    let email = if text.contains('@') { email::read(text).emails.into_iter().next().map(|email| email.key) } else { None };
    email.or_else(|| phone::read(text, &hints).phones.first().map(phone::Phone::key)).unwrap_or_else(|| text.trim().to_owned())
}

/// Where a list begins.
pub(super) fn at(paging: Paging) -> PageAt {
    PageAt { after: paging.after, limit: paging.limit }
}

/// Says how a list goes on. On stderr: it is no part of the list.
pub(super) fn more(next: Option<&str>) {
    if let Some(next) = next {
        print::note(&format!("There is more: add --after {next}"));
    }
}
