//! `init`: five questions about the company, answered into `local.toml`.
//!
//! Whatever else stands in that file stays as it is, comments too.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use dialoguer::Input;
use dialoguer::theme::ColorfulTheme;
use leadgate_core::phone::Country;
use toml_edit::{DocumentMut, Item, Table, value};

use super::args::{Globals, Init};
use crate::config::{Config, LoadOptions, answers};
use crate::print;

const HEAD: &str = "# Your own settings; they stand above those of leadgate.toml. Every key: `leadgate reference`.\n";

/// The answers; an empty text is no answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answers {
    company: String,
    country: String,
    time_zone: String,
    language: String,
    public_url: String,
}

/// One question: what is asked, what is answered without typing, and what an answer must be.
struct Question<'a> {
    option: &'static str,
    prompt: &'static str,
    given: Option<&'a str>,
    /// What Enter answers.
    default: String,
    /// Nobody has set it: unasked, it stays an assumption.
    assumed: bool,
    check: fn(&str) -> Result<(), String>,
}

/// Runs `init`.
pub(super) fn command(globals: &Globals, init: &Init) -> anyhow::Result<()> {
    let config = Config::load(LoadOptions::from_process(globals.config.clone()))?;
    let ask = !init.yes && !globals.json && print::can_ask();
    if ask {
        print::note("Five questions about your company. Enter keeps what stands in brackets; everything can be changed later.\n");
    }
    let answers = answers_of(&config, init, ask)?;
    let path = config.folder.join("local.toml");
    let before = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => HEAD.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let after = written(&before, &answers).with_context(|| format!("{} is no TOML", path.display()))?;
    replace(&path, &after)?;
    let config = Config::load(LoadOptions::from_process(globals.config.clone()))?;
    if globals.json {
        return Ok(print::json(&serde_json::json!({ "file": path, "assumed": config.assumed }))?);
    }
    Ok(print::out(&told(&path, &config))?)
}

fn answers_of(config: &Config, init: &Init, ask: bool) -> anyhow::Result<Answers> {
    let company = &config.company;
    let assumed = |what: &str| config.assumed.iter().any(|words| words.starts_with(what));
    let answer = |question: &Question<'_>| question.answer(ask);
    let name = answer(&Question {
        option: "--company",
        prompt: "Your company's name, as customers see it",
        given: init.company.as_deref(),
        default: if assumed("company name") { String::new() } else { company.name.clone() },
        assumed: assumed("company name"),
        check: |_| Ok(()),
    })?;
    let country = answer(&Question {
        option: "--country",
        prompt: "Country (two letters); phones without a country are read as of here",
        given: init.country.as_deref(),
        default: company.country.to_string(),
        assumed: assumed("country"),
        check: |text| text.parse::<Country>().map(|_| ()).map_err(|error| error.to_string()),
    })?;
    let country = country.to_ascii_uppercase();
    let time_zone = answer(&Question {
        option: "--time-zone",
        prompt: "Time zone",
        given: init.time_zone.as_deref(),
        default: company.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        assumed: assumed("time zone"),
        check: |text| answers::time_zone(text).map(|_| ()),
    })?;
    let usual = country.parse::<Country>().map_or(company.language, answers::usual_language);
    let language = answer(&Question {
        option: "--language",
        prompt: "Language of pages and instructions (ru or en)",
        given: init.language.as_deref(),
        default: if assumed("language") { usual } else { company.language }.to_string(),
        assumed: assumed("language"),
        check: |text| answers::language(text).map(|_| ()),
    })?;
    let public_url = answer(&Question {
        option: "--public-url",
        prompt: "Address under which your site reaches this gateway (empty: none yet)",
        given: init.public_url.as_deref(),
        default: config.server.public_url.clone().unwrap_or_default(),
        assumed: false,
        check: |text| if text.is_empty() { Ok(()) } else { answers::public_url(text).map(|_| ()) },
    })?;
    Ok(Answers { company: name, country, time_zone, language: language.to_ascii_lowercase(), public_url })
}

impl Question<'_> {
    fn answer(&self, ask: bool) -> anyhow::Result<String> {
        if let Some(given) = self.given {
            let given = given.trim();
            return (self.check)(given).map(|()| given.to_owned()).map_err(|words| anyhow!("{}: {words}", self.option));
        }
        if !ask {
            return Ok(if self.assumed { String::new() } else { self.default.clone() });
        }
        let check = self.check;
        let theme = ColorfulTheme::default();
        let mut input = Input::<String>::with_theme(&theme)
            .with_prompt(self.prompt)
            .allow_empty(true)
            .validate_with(move |text: &String| check(text.trim()));
        if !self.default.is_empty() {
            input = input.default(self.default.clone());
        }
        match input.interact_text() {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(dialoguer::Error::IO(error)) if error.kind() == std::io::ErrorKind::Interrupted => {
                bail!("stopped; nothing was written")
            }
            Err(error) => Err(error).context("cannot ask here: answer with options, see `leadgate init --help`"),
        }
    }
}

/// The file with the answers in it.
fn written(before: &str, answers: &Answers) -> anyhow::Result<String> {
    let mut document: DocumentMut = before.parse()?;
    // A file of comments alone: they stand above what is written, not below.
    let comments = if document.is_empty() { before } else { "" };
    if document.is_empty() {
        document = DocumentMut::new();
    }
    let company = [
        ("name", &answers.company),
        ("country", &answers.country),
        ("time_zone", &answers.time_zone),
        ("language", &answers.language),
    ];
    set(&mut document, "company", &company)?;
    set(&mut document, "server", &[("public_url", &answers.public_url)])?;
    let written = document.to_string();
    let gap = if comments.is_empty() || written.is_empty() { "" } else { "\n" };
    Ok(format!("{comments}{gap}{written}"))
}

fn set(document: &mut DocumentMut, section: &str, pairs: &[(&str, &String)]) -> anyhow::Result<()> {
    if pairs.iter().all(|(_, answer)| answer.is_empty()) && !document.contains_key(section) {
        return Ok(());
    }
    let table = document.entry(section).or_insert_with(|| Item::Table(Table::new()));
    let table = table.as_table_like_mut().ok_or_else(|| anyhow!("{section} is no section"))?;
    for (key, answer) in pairs {
        if answer.is_empty() {
            table.remove(key);
        } else {
            table.insert(key, value(answer.as_str()));
        }
    }
    Ok(())
}

/// Replaces the file at once or not at all.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let cannot = || format!("cannot write {}", path.display());
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    // For its owner alone, as temporary files are: secrets may stand in it.
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).with_context(cannot)?;
    file.persist(path).map_err(|error| error.error).with_context(cannot)?;
    Ok(())
}

fn told(path: &Path, config: &Config) -> String {
    let company = &config.company;
    let zone = company.time_zone.iana_name().unwrap_or("this machine's zone");
    let mut text = print::Text::default();
    text.line(format!("Written to {}", path.display()));
    text.pair(2, "company", &company.name);
    text.pair(2, "country", company.country.as_str());
    text.pair(2, "time zone", zone);
    text.pair(2, "language", company.language.as_str());
    text.pair(2, "public URL", config.server.public_url.as_deref().unwrap_or("none yet: only this machine reaches the gateway"));
    for assumed in &config.assumed {
        text.pair(2, "assumed", assumed);
    }
    text.line("\nNext: start the gateway with `leadgate`. If it runs already, start it again.");
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Answers {
        Answers {
            company: "Ромашка \"и\" дочери".into(),
            country: "RU".into(),
            time_zone: "Europe/Moscow".into(),
            language: "ru".into(),
            public_url: "https://leads.company.ru".into(),
        }
    }

    #[test]
    fn a_new_file_holds_the_answers() {
        let text = written(HEAD, &answers()).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["company"]["name"].as_str(), Some("Ромашка \"и\" дочери"));
        assert_eq!(table["server"]["public_url"].as_str(), Some("https://leads.company.ru"));
        assert!(text.starts_with(HEAD));
    }

    #[test]
    fn what_else_stands_in_the_file_stays() {
        let before = "# mine\n[company]\nphones = [\"+7 495 123-45-67\"] # the office\nname = \"old\"\n\n[server]\nlisten = 9000\n\n[log]\nlevel = \"debug\"\n";
        let after = written(before, &Answers { public_url: String::new(), ..answers() }).unwrap();
        for kept in ["# mine", "# the office", "listen = 9000", "level = \"debug\""] {
            assert!(after.contains(kept), "{kept}\n{after}");
        }
        assert!(!after.contains("\"old\"") && !after.contains("public_url"), "{after}");
    }

    #[test]
    fn nothing_answered_writes_nothing() {
        assert_eq!(written(HEAD, &Answers::default()).unwrap(), HEAD);
        assert!(written("company = 1\n", &answers()).is_err());
    }

    #[test]
    fn options_are_checked_like_answers() {
        let question = |given| Question {
            option: "--country",
            prompt: "",
            given: Some(given),
            default: String::new(),
            assumed: false,
            check: |text| text.parse::<Country>().map(|_| ()).map_err(|error| error.to_string()),
        };
        assert_eq!(question(" kz ").answer(false).unwrap(), "kz");
        assert!(question("Russia").answer(false).unwrap_err().to_string().starts_with("--country: "));
    }
}
