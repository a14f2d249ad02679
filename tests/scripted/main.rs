//! The gateway with one more kind of source: `scripted` reads a file of phone numbers, a line each, as it grows. For tests of
//! what is asked: nothing here recognises a line that was read before, so whatever is read twice is there twice.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{BuildContext, BuildProblem, Connector, Feed, Mode, Pull, PullError, Secrets, SourceKind};
use leadgate_core::rules::SourceRules;
use leadgate_core::submission::{Codec, ContentHash, Cursor, Draft, Purpose, Raw, Submission, Typed};

/// Lines of one commit.
const LINES: usize = 3;
/// Between reading and submitting, and between looks at the file.
const PAUSE: Duration = Duration::from_millis(15);

const KINDS: &[SourceKind] = &[SourceKind {
    name: "scripted",
    about: "A file of phone numbers, for tests.",
    example: "[sources.{id}]\nkind = \"scripted\"\nscript = \"/tmp/numbers\"\n",
    setup: |_language| "{url}",
    build,
}];

fn main() -> ExitCode {
    leadgate_server::sources::add_kinds(KINDS);
    leadgate_server::cli::run(std::env::args_os())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of every kind")]
fn build(config: toml::Table, _secrets: &dyn Secrets, context: &BuildContext) -> Result<Connector, Vec<BuildProblem>> {
    let script = config.get("script").and_then(toml::Value::as_str).map(PathBuf::from);
    let Some(script) = script else {
        return Err(vec![BuildProblem { key: "script".to_owned(), words: "name the file".to_owned() }]);
    };
    let pull = Scripted { source: context.source.clone(), script };
    Ok(Connector { rules: SourceRules::default(), mode: Mode::Pull(Box::new(pull)) })
}

struct Scripted {
    source: SourceId,
    script: PathBuf,
}

#[async_trait]
impl Pull for Scripted {
    async fn run(&self, feed: &dyn Feed) -> Result<(), PullError> {
        let place = feed.place().await?.and_then(|cursor| cursor.0.as_u64()).unwrap_or(0);
        let mut place = usize::try_from(place).map_err(|error| PullError::Fatal(error.into()))?;
        loop {
            let text = std::fs::read_to_string(&self.script).map_err(|error| PullError::Fatal(error.into()))?;
            let lines: Vec<&str> = text.lines().skip(place).take(LINES).collect();
            tokio::time::sleep(PAUSE).await;
            if lines.is_empty() {
                continue;
            }
            let items: Vec<Submission> = lines.iter().map(|line| self.submission(line, feed)).collect();
            place += items.len();
            feed.submit(items, Cursor(place.into())).await?;
        }
    }
}

impl Scripted {
    fn submission(&self, line: &str, feed: &dyn Feed) -> Submission {
        let (received_at, id) = feed.arrival();
        Submission {
            id,
            source: self.source.clone(),
            keys: Vec::new(),
            content: ContentHash::of([("id", id.to_string().as_str())]),
            received_at,
            occurred_at: None,
            historic: false,
            raw: Raw {
                content_type: "text/plain".to_owned(),
                codec: Codec::Plain,
                body: Bytes::copy_from_slice(line.as_bytes()),
                sha256: [0; 32],
                query: String::new(),
                peer: None,
                head: String::new(),
            },
            draft: Draft { phones: vec![Typed::new("phone", line)], ..Draft::default() },
            signals: Vec::new(),
            hold: None,
            purpose: Purpose::Lead,
        }
    }
}
