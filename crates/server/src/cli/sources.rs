//! `sources`, `source new` and `source rotate`; the rest of `source` is in [`mapping`].

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::SourceKind;
use leadgate_core::receipt::Outcome;
use leadgate_core::secret::Secret;
use leadgate_core::views::{SourceHealth, SourceNote};

use super::args::{Globals, SourceCommand};
use super::gate::{Gate, Reader, reload};
use super::{mapping, pulls, story};
use crate::config::{Config, LoadOptions, Source, did_you_mean};

use crate::print;
use crate::secrets::SourceTokens;
use crate::sources::{self, Preset, REMOVED, Reading, SourceView};

/// Every source as the API shows it, with its full URL.
pub(super) async fn all(gate: &Gate) -> anyhow::Result<Vec<SourceView>> {
    if gate.globals.url.is_some() {
        return match gate.reader().await? {
            Reader::Api(api) => api.get("/api/v1/sources").await,
            Reader::Store(_) => bail!("--url names no gateway"),
        };
    }
    // Before the first delivery there may be no database: the URLs are the same.
    let (health, notes) = if gate.config.database.may_exist() {
        let reader = gate.reader().await?;
        (reader.health(gate.clock.now()).await?, reader.source_notes().await?)
    } else {
        (Vec::new(), Vec::new())
    };
    let mut config = Config::load(LoadOptions::from_process(gate.globals.config.clone()))?;
    let tokens = SourceTokens::load(&config.data_dir)?;
    config.add_tokens(&tokens);
    let removed = tokens.others(&config.sources.iter().map(|source| &source.id).collect::<Vec<_>>());
    Ok(views(&config, &removed, health, &notes))
}

fn views(
    config: &Config,
    removed: &[(SourceId, Vec<Secret>)],
    mut health: Vec<SourceHealth>,
    notes: &[SourceNote],
) -> Vec<SourceView> {
    let base = config.base_url();
    let mut views = Vec::with_capacity(config.sources.len());
    for source in &config.sources {
        let known = health.iter().position(|health| health.source == source.id).map(|index| health.swap_remove(index));
        views.push(SourceView::of(source, &base, known, Reading::of(&source.id, notes)));
    }
    for (id, tokens) in removed {
        let known = health.iter().position(|health| health.source == *id).map(|index| health.swap_remove(index));
        views.push(SourceView::removed(id, tokens, &base, known));
    }
    views
}

/// Runs `sources`.
pub(super) async fn list(gate: &Gate) -> anyhow::Result<()> {
    let sources = all(gate).await?;
    if gate.json() {
        return Ok(print::json(&sources)?);
    }
    if sources.is_empty() {
        return Ok(print::line("No source is configured. `leadgate source new --help` lists what there is.")?);
    }
    let mut text = print::Text::default();
    for source in &sources {
        tell(gate, source, &mut text);
        text.line("");
    }
    if gate.config.server.public_url.is_none() && gate.globals.url.is_none() {
        text.line("These URLs work on this machine. Once the gateway has an address of its own, set it with `leadgate init`.");
    }
    Ok(print::out(&text.finish())?)
}

fn tell(gate: &Gate, source: &SourceView, text: &mut print::Text) {
    let off = match (&*source.kind, source.enabled) {
        (REMOVED, _) => "; what still comes waits in quarantine until `leadgate source forget`",
        (_, true) => "",
        (_, false) if source.is_asked => ", switched off: nothing is read",
        (_, false) => ", switched off: what comes waits in quarantine",
    };
    text.line(format!("{} ({}{off})", source.id, print::safe(&source.kind)));
    let mut pair = |name: &str, value: &str| text.pair(2, name, value);
    if source.is_asked {
        match &source.reading {
            Some(reading) if source.enabled => pulls::tell(gate, reading, &mut pair),
            _ => pair("state", "not read yet"),
        }
    } else {
        pair("URL", source.url.as_deref().unwrap_or("made at the first start"));
    }
    if let Some(script) = &source.script {
        pair("script", script);
    }
    if source.tokens > 1 {
        pair("", &format!("an old URL still works; when nobody uses it: leadgate source rotate {} --finish", source.id));
    }
    match &source.health {
        None => pair("last heard", "nothing yet"),
        Some(health) => {
            pair("last heard", &story::time_or_dash(health.last_accepted, gate.zone()));
            if let Some(usual) = health.usual.filter(|_| health.silent) {
                let words =
                    format!("about {:.0} usually come in the time it has been quiet: look at the sender", usual.since_heard);
                pair("silent", &words);
            }
            if let Some(broken) = health.broken {
                let since = story::time(broken.since, gate.zone());
                let words =
                    format!("since {since} {} came by mail only, and not from the form itself: is its URL right?", broken.missed);
                pair("webhook broken", &words);
            }
            pair("so far", &counts(health));
            if let Some(at) = health.last_rejected {
                pair("last refused", &rejected(gate, at, health.last_rejection.as_deref()));
            }
        }
    }
}

fn rejected(gate: &Gate, at: Timestamp, why: Option<&str>) -> String {
    let at = story::time(at, gate.zone());
    why.map_or_else(|| at.clone(), |why| format!("{at}: {why}"))
}

/// `12 created, 3 attached`.
pub(super) fn counts(health: &SourceHealth) -> String {
    let count =
        |outcome: Outcome| health.counts.iter().filter(|(known, _)| *known == outcome).map(|(_, count)| count).sum::<u64>();
    let mut parts: Vec<String> = Outcome::ALL
        .into_iter()
        .map(|outcome| (count(outcome), outcome))
        .filter(|(n, _)| *n > 0)
        .map(|(n, o)| format!("{n} {o}"))
        .collect();
    if health.refused > 0 {
        parts.push(format!("{} refused and not kept", health.refused));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// Runs `source`.
pub(super) async fn command(globals: &Globals, command: SourceCommand) -> anyhow::Result<()> {
    if let SourceCommand::Backfill { id, since } = command {
        return pulls::backfill(&Gate::new(globals)?, &id, since).await;
    }
    if globals.url.is_some() {
        bail!("sources are files of the gateway's machine: run this command there, without --url");
    }
    let gate = Gate::new(globals)?;
    match command {
        SourceCommand::New { kind, preset, id } => new(&gate, &Wanted::find(&kind, preset.as_deref())?, id).await,
        SourceCommand::Rotate { id, finish } => rotate(&gate, &id, finish).await,
        SourceCommand::Map { id } => mapping::map(&gate, &id).await,
        SourceCommand::Try { id, body } => mapping::try_body(&gate, &id, &body).await,
        SourceCommand::Test { id } => pulls::test(&gate, &id).await,
        SourceCommand::Backfill { id, since } => pulls::backfill(&gate, &id, since).await,
        SourceCommand::Forget { id } => forget(&gate, &id).await,
    }
}

/// What to make a source of.
struct Wanted {
    kind: &'static SourceKind,
    preset: Option<Preset>,
}

impl Wanted {
    /// Finds a kind and, if one is named, a preset of it.
    fn find(kind: &str, preset: Option<&str>) -> anyhow::Result<Self> {
        let kind = find_kind(kind)?;
        let Some(name) = preset else { return Ok(Self { kind, preset: None }) };
        let of_kind = || sources::presets().filter(|preset| preset.kind() == kind.name);
        if of_kind().next().is_none() {
            let kind = sources::presets().find(|preset| preset.name() == name).map_or("webhook", |preset| preset.kind());
            bail!("only webhook and call_webhook have presets: leadgate source new {kind} --preset {name}");
        }
        let known = of_kind().find(|preset| preset.name() == name).ok_or_else(|| {
            let names = of_kind().map(|preset| preset.name());
            let near = did_you_mean(name, names).map_or_else(String::new, |near| format!("; did you mean {near}?"));
            anyhow!("there is no preset called {name:?}{near}\n{}", presets_told())
        })?;
        Ok(Self { kind, preset: Some(known) })
    }

    /// The name an id is made of.
    fn name(&self) -> &'static str {
        self.preset.map_or(self.kind.name, |preset| preset.name())
    }

    fn example(&self) -> &str {
        self.preset.map_or(self.kind.example, |preset| preset.example())
    }

    fn steps(&self, language: &str) -> &str {
        self.preset.map_or_else(|| (self.kind.setup)(language), |preset| preset.steps(language))
    }
}

async fn new(gate: &Gate, wanted: &Wanted, id: Option<SourceId>) -> anyhow::Result<()> {
    let id = match id {
        Some(id) if taken(&gate.config, &id) => bail!("there is a source {id} already: choose another --id"),
        Some(id) => id,
        None => free_id(&gate.config, wanted.name())?,
    };
    let path = write_source(&gate.config.folder, &id, wanted.example())?;
    let config = match load_with_token(gate, &id) {
        Ok(config) => config,
        Err(error) => {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            return Err(error);
        }
    };
    let source =
        config.sources.iter().find(|source| source.id == id).ok_or_else(|| anyhow!("{} was not read", path.display()))?;
    let url = full_url(&config, source);
    let live = tell_gateway(gate).await?;
    if gate.json() {
        return Ok(print::json(
            &serde_json::json!({ "id": id, "kind": wanted.kind.name, "file": path, "url": url, "live": live.is_some() }),
        )?);
    }
    let script = sources::script_of(&source.connector.mode).map(|script| script.tag(&config.base_url(), id.as_str()));
    let steps = wanted
        .steps(config.company.language.as_str())
        .replace("{url}", &url)
        .replace("{id}", id.as_str())
        .replace("{script}", script.as_deref().unwrap_or_default());
    let mut text = print::Text::default();
    text.line(format!("Written to {}; what the source can be told stands there.", path.display()));
    let is_asked = source.connector.mode.push().is_none();
    if is_asked {
        text.line(format!("\n{}\n", steps.trim()));
    } else {
        text.line(format!("\nThe URL of {id}:\n{url}\n\n{}\n", steps.trim()));
    }
    let works = if is_asked { "it is read" } else { "the URL works" };
    text.line(match live {
        _ if !source.enabled => "It is switched off until its section says enabled = true.".to_owned(),
        Some(words) => words,
        None => format!("The gateway is not running: start it with `leadgate`, and {works}."),
    });
    if config.server.public_url.is_none() && !is_asked {
        text.line("The URL works on this machine only. Set the address of the gateway with `leadgate init`, then see `leadgate sources`.");
    }
    Ok(print::out(&text.finish())?)
}

fn find_kind(name: &str) -> anyhow::Result<&'static SourceKind> {
    sources::kind(name).ok_or_else(|| {
        let names: Vec<&str> = sources::kinds().map(|kind| kind.name).collect();
        let near = did_you_mean(name, names.iter().copied()).map_or_else(String::new, |near| format!("; did you mean {near}?"));
        anyhow!("there is no kind of source called {name:?}{near}\n{}", kinds_told())
    })
}

/// Every kind in a line of its own.
pub(super) fn kinds_told() -> String {
    let mut text = print::Text::default();
    text.line("Kinds:");
    for kind in sources::kinds() {
        text.pair(2, kind.name, kind.about);
    }
    text.block(&presets_told());
    text.finish()
}

/// Every preset in a line of its own.
fn presets_told() -> String {
    let mut text = print::Text::default();
    let mut of = "";
    for preset in sources::presets() {
        if preset.kind() != of {
            of = preset.kind();
            text.line(format!("Presets (leadgate source new {of} --preset NAME):"));
        }
        text.pair(2, preset.name(), preset.about());
    }
    text.finish()
}

fn taken(config: &Config, id: &SourceId) -> bool {
    config.sources.iter().any(|source| source.id == *id) || source_file(&config.folder, id).exists()
}

fn free_id(config: &Config, name: &str) -> anyhow::Result<SourceId> {
    let ids = std::iter::once(name.to_owned()).chain((2..1000).map(|n| format!("{name}-{n}")));
    ids.filter_map(|id| SourceId::parse(&id).ok())
        .find(|id| !taken(config, id))
        .ok_or_else(|| anyhow!("there are very many {name} sources: choose an id with --id"))
}

fn source_file(folder: &Path, id: &SourceId) -> PathBuf {
    folder.join("sources.d").join(format!("{id}.toml"))
}

fn write_source(folder: &Path, id: &SourceId, example: &str) -> anyhow::Result<PathBuf> {
    let path = source_file(folder, id);
    let parent = folder.join("sources.d");
    std::fs::create_dir_all(&parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
    let text = format!("{}\n", example.replace("{id}", id.as_str()).trim());
    let mut file = std::fs::File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The configuration as it is on disk now, with a token for this source.
fn load_with_token(gate: &Gate, id: &SourceId) -> anyhow::Result<Config> {
    let mut config = Config::load(LoadOptions::from_process(gate.globals.config.clone()))?;
    if config.without_tokens().contains(id) {
        let tokens = SourceTokens::load_or_create(&config.data_dir, std::slice::from_ref(id), &[])?;
        config.add_tokens(&tokens);
    }
    Ok(config)
}

fn full_url(config: &Config, source: &Source) -> String {
    format!("{}{}", config.base_url(), source.path().unwrap_or_default())
}

/// Makes a running gateway read its sources again; says so. `None`: it does not run.
async fn tell_gateway(gate: &Gate) -> anyhow::Result<Option<String>> {
    let Some(api) = gate.running().await? else { return Ok(None) };
    reload(&api).await.context("the change is written, but the running gateway refused to read it")?;
    Ok(Some("The running gateway uses it now.".to_owned()))
}

async fn rotate(gate: &Gate, id: &SourceId, finish: bool) -> anyhow::Result<()> {
    if !gate.config.sources.iter().any(|source| source.id == *id) {
        let ids: Vec<&str> = gate.config.sources.iter().map(|source| source.id.as_str()).collect();
        bail!("there is no source {id}; there are: {}", ids.join(", "));
    }
    if gate.config.sources.iter().any(|source| source.id == *id && source.connector.mode.push().is_none()) {
        bail!("{id} is a source the gateway asks: it has no URL");
    }
    if !gate.config.without_tokens().contains(id) {
        bail!(
            "the token of {id} is written in the configuration: change it there. With tokens = [\"new\", \"old\"] both URLs work until \
             you remove the old one"
        );
    }
    let dropped = if finish {
        Some(SourceTokens::finish(&gate.config.data_dir, id)?)
    } else {
        SourceTokens::load_or_create(&gate.config.data_dir, std::slice::from_ref(id), &[])?;
        SourceTokens::rotate(&gate.config.data_dir, id)?;
        None
    };
    let config = load_with_token(gate, id)?;
    let url = config.sources.iter().find(|source| source.id == *id).map(|source| full_url(&config, source)).unwrap_or_default();
    let live = tell_gateway(gate).await?;
    if gate.json() {
        return Ok(print::json(&serde_json::json!({ "id": id, "url": url, "dropped": dropped, "live": live.is_some() }))?);
    }
    let words = match dropped {
        None => format!(
            "The new URL of {id}:\n{url}\n\nThe old one works beside it. Put the new one in its place everywhere; then drop the old one:\n\
             leadgate source rotate {id} --finish"
        ),
        Some(0) => format!("{id} has one URL only:\n{url}"),
        Some(_) => format!("The old URL of {id} no longer works. This one does:\n{url}"),
    };
    let live = live.unwrap_or_else(|| "The gateway is not running: it will use it when it starts.".to_owned());
    Ok(print::line(&format!("{words}\n{live}"))?)
}

async fn forget(gate: &Gate, id: &SourceId) -> anyhow::Result<()> {
    if gate.config.sources.iter().any(|source| source.id == *id) {
        bail!(
            "{id} is in the configuration: take it out first, or set enabled = false (then what comes is kept in quarantine);              `leadgate source rotate {id}` changes its URL"
        );
    }
    if !SourceTokens::forget(&gate.config.data_dir, id)? {
        bail!("there is no URL of a source {id} to forget");
    }
    let live = tell_gateway(gate).await?;
    if gate.json() {
        return Ok(print::json(&serde_json::json!({ "id": id, "live": live.is_some() }))?);
    }
    let live = live.unwrap_or_else(|| "The gateway is not running.".to_owned());
    Ok(print::line(&format!("The URL of {id} is unknown from now on; what came stays. {live}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_written_once_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        for kind in sources::kinds() {
            let id = SourceId::parse(kind.name).unwrap();
            let path = write_source(folder.path(), &id, kind.example).unwrap();
            let table: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
            assert_eq!(table["sources"][kind.name]["kind"].as_str(), Some(kind.name));
            assert!(write_source(folder.path(), &id, kind.example).is_err(), "an existing file stays");
        }
    }

    #[test]
    fn a_kind_nearly_right_is_suggested() {
        let error = find_kind("tild").map(|kind| kind.name).unwrap_err().to_string();
        assert!(error.contains("did you mean tilda?") && error.contains("html_form"), "{error}");
    }

    #[test]
    fn a_preset_is_a_source_of_its_own_name() {
        for preset in sources::presets() {
            let wanted = Wanted::find(preset.kind(), Some(preset.name())).unwrap();
            assert_eq!(wanted.name(), preset.name());
            let table: toml::Table = wanted.example().replace("{id}", "x").parse().unwrap();
            assert_eq!(table["sources"]["x"]["kind"].as_str(), Some(preset.kind()), "{}", preset.name());
            assert!(wanted.steps("ru").contains("{url}") && wanted.steps("fr") == wanted.steps("en"));
        }
        let error = |kind, preset| Wanted::find(kind, Some(preset)).map(|wanted| wanted.name()).unwrap_err().to_string();
        assert!(error("webhook", "typform").contains("did you mean typeform?"));
        assert!(error("call_webhook", "binotl").contains("did you mean binotel?"));
        assert!(error("tilda", "typeform").contains("source new webhook --preset typeform"));
        assert!(error("tilda", "uis").contains("source new call_webhook --preset uis"));
    }

    #[test]
    fn counts_are_in_words() {
        let mut health = SourceHealth {
            source: SourceId::parse("site").unwrap(),
            last_accepted: None,
            last_rejected: None,
            last_rejection: None,
            counts: vec![(Outcome::Spam, 2), (Outcome::Created, 12), (Outcome::Repeat, 0)],
            refused: 1,
            usual: None,
            silent: false,
            broken: None,
        };
        assert_eq!(counts(&health), "12 created, 2 spam, 1 refused and not kept");
        (health.counts, health.refused) = (vec![], 0);
        assert_eq!(counts(&health), "nothing");
    }
}
