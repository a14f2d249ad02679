//! `leadgate copy`: moves a gateway from a file to PostgreSQL.
//!
//! Rows are carried table by table, parents first, in the order of their keys, each chunk in one transaction: the greatest key
//! on the other side says where to go on after an interruption. Then every row is read again on both sides and compared; the
//! files are carried; and only then may a gateway serve the target. The source is not changed, and nobody serves it meanwhile.
//! Rows are copied as they are: nothing is told to anybody.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use futures_util::TryStreamExt as _;
use leadgate_core::carry::{From as Source, Row, Shape, TABLES, To as Target, Value};
use leadgate_core::ports::Store;
use leadgate_core::secret::Secret;
use leadgate_store_postgres::PostgresStore;
use leadgate_store_sqlite::{OpenError, Options, SqliteStore};
use sha2::{Digest as _, Sha256};

use crate::attachments::Attachments;
use crate::backup::Progress;
use crate::clock::Clock;
use crate::config::{self, Config};

/// Names of attachments read at once.
const NAMES: u32 = 1000;
/// How long reading a chunk may take: nobody else waits for this database.
const READ: Duration = Duration::from_mins(10);

/// What to copy.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file of the source's database.
    pub from: PathBuf,
    /// The URL of the target's database.
    pub to: Secret,
    /// The source's attachments; `None`: the folder beside its database, if there is one.
    pub attachments: Option<PathBuf>,
}

/// What was copied and compared.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Copied {
    /// An earlier copy was interrupted, and this one went on.
    pub resumed: bool,
    /// Every table with its rows, equal on both sides.
    pub tables: Vec<(String, u64)>,
    /// Files put into the target's attachment store.
    pub attachments: u64,
    /// Files that rows name and that the source does not have either.
    pub lost: Vec<String>,
}

/// Copies and compares. Where this fails, the target is not served; the same again goes on.
pub async fn copy(config: &Config, plan: &Plan, clock: &Clock, progress: Progress) -> anyhow::Result<Copied> {
    if !plan.from.is_file() {
        bail!("there is no database {}", plan.from.display());
    }
    // Takes the lock, and brings the schema up to date: both sides must have the same columns.
    let options = Options { read_limit: READ, ..Options::default() };
    let source = SqliteStore::open(&plan.from, options).await.map_err(|error| match error {
        OpenError::Locked(path) => anyhow!("a gateway serves {path}: stop it, so that no lead comes while its data moves"),
        other => other.into(),
    })?;
    let outcome = to_target(config, plan, &source, clock, progress).await;
    source.close().await;
    outcome
}

async fn to_target(
    config: &Config,
    plan: &Plan,
    source: &SqliteStore,
    clock: &Clock,
    progress: Progress,
) -> anyhow::Result<Copied> {
    let whose = source.installation().await?;
    let (target, resumed) = PostgresStore::open_to_fill(plan.to.expose(), whose).await?;
    let outcome = async {
        let shapes = shapes(source, &target).await?;
        carry(source, &target, &shapes, progress).await?;
        let tables = compare(source, &target, &shapes, progress).await?;
        let (attachments, lost) = files(config, plan, source, &target, clock, progress).await?;
        target.finish(source.next_numbers().await?).await.context("the last step failed: run the same command again")?;
        anyhow::Ok(Copied { resumed, tables, attachments, lost })
    }
    .await;
    target.close().await;
    outcome
}

/// The tables as both sides have them.
async fn shapes(source: &dyn Source, target: &dyn Target) -> anyhow::Result<Vec<Shape>> {
    let mut shapes = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let (here, there) = (source.shape(*table).await?, target.shape(*table).await?);
        if here != there {
            bail!(
                "the table {} has other columns in the source than in the target: one of them was made by another version of \
                 leadgate. Start this version on the source once, and make a new database for the target",
                table.name
            );
        }
        shapes.push(here);
    }
    Ok(shapes)
}

/// Carries what is not there yet.
async fn carry(source: &dyn Source, target: &dyn Target, shapes: &[Shape], progress: Progress) -> anyhow::Result<()> {
    for shape in shapes {
        let name = shape.table.name;
        let bar = progress.things(&format!("copying {name}"), source.count(shape.table).await?);
        let mut after = target.greatest(shape).await?;
        if after.is_some() {
            bar.at(target.count(shape.table).await?);
        }
        loop {
            let rows = source.rows(shape, after.as_deref()).await.with_context(|| format!("{name} cannot be read"))?;
            let (count, last) = (rows.len(), rows.last().map(|row| shape.key_of(row)));
            if count == 0 {
                break;
            }
            target.write(shape, rows).await.with_context(|| format!("{name} cannot be written"))?;
            bar.add(count as u64);
            after = last;
        }
        bar.finish();
    }
    Ok(())
}

/// Reads every row of both sides again. Says how many rows each table has.
async fn compare(
    source: &dyn Source,
    target: &dyn Target,
    shapes: &[Shape],
    progress: Progress,
) -> anyhow::Result<Vec<(String, u64)>> {
    let mut tables = Vec::with_capacity(shapes.len());
    let mut wrong = Vec::new();
    for shape in shapes {
        let name = shape.table.name;
        let bar = progress.things(&format!("comparing {name}"), source.count(shape.table).await?);
        let (mut here, mut there) = (Reading::new(shape), Reading::new(shape));
        loop {
            let rows = here.more(source).await?;
            let others = there.more(target).await?;
            bar.add(rows);
            if rows == 0 && others == 0 {
                break;
            }
        }
        bar.finish();
        let (here, there) = (here.finish(), there.finish());
        if here == there {
            tables.push((name.to_owned(), here.0));
        } else if here.0 == there.0 {
            wrong.push(format!("{name}: {} rows on both sides, and they are not the same", here.0));
        } else {
            wrong.push(format!("{name}: {} rows in the source, {} in the target", here.0, there.0));
        }
    }
    if !wrong.is_empty() {
        bail!(
            "the copy is not equal to the source:\n  {}\nSomebody wrote into the target meanwhile, or it was there before. Make a new \
             database and copy again; the source is as it was",
            wrong.join("\n  ")
        );
    }
    Ok(tables)
}

/// A table being read for comparison: how many rows, and a hash over all of them in the order of keys.
struct Reading<'a> {
    shape: &'a Shape,
    after: Option<Vec<Value>>,
    count: u64,
    hash: Sha256,
}

impl<'a> Reading<'a> {
    fn new(shape: &'a Shape) -> Self {
        Self { shape, after: None, count: 0, hash: Sha256::new() }
    }

    /// Reads a chunk; says how many rows it had.
    async fn more<S: Source + ?Sized>(&mut self, from: &S) -> anyhow::Result<u64> {
        let rows = from.rows(self.shape, self.after.as_deref()).await?;
        for row in &rows {
            self.add(row);
        }
        if let Some(last) = rows.last() {
            self.after = Some(self.shape.key_of(last));
        }
        self.count += rows.len() as u64;
        Ok(rows.len() as u64)
    }

    /// Values are told apart by kind and length, so that no two rows look alike.
    fn add(&mut self, row: &Row) {
        for value in row {
            let (kind, bytes): (u8, &[u8]) = match value {
                Value::Null => (0, &[]),
                Value::Int(number) => {
                    self.hash.update([1]);
                    self.hash.update(number.to_be_bytes());
                    continue;
                }
                Value::Text(text) => (2, text.as_bytes()),
                Value::Bytes(bytes) => (3, bytes),
            };
            self.hash.update([kind]);
            self.hash.update((bytes.len() as u64).to_be_bytes());
            self.hash.update(bytes);
        }
    }

    fn finish(self) -> (u64, [u8; 32]) {
        (self.count, self.hash.finalize().into())
    }
}

/// Puts every file that rows name into the target's attachment store, where it is not there yet. Says how many, and which the
/// source does not have either.
async fn files(
    config: &Config,
    plan: &Plan,
    source: &SqliteStore,
    target: &dyn Store,
    clock: &Clock,
    progress: Progress,
) -> anyhow::Result<(u64, Vec<String>)> {
    let to = Attachments::open(&config.attachments, &config.data_dir)?;
    let from = match folder(plan)? {
        Some(folder) => Some(Attachments::open(&config::Attachments::Own(folder), &config.data_dir)?),
        None => None,
    };
    to.claim(target, clock).await?;
    let there = to.sizes().await?;
    let bar = progress.things("copying attachments", source.count(ATTACHMENT).await?);
    let (mut put, mut lost, mut after) = (0, Vec::new(), String::new());
    loop {
        let names = source.attachment_names(&after, NAMES).await?;
        let Some(last) = names.last() else { break };
        after.clone_from(last);
        for name in names {
            bar.add(1);
            if there.contains_key(&name) {
                continue;
            }
            match &from {
                Some(from) if file(from, &to, &name, clock).await? => put += 1,
                _ => lost.push(name),
            }
        }
    }
    if from.is_none() && !lost.is_empty() {
        bail!(
            "{} files that leads name are neither in {} nor in a folder beside {}: say where they are with --attachments-from",
            lost.len(),
            to.name(),
            plan.from.display()
        );
    }
    Ok((put, lost))
}

/// For how far it is: rows of the table of attachments.
const ATTACHMENT: leadgate_core::carry::Table =
    leadgate_core::carry::Table { name: "attachment", key: &["sha256", "submission"], chunk: 1 };

/// Where the source's files are.
fn folder(plan: &Plan) -> anyhow::Result<Option<PathBuf>> {
    match &plan.attachments {
        Some(folder) if folder.is_dir() => Ok(Some(folder.clone())),
        Some(folder) => bail!("there is no folder {}", folder.display()),
        None => Ok(plan.from.parent().map(|data| data.join("attachments")).filter(|folder| folder.is_dir())),
    }
}

/// One file; `false`: it is not there.
async fn file(from: &Attachments, to: &Attachments, name: &str, clock: &Clock) -> anyhow::Result<bool> {
    let Some((_, mut bytes)) = from.read(name).await? else { return Ok(false) };
    let mut upload = to.begin(clock).await?;
    while let Some(piece) = bytes.try_next().await? {
        upload.write(piece).await?;
    }
    let kept = upload.finish().await?;
    if kept.sha256 != name {
        bail!("the attachment {name} of the source is damaged: its bytes are not those that were kept");
    }
    Ok(true)
}

/// Reads `sqlite:<file>`, or a path.
pub fn source(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")).unwrap_or(text).trim();
    if path.is_empty() || path.contains("://") {
        return Err(format!("{text:?} is no database to copy from: write sqlite:<file>, such as sqlite:data/leadgate.db"));
    }
    Ok(Path::new(path).to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_file() {
        assert_eq!(source("sqlite:data/leadgate.db"), Ok("data/leadgate.db".into()));
        assert_eq!(source("/srv/leadgate.db"), Ok("/srv/leadgate.db".into()));
        assert!(source("postgres://u@h/d").unwrap_err().contains("sqlite:<file>"));
    }

    #[test]
    fn rows_that_differ_hash_apart() {
        let shape = Shape::new(TABLES[0], Vec::new());
        let hash = |rows: &[Row]| {
            let mut reading = Reading::new(&shape);
            for row in rows {
                reading.add(row);
            }
            reading.finish().1
        };
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(hash(&[vec![text("a"), Value::Null]]), hash(&[vec![text("a"), Value::Null]]));
        assert_ne!(hash(&[vec![text("ab"), text("c")]]), hash(&[vec![text("a"), text("bc")]]));
        assert_ne!(hash(&[vec![Value::Null]]), hash(&[vec![text("")]]));
        assert_ne!(hash(&[vec![text("a")]]), hash(&[vec![Value::Bytes(b"a".to_vec())]]));
    }
}
