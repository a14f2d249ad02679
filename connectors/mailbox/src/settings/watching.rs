//! What is read of a mailbox, and what is done with what was read.

use std::time::Duration;

use jiff::civil::Date;
use leadgate_core::ports::{BuildContext, BuildProblem};
use leadgate_wire::keys::Keys;
use toml::{Table, Value};

/// The keys this part of a section takes.
const KEYS: [&str; 7] = ["folders", "sent", "backfill", "after", "poll", "idle", "largest_mb"];
/// Folders of one mailbox: each is looked at again and again.
const MOST_FOLDERS: usize = 50;
/// RFC 2177: a server may hang up after 30 minutes without a word.
const LONGEST_IDLE: Duration = Duration::from_mins(29);

/// Where the first reading begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    #[default]
    Now,
    /// With mails the server got on this day (its own calendar) or later: `backfill = "2026-01-01"`. They are historic.
    Since(Date),
}

/// What is done on the server with a mail after it was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    #[default]
    Nothing,
    /// `\Seen`.
    Seen,
    /// A keyword.
    Keyword(String),
    /// It is moved to this folder, made if it is missing.
    Move(String),
}

/// What is read of a mailbox.
#[derive(Clone, Debug)]
pub struct Watching {
    /// Folders, by the names people see (not modified UTF-7). The first is watched by IDLE.
    pub folders: Vec<String>,
    /// Folders of what managers sent, by the names people see.
    pub sent: Vec<String>,
    /// Where the first reading begins.
    pub start: Start,
    /// What is done with what was read.
    pub after: After,
    /// Between two looks, where the server does not tell; also for the folders that IDLE does not watch.
    pub poll: Duration,
    /// IDLE is asked for again after this time (RFC 2177: under 29 minutes).
    pub idle: Duration,
    /// Bytes; larger mails are read by their head and flagged truncated.
    pub largest: u64,
}

impl Default for Watching {
    /// The inbox, from now on, and nothing is changed in it.
    fn default() -> Self {
        Self {
            folders: vec![INBOX.to_owned()],
            sent: Vec::new(),
            start: Start::Now,
            after: After::Nothing,
            poll: Duration::from_mins(1),
            idle: Duration::from_mins(9),
            largest: 25 << 20,
        }
    }
}

/// The one folder every mailbox has; its name is the same in any case of letters (RFC 3501, 5.1).
const INBOX: &str = "INBOX";

impl Watching {
    /// Takes its keys from a section.
    pub fn take(config: &mut Table, _context: &BuildContext, problems: &mut Vec<BuildProblem>) -> Self {
        let own: Table = KEYS.iter().filter_map(|key| config.remove_entry(*key)).collect();
        let mut keys = Keys::new(own);
        let usual = Self::default();
        let folders = names(&mut keys, "folders").unwrap_or(usual.folders);
        let sent = names(&mut keys, "sent").unwrap_or_default();
        if folders.is_empty() && sent.is_empty() {
            keys.problem("folders", "no folder is named, so nothing would be read");
        }
        let twice = sent.iter().find(|name| folders.contains(name));
        if let Some(name) = twice {
            keys.problem("sent", format!("{name:?} is among the folders, too; it is one or the other"));
        }
        if folders.len() + sent.len() > MOST_FOLDERS {
            keys.problem("folders", format!("at most {MOST_FOLDERS} folders of a mailbox are watched"));
        }
        let after = after(&mut keys);
        if let After::Move(to) = &after
            && folders.contains(to)
        {
            keys.problem("after.move", format!("{to:?} is itself read: what is moved there would be read again"));
        }
        let watching = Self {
            start: start(&mut keys),
            poll: keys.duration("poll", Duration::from_secs(5)..=Duration::from_hours(24)).unwrap_or(usual.poll),
            idle: keys.duration("idle", Duration::from_secs(30)..=LONGEST_IDLE).unwrap_or(usual.idle),
            largest: keys.number("largest_mb", 1..=100).map_or(usual.largest, |mega| mega << 20),
            folders,
            sent,
            after,
        };
        problems.extend(keys.finish());
        watching
    }
}

/// Folders' names, each once.
fn names(keys: &mut Keys, key: &'static str) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for name in keys.list(key)? {
        let name = canonical(&name);
        if name.is_empty() {
            keys.problem(key, "a folder without a name is no folder");
        } else if name.chars().any(char::is_control) {
            keys.problem(key, format!("{name:?} is no folder's name"));
        } else if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(names)
}

fn canonical(name: &str) -> String {
    let name = name.trim();
    if name.eq_ignore_ascii_case(INBOX) { INBOX.to_owned() } else { name.to_owned() }
}

fn start(keys: &mut Keys) -> Start {
    let (text, wanted) = match keys.value("backfill") {
        None => return Start::Now,
        Some(Value::String(text)) => (text, "a day such as \"2026-01-01\""),
        Some(Value::Datetime(at)) => (at.to_string(), "a day such as 2026-01-01"),
        Some(_) => (String::new(), "a day such as \"2026-01-01\""),
    };
    if let Ok(day) = text.trim().parse() {
        return Start::Since(day);
    }
    keys.problem("backfill", format!("it must be {wanted}"));
    Start::Now
}

/// `after = "seen"`, `{ keyword = "Leadgate" }`, `{ move = "Read" }`.
fn after(keys: &mut Keys) -> After {
    let wanted = "\"nothing\", \"seen\", { keyword = \"Leadgate\" } or { move = \"a folder\" }";
    match keys.value("after") {
        None => After::Nothing,
        Some(Value::String(text)) if text == "nothing" => After::Nothing,
        Some(Value::String(text)) if text == "seen" => After::Seen,
        Some(Value::Table(table)) if table.len() == 1 => match table.into_iter().next() {
            Some((key, Value::String(keyword))) if key == "keyword" => {
                if !is_keyword(&keyword) {
                    keys.problem(
                        "after.keyword",
                        "a keyword is one word of Latin letters, digits, \"$\", \"-\", \"_\" and \".\"",
                    );
                }
                After::Keyword(keyword)
            }
            Some((key, Value::String(to))) if key == "move" && !canonical(&to).is_empty() => After::Move(canonical(&to)),
            _ => {
                keys.problem("after", format!("it must be {wanted}"));
                After::Nothing
            }
        },
        Some(_) => {
            keys.problem("after", format!("it must be {wanted}"));
            After::Nothing
        }
    }
}

/// An atom that every server takes (RFC 3501, 9: flag-keyword).
fn is_keyword(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    fn take(text: &str) -> (Watching, Vec<String>) {
        let mut table: Table = text.parse().unwrap();
        let mut problems = Vec::new();
        let watching = Watching::take(&mut table, &context(), &mut problems);
        (watching, problems.into_iter().map(|problem| format!("{}: {}", problem.key, problem.words)).collect())
    }

    #[test]
    fn nothing_said_is_the_inbox_from_now_on_untouched() {
        let (watching, problems) = take("");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!((&*watching.folders, watching.sent.len()), (&["INBOX".to_owned()][..], 0));
        assert_eq!((watching.start, watching.after), (Start::Now, After::Nothing));
        assert_eq!((watching.poll.as_secs(), watching.idle.as_secs(), watching.largest), (60, 540, 25 << 20));
    }

    #[test]
    fn everything_said() {
        let (watching, problems) = take(
            "folders = [\"inbox\", \" Заявки \", \"Inbox\"]\nsent = \"Отправленные\"\nbackfill = \"2026-01-01\"\n\
             after = { keyword = \"$Leadgate\" }\npoll = \"2 min\"\nidle = \"5 min\"\nlargest_mb = 40\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(watching.folders, ["INBOX", "Заявки"]);
        assert_eq!(watching.sent, ["Отправленные"]);
        assert_eq!(watching.start, Start::Since("2026-01-01".parse().unwrap()));
        assert_eq!(watching.after, After::Keyword("$Leadgate".to_owned()));
        assert_eq!((watching.poll.as_secs(), watching.idle.as_secs(), watching.largest), (120, 300, 40 << 20));
        assert_eq!(take("backfill = 2026-01-01").0.start, Start::Since("2026-01-01".parse().unwrap()));
        assert_eq!(take("after = \"seen\"").0.after, After::Seen);
        assert_eq!(take("after = { move = \"Read\" }").0.after, After::Move("Read".to_owned()));
    }

    #[test]
    fn all_problems_at_once() {
        let (_, problems) = take(
            "folders = [\"A\", \"\", \"B\"]\nsent = \"A\"\nbackfill = \"yesterday\"\nafter = { move = \"B\" }\npoll = \"1 s\"\n\
             idle = \"1 h\"\nlargest_mb = 0\n",
        );
        let keys: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
        assert_eq!(keys, ["folders", "sent", "after.move", "backfill", "poll", "idle", "largest_mb"], "{problems:?}");
        for (text, key) in [
            ("after = \"delete\"", "after"),
            ("after = { keyword = \"два слова\" }", "after.keyword"),
            ("after = { keyword = \"A\", move = \"B\" }", "after"),
            ("after = { move = \" \" }", "after"),
            ("folders = []", "folders"),
            ("backfill = 3", "backfill"),
            ("folders = [\"a\\u0000b\"]", "folders"),
        ] {
            let (_, problems) = take(text);
            assert!(problems[0].starts_with(&format!("{key}: ")), "{text}: {problems:?}");
        }
    }
}
