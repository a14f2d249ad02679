//! Once a day: to the operator, what became of everything that is no lead, and how the gateway is; to a manager, their leads.

use jiff::{SignedDuration, Timestamp};
use leadgate_core::language::Language;
use leadgate_core::onward::{AlarmView, alarm_words};
use leadgate_core::views::{LeadSummary, SubmissionSummary};
use serde::Serialize;

use super::letter::{Heading, Letter, LetterError, LetterKind};
use super::page::{self, Link, LinkView, Reader};
use super::templates::{Name, Templates};
use super::{clean, words};

/// Rows of each list. The rest is counted.
const MOST: usize = 50;

/// A delivery that became no lead.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The delivery.
    pub submission: &'a SubmissionSummary,
    /// Whom it says it is from; empty if it says nothing.
    pub who: &'a str,
    /// What may be done: release it.
    pub links: &'a [Link<'a>],
}

/// A source that brings nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent<'a> {
    /// What it is called.
    pub source: &'a str,
    /// When it was last heard, if ever.
    pub since: Option<Timestamp>,
}

/// How the gateway is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Health {
    /// Free bytes of the disk.
    pub disk_free: Option<u64>,
    /// That is little.
    pub disk_low: bool,
    /// When the certificate of the TLS door ends.
    pub certificate_until: Option<Timestamp>,
    /// How far the clocks of this machine and the database's are apart, if that is too far.
    pub clock_off: Option<SignedDuration>,
}

/// What the operator's digest is written from.
#[derive(Clone, Copy, Debug)]
pub struct OperatorDigest<'a> {
    /// When it is written.
    pub now: Timestamp,
    /// Leads that came within a day.
    pub leads: u64,
    /// Alarms that stand.
    pub alarms: &'a [AlarmView],
    /// How many deliveries wait for a look.
    pub quarantined: u64,
    /// Some of them, the newest first.
    pub quarantine: &'a [Kept<'a>],
    /// How many came within a day and were taken for spam.
    pub spam: u64,
    /// Some of them, the newest first.
    pub spams: &'a [Kept<'a>],
    /// Deliveries that were given up, by target.
    pub dead: &'a [(&'a str, u64)],
    /// Sources that bring nothing.
    pub silent: &'a [Silent<'a>],
    /// How the gateway is.
    pub health: Health,
    /// Where it is to be seen.
    pub links: &'a [Link<'a>],
}

/// A lead, with where it is to be seen.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The lead.
    pub lead: &'a LeadSummary,
    /// Its page; empty: none.
    pub url: &'a str,
}

/// What a manager's digest is written from.
#[derive(Clone, Copy, Debug)]
pub struct ManagerDigest<'a> {
    /// When it is written.
    pub now: Timestamp,
    /// Leads that came within a day.
    pub new: &'a [Row<'a>],
    /// Leads nobody has taken, those that wait longest first.
    pub waiting: &'a [Row<'a>],
    /// Open leads of this manager, the one that was touched longest ago first.
    pub open: &'a [Row<'a>],
    /// Where they are to be seen.
    pub links: &'a [Link<'a>],
}

/// A delivery as templates have it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct KeptView {
    when: String,
    source: String,
    who: String,
    why: String,
    links: Vec<LinkView>,
}

/// A line with a time.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Line {
    what: String,
    since: String,
    words: String,
}

/// What the operator's templates see.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct OperatorView {
    language: Language,
    reader: String,
    day: String,
    /// Nothing needs the operator.
    quiet: bool,
    leads: u64,
    alarms: Vec<Line>,
    quarantined: u64,
    quarantine: Vec<KeptView>,
    spam: u64,
    spams: Vec<KeptView>,
    dead: Vec<Line>,
    silent: Vec<Line>,
    disk: String,
    disk_low: bool,
    certificate: String,
    certificate_ends: bool,
    clock: String,
    links: Vec<LinkView>,
}

/// A lead as templates have it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct RowView {
    number: i64,
    url: Option<String>,
    who: String,
    phone: String,
    title: String,
    source: String,
    stage: String,
    waiting: String,
    when: String,
    suspect: bool,
    return_customer: bool,
}

/// What a manager's templates see.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ManagerView {
    language: Language,
    reader: String,
    day: String,
    new: Vec<RowView>,
    new_more: usize,
    waiting: Vec<RowView>,
    waiting_more: usize,
    open: Vec<RowView>,
    open_more: usize,
    links: Vec<LinkView>,
}

impl OperatorDigest<'_> {
    /// The letter.
    pub fn letter(&self, reader: &Reader, templates: &Templates, heading: Heading) -> Result<Letter, LetterError> {
        let said = templates.say(Name::OperatorDigest, reader.language, &self.view(reader))?;
        Ok(heading.letter(LetterKind::Notice, said))
    }

    fn view(&self, reader: &Reader) -> OperatorView {
        let language = reader.language;
        let health = &self.health;
        let soon = |until: Timestamp| until.duration_since(self.now) < SignedDuration::from_hours(21 * 24);
        let certificate_ends = health.certificate_until.is_some_and(soon);
        let quiet = self.alarms.is_empty() && self.quarantined == 0 && self.dead.is_empty() && self.silent.is_empty();
        let alarm = |alarm: &AlarmView| {
            let words = alarm_words(&alarm.name, &alarm.detail, language);
            let (what, advice) = words.map_or_else(|| (alarm.detail.words.clone(), String::new()), |it| (it.what, it.advice));
            Line { what: clean::line(&what, 1_000), since: reader.time(alarm.since), words: advice }
        };
        let dead = |(target, count): &(&str, u64)| Line {
            what: clean::line(target, 100),
            since: String::new(),
            words: count.to_string(),
        };
        let silent = |silent: &Silent<'_>| Line {
            what: clean::line(silent.source, 100),
            since: silent.since.map(|since| reader.time(since)).unwrap_or_default(),
            words: silent.since.map(|since| reader.length(self.now.duration_since(since).as_secs())).unwrap_or_default(),
        };
        OperatorView {
            language,
            reader: clean::line(&reader.name, 100),
            day: reader.day(self.now),
            quiet: quiet && !health.disk_low && health.clock_off.is_none() && !certificate_ends,
            leads: self.leads,
            alarms: self.alarms.iter().take(MOST).map(alarm).collect(),
            quarantined: self.quarantined,
            quarantine: kept(self.quarantine, reader),
            spam: self.spam,
            spams: kept(self.spams, reader),
            dead: self.dead.iter().take(MOST).map(dead).collect(),
            silent: self.silent.iter().take(MOST).map(silent).collect(),
            disk: health.disk_free.map(clean::size).unwrap_or_default(),
            disk_low: health.disk_low,
            certificate: health.certificate_until.map(|until| reader.day(until)).unwrap_or_default(),
            certificate_ends,
            clock: health.clock_off.map(|off| reader.length(off.abs().as_secs())).unwrap_or_default(),
            links: page::links(self.links),
        }
    }
}

impl ManagerDigest<'_> {
    /// Whether there is anything to tell.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.waiting.is_empty() && self.open.is_empty()
    }

    /// The letter.
    pub fn letter(&self, reader: &Reader, templates: &Templates, heading: Heading) -> Result<Letter, LetterError> {
        let said = templates.say(Name::ManagerDigest, reader.language, &self.view(reader))?;
        Ok(heading.letter(LetterKind::Notice, said))
    }

    fn view(&self, reader: &Reader) -> ManagerView {
        let (new, new_more) = self.rows(self.new, reader);
        let (waiting, waiting_more) = self.rows(self.waiting, reader);
        let (open, open_more) = self.rows(self.open, reader);
        ManagerView {
            language: reader.language,
            reader: clean::line(&reader.name, 100),
            day: reader.day(self.now),
            new,
            new_more,
            waiting,
            waiting_more,
            open,
            open_more,
            links: page::links(self.links),
        }
    }

    fn rows(&self, rows: &[Row<'_>], reader: &Reader) -> (Vec<RowView>, usize) {
        let view = |row: &Row<'_>| {
            let lead = row.lead;
            let link = page::links(&[Link { label: "", url: row.url }]);
            let phone = clean::line(lead.phone.as_deref().unwrap_or_default(), 40);
            let name = clean::line(&lead.name, 100);
            let reach = if phone.is_empty() { clean::line(lead.email.as_deref().unwrap_or_default(), 100) } else { phone };
            RowView {
                number: lead.id.0,
                url: (!link.is_empty()).then(|| row.url.to_owned()),
                who: if name.is_empty() { reach.clone() } else { name },
                phone: reach,
                title: clean::line(&lead.title, 100),
                source: lead.source.to_string(),
                stage: words::stage(lead.stage, reader.language).to_owned(),
                waiting: reader.length(self.now.duration_since(lead.touched_at).as_secs()),
                when: reader.time(lead.touched_at),
                suspect: lead.suspect,
                return_customer: lead.return_customer,
            }
        };
        (rows.iter().take(MOST).map(view).collect(), rows.len().saturating_sub(MOST))
    }
}

fn kept(all: &[Kept<'_>], reader: &Reader) -> Vec<KeptView> {
    let view = |kept: &Kept<'_>| KeptView {
        when: reader.time(kept.submission.received_at),
        source: kept.submission.source.to_string(),
        who: clean::line(kept.who, 100),
        why: clean::line(&kept.submission.reasons.join("; "), 300),
        links: page::links(kept.links),
    };
    all.iter().take(MOST).map(view).collect()
}

/// One that has everything, and one that has nothing.
pub(super) fn operator_samples(language: Language) -> [OperatorView; 2] {
    let text = || "text".to_owned();
    let links = || page::links(&[Link { label: "text", url: "https://leads.zavod.ru/" }]);
    let line = || vec![Line { what: text(), since: text(), words: text() }];
    let kept = || vec![KeptView { when: text(), source: text(), who: text(), why: text(), links: links() }, KeptView::default()];
    let full = OperatorView {
        language,
        reader: text(),
        day: text(),
        quiet: false,
        leads: 1,
        alarms: line(),
        quarantined: 2,
        quarantine: kept(),
        spam: 2,
        spams: kept(),
        dead: line(),
        silent: line(),
        disk: text(),
        disk_low: true,
        certificate: text(),
        certificate_ends: true,
        clock: text(),
        links: links(),
    };
    [full, OperatorView { language, quiet: true, ..OperatorView::default() }]
}

/// One that has everything, and one that has nothing.
pub(super) fn manager_samples(language: Language) -> [ManagerView; 2] {
    let text = || "text".to_owned();
    let row = RowView {
        number: 1,
        url: Some("https://leads.zavod.ru/".to_owned()),
        who: text(),
        phone: text(),
        title: text(),
        source: text(),
        stage: text(),
        waiting: text(),
        when: text(),
        suspect: true,
        return_customer: true,
    };
    let rows = || vec![row.clone(), RowView::default()];
    let full = ManagerView {
        language,
        reader: text(),
        day: text(),
        new: rows(),
        new_more: 1,
        waiting: rows(),
        waiting_more: 1,
        open: rows(),
        open_more: 1,
        links: page::links(&[Link { label: "text", url: "https://leads.zavod.ru/" }]),
    };
    [full, ManagerView { language, ..ManagerView::default() }]
}
