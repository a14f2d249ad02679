//! What a section of the configuration says, and the kind it makes.

mod connection;
mod policy;
mod watching;

pub use connection::{Connection, Login, OAuth};
pub use policy::{Action, Field, Policy, Rule};
pub use watching::{After, Start, Watching};

use leadgate_core::email;
use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Mode, Secrets, SourceKind};
use leadgate_core::rules::{Ours, SourceRules};
use leadgate_wire::keys::Keys;

/// `kind = "imap"`.
pub const KIND: SourceKind = SourceKind {
    name: "imap",
    about: "A mailbox, watched over IMAP: every mail becomes a lead or an activity",
    example: EXAMPLE,
    setup,
    build,
};

const EXAMPLE: &str = r#"[sources.{id}]
kind = "imap"
enabled = false                     # true once the next three are yours
host = "imap.example.com"
user = "info@example.com"
password = "..."                    # better { file = "..." } or { env = "..." }; many providers want a password made for programs
# security = "tls"                  # or "starttls"; "plain" only for this machine itself
# port = 993                        # 143 with starttls
# Certificates: the system's authorities are believed, and those in a file; or one certificate alone, by its SHA-256.
# ca = "mail-ca.pem"
# fingerprint = "AB:CD:..."
# Instead of a password, an access token that is refreshed (Google, Microsoft, or any other with its token_url).
# oauth = { provider = "google", client_id = "...", client_secret = { env = "..." }, refresh_token = { env = "..." } }
# timeout = "60 s"

# The first folder is watched as things happen, the others are looked at every poll. Names as people see them.
# folders = ["INBOX"]
# What managers sent from their own programs: activities, never leads.
# sent = ["Sent"]
# The first reading begins with what comes from now on, or on a day: older mails are read in the background.
# backfill = "2026-01-01"
# Nothing is changed in the mailbox, unless mails that were read are to be marked or moved.
# after = "nothing"                 # or "seen", { keyword = "Leadgate" }, { move = "Read" }
# poll = "60 s"
# idle = "9 min"
# Of larger mails the beginning is read, and the lead is flagged truncated.
# largest_mb = 25

# Further addresses of this mailbox; its user is one if it is an address.
# addresses = ["sales@example.com"]
# The host whose Authentication-Results and spam headers are believed: the first word of that header.
# trusted_host = "mx.example.com"
# The language of mails that do not tell their encoding; without it the company's.
# language = "ru"
# Who sends notifications of forms, where nothing else tells.
# form_senders = ["wordpress@example.com"]
# The sources of the forms whose notifications come to this mailbox; without it, any form.
# forms = ["site"]
# What becomes of mails by what they are: human, form_notification, bounce, auto_reply, report, list, calendar.
# classes = { list = "note", auto_reply = "note" }
# The first rule that fits decides: "lead" or "note". A text that is contained; * stands for anything.
# rules = [{ from = "@partner.example", then = "note" }, { to = "sales@", subject = "order*paid", then = "lead" }]

# Reads phone numbers written without a country.
# country = "RU"
# known_contact = "attach"          # or "repeat_lead", "reopen"
# reopen_days = 30
# lead_per = "person"               # or "delivery"
# repeat_window_s = 300
# identities = { phone = "strong", email = "strong" }
# utm_defaults = { utm_source = "mail" }
"#;

fn setup(language: &str) -> &'static str {
    if language == "ru" {
        "1. В настройках почты включите доступ по IMAP. Многие сервисы (Яндекс, Mail.ru, Gmail) требуют отдельный пароль приложения.\n\
         2. Впишите в источник host, user и password; пароль лучше хранить в файле или переменной окружения.\n\
         3. Проверьте: leadgate source test {id}. Команда покажет папки и скажет, что будет прочитано и чего не хватает. Затем \
         поставьте enabled = true и перезапустите шлюз.\n\
         4. Папку «Отправленные» впишите в sent: ответы менеджеров попадут в лиды, а новых лидов не создадут.\n\
         5. Прочитать старые письма: leadgate source backfill {id} --since 2026-01-01.\n\
         6. Отправьте письмо на этот адрес и посмотрите на заявку: leadgate leads."
    } else {
        "1. Switch on IMAP in the settings of the mail service. Many (Gmail, Yandex, Mail.ru) want a password made for programs.\n\
         2. Write host, user and password into the source; the password is best kept in a file or a variable.\n\
         3. Try it: leadgate source test {id}. It lists the folders and says what would be read, and what is missing. Then write \
         enabled = true and restart the gateway.\n\
         4. Name the folder of sent mail in sent: what managers write becomes part of the leads, and makes none.\n\
         5. To read older mails: leadgate source backfill {id} --since 2026-01-01.\n\
         6. Send a mail to the address and look at the lead: leadgate leads."
    }
}

/// A mailbox as configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where and how to connect.
    pub connection: Connection,
    /// What to read, and what to do with what was read.
    pub watching: Watching,
    /// What mails mean.
    pub policy: Policy,
}

fn build(mut config: toml::Table, secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let mut problems = Vec::new();
    // First: it looks at the user's name, which the connection takes.
    let policy = Policy::take(&mut config, context, &mut problems);
    let connection = Connection::take(&mut config, secrets, context, &mut problems);
    let watching = Watching::take(&mut config, context, &mut problems);
    let rules = rules(config, &policy, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let settings = Settings { connection, watching, policy };
    let pull = crate::watch::Watcher::new(context.source.clone(), settings);
    Ok(Connector { rules, mode: Mode::Pull(Box::new(pull)) })
}

/// What is left of a section: the rules of the source. Whatever nobody knows is told.
fn rules(config: toml::Table, policy: &Policy, problems: &mut Vec<BuildProblem>) -> SourceRules {
    let known: Vec<&str> = known_keys().collect();
    let (config, unknown): (toml::Table, toml::Table) = config.into_iter().partition(|(key, _)| known.contains(&key.as_str()));
    let list = known.join(", ");
    problems.extend(unknown.keys().map(|key| {
        let words = format!("there is no such key here; there are: {list}");
        BuildProblem { key: key.clone(), words }
    }));
    let mut keys = Keys::new(config);
    let mut rules = leadgate_wire::rules::rules(&mut keys);
    rules.forms.clone_from(&policy.forms);
    let emails = policy.own.iter().flat_map(|typed| email::read(typed).emails).map(|email| email.key);
    rules.own = Ours { emails: emails.collect(), ..Ours::default() };
    problems.extend(keys.finish());
    rules
}

/// Every key of a section, as the example shows them.
fn known_keys() -> impl Iterator<Item = &'static str> {
    let key = |line: &'static str| {
        let (key, _) = line.trim_start_matches("# ").split_once(" = ")?;
        key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(key)
    };
    EXAMPLE.lines().filter_map(key).filter(|key| !["kind", "enabled"].contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a section is built with, in a company nothing is known of.
    pub(super) fn context() -> BuildContext {
        BuildContext {
            source: "info".parse().unwrap(),
            language: "en".to_owned(),
            company: String::new(),
            public_url: String::new(),
            country: None,
            ours: std::sync::Arc::default(),
            data: std::path::PathBuf::new(),
        }
    }

    #[test]
    fn the_example_names_every_key_once() {
        let mut known: Vec<&str> = known_keys().collect();
        let all = known.len();
        known.sort_unstable();
        known.dedup();
        assert_eq!(known.len(), all);
        for key in ["host", "folders", "sent", "backfill", "after", "largest_mb", "forms", "rules", "country", "addresses"] {
            assert!(known.contains(&key), "{key}: {known:?}");
        }
        assert!(!known.contains(&"then") && !known.contains(&"from"), "{known:?}");
    }

    #[test]
    fn what_the_mailbox_is_reached_by_is_ours_and_unknown_keys_are_told() {
        let mut config: toml::Table =
            "addresses = [\"Info@Example.com\"]\nforms = [\"site\"]\ncountry = \"RU\"\nfolder = 1\nknown_contact = \"x\""
                .parse()
                .unwrap();
        let mut problems = Vec::new();
        let policy = Policy::take(&mut config, &context(), &mut problems);
        let rules = rules(config, &policy, &mut problems);
        assert!(rules.own.emails.contains("info@example.com"), "{:?}", rules.own);
        assert_eq!(rules.forms.iter().map(leadgate_core::ids::SourceId::as_str).collect::<Vec<_>>(), ["site"]);
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["folder", "known_contact"]);
        assert!(problems[0].words.contains("folders, sent"), "{}", problems[0].words);
    }

    #[test]
    fn the_example_is_understood_when_it_is_switched_on() {
        let keys = ["addresses", "trusted_host", "language", "form_senders", "forms", "classes", "rules"];
        let line =
            |key: &&str| EXAMPLE.lines().find_map(|line| line.strip_prefix("# ").filter(|line| line.starts_with(*key))).unwrap();
        let lines: Vec<&str> = keys.iter().map(line).collect();
        let mut config: toml::Table = lines.join("\n").parse().unwrap();
        let mut problems = Vec::new();
        let policy = Policy::take(&mut config, &context(), &mut problems);
        assert!(problems.is_empty() && config.is_empty(), "{problems:?} {config:?}");
        assert_eq!((policy.classes.len(), policy.rules.len()), (2, 2));
    }
}
