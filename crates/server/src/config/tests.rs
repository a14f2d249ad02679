use std::path::Path;

use leadgate_core::ports::Mode;

use super::*;
use machine::Machine;

/// A folder with a configuration, far from any machine's own.
struct Folder {
    dir: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

impl Folder {
    fn new(main: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("config/sources.d")).unwrap();
        let folder = Self { dir, env: BTreeMap::new() };
        folder.write("leadgate.toml", main)
    }

    fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), env: BTreeMap::new() }
    }

    fn write(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join("config").join(name), text).unwrap();
        self
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn load(&self) -> Result<Config, Problems> {
        let machine = Machine { zone: TimeZone::UTC, locale: String::new() };
        Config::load_on(None, self.path(), self.env.clone(), &machine)
    }

    fn good(&self) -> Config {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Key paths and words of everything wrong.
    fn problems(&self) -> Vec<(String, String)> {
        self.load().unwrap_err().0.into_iter().map(|problem| (problem.key, problem.words)).collect()
    }

    fn words(&self, key: &str) -> String {
        let problems = self.problems();
        problems.iter().find(|(known, _)| known == key).unwrap_or_else(|| panic!("{key} is not among {problems:?}")).1.clone()
    }
}

#[test]
fn the_binary_works_without_any_file() {
    let folder = Folder::empty();
    let config = folder.good();
    assert!(config.files.is_empty());
    assert_eq!(config.server.listen, Listen::Dual { port: 8080 });
    assert_eq!(config.data_dir, folder.path().join("data"));
    assert_eq!(config.database, Database::Sqlite(folder.path().join("data/leadgate.db")));
    assert_eq!(config.base_url(), "http://127.0.0.1:8080");
    assert_eq!(config.sources.len(), 1);
    let site = &config.sources[0];
    assert_eq!((site.id.as_str(), site.kind.name, site.enabled), ("site", "html_form", true));
    assert!(matches!(site.connector.mode, Mode::Push(_)));
    assert_eq!(config.without_tokens(), std::slice::from_ref(&site.id));
    assert_eq!(config.assumed.len(), 4, "{:?}", config.assumed);
    assert_eq!(config.company.country.as_str(), FALLBACK_COUNTRY);
}

/// Whether a comment is an example: a section, or a key and its value.
fn is_toml(comment: &str) -> bool {
    let key = comment.split(" = ").next().unwrap_or_default();
    comment.starts_with('[') || (key.len() < comment.len() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}

#[test]
fn the_shipped_examples_work_when_uncommented() {
    let shipped = include_str!("../../../../config/leadgate.toml");
    let uncommented: String = shipped
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_toml(rest) => rest,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    let config = Folder::new(&uncommented).good();
    assert!(config.assumed.is_empty(), "{:?}", config.assumed);
    assert_eq!(config.company.name, "Ромашка");
    assert_eq!(config.server.public_url.as_deref(), Some("https://leads.company.ru"));
    assert_eq!(config.sources.iter().map(|source| source.kind.name).collect::<Vec<_>>(), ["html_form", "tilda"]);
    let ours = config.rules().ours;
    assert!(ours.phone("+74951234567") && ours.email("anna@company.ru", "x") && ours.email("x", "company.ru"));
}

#[test]
fn the_reference_names_the_defaults() {
    let reference = Folder::new(Config::reference()).good();
    let default = Folder::new("").good();
    assert_eq!(reference.company, default.company);
    assert_eq!(reference.server, default.server);
    assert_eq!(reference.leads, default.leads);
    assert_eq!(reference.keeping, default.keeping);
    assert_eq!(reference.log, default.log);
    assert_eq!(reference.assumed, default.assumed);
    let below = |config: &Config, path: &Path| path.strip_prefix(config.folder.parent().unwrap()).unwrap().to_path_buf();
    let file = |config: &Config| match &config.database {
        Database::Sqlite(path) => below(config, path),
        Database::Postgres(_) => panic!("a file is the default"),
    };
    assert_eq!(file(&reference), file(&default));
    assert_eq!(below(&reference, &reference.data_dir), below(&default, &default.data_dir));
    for config in [&reference, &default] {
        assert_eq!(config.attachments, Attachments::Own(config.data_dir.join("attachments")));
    }
}

#[test]
fn the_reference_has_every_key() {
    // A key that is not in the reference would be suggested here.
    let unknown = Folder::new(
        "[company]\nx=1\n[server]\nx=1\n[server.tls]\nx=1\n[server.tls.acme]\nx=1\n[database]\nx=1\n[attachments]\nx=1\n[keeping]\nx=1\n[leads]\nx=1\n[log]\nx=1\n[operator]\nx=1\n",
    );
    for (path, words) in unknown.problems() {
        let list = words.split("there are: ").nth(1).unwrap_or_else(|| panic!("{path}: {words}"));
        for key in list.split(", ") {
            let (written, section) = (format!("{key} = "), format!("[{}]", path.replace(".x", &format!(".{key}"))));
            assert!(Config::reference().lines().any(|line| line.starts_with(&written) || line == section), "{path}: {key}");
        }
    }
}

#[test]
fn the_reference_has_the_keys_of_every_kind() {
    for kind in crate::sources::kinds() {
        let example = kind.example.replace("{id}", kind.name);
        let commented: Vec<String> = example.trim().lines().map(|line| format!("# {line}").trim_end().to_owned()).collect();
        let commented = commented.join("\n");
        assert!(Config::reference().contains(&commented), "config/leadgate.reference.toml needs:\n{commented}");
    }
}

#[test]
fn the_reference_has_the_keys_of_webhooks() {
    let example = leadgate_outbound::webhook::EXAMPLE.replace("{id}", "crm");
    let commented: Vec<String> = example.trim().lines().map(|line| format!("# {line}").trim_end().to_owned()).collect();
    let commented = commented.join("\n");
    assert!(Config::reference().contains(&commented), "config/leadgate.reference.toml needs:\n{commented}");
}

#[test]
fn the_examples_of_every_kind_and_preset_work_as_they_are() {
    let kinds = crate::sources::kinds().map(|kind| (kind.name, kind.example));
    let presets = leadgate_web_forms::webhook::presets().iter().map(|preset| ("webhook", preset.example.as_str()));
    for (kind, example) in kinds.chain(presets) {
        let config = Folder::new("").write("sources.d/some-id.toml", &example.replace("{id}", "some-id")).good();
        let source = config.sources.iter().find(|source| source.id.as_str() == "some-id").unwrap();
        assert_eq!(source.kind.name, kind, "{example}");
    }
}

#[test]
fn layers_lie_over_each_other() {
    let folder = Folder::new("[company]\nname = \"main\"\ncountry = \"DE\"\n[sources.site]\nkind = \"html_form\"\n")
        .write("local.toml", "[company]\nname = \"local\"\n[log]\nlevel = \"debug\"\n[sources.site]\nenabled = false\n")
        .write("sources.d/b.toml", "[sources.shop]\nkind = \"tilda\"\n")
        .write("sources.d/ignored.txt", "no toml at all")
        .set("LEADGATE__COMPANY__COUNTRY", "KZ")
        .set("LEADGATE__SERVER__LISTEN", "127.0.0.1:9000, [::1]:9000")
        .set("LEADGATE__SERVER__MAX_CONNECTIONS", "17")
        .set("LEADGATE__SERVER__TRUSTED_PROXIES", "loopback,10.1.2.3")
        .set("LEADGATE__SERVER__INNER_SERVICES", "captcha.lan:8080, 10.0.0.0/24")
        .set("LEADGATE__SOURCES__SHOP__TOKEN", "abcdefghijklmnop")
        .set("LEADGATE_OTHER", "not ours");
    let config = folder.good();
    assert_eq!((config.company.name.as_str(), config.company.country.as_str()), ("local", "KZ"));
    assert_eq!(config.log.level, "debug");
    assert_eq!(config.server.max_connections, 17);
    assert_eq!(config.server.trusted_proxies.len(), 3);
    assert_eq!(config.server.inner_services.len(), 2);
    assert_eq!(config.server.listen, Listen::Addresses(vec!["127.0.0.1:9000".parse().unwrap(), "[::1]:9000".parse().unwrap()]));
    assert_eq!(config.base_url(), "http://127.0.0.1:9000");
    assert_eq!(config.files.len(), 3);
    let enabled: Vec<_> = config.sources.iter().map(|source| (source.id.as_str(), source.enabled)).collect();
    assert_eq!(enabled, [("shop", true), ("site", false)]);
    assert_eq!(config.without_tokens().len(), 1);
    let rules = config.rules();
    assert_eq!(rules.of(&config.sources[0].id).country.unwrap().as_str(), "KZ");
    assert_eq!(rules.fallback.country.unwrap().as_str(), "KZ");
}

#[test]
fn everything_wrong_is_told_at_once_with_key_and_place() {
    let folder = Folder::new(
        "[company]\ncountry = \"XX\"\ntime_zone = \"moscow\"\nphones = [\"12\", 7]\nnmae = \"x\"\n[serber]\n",
    )
    .write("local.toml", "[server]\nlisten = \"nowhere\"\npublic_url = \"leads.company.ru\"\nbody_timeout = \"30\"\ndrain = 5\nlease = \"200 ms\"\n")
    .write(
        "sources.d/x.toml",
        "[company]\nname = \"x\"\n[sources.\"Bad Id\"]\nkind = \"html_form\"\n[sources.a]\n[sources.b]\nkind = \"tildo\"\n",
    )
    .set("LEADGATE__DATABASE__URL", "mysql://u:geheim@localhost/leads")
    .set("LEADGATE__LEADS__GENERIC_AT", "1");
    let problems = folder.load().unwrap_err();
    let expected = [
        ("company", "x.toml", "sources only"),
        ("company.country", "leadgate.toml", "two-letter"),
        ("company.time_zone", "leadgate.toml", "did you mean \"Europe/Moscow\"?"),
        ("company.phones[0]", "leadgate.toml", "plus"),
        ("company.phones[1]", "leadgate.toml", "text in quotes"),
        ("company.nmae", "leadgate.toml", "did you mean \"name\"?"),
        ("server.listen", "local.toml", "\"nowhere\" is no address"),
        ("server.public_url", "local.toml", "https://leads.company.ru"),
        ("server.body_timeout", "local.toml", "unit"),
        ("server.drain", "local.toml", "unit"),
        ("server.lease", "local.toml", "at least \"1 s\""),
        ("database.url", "variable LEADGATE__DATABASE__URL", "\"mysql\" is no kind of database"),
        ("leads.generic_at", "variable LEADGATE__LEADS__GENERIC_AT", "from 2 to 1000"),
        ("sources.Bad Id", "x.toml", "no source id"),
        ("sources.a.kind", "x.toml", "html_form"),
        ("sources.b.kind", "x.toml", "did you mean \"tilda\"?"),
        ("serber", "leadgate.toml", "did you mean \"server\"?"),
    ];
    for (key, place, words) in expected {
        let told = problems
            .0
            .iter()
            .any(|problem| problem.key == key && problem.place.ends_with(place) && problem.words.contains(words));
        assert!(told, "{key} in {place}: {words}\n{problems}");
    }
    assert_eq!(problems.0.len(), expected.len(), "{problems}");
    assert!(problems.to_string().starts_with("the configuration has 17 problems:\n"));
}

#[test]
fn a_source_s_own_problems_have_its_path() {
    let problems = Folder::new("[sources.site]\nkind = \"html_form\"\nno_such_key = 1\n").problems();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].0, "sources.site.no_such_key");
}

#[test]
fn a_canary_needs_a_road_from_outside() {
    const MAIL: &str = "[mail]\nhost = \"127.0.0.1\"\nsecurity = \"plain\"\nfrom = \"leads@zavod.ru\"\n";
    const SERVER: &str = "[server]\npublic_url = \"https://leads.zavod.ru\"\n";
    let form = |every: &str| format!("[sources.site]\nkind = \"html_form\"\ncanary = \"{every}\"\n");
    let mailbox = |user: &str| {
        format!(
            "[sources.info]\nkind = \"imap\"\nhost = \"mail.zavod.ru\"\nuser = \"{user}\"\npassword = \"x\"\ncanary = \"6 h\"\n"
        )
    };
    let good = Folder::new(&format!("{SERVER}{MAIL}{}{}", form("5 min"), mailbox("Info@zavod.ru"))).good();
    let canaries: Vec<_> =
        good.onward.canaries.iter().map(|(id, canary)| (id.as_str(), canary.every, canary.road.clone())).collect();
    let road = Road::Mailbox("info@zavod.ru".to_owned());
    assert_eq!(canaries, [("info", SignedDuration::from_hours(6), road), ("site", SignedDuration::from_mins(5), Road::Form)]);
    let told = |text: &str, key: &str| Folder::new(text).words(key);
    assert!(told(&form("1 h"), "sources.site.canary").contains("public_url"));
    for bad in ["4 min", "8 days", "soon"] {
        assert!(told(&format!("{SERVER}{}", form(bad)), "sources.site.canary").contains("min\""), "{bad}");
    }
    assert!(told(&mailbox("info@zavod.ru"), "sources.info.canary").contains("[mail]"));
    assert!(told(&format!("{MAIL}{}", mailbox("info")), "sources.info.canary").contains("addresses"));
    let other = "[sources.t]\nkind = \"tilda\"\ncanary = \"1 h\"\n";
    assert!(told(&format!("{SERVER}{other}"), "sources.t.canary").contains("not tilda"));
}

#[test]
fn answers_that_nobody_reads_are_told() {
    let mail =
        |more: &str| format!("[mail]\nhost = \"127.0.0.1\"\nsecurity = \"plain\"\nfrom = \"Leads <leads@zavod.ru>\"\n{more}\n");
    let mailbox = |user: &str, more: &str| {
        format!("[sources.info]\nkind = \"imap\"\nhost = \"mail.zavod.ru\"\nuser = \"{user}\"\npassword = \"x\"\n{more}\n")
    };
    let loses = |text: String| Folder::new(&text).good().loses_answers();
    let gateway = mail("reply_via = \"gateway\"");
    assert!(loses(gateway.clone()));
    assert!(loses(format!("{gateway}{}", mailbox("info@zavod.ru", ""))));
    assert!(loses(format!("{gateway}{}", mailbox("leads@zavod.ru", "enabled = false"))));
    assert!(!loses(format!("{gateway}{}", mailbox("Leads@Zavod.ru", ""))));
    assert!(!loses(format!("{gateway}{}", mailbox("info", "addresses = [\"leads@zavod.ru\"]"))));
    assert!(!loses(mail("")), "they go to the customer");
}

#[test]
fn bots_tell_managers_and_chats() {
    const BOT: &str = "[sources.bot]\nkind = \"telegram\"\ntoken = \"123456:AAE-x\"\n";
    const STAFF: &str = "staff_chat = -1001\n";
    let people = "[[managers]]\nid = \"anna\"\n[[managers]]\nid = \"oleg\"\nemail = \"oleg@zavod.ru\"\nnotify_by = [\"mail\"]\n";
    let notify = |to: &str| format!("[[notify]]\nto = [{to}]\nevents = [\"lead.created\", \"source.failed\"]\n");
    let good = Folder::new(&format!("{BOT}{STAFF}{people}{}", notify("\"anna\", \"telegram:bot\", \"telegram:bot:-7\""))).good();
    let routes = good.onward.routes();
    let told = |name: &str| {
        let routes = routes.iter().filter(|route| route.events.iter().any(|pattern| pattern.fits(name)));
        routes.map(|route| format!("{} {}", route.target, route.recipient)).collect::<Vec<_>>()
    };
    assert_eq!(told("lead.created"), ["telegram:bot manager:anna", "telegram:bot chat:-1001", "telegram:bot chat:-7"]);
    assert_eq!(
        (told("message.received"), told("file.offered")),
        (vec!["telegram:bot ".to_owned()], vec!["files:bot ".to_owned()])
    );
    assert!(good.onward.tells_of_alarms() && good.onward.tells_of_leads());
    assert!(good.without_tokens().is_empty(), "a bot that is asked has no URL, and its token is none");
    let words = |text: &str| Folder::new(text).words("notify[0].to[0]");
    assert!(words(&format!("{BOT}{}", notify("\"telegram:bot\""))).contains("staff_chat"));
    assert!(words(&format!("{BOT}{}", notify("\"telegram:bott\""))).contains("did you mean"));
    assert!(words(&format!("{BOT}{}", notify("\"telegram:bot:x\""))).contains("-100"));
    assert!(words(&format!("{BOT}{people}{}", notify("\"oleg\""))).contains("notify_by"));
    assert!(words(&format!("{BOT}{}", notify("\"operator\""))).contains("[mail]"));
}

#[test]
fn working_hours_are_days_and_times() {
    let config = Folder::new("[company]\ntime_zone = \"Europe/Moscow\"\nhours = \"Mo-Fr 09:00-18:00, Sa 10:00-15:00\"\n").good();
    let hours = config.company.hours.unwrap();
    assert!(hours.is_open("2026-11-20T06:00:00Z".parse().unwrap()));
    assert!(!hours.is_open("2026-11-22T10:00:00Z".parse().unwrap()));
    assert!(Folder::new("[company]\nhours = \"nine to five\"\n").words("company.hours").contains("Mo-Fr"));
}

#[test]
fn files_that_are_no_toml_say_where() {
    let folder = Folder::new("[company]\nname = \n");
    let problems = folder.load().unwrap_err();
    assert!(problems.to_string().contains("line 2"), "{problems}");
    let missing = Config::load_on(Some(Path::new("none.toml")), folder.path(), BTreeMap::new(), &Machine::ask(&BTreeMap::new()));
    assert!(missing.unwrap_err().to_string().contains("no such file"));
}

#[test]
fn tokens_are_literals_variables_or_files_and_never_weak() {
    let folder = Folder::new(
        "[sources.a]\nkind = \"html_form\"\ntoken = { env = \"A_TOKEN\" }\n\
         [sources.b]\nkind = \"html_form\"\ntokens = [\"new-new-new-new-new\", { file = \"old\" }]\n",
    )
    .write("old", "old-old-old-old-old\n")
    .set("A_TOKEN", "aaaaaaaaaaaaaaaaaaaa");
    let config = folder.good();
    assert_eq!(config.sources[0].path().as_deref(), Some("/in/a/aaaaaaaaaaaaaaaaaaaa"));
    assert_eq!(
        config.sources[1].tokens.iter().map(Secret::expose).collect::<Vec<_>>(),
        ["new-new-new-new-new", "old-old-old-old-old"]
    );
    assert!(!format!("{config:?}").contains("aaaa"));

    let bad = Folder::new("[sources.a]\nkind = \"html_form\"\ntoken = \"short\"\ntokens = [\"not/for/a/url/at/all\"]\n");
    assert!(bad.words("sources.a.token").contains("16"));
    assert!(bad.words("sources.a.tokens[0]").contains("URL"));
    assert!(bad.words("sources.a.tokens").contains("either"));
    assert!(
        Folder::new("[sources.a]\nkind = \"html_form\"\ntoken = { env = \"NONE\" }\n")
            .words("sources.a.token")
            .contains("not set")
    );
}

#[test]
fn managers_are_ours_and_have_one_id_each() {
    let config =
        Folder::new("[[managers]]\nid = \"anna\"\nemail = \"anna@company.ru\"\n[[managers]]\nid = \"oleg\"\nname = \"Олег\"\n")
            .good();
    assert_eq!(config.managers[0].name, "anna");
    assert_eq!(config.managers[1].name, "Олег");
    assert!(config.rules().ours.email("anna@company.ru", ""));
    let bad = Folder::new("[[managers]]\nid = \"anna\"\n[[managers]]\nid = \"anna\"\n[[managers]]\nname = \"x\"\n");
    assert_eq!(bad.problems().into_iter().map(|(key, _)| key).collect::<Vec<_>>(), ["managers[1].id", "managers[2].id"]);
    assert!(Folder::new("[managers]\nid = \"a\"\n").words("managers").contains("[[managers]]"));
}

#[test]
fn lines_are_ours_and_tell_where_callers_come_from() {
    let config = Folder::new(
        "[company]\ncountry = \"RU\"\n[sources.site]\nkind = \"html_form\"\n[sources.other]\nkind = \"html_form\"\n\
         [[lines]]\nnumber = [\"8 495 123-45-67\", \"+7 800 555-35-35\"]\nsource = \"Billboard\"\nlanguage = \"ru\"\n\
         utm_defaults = { utm_medium = \"outdoor\" }\nsources = [\"site\"]\n",
    )
    .good();
    let rules = config.rules();
    assert!(rules.ours.phone("+74951234567") && rules.ours.phone("+78005553535"));
    let of = |source: &str| Arc::clone(&rules.of(&SourceId::parse(source).unwrap()).calls.lines);
    let line = &of("site")["+74951234567"];
    assert_eq!((line.touch.get("utm_source"), line.touch.get("utm_medium")), (Some("Billboard"), Some("outdoor")));
    assert_eq!((line.title.as_deref(), line.language.as_deref()), (Some("Billboard"), Some("ru")));
    assert!(of("other").is_empty());
    let bad = Folder::new(
        "[[lines]]\nsource = \"x\"\n[[lines]]\nnumber = \"12\"\nlanguage = \"Russian\"\nutm_defaults = { name = \"x\" }\nfax = 1\n\
         [[lines]]\nnumber = \"+7 495 123-45-67\"\n[[lines]]\nnumber = \"+74951234567\"\n",
    );
    let keys: Vec<String> = bad.problems().into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        ["lines[0].number", "lines[1].number[0]", "lines[1].language", "lines[1].utm_defaults", "lines[1].fax", "lines[3]"]
    );
    assert!(Folder::new("[lines]\nnumber = \"1\"\n").words("lines").contains("[[lines]]"));
}

#[test]
fn lengths_of_time_need_a_unit() {
    use section::duration;
    assert_eq!(duration("90 days"), Ok(SignedDuration::from_hours(24 * 90)));
    assert_eq!(duration("1h 30min"), Ok(SignedDuration::from_mins(90)));
    assert_eq!(duration("30s"), Ok(SignedDuration::from_secs(30)));
    for bad in ["30", "", "soon", "-5 s", "0 s", "1 month"] {
        assert!(duration(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_gateway_s_country_reads_the_phones_of_its_sources() {
    let config = Folder::new("[company]\ncountry = \"RU\"\n[sources.site]\nkind = \"html_form\"\n").good();
    let rules = config.rules();
    assert_eq!(rules.of(&config.sources[0].id).country.unwrap().as_str(), "RU");
    assert_eq!(rules.of(&SourceId::parse("gone").unwrap()).country.unwrap().as_str(), "RU");
}

#[test]
fn attachments_lie_in_a_folder_or_a_bucket() {
    let of = |text: &str| Folder::new(&format!("[attachments]\n{text}\n"));
    let shared = of("url = \"file:../shared/leadgate\"");
    assert_eq!(shared.good().attachments, Attachments::Shared(shared.path().join("shared/leadgate")));
    assert_eq!(of("url = \"file:///mnt/files\"").good().attachments, Attachments::Shared("/mnt/files".into()));
    let keys = "access_key = \"a\"\nsecret_key = { env = \"KEY\" }";
    let bucket = of(&format!("url = \"s3://leads/north/\"\nendpoint = \"http://127.0.0.1:9000/\"\n{keys}")).set("KEY", "s");
    let Attachments::S3(s3) = bucket.good().attachments else { panic!("a bucket") };
    assert_eq!((s3.bucket.as_str(), s3.prefix.as_str(), s3.region.as_str()), ("leads", "north", "us-east-1"));
    assert_eq!((s3.endpoint.as_deref(), s3.secret_key.expose()), (Some("http://127.0.0.1:9000"), "s"));
    assert!(!format!("{s3:?}").contains("\"s\""));

    let s3 = |more: &str| of(&format!("url = \"s3://leads\"\n{more}")).set("KEY", "s");
    assert!(s3("").words("attachments.access_key").contains("both keys"));
    assert!(s3(&format!("endpoint = \"http://minio:9000\"\n{keys}")).words("attachments.endpoint").contains("allow_http"));
    assert!(s3(&format!("endpoint = \"http://minio:9000\"\nallow_http = true\n{keys}")).load().is_ok());
    assert!(s3(&format!("endpoint = \"ftp://minio\"\n{keys}")).words("attachments.endpoint").contains("https://"));
    assert!(of("endpoint = \"https://s3.company.ru\"").words("attachments.endpoint").contains("s3://"));
    for bad in ["s3://B", "../elsewhere", "/srv/files", "https://x", "file:/", "s3://leads/../x"] {
        assert!(!of(&format!("url = \"{bad}\"")).words("attachments.url").is_empty(), "{bad}");
    }
}

#[test]
fn a_database_is_a_file_or_a_server() {
    let with = |url: &str| Folder::new(&format!("[database]\nurl = {url}\n")).set("DB", "postgres://u:geheim@localhost/leads");
    let config = with("\"postgres://u:geheim@db.example.org,localhost:6000/leads\"").good();
    assert_eq!(config.database.to_string(), "postgres://u@db.example.org:5432,localhost:6000/leads");
    assert!(!format!("{config:?}").contains("geheim"));
    assert!(config.database.may_exist());
    assert_eq!(with("{ env = \"DB\" }").good().database.to_string(), "postgres://u@localhost:5432/leads");
    let file = with("\"sqlite:leads.db\"").good();
    assert!(matches!(&file.database, Database::Sqlite(path) if path.ends_with("leads.db")) && !file.database.may_exist());
    for (url, words) in [
        ("\"postgres://u:geheim@db/x?sslmode=prefer\"", "protects nothing"),
        ("\"postgres://u:geheim@db/x?pool=3\"", "\"pool\""),
        ("\"mysql://u:geheim@db/x\"", "\"mysql\" is no kind of database"),
        ("\"geheim\"", "postgres://<user>@<host>/<database>"),
        ("7", "no secret"),
    ] {
        let told = with(url).words("database.url");
        assert!(told.contains(words) && !told.contains("geheim"), "{told}");
    }
}
