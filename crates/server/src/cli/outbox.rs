//! `outbox` and `alarms`: what others are told, what is owed to them, and what is wrong.

use anyhow::bail;
use leadgate_core::onward::{AlarmView, JobDetail, JobFilter, JobId, JobState, JobView, alarm_words};
use leadgate_core::views::{Page, PageAt};

use super::api::Query;
use super::args::{Alarms, ChosenJobs, Outbox, OutboxList};
use super::gate::{Gate, Reader, Writer};
use super::leads::{at, more};
use super::replay::confirm;
use super::story;
use crate::config::{Config, MAIL, bot_target, files_target};
use crate::onward::TargetView;
use crate::outbox::{self, AlarmChoice, Asked, Changed, Deed, OutboxTarget};
use crate::print::{self, Text};

/// Deliveries are counted this far before a question.
const COUNTED: u32 = 500;

/// Runs `outbox`.
pub(super) async fn command(gate: &Gate, command: Option<Outbox>) -> anyhow::Result<()> {
    match command.unwrap_or_else(|| Outbox::List(OutboxList::default())) {
        Outbox::List(list) => self::list(gate, list).await,
        Outbox::Show { id } => show(gate, id).await,
        Outbox::Retry { chosen } => change(gate, chosen, Deed::Retry, true).await,
        Outbox::Drop { chosen, yes } => change(gate, chosen, Deed::Drop, yes).await,
        Outbox::Targets => targets(gate).await,
    }
}

async fn list(gate: &Gate, list: OutboxList) -> anyhow::Result<()> {
    let filter = JobFilter { states: list.state, target: list.target, id: None, lead: list.lead };
    let page = gate.reader().await?.jobs(filter, at(list.paging)).await?;
    if gate.json() {
        return Ok(print::json(&page)?);
    }
    if page.items.is_empty() {
        return Ok(print::line("Nothing is owed to anybody, or nothing is like that.")?);
    }
    let rows: Vec<_> = page
        .items
        .iter()
        .map(|job| {
            vec![
                job.id.to_string(),
                story::time(job.at, gate.zone()),
                job.event.clone(),
                whom(job),
                job.lead.map_or_else(|| "-".to_owned(), |id| id.to_string()),
                job.state.to_string(),
                due(job).map_or_else(|| "-".to_owned(), |at| story::time(at, gate.zone())),
                job.attempts.to_string(),
                print::short(&job.words, 80),
            ]
        })
        .collect();
    let head = ["id", "happened", "event", "to", "lead", "state", "due", "tried", "last answer"];
    print::out(&print::table(&head, &rows, &["happened", "lead", "tried", "due"]))?;
    more(page.next.as_deref());
    Ok(())
}

/// `webhook:crm`, `mail to manager:anna`.
fn whom(job: &JobView) -> String {
    if job.to.is_empty() { job.target.clone() } else { format!("{} to {}", job.target, job.to) }
}

/// When it is tried next, if it is.
fn due(job: &JobView) -> Option<jiff::Timestamp> {
    (job.state == JobState::Waiting).then_some(job.due_at)
}

async fn show(gate: &Gate, id: JobId) -> anyhow::Result<()> {
    let Some(JobDetail { job, detail, refs }) = gate.reader().await?.job(id).await? else {
        bail!("there is no delivery {id}; `leadgate outbox list` shows what there is")
    };
    if gate.json() {
        return Ok(print::json(&JobDetail { job, detail, refs })?);
    }
    let mut text = Text::default();
    text.line(format!("Delivery {}", job.id));
    let mut pair = |name: &str, value: &str| text.pair(2, name, value);
    pair("event", &format!("{}, {}", job.event, story::time(job.at, gate.zone())));
    pair("to", &whom(&job));
    if let Some(lead) = job.lead {
        pair("lead", &lead.to_string());
    }
    if let Some(contact) = job.contact {
        pair("contact", &contact.to_string());
    }
    pair("state", job.state.as_str());
    if let Some(at) = due(&job) {
        pair("due", &story::time(at, gate.zone()));
    }
    if let Some(at) = job.ended_at {
        pair("ended", &story::time(at, gate.zone()));
    }
    pair("tried", &format!("{} times", job.attempts));
    if !job.words.is_empty() {
        pair("last answer", &job.words);
    }
    for (scope, value) in &refs {
        pair("there it is", &format!("{scope} {value}"));
    }
    if let Some(words) = detail.and_then(|detail| alarm_words(&job.event, &detail, gate.config.company.language)) {
        pair("tells", &words.what);
    }
    match job.state {
        JobState::Dead | JobState::Held | JobState::Dropped => {
            text.line(format!("\nTo deliver it: leadgate outbox retry {id}"));
        }
        JobState::Waiting | JobState::Sending | JobState::Done => {}
    }
    Ok(print::out(&text.finish())?)
}

async fn change(gate: &Gate, chosen: ChosenJobs, deed: Deed, yes: bool) -> anyhow::Result<()> {
    let asked = Asked { ids: chosen.ids, states: chosen.state, target: chosen.target, lead: chosen.lead };
    if let Some(problem) = asked.problem(deed) {
        bail!(problem.replace('`', ""));
    }
    if !yes {
        let (count, more) = counted(gate, &asked).await?;
        if count > 1 {
            let more = if more { "more than " } else { "" };
            confirm(gate, false, &format!("Drop {more}{count} deliveries?"))?;
        }
    }
    let writer = gate.writer().await?;
    let done = writer.change_jobs(&asked, deed).await;
    writer.close().await;
    let done = done?;
    if gate.json() {
        return Ok(print::json(&done)?);
    }
    let deliveries = if done.count == 1 { "delivery" } else { "deliveries" };
    let words = match (deed, done.count) {
        (_, 0) => "Nothing is like that.".to_owned(),
        (Deed::Retry, count) if matches!(writer, Writer::Api(_)) => format!("{count} {deliveries} due now."),
        (Deed::Retry, count) => format!("{count} {deliveries} due as soon as the gateway runs."),
        (Deed::Drop, count) => format!("{count} {deliveries} dropped."),
    };
    Ok(print::line(&words)?)
}

/// How many deliveries are meant, and whether there are still more.
async fn counted(gate: &Gate, asked: &Asked) -> anyhow::Result<(usize, bool)> {
    if !asked.ids.is_empty() {
        return Ok((asked.ids.len(), false));
    }
    let page = gate.reader().await?.jobs(asked.filter(), PageAt { after: None, limit: COUNTED }).await?;
    Ok((page.items.len(), page.next.is_some()))
}

// --------------------------------------------------------------------------------------------------------------- targets

/// Every target: as the gateway that runs sees it, else as it is configured.
pub(super) async fn all_targets(gate: &Gate) -> anyhow::Result<Vec<OutboxTarget>> {
    if let Some(api) = gate.running().await? {
        return api.get("/api/v1/outbox/targets").await;
    }
    let known = configured(&gate.config);
    if !gate.config.database.may_exist() {
        return Ok(outbox::targets(known, Vec::new()));
    }
    Ok(match gate.reader().await? {
        Reader::Store(store) => outbox::targets(known, store.job_counts().await?),
        Reader::Api(api) => api.get("/api/v1/outbox/targets").await?,
    })
}

fn configured(config: &Config) -> Vec<TargetView> {
    let hooks = config.onward.webhooks.iter().map(|hook| format!("webhook:{}", hook.id));
    let mail = config.onward.mail.as_ref().map(|_| MAIL.to_owned());
    let bots = config.onward.bots.keys().flat_map(|source| [bot_target(source), files_target(source)]);
    hooks.chain(mail).chain(bots).map(TargetView::quiet).collect()
}

async fn targets(gate: &Gate) -> anyhow::Result<()> {
    let targets = all_targets(gate).await?;
    if gate.json() {
        return Ok(print::json(&targets)?);
    }
    if targets.is_empty() {
        return Ok(print::line("Nobody is told of anything: set up [webhooks.ID] or [mail]; `leadgate reference` says how.")?);
    }
    let rows: Vec<_> = targets
        .iter()
        .map(|one| {
            let counts = [one.waiting, one.sending, one.dead, one.held, one.dropped].map(|count| count.to_string());
            let mut row = vec![one.target.target.clone(), state(gate, one)];
            row.extend(counts);
            row.push(print::short(&one.target.words, 80));
            row
        })
        .collect();
    let head = ["target", "state", "waiting", "on the way", "dead", "held", "dropped", "last answer"];
    Ok(print::out(&print::table(&head, &rows, &["on the way", "dropped"]))?)
}

fn state(gate: &Gate, one: &OutboxTarget) -> String {
    if !one.configured {
        return "not in the configuration".to_owned();
    }
    let again =
        one.target.asked_again_at.map_or_else(String::new, |at| format!(", asked again {}", story::time(at, gate.zone())));
    match one.target.failing_since {
        Some(since) => format!("fails since {}{again}", story::time(since, gate.zone())),
        None => "well".to_owned(),
    }
}

/// What `status` says of each target that is owed something or fails.
pub(super) fn owed_words(gate: &Gate, targets: &[OutboxTarget]) -> Vec<String> {
    let told = targets.iter().filter_map(|one| {
        let counts = [(one.waiting, "waiting"), (one.dead, "dead"), (one.held, "held")];
        let mut parts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, state)| format!("{count} {state}")).collect();
        if one.target.failing_since.is_some() || (!one.configured && !parts.is_empty()) {
            parts.push(state(gate, one));
        }
        (!parts.is_empty()).then(|| format!("{}: {}", one.target.target, parts.join(", ")))
    });
    told.collect()
}

// ---------------------------------------------------------------------------------------------------------------- alarms

/// Runs `alarms`.
pub(super) async fn alarms(gate: &Gate, command: Option<Alarms>) -> anyhow::Result<()> {
    if let Some(Alarms::Clear { key }) = command {
        return clear(gate, AlarmChoice { key }).await;
    }
    let alarms = gate.reader().await?.alarms().await?;
    if gate.json() {
        return Ok(print::json(&alarms)?);
    }
    if alarms.is_empty() {
        return Ok(print::line("Nothing is wrong, as far as the gateway knows.")?);
    }
    let mut text = Text::default();
    for alarm in &alarms {
        let (what, advice) = words(gate, alarm);
        text.line(format!("{}  {}  {}", story::time(alarm.since, gate.zone()), alarm.name, print::safe(&alarm.key)));
        for line in [what, advice].iter().filter(|line| !line.is_empty()) {
            text.block(&print::indented(line, "    "));
        }
    }
    Ok(print::out(&text.finish())?)
}

async fn clear(gate: &Gate, choice: AlarmChoice) -> anyhow::Result<()> {
    let writer = gate.writer().await?;
    let done = match &writer {
        Writer::Store(store, _) => outbox::clear_alarms(&**store, &choice).await.map_err(Into::into),
        Writer::Api(api) => api.post("/api/v1/alarms/clear", &serde_json::to_value(&choice)?).await,
    };
    writer.close().await;
    let done: Changed = done?;
    if gate.json() {
        return Ok(print::json(&done)?);
    }
    if done.count == 0 {
        bail!("there is no alarm of {}; `leadgate alarms` shows what there is", print::safe(&choice.key));
    }
    Ok(print::line("Taken back.")?)
}

/// What is wrong, and what to do.
fn words(gate: &Gate, alarm: &AlarmView) -> (String, String) {
    match alarm_words(&alarm.name, &alarm.detail, gate.config.company.language) {
        Some(words) => (words.what, words.advice),
        // Of a newer gateway.
        None => (alarm.detail.words.clone(), String::new()),
    }
}

/// What `status` says of each alarm.
pub(super) fn alarm_lines(gate: &Gate, alarms: &[AlarmView]) -> Vec<String> {
    alarms.iter().map(|alarm| format!("since {}: {}", story::time(alarm.since, gate.zone()), words(gate, alarm).0)).collect()
}

// ------------------------------------------------------------------------------------------------------- reading, changing

impl Reader {
    /// Deliveries, newest first.
    pub(super) async fn jobs(&self, filter: JobFilter, at: PageAt) -> anyhow::Result<Page<JobView>> {
        match self {
            Self::Store(store) => Ok(store.jobs(filter, at).await?),
            Self::Api(api) => {
                let states = filter.states.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(",");
                let query = Query::new("/outbox")
                    .with("state", Some(states).filter(|list| !list.is_empty()))
                    .with("target", filter.target.as_deref())
                    .with("lead", filter.lead);
                api.get(&query.page(&at).path()).await
            }
        }
    }

    /// One delivery.
    async fn job(&self, id: JobId) -> anyhow::Result<Option<JobDetail>> {
        match self {
            Self::Store(store) => Ok(store.job(id).await?),
            Self::Api(api) => api.find(&format!("/api/v1/outbox/{id}")).await,
        }
    }

    /// What is wrong now, the oldest first.
    pub(super) async fn alarms(&self) -> anyhow::Result<Vec<AlarmView>> {
        match self {
            Self::Store(store) => Ok(store.alarms().await?),
            Self::Api(api) => api.get("/api/v1/alarms").await,
        }
    }
}

impl Writer {
    /// Retries or drops deliveries.
    async fn change_jobs(&self, asked: &Asked, deed: Deed) -> anyhow::Result<Changed> {
        match self {
            Self::Store(store, beside) => Ok(outbox::change(&**store, asked, deed, beside.clock.now()).await?),
            Self::Api(api) => {
                let path = match deed {
                    Deed::Retry => "/api/v1/outbox/retry",
                    Deed::Drop => "/api/v1/outbox/drop",
                };
                api.post(path, &serde_json::to_value(asked)?).await
            }
        }
    }
}
