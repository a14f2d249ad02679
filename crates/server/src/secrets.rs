//! Secrets: those the configuration names, and those the gateway makes for itself and keeps in the data folder.
//!
//! The data folder holds `tokens.toml` (what the URLs of the sources hold), `api-token` (the key of this machine's own
//! commands to the API) and `erasure-key` (under which the identities of erased people are hashed); for their owner alone.
//! None is shipped.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use leadgate_core::ids::SourceId;
use leadgate_core::keeping::ErasureKey;
use leadgate_core::ports::Secrets;
use leadgate_core::secret::Secret;
use serde::Deserialize;
use toml::Value;

/// Resolves what a configuration says of a secret: `{ env = ".." }`, `{ file = ".." }` or the secret itself.
pub struct Resolver {
    env: BTreeMap<String, String>,
    base: PathBuf,
}

impl Resolver {
    /// With this environment; relative paths start from `base`.
    pub fn new(env: BTreeMap<String, String>, base: PathBuf) -> Self {
        Self { env, base }
    }

    fn variable(&self, name: &str) -> Result<Secret, String> {
        match self.env.get(name).map(|value| value.trim()) {
            None => Err(format!("the environment variable {name} is not set")),
            Some("") => Err(format!("the environment variable {name} is empty")),
            Some(value) => Ok(Secret::new(value)),
        }
    }

    fn file(&self, path: &str) -> Result<Secret, String> {
        let path = self.base.join(path);
        let text = fs::read_to_string(&path).map_err(|error| format!("the file {} cannot be read: {error}", path.display()))?;
        match text.trim() {
            "" => Err(format!("the file {} is empty", path.display())),
            value => Ok(Secret::new(value)),
        }
    }
}

impl Secrets for Resolver {
    fn resolve(&self, value: &Value) -> Result<Secret, String> {
        const FORMS: &str = "write the secret in quotes, { env = \"VARIABLE\" } or { file = \"path\" }";
        match value {
            Value::String(text) if text.trim().is_empty() => Err(format!("the secret is empty: {FORMS}")),
            Value::String(text) => Ok(Secret::new(text.trim())),
            Value::Table(table) => match (table.get("env"), table.get("file"), table.len()) {
                (Some(Value::String(name)), None, 1) => self.variable(name),
                (None, Some(Value::String(path)), 1) => self.file(path),
                _ => Err(format!("this names no secret: {FORMS}")),
            },
            _ => Err(format!("this is no secret: {FORMS}")),
        }
    }
}

/// The tokens the gateway made for its sources.
#[derive(Debug, Default)]
pub struct SourceTokens {
    tokens: BTreeMap<SourceId, Vec<Secret>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptTokens {
    tokens: Vec<String>,
}

impl SourceTokens {
    /// Reads the tokens there are; none before the first start.
    pub fn load(data_dir: &Path) -> anyhow::Result<Self> {
        let path = tokens_file(data_dir);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let kept: BTreeMap<SourceId, KeptTokens> =
            toml::from_str(&text).with_context(|| format!("{} makes no sense", path.display()))?;
        Ok(Self { tokens: kept.into_iter().map(|(id, kept)| (id, kept.tokens.into_iter().map(Secret::new).collect())).collect() })
    }

    /// Reads the tokens, and makes and keeps one for each of these sources that has none. Those that the configuration
    /// names (`written`) are kept, too: should the source leave it, its URL goes on taking deliveries into quarantine.
    pub fn load_or_create(data_dir: &Path, ids: &[SourceId], written: &[(SourceId, Vec<Secret>)]) -> anyhow::Result<Self> {
        let known = Self::load(data_dir)?;
        if ids.iter().all(|id| !known.of(id).is_empty()) && written.iter().all(|(id, tokens)| known.of(id) == tokens) {
            return Ok(known);
        }
        Self::change(data_dir, |tokens| {
            tokens.tokens.extend(written.iter().cloned());
            for id in ids {
                let of = tokens.tokens.entry(id.clone()).or_default();
                if of.is_empty() {
                    of.push(new_source_token());
                }
            }
            Ok(())
        })
        .map(|((), tokens)| tokens)
    }

    /// The tokens of a source, the current one first.
    pub fn of(&self, id: &SourceId) -> &[Secret] {
        self.tokens.get(id).map_or(&[], Vec::as_slice)
    }

    /// The sources besides these that have tokens: they were in the configuration once.
    pub fn others(&self, ids: &[&SourceId]) -> Vec<(SourceId, Vec<Secret>)> {
        let others = self.tokens.iter().filter(|(id, tokens)| !ids.contains(id) && !tokens.is_empty());
        others.map(|(id, tokens)| (id.clone(), tokens.clone())).collect()
    }

    /// Forgets the tokens of a source: its URL is unknown from now on. `false`: there are none.
    pub fn forget(data_dir: &Path, id: &SourceId) -> anyhow::Result<bool> {
        if Self::load(data_dir)?.of(id).is_empty() {
            return Ok(false);
        }
        Self::change(data_dir, |tokens| Ok(tokens.tokens.remove(id).is_some())).map(|(gone, _)| gone)
    }

    /// Makes a new token for a source; the one before works beside it until [`Self::finish`].
    pub fn rotate(data_dir: &Path, id: &SourceId) -> anyhow::Result<Secret> {
        let change = |tokens: &mut Self| {
            let of = tokens.tokens.entry(id.clone()).or_default();
            if of.len() > 1 {
                bail!(
                    "{id} has two tokens already, an old and a new one. When every sender uses the new URL, drop the old one with \
                     `leadgate source rotate {id} --finish`"
                );
            }
            let token = new_source_token();
            of.insert(0, token.clone());
            Ok(token)
        };
        Self::change(data_dir, change).map(|(token, _)| token)
    }

    /// Drops the old tokens of a source; says how many there were.
    pub fn finish(data_dir: &Path, id: &SourceId) -> anyhow::Result<usize> {
        let change = |tokens: &mut Self| {
            let of = tokens.tokens.entry(id.clone()).or_default();
            let old = of.len().saturating_sub(1);
            of.truncate(1);
            Ok(old)
        };
        Self::change(data_dir, change).map(|(old, _)| old)
    }

    /// Reads, changes and writes under a lock: the gateway and a command may want to at the same time.
    fn change<T>(data_dir: &Path, change: impl FnOnce(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<(T, Self)> {
        create_data_dir(data_dir)?;
        let lock_path = data_dir.join(".tokens.lock");
        let lock = private_file(&lock_path).with_context(|| format!("cannot write {}", lock_path.display()))?;
        lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
        let mut tokens = Self::load(data_dir)?;
        let outcome = change(&mut tokens)?;
        let path = tokens_file(data_dir);
        replace(&path, &tokens.to_text()).with_context(|| format!("cannot write {}", path.display()))?;
        Ok((outcome, tokens))
    }

    fn to_text(&self) -> String {
        const HEAD: &str = "# What the URLs of the sources hold: whoever knows one can send leads. Kept by leadgate.\n\
             # `leadgate sources` prints the URLs, `leadgate source rotate <id>` changes a token.\n";
        let sections = self.tokens.iter().map(|(id, tokens)| {
            let list: Vec<String> = tokens.iter().map(|token| Value::String(token.expose().to_owned()).to_string()).collect();
            format!("[{id}]\ntokens = [{}]\n", list.join(", "))
        });
        std::iter::once(HEAD.to_owned()).chain(sections).collect::<Vec<_>>().join("\n")
    }
}

/// The key of this machine's own commands to the API; made on first use.
pub fn api_token(data_dir: &Path) -> anyhow::Result<Secret> {
    if let Some(token) = read_api_token(data_dir)? {
        return Ok(token);
    }
    create_data_dir(data_dir)?;
    let path = api_token_file(data_dir);
    let token = format!("lg_{}", random_text::<32>());
    replace(&path, &format!("{token}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Secret::new(token))
}

/// The key of this machine's own commands, if a gateway has made one here.
pub fn read_api_token(data_dir: &Path) -> anyhow::Result<Option<Secret>> {
    let path = api_token_file(data_dir);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(Secret::new)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The secret under which the identities of erased people are hashed; made on first use, and kept by backups.
pub fn erasure_key(data_dir: &Path) -> anyhow::Result<ErasureKey> {
    create_data_dir(data_dir)?;
    let path = erasure_key_file(data_dir);
    let lock_path = data_dir.join(".tokens.lock");
    let lock = private_file(&lock_path).with_context(|| format!("cannot write {}", lock_path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = data_encoding::HEXLOWER.encode(&rand::random::<[u8; 32]>());
            replace(&path, &format!("{text}\n")).with_context(|| format!("cannot write {}", path.display()))?;
            text
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let secret = data_encoding::HEXLOWER.decode(text.trim().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    secret.map(ErasureKey::new).with_context(|| {
        format!(
            "{} holds no key of 64 hex digits: put the one from a backup back. A new one would not know whom the old one hid",
            path.display()
        )
    })
}

/// The same, if there is one yet: before the first erasure there is none.
pub fn read_erasure_key(data_dir: &Path) -> anyhow::Result<Option<ErasureKey>> {
    if erasure_key_file(data_dir).exists() { erasure_key(data_dir).map(Some) } else { Ok(None) }
}

/// Where [`erasure_key`] lies.
pub fn erasure_key_file(data_dir: &Path) -> PathBuf {
    data_dir.join("erasure-key")
}

/// Where [`api_token`] lies.
pub fn api_token_file(data_dir: &Path) -> PathBuf {
    data_dir.join("api-token")
}

/// Where the tokens of the sources lie.
pub fn tokens_file(data_dir: &Path) -> PathBuf {
    data_dir.join("tokens.toml")
}

/// A new token for the API, to be shown once and kept as its hash.
pub fn new_api_token() -> Secret {
    Secret::new(format!("lg_{}", random_text::<32>()))
}

/// 128 random bits in letters and digits that survive every site builder, mail program and shell.
fn new_source_token() -> Secret {
    Secret::new(random_text::<16>())
}

fn random_text<const BYTES: usize>() -> String {
    let bytes: [u8; BYTES] = std::array::from_fn(|_| rand::random());
    data_encoding::BASE32_NOPAD.encode(&bytes).to_lowercase()
}

/// Makes the data folder, for its owner alone.
pub fn create_data_dir(path: &Path) -> anyhow::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| format!("cannot make the data folder {}", path.display()))
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Replaces a file at once or not at all; for its owner alone, as temporary files are.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> SourceId {
        SourceId::parse(text).unwrap()
    }

    #[test]
    fn tokens_are_made_once_and_kept_for_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/data");
        let made = SourceTokens::load_or_create(&data, &[id("site"), id("tilda")], &[]).unwrap();
        let again = SourceTokens::load_or_create(&data, &[id("site")], &[]).unwrap();
        assert_eq!(made.of(&id("site")), again.of(&id("site")));
        assert_eq!(made.of(&id("site")).len(), 1);
        assert_ne!(made.of(&id("site")), made.of(&id("tilda")));
        assert!(made.of(&id("site"))[0].expose().len() >= 25);
        assert!(again.of(&id("other")).is_empty());
        let key = api_token(&data).unwrap();
        assert_eq!(read_api_token(&data).unwrap(), Some(key.clone()));
        assert_eq!(api_token(&data).unwrap(), key);
        assert_eq!(read_erasure_key(&data).unwrap(), None, "looking makes none");
        let erasing = erasure_key(&data).unwrap();
        assert_eq!(read_erasure_key(&data).unwrap(), Some(erasing.clone()));
        assert_eq!(erasure_key(&data).unwrap(), erasing);
        fs::write(erasure_key_file(folder.path()), "short").unwrap();
        assert!(erasure_key(folder.path()).unwrap_err().to_string().contains("backup"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&data), 0o700);
            assert_eq!(mode(&tokens_file(&data)), 0o600);
            assert_eq!(mode(&api_token_file(&data)), 0o600);
            assert_eq!(mode(&erasure_key_file(&data)), 0o600);
        }
    }

    #[test]
    fn a_rotation_keeps_two_until_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let site = id("site");
        let old = SourceTokens::load_or_create(folder.path(), std::slice::from_ref(&site), &[]).unwrap().of(&site)[0].clone();
        let new = SourceTokens::rotate(folder.path(), &site).unwrap();
        assert_eq!(SourceTokens::load(folder.path()).unwrap().of(&site), [new.clone(), old]);
        assert!(SourceTokens::rotate(folder.path(), &site).unwrap_err().to_string().contains("--finish"));
        assert_eq!(SourceTokens::finish(folder.path(), &site).unwrap(), 1);
        assert_eq!(SourceTokens::load(folder.path()).unwrap().of(&site), [new]);
        assert_eq!(SourceTokens::finish(folder.path(), &site).unwrap(), 0);
    }

    #[test]
    fn tokens_outlive_their_source_until_they_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (site, shop) = (id("site"), id("shop"));
        let written = [(shop.clone(), vec![Secret::new("a-token-of-the-shop")])];
        SourceTokens::load_or_create(folder.path(), std::slice::from_ref(&site), &written).unwrap();
        let tokens = SourceTokens::load_or_create(folder.path(), &[], &[]).unwrap();
        assert_eq!(tokens.others(&[&site]), written);
        assert_eq!(tokens.others(&[]).len(), 2);
        let changed = [(shop.clone(), vec![Secret::new("another-token-of-the-shop")])];
        let tokens = SourceTokens::load_or_create(folder.path(), &[], &changed).unwrap();
        assert_eq!(
            tokens.of(&shop),
            changed[0].1,
            "a token that left the configuration while its source is there is good no more"
        );
        assert!(SourceTokens::forget(folder.path(), &shop).unwrap());
        assert!(!SourceTokens::forget(folder.path(), &shop).unwrap());
        assert!(SourceTokens::load(folder.path()).unwrap().others(&[&site]).is_empty());
    }

    #[test]
    fn secrets_come_in_three_forms() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), " from-file\n").unwrap();
        let env = BTreeMap::from([("KEY".to_owned(), "from-env".to_owned()), ("BLANK".to_owned(), " ".to_owned())]);
        let resolver = Resolver::new(env, folder.path().to_path_buf());
        let resolve = |text: &str| resolver.resolve(&format!("x = {text}").parse::<toml::Table>().unwrap()["x"]);
        assert_eq!(resolve("\"literal\"").unwrap().expose(), "literal");
        assert_eq!(resolve("{ env = \"KEY\" }").unwrap().expose(), "from-env");
        assert_eq!(resolve("{ file = \"key\" }").unwrap().expose(), "from-file");
        for (bad, words) in [
            ("{ env = \"NONE\" }", "not set"),
            ("{ env = \"BLANK\" }", "empty"),
            ("{ file = \"none\" }", "cannot be read"),
            ("{ env = \"KEY\", file = \"key\" }", "names no secret"),
            ("7", "no secret"),
            ("\"\"", "empty"),
        ] {
            assert!(resolve(bad).unwrap_err().contains(words), "{bad}");
        }
    }
}
