//! `status`: everything on one screen.

use leadgate_core::onward::AlarmView;
use leadgate_core::views::Totals;
use serde::Serialize;
use serde_json::Value;

use super::gate::Gate;
use super::outbox;
use super::sources;
use super::story;
use crate::config::Keeping;
use crate::outbox::OutboxTarget;
use crate::print;
use crate::sources::SourceView;
use crate::tls::CertificateView;

/// Runs `status`.
pub(super) async fn command(gate: &Gate) -> anyhow::Result<()> {
    let running = gate.running().await?;
    if let Some(api) = running.as_ref().filter(|_| gate.json()) {
        let mut told: Value = api.get("/api/v1/status").await?;
        told["running"] = true.into();
        return Ok(print::json(&told)?);
    }
    let known = gate.globals.url.is_some() || gate.config.database.may_exist();
    let totals = if known { Some(gate.reader().await?.totals().await?) } else { None };
    let all = sources::all(gate).await?;
    let targets = outbox::all_targets(gate).await?;
    let alarms = if known { gate.reader().await?.alarms().await? } else { Vec::new() };
    if gate.json() {
        return Ok(print::json(&Resting { outbox: targets, alarms, ..resting(gate, totals, all) })?);
    }
    let mut text = print::Text::default();
    let mut pair = |name: &str, value: &str| text.pair(0, name, value);
    let company = &gate.config.company;
    let zone = company.time_zone.iana_name().unwrap_or("this machine's zone");
    pair("Company", &format!("{}, {}, {zone}, {}", company.name, company.country, company.language));
    match &running {
        Some(api) => pair("Gateway", &format!("running at {}", api.base())),
        None => pair("Gateway", "not running: start it with `leadgate`"),
    }
    pair("Database", &gate.config.database.to_string());
    match &totals {
        Some(totals) => write_totals(&mut pair, totals),
        None => pair("Leads", "none yet"),
    }
    for (name, lines) in [("Alarm", outbox::alarm_lines(gate, &alarms)), ("Outbox", outbox::owed_words(gate, &targets))] {
        for (index, line) in lines.iter().enumerate() {
            pair(if index == 0 { name } else { "" }, line);
        }
    }
    let now = gate.clock.now();
    for (index, (class, lifetime)) in gate.config.keeping.classes().into_iter().enumerate() {
        let gone = lifetime
            .before(now)
            .map_or_else(String::new, |before| format!(": what came before {} is gone", story::time(before, gate.zone())));
        pair(if index == 0 { "Kept" } else { "" }, &format!("{class} {}{gone}", lifetime.words()));
    }
    if let Some(tls) = &gate.config.server.tls {
        let told = CertificateView::of_file(&tls.certificate, gate.clock.now());
        pair("Certificate", &told.map_or_else(|error| format!("{error:#}"), |certificate| certificate.words()));
    }
    for (index, assumed) in gate.config.assumed.iter().enumerate() {
        pair(if index == 0 { "Assumed" } else { "" }, assumed);
    }
    text.line("\nSources");
    text.block(&source_table(gate, &all));
    Ok(print::out(&text.finish())?)
}

fn source_table(gate: &Gate, all: &[SourceView]) -> String {
    let rows: Vec<_> = all
        .iter()
        .map(|source| {
            let health = source.health.as_ref();
            vec![
                source.id.to_string(),
                source.kind.to_string(),
                if source.enabled { "on" } else { "off" }.to_owned(),
                story::time_or_dash(health.and_then(|health| health.last_accepted), gate.zone()),
                health.map_or_else(|| "nothing yet".to_owned(), sources::counts),
                story::time_or_dash(health.and_then(|health| health.last_rejected), gate.zone()),
            ]
        })
        .collect();
    print::table(&["source", "kind", "", "last heard", "so far", "last refused"], &rows, &["last refused", "kind"])
}

/// What a gateway tells of itself, as far as it is known while none runs.
#[derive(Serialize)]
struct Resting<'a> {
    version: &'static str,
    company: &'a str,
    country: &'a str,
    time_zone: &'a str,
    language: &'static str,
    #[serde(flatten)]
    totals: Totals,
    keeping: &'a Keeping,
    sources: Vec<SourceView>,
    outbox: Vec<OutboxTarget>,
    alarms: Vec<AlarmView>,
    running: bool,
}

fn resting(gate: &Gate, totals: Option<Totals>, sources: Vec<SourceView>) -> Resting<'_> {
    let company = &gate.config.company;
    Resting {
        version: env!("CARGO_PKG_VERSION"),
        company: &company.name,
        country: company.country.as_str(),
        time_zone: company.time_zone.iana_name().unwrap_or("local"),
        language: company.language.as_str(),
        totals: totals.unwrap_or_default(),
        keeping: &gate.config.keeping,
        sources,
        outbox: Vec::new(),
        alarms: Vec::new(),
        running: false,
    }
}

fn write_totals(pair: &mut impl FnMut(&str, &str), totals: &Totals) {
    let kept = if totals.submissions == 1 { "delivery" } else { "deliveries" };
    pair("", &format!("{}, {} {kept} kept", story::size(totals.database_bytes), totals.submissions));
    pair("Leads", &format!("{} open, {} of them new; {} in all", totals.open_leads, totals.new_leads, totals.leads));
    pair("Contacts", &totals.contacts.to_string());
    let waiting = [
        (totals.waiting_contacts, "contacts came back and wait to be taken", "leadgate contacts list --waiting"),
        (totals.quarantined, "deliveries in quarantine", "leadgate quarantine list"),
        (totals.reviews, "pairs may be one person", "leadgate reviews"),
    ];
    for (count, words, command) in waiting.into_iter().filter(|(count, ..)| *count > 0) {
        pair("To look at", &format!("{count} {words}: {command}"));
    }
}
