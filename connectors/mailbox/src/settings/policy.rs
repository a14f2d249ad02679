//! What mails mean, as far as people can say.

use std::sync::Arc;

use leadgate_core::ids::SourceId;
use leadgate_core::phone::Country;
use leadgate_core::ports::{BuildContext, BuildProblem};
use leadgate_core::rules::{Ours, main_address};
use leadgate_core::submission::MailClass;
use leadgate_wire::keys::Keys;

use crate::mime::{Address, Mail};
use crate::reading::Verdict;

/// The keys that are read here.
const KEYS: [&str; 7] = ["trusted_host", "language", "classes", "rules", "form_senders", "addresses", "forms"];

/// What becomes of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A lead, or an activity where it belongs.
    Lead,
    /// Kept, noted.
    Note,
}

impl Action {
    const NAMES: [(&'static str, Self); 2] = [("lead", Self::Lead), ("note", Self::Note)];

    /// What becomes of a class about which nothing is configured.
    pub fn usual(class: MailClass) -> Self {
        match class {
            MailClass::Human | MailClass::FormNotification => Self::Lead,
            MailClass::Bounce | MailClass::AutoReply | MailClass::Report | MailClass::List | MailClass::Calendar => Self::Note,
        }
    }
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Addresses and names in From.
    From,
    /// Addresses in To and Cc.
    To,
    /// The subject.
    Subject,
}

/// One rule: the first that matches decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// All must match: a text that is contained, `*` standing for anything, case ignored.
    pub when: Vec<(Field, String)>,
    /// Then.
    pub action: Action,
}

impl Rule {
    fn matches(&self, mail: &Mail) -> bool {
        self.when.iter().all(|(field, pattern)| match field {
            Field::From => mail.from.iter().any(|from| contains(pattern, &shown(from))),
            Field::To => mail.to.iter().chain(&mail.cc).any(|to| contains(pattern, &to.address)),
            Field::Subject => contains(pattern, &mail.subject),
        })
    }
}

/// What mails mean.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What is the company's own, this mailbox among it.
    pub ours: Arc<Ours>,
    /// This mailbox's own addresses.
    pub own: Vec<String>,
    /// The host whose Authentication-Results and spam headers are believed (its authserv-id).
    pub trusted_host: Option<String>,
    /// The language of undeclared 8-bit text and of what is guessed: `ru`, `en`, `uk`, `de`, `es` ...
    pub language: String,
    /// What becomes of classes; missing: the default of the class.
    pub classes: Vec<(MailClass, Action)>,
    /// Rules, in order.
    pub rules: Vec<Rule>,
    /// Senders of form notifications beside those that are recognised.
    pub form_senders: Vec<String>,
    /// The country of phones in running text; what a source is read by is its rules' affair.
    pub country: Option<Country>,
    /// Sources whose forms send their notifications here ([`leadgate_core::rules::SourceRules::forms`]).
    pub forms: Vec<SourceId>,
}

impl Policy {
    /// Takes its keys from a section.
    pub fn take(config: &mut toml::Table, context: &BuildContext, problems: &mut Vec<BuildProblem>) -> Self {
        let user = config.get("user").and_then(toml::Value::as_str).map(str::to_owned);
        let mine = KEYS.iter().filter_map(|key| config.remove_entry(*key)).collect();
        let mut keys = Keys::new(mine);
        let own = own(&mut keys, user);
        let policy = Self {
            ours: with_own(&context.ours, &own),
            own,
            trusted_host: trusted_host(&mut keys),
            language: language(&mut keys, context),
            classes: classes(&mut keys),
            rules: keys.each("rules", rule).unwrap_or_default().into_iter().flatten().collect(),
            form_senders: form_senders(&mut keys),
            country: context.country,
            forms: keys.parsed_list("forms").unwrap_or_default(),
        };
        problems.extend(keys.finish());
        policy
    }

    /// What becomes of a mail: the first rule that matches decides, then what is configured for its class, then what is usual
    /// for its class.
    pub fn action(&self, verdict: &Verdict, mail: &Mail) -> Action {
        let by_rule = self.rules.iter().find(|rule| rule.matches(mail)).map(|rule| rule.action);
        let by_class = || self.classes.iter().rev().find(|(class, _)| *class == verdict.class).map(|(_, action)| *action);
        by_rule.or_else(by_class).unwrap_or_else(|| Action::usual(verdict.class))
    }

    /// Whether an address is this mailbox's or the company's.
    pub fn is_ours(&self, address: &str) -> bool {
        let address = address.trim().to_lowercase();
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let own = |address: &String| self.own.contains(address);
        own(&address) || main_address(&address).as_ref().is_some_and(own) || self.ours.email(&address, domain)
    }

    /// Whether somebody said that this sender's mails are a form's notifications: a whole address, or a domain with or without
    /// the `@`.
    pub fn is_form_sender(&self, address: &str) -> bool {
        let address = address.trim().to_lowercase();
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        self.form_senders.iter().any(|sender| {
            let sender = sender.as_str();
            sender == address || sender.strip_prefix('@').unwrap_or(sender) == domain
        })
    }
}

/// From, as people see it: both what is shown and the address may be what a rule means.
fn shown(address: &Address) -> String {
    format!("{} <{}>", address.name, address.address)
}

/// The mailbox's own addresses, in lower case: its user's name if that is one, and what is listed.
fn own(keys: &mut Keys, user: Option<String>) -> Vec<String> {
    let mut own = Vec::new();
    for listed in keys.list("addresses").unwrap_or_default() {
        if listed.contains('@') {
            own.push(listed);
        } else {
            keys.problem("addresses", format!("{listed:?} is no e-mail address"));
        }
    }
    own.extend(user.filter(|user| user.contains('@')));
    let mut own: Vec<String> = own.into_iter().map(|address| address.trim().to_lowercase()).collect();
    own.sort_unstable();
    own.dedup();
    own
}

/// The company's own with the mailbox's addresses, by their canonical form and as written.
fn with_own(ours: &Arc<Ours>, own: &[String]) -> Arc<Ours> {
    let mut ours = Ours::clone(ours);
    for address in own {
        ours.emails.insert(address.clone());
        ours.emails.extend(leadgate_core::email::read(address).emails.into_iter().map(|email| email.key));
    }
    Arc::new(ours)
}

fn trusted_host(keys: &mut Keys) -> Option<String> {
    let host = keys.text("trusted_host")?;
    let host = host.trim().to_lowercase();
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || matches!(c, ';' | '@' | '/')) {
        keys.problem(
            "trusted_host",
            "write the name with which your mail server begins its Authentication-Results header, e.g. \"mx.example.com\"",
        );
        return None;
    }
    Some(host)
}

fn language(keys: &mut Keys, context: &BuildContext) -> String {
    let Some(language) = keys.text("language") else { return context.language.clone() };
    let language = language.trim().to_lowercase();
    if language.len() != 2 || !language.bytes().all(|b| b.is_ascii_lowercase()) {
        keys.problem("language", format!("{language:?} is no language; write its two letters, e.g. \"ru\""));
    }
    language
}

fn classes(keys: &mut Keys) -> Vec<(MailClass, Action)> {
    let read = |keys: &mut Keys| {
        let action = |class: MailClass| keys.one_of(class.as_str(), &Action::NAMES).map(|action| (class, action));
        MailClass::ALL.into_iter().filter_map(action).collect()
    };
    keys.within("classes", read).unwrap_or_default()
}

fn rule(keys: &mut Keys) -> Option<Rule> {
    let before = keys.problems();
    let mut when = Vec::new();
    for (key, field) in [("from", Field::From), ("to", Field::To), ("subject", Field::Subject)] {
        if let Some(pattern) = keys.text(key) {
            if pattern.chars().all(|c| c == '*' || c.is_whitespace()) {
                keys.problem(key, "it would match every mail; write a text that the mail must contain");
            }
            when.push((field, pattern.trim().to_lowercase()));
        }
    }
    let action = keys.one_of("then", &Action::NAMES);
    if keys.problems() == before {
        if when.is_empty() {
            keys.problem("", "say which mails it is about: from, to or subject");
        }
        if action.is_none() {
            keys.problem("then", "say what becomes of such mails: \"lead\" or \"note\"");
        }
    }
    (keys.problems() == before).then_some(())?;
    Some(Rule { when, action: action? })
}

fn form_senders(keys: &mut Keys) -> Vec<String> {
    let listed = keys.list("form_senders").unwrap_or_default();
    let mut senders = Vec::with_capacity(listed.len());
    for sender in listed {
        let sender = sender.trim().to_lowercase();
        if sender.contains('.') && !sender.contains(char::is_whitespace) {
            senders.push(sender);
        } else {
            keys.problem("form_senders", format!("{sender:?} is neither an e-mail address nor a domain"));
        }
    }
    senders
}

/// Whether a text contains a pattern (in lower case) in which `*` stands for anything.
fn contains(pattern: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    let mut rest = text.as_str();
    for piece in pattern.split('*') {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> BuildContext {
        let ours = Ours { domains: ["acme.example".to_owned()].into(), ..Ours::default() };
        BuildContext {
            source: SourceId::parse("info").unwrap(),
            language: "ru".to_owned(),
            company: "Acme".to_owned(),
            public_url: String::new(),
            country: None,
            ours: Arc::new(ours),
            data: std::path::PathBuf::new(),
        }
    }

    fn take(text: &str) -> (Policy, toml::Table, Vec<String>) {
        let mut config = text.parse().unwrap();
        let mut problems = Vec::new();
        let policy = Policy::take(&mut config, &context(), &mut problems);
        (policy, config, problems.into_iter().map(|p| format!("{}: {}", p.key, p.words)).collect())
    }

    fn mail(from: &str, to: &str, subject: &str) -> Mail {
        let address = |text: &str| Address { name: "Jane".to_owned(), address: text.to_owned() };
        Mail { from: vec![address(from)], to: vec![address(to)], subject: subject.to_owned(), ..Mail::default() }
    }

    fn verdict(class: MailClass) -> Verdict {
        Verdict { class, may_answer: false, why: Vec::new() }
    }

    #[test]
    fn every_key() {
        let (policy, rest, problems) = take(
            "user = \"Info@acme-mail.example\"\ntrusted_host = \"MX.acme.example\"\nlanguage = \"de\"\n\
             classes = { auto_reply = \"lead\" }\nform_senders = [\"wordpress@site.example\", \"@tilda.example\"]\n\
             addresses = [\"Sales@acme-mail.example\"]\nforms = [\"site\"]\nhost = \"x\"\n\
             rules = [{ from = \"@market.example\", then = \"lead\" }, { subject = \"order *paid\", then = \"note\" }]",
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(policy.trusted_host.as_deref(), Some("mx.acme.example"));
        assert_eq!(policy.language, "de");
        assert_eq!(policy.own, ["info@acme-mail.example", "sales@acme-mail.example"]);
        assert!(policy.is_ours("SALES@acme-mail.example") && policy.is_ours("anna@acme.example"));
        assert!(!policy.is_ours("jane@acme-mail.example"));
        assert!(policy.is_form_sender("Wordpress@site.example") && policy.is_form_sender("noreply@tilda.example"));
        assert!(!policy.is_form_sender("jane@site.example"));
        assert_eq!(policy.forms, [SourceId::parse("site").unwrap()]);
        assert_eq!(rest.keys().collect::<Vec<_>>(), ["host", "user"], "what is read by others is left to them");
    }

    #[test]
    fn the_company_says_the_language_where_the_source_does_not() {
        let (policy, _, problems) = take("");
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(policy.language, "ru");
        assert_eq!(policy.trusted_host, None);
    }

    #[test]
    fn all_problems_at_once() {
        let (policy, _, problems) = take(
            "trusted_host = \"a b\"\nlanguage = \"russian\"\nclasses = { spam = \"note\", list = \"drop\" }\nforms = [\"Bad Id\"]\n\
             addresses = [\"info\"]\nform_senders = [\"everybody\"]\n\
             rules = [{ then = \"lead\" }, { from = \"x\" }, { from = \"*\", then = \"note\" }, { from = \"y\", then = \"note\" }]",
        );
        let mut keys: Vec<&str> = problems.iter().filter_map(|problem| problem.split(": ").next()).collect();
        keys.sort_unstable();
        let expected = [
            "addresses",
            "classes.list",
            "classes.spam",
            "form_senders",
            "forms",
            "language",
            "rules[0]",
            "rules[1].then",
            "rules[2].from",
            "trusted_host",
        ];
        assert_eq!(keys, expected, "{problems:?}");
        assert_eq!(policy.rules.len(), 1);
    }

    #[test]
    fn rules_go_before_classes_and_classes_before_the_usual() {
        let (policy, _, problems) = take(
            "classes = { list = \"lead\", human = \"note\" }\n\
             rules = [{ from = \"jane*@vip.example\", then = \"lead\" }, { to = \"sales@\", subject = \"re*invoice\", then = \"note\" }]",
        );
        assert_eq!(problems, Vec::<String>::new());
        let cases = [
            (MailClass::Human, mail("Jane.D@VIP.example", "", ""), Action::Lead),
            (MailClass::Human, mail("joe@other.example", "", ""), Action::Note),
            (MailClass::List, mail("joe@other.example", "", ""), Action::Lead),
            (MailClass::List, mail("joe@other.example", "Sales@acme.example", "RE: the Invoice"), Action::Note),
            (MailClass::List, mail("joe@other.example", "info@acme.example", "RE: the Invoice"), Action::Lead),
            (MailClass::FormNotification, mail("joe@other.example", "", ""), Action::Lead),
            (MailClass::Bounce, mail("joe@other.example", "", ""), Action::Note),
            (MailClass::AutoReply, mail("joe@other.example", "", ""), Action::Note),
            (MailClass::Report, mail("joe@other.example", "", ""), Action::Note),
            (MailClass::Calendar, mail("joe@other.example", "", ""), Action::Note),
        ];
        for (class, mail, action) in cases {
            assert_eq!(policy.action(&verdict(class), &mail), action, "{class:?} {}", mail.subject);
        }
    }

    #[test]
    fn a_pattern_is_contained() {
        for (pattern, text, is) in [
            ("заявка", "Новая Заявка с сайта", true),
            ("a*c", "xxABxxCyy", true),
            ("c*a", "abc", false),
            ("a*a", "a", false),
            ("", "anything", true),
        ] {
            assert_eq!(contains(pattern, text), is, "{pattern} in {text}");
        }
    }
}
