//! The process that signs: `signer.py`, which `tests/run` installs the libraries for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, ensure};
use serde_json::Value;

/// It ends with its input, which is that of the tests' process.
struct Signer {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

static SIGNER: Mutex<Option<Signer>> = Mutex::new(None);

impl Signer {
    fn start() -> anyhow::Result<Self> {
        let python = std::env::var("TEST_PYTHON")
            .context("TEST_PYTHON names no Python with the packages of tests/telephony/requirements.txt: tests/run makes one")?;
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/telephony/signer.py");
        let mut child = Command::new(python)
            .arg(program)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the signer does not start")?;
        let input = child.stdin.take().context("it has an input")?;
        let output = BufReader::new(child.stdout.take().context("it has an output")?);
        Ok(Self { input, output })
    }

    fn ask(&mut self, command: &Value) -> anyhow::Result<Value> {
        writeln!(self.input, "{command}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the signer said {line:?}"))
    }
}

/// What the signer makes of a command.
pub(crate) fn ask(command: &Value) -> anyhow::Result<Value> {
    let mut signer = SIGNER.lock().unwrap_or_else(PoisonError::into_inner);
    let signer = match &mut *signer {
        Some(running) => running,
        none => none.insert(Signer::start()?),
    };
    let answer = signer.ask(command)?;
    ensure!(answer["error"].is_null(), "the signer failed: {}, on {command}", answer["error"]);
    Ok(answer)
}
