use super::*;

struct Plain;

impl Secrets for Plain {
    fn resolve(&self, value: &Value) -> Result<Secret, String> {
        value.as_str().map(Secret::new).ok_or_else(|| "it is no text".to_owned())
    }
}

fn context() -> BuildContext {
    BuildContext {
        source: "bot".parse().unwrap(),
        language: "ru".to_owned(),
        company: String::new(),
        public_url: "https://leads.example".to_owned(),
        country: None,
        ours: Arc::default(),
        data: std::path::PathBuf::new(),
    }
}

fn problems_of(text: &str) -> Vec<String> {
    let problems = read(text.parse().unwrap(), &Plain, &context()).err().unwrap_or_default();
    problems.into_iter().map(|problem| format!("{}: {}", problem.key, problem.words)).collect()
}

#[test]
fn a_token_is_enough() {
    let settings = read("token = \"123456:AAE-x_y\"".parse().unwrap(), &Plain, &context()).unwrap();
    assert_eq!((settings.bot(), settings.way, settings.api_url.as_str()), (123_456, Way::Polling, "https://api.telegram.org"));
    assert_eq!((settings.groups, settings.largest, settings.dialogue), (Groups::Off, 20 << 20, None));
    assert_eq!((settings.language, settings.topics, settings.take_over), (Language::Ru, true, false));
}

#[test]
fn the_example_is_understood_when_every_key_is_switched_on() {
    let on: String = EXAMPLE
        .lines()
        .filter(|line| !line.starts_with('['))
        .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line))
        .filter(|line| line.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')))
        .map(|line| line.replace("{ env = \"TELEGRAM_PROXY\" }", "\"socks5://a:1\""))
        .filter(|line| !line.starts_with("kind") && !line.starts_with("enabled"))
        .fold(String::new(), |all, line| all + &line + "\n");
    assert_eq!(problems_of(&on), Vec::<String>::new(), "{on}");
}

#[test]
fn everything_said() {
    let text = "token = \"7:k\"\nmode = \"webhook\"\napi_url = \"http://10.0.0.5:8081/\"\nproxy = \"http://me:secret@proxy:3128\"\n\
         take_over = true\nusername = \"@Zavod_Bot\"\nstaff_chat = \"-100123\"\ntopics = false\ngroups = [-5, -6]\nlargest_mb = 100\n\
         [dialogue]\nlanguage = \"auto\"\nask = [\"about\", \"phone\"]\ngreeting = \"Hi\"\nconsent = { version = \"1\", text = \"Agree?\" }";
    let settings = read(text.parse().unwrap(), &Plain, &context()).unwrap();
    assert_eq!((settings.way, settings.api_url.as_str(), settings.take_over), (Way::Webhook, "http://10.0.0.5:8081", true));
    assert_eq!((settings.username.as_deref(), settings.staff_chat, settings.topics), (Some("zavod_bot"), Some(-100_123), false));
    assert_eq!((&settings.groups, settings.largest), (&Groups::These(vec![-5, -6]), 100 << 20));
    let dialogue = settings.dialogue.clone().unwrap();
    assert_eq!((dialogue.language, dialogue.ask), (None, vec![Question::About, Question::Phone]));
    assert_eq!(dialogue.consent.map(|consent| consent.version).as_deref(), Some("1"));
    assert!(!format!("{settings:?}").contains("secret@"), "secrets are not printed");
}

#[test]
fn all_problems_at_once() {
    let problems = problems_of(
        "token = \"nonsense\"\nmode = \"push\"\napi_url = \"http://api.telegram.org\"\nproxy = \"ftp://x\"\nusername = \"a b\"\n\
         staff_chat = 5\ngroups = \"all\"\nlargest_mb = 21\ntokens = 1\n[dialogue]\nask = [\"age\", \"name\", \"name\"]\nconsent = { text = \"\" }",
    );
    let mut keys: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "api_url",
            "dialogue.ask",
            "dialogue.ask",
            "dialogue.consent.text",
            "dialogue.consent.version",
            "groups",
            "largest_mb",
            "mode",
            "proxy",
            "staff_chat",
            "token",
            "tokens",
            "username"
        ],
        "{problems:#?}"
    );
    assert!(problems.iter().any(|problem| problem.starts_with("tokens: there is no such key here")), "{problems:?}");
    assert!(!problems.iter().any(|problem| problem.contains("nonsense")), "what may be a secret is not repeated: {problems:?}");
    assert_eq!(problems_of("").len(), 1);
    assert_eq!(problems_of("token = \"1:a\"\nstaff_chat = -7\ngroups = [-7]").len(), 1);
}
