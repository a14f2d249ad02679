//! The layers of the configuration: which files and variables there are, laid over each other, each value with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use super::problems::Problem;

/// The configuration as it ships. Used when no file is found, so that the binary works from anywhere.
const SHIPPED: &str = include_str!("../../../../config/leadgate.toml");

/// Variables with this beginning override keys: `LEADGATE__SERVER__LISTEN` is `server.listen`.
pub(super) const PREFIX: &str = "LEADGATE__";

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the configuration that is built in.
    BuiltIn,
    /// In this file.
    File(PathBuf),
    /// In this environment variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => write!(f, "variable {name}"),
        }
    }
}

/// All layers in one table.
#[derive(Debug, Default)]
pub(super) struct Layers {
    /// The merged values.
    pub table: Table,
    /// Where each leaf came from, by key path.
    pub places: BTreeMap<String, Place>,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
    /// The folder that relative paths start from.
    pub base: PathBuf,
    /// What could not be read at all.
    pub problems: Vec<Problem>,
}

impl Layers {
    /// Finds and reads every layer. `current` is the working directory.
    pub fn read(config: Option<&Path>, current: &Path, env: &BTreeMap<String, String>) -> Self {
        let mut layers = Self::default();
        let main = layers.main_file(config, current);
        layers.base = match main.as_deref().and_then(Path::parent) {
            Some(folder) => folder.to_path_buf(),
            None => current.join("config"),
        };
        match main {
            Some(path) => layers.add_file(&path, false),
            None if config.is_none() => layers.add_text(SHIPPED, &Place::BuiltIn, false),
            None => {}
        }
        let local = layers.base.join("local.toml");
        if local.is_file() {
            layers.add_file(&local, false);
        }
        for path in layers.source_files() {
            layers.add_file(&path, true);
        }
        for (name, value) in env {
            if let Some(path) = name.strip_prefix(PREFIX) {
                layers.add_variable(name, path, value);
            }
        }
        layers
    }

    fn main_file(&mut self, config: Option<&Path>, current: &Path) -> Option<PathBuf> {
        if let Some(given) = config {
            let path = absolute(current, given);
            let path = if path.is_dir() { path.join("leadgate.toml") } else { path };
            if path.is_file() {
                return Some(path);
            }
            self.problem(path.display().to_string(), "there is no such file".to_owned());
            return None;
        }
        [current.join("config/leadgate.toml"), PathBuf::from("/etc/leadgate/leadgate.toml")]
            .into_iter()
            .find(|path| path.is_file())
    }

    fn source_files(&mut self) -> Vec<PathBuf> {
        let folder = self.base.join("sources.d");
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.problem(folder.display().to_string(), format!("the folder cannot be read: {error}"));
                return Vec::new();
            }
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) if entry.path().extension().is_some_and(|extension| extension == "toml") => paths.push(entry.path()),
                Ok(_) => {}
                Err(error) => self.problem(folder.display().to_string(), format!("the folder cannot be read: {error}")),
            }
        }
        paths.sort();
        paths
    }

    fn add_file(&mut self, path: &Path, only_sources: bool) {
        self.files.push(path.to_path_buf());
        match std::fs::read_to_string(path) {
            Ok(text) => self.add_text(&text, &Place::File(path.to_path_buf()), only_sources),
            Err(error) => self.problem(path.display().to_string(), format!("the file cannot be read: {error}")),
        }
    }

    fn add_text(&mut self, text: &str, place: &Place, only_sources: bool) {
        // Editors of Windows put a mark before the first letter.
        let mut table = match text.trim_start_matches('\u{feff}').parse::<Table>() {
            Ok(table) => table,
            Err(error) => return self.problem(place.to_string(), format!("this is no TOML\n{}", error.to_string().trim_end())),
        };
        if only_sources {
            for key in table.keys().filter(|key| *key != "sources").cloned().collect::<Vec<_>>() {
                table.remove(&key);
                self.problems.push(Problem {
                    key,
                    place: place.to_string(),
                    words: "files in sources.d hold sources only: begin with [sources.<id>], and write the rest into local.toml"
                        .to_owned(),
                });
            }
        }
        lay(&mut self.table, table, "", place, &mut self.places);
    }

    fn add_variable(&mut self, name: &str, path: &str, value: &str) {
        let keys: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        if keys.iter().any(String::is_empty) {
            return self.problem(
                format!("variable {name}"),
                "the name leads to no key: join section and key by two underscores, as in LEADGATE__SERVER__LISTEN".to_owned(),
            );
        }
        let layer = keys
            .iter()
            .rev()
            .fold(Value::String(value.to_owned()), |inner, key| Value::Table(Table::from_iter([(key.clone(), inner)])));
        if let Value::Table(table) = layer {
            lay(&mut self.table, table, "", &Place::Variable(name.to_owned()), &mut self.places);
        }
    }

    fn problem(&mut self, place: String, words: String) {
        self.problems.push(Problem { key: String::new(), place, words });
    }
}

/// Lays a table over another: tables join, everything else is replaced.
fn lay(under: &mut Table, over: Table, path: &str, place: &Place, places: &mut BTreeMap<String, Place>) {
    for (key, value) in over {
        let path = join(path, &key);
        match (under.get_mut(&key), value) {
            (Some(Value::Table(known)), Value::Table(table)) if !is_secret(&table) => lay(known, table, &path, place, places),
            (_, Value::Table(table)) if !is_secret(&table) => {
                let mut fresh = Table::new();
                places.insert(path.clone(), place.clone());
                lay(&mut fresh, table, &path, place, places);
                under.insert(key, Value::Table(fresh));
            }
            (_, value) => {
                places.insert(path, place.clone());
                under.insert(key, value);
            }
        }
    }
}

/// `{ env = ".." }` and `{ file = ".." }` are values, not sections: one must not be laid into the other.
fn is_secret(table: &Table) -> bool {
    table.len() == 1 && table.iter().all(|(key, value)| matches!(key.as_str(), "env" | "file") && value.is_str())
}

/// A key path one step longer.
pub(super) fn join(path: &str, key: &str) -> String {
    match (path, key) {
        (path, "") => path.to_owned(),
        ("", key) => key.to_owned(),
        (path, key) => format!("{path}.{key}"),
    }
}

/// A path as it is meant from a folder, without `.` and `..`.
pub(super) fn absolute(folder: &Path, path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}
