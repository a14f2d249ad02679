//! What an error of the database means for a caller.

use leadgate_core::ports::StoreError;

/// Why the store could not be opened. The messages are for people.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process serves this database.
    #[error("another leadgate serves this database ({0})")]
    Locked(String),
    /// The schema needs a newer program.
    #[error("the database {path} needs leadgate {needs} or newer, this is {this}")]
    TooNew {
        /// Which database.
        path: String,
        /// The oldest program that may serve it.
        needs: String,
        /// This program.
        this: &'static str,
    },
    /// The schema is older than this program.
    #[error(
        "the schema of the database {0} is older than this program: start this version's gateway, which brings it up to date (if it is just starting, try again)"
    )]
    Behind(String),
    /// There is no database.
    #[error("there is no database {0}: start the gateway once to make it")]
    Missing(String),
    /// A file or folder.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A migration failed; the file as it was before is beside the database.
    #[error("the database {path} cannot be migrated")]
    Migration {
        /// Which database.
        path: String,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// Its rows do not make sense.
    #[error("the database {0} cannot be served")]
    State(String, #[source] Box<StoreError>),
    /// The database itself.
    #[error("cannot open the database {path}")]
    Database {
        /// Which database.
        path: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
}

/// What an error of a statement means.
pub(crate) fn store(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(ref database) => {
            let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or_default();
            by_code(code, error)
        }
        sqlx::Error::ColumnDecode { ref index, .. } => {
            StoreError::Corrupt { table: "a result", detail: format!("column {index}: {error}") }
        }
        sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => StoreError::Corrupt { table: "a result", detail: error.to_string() },
        sqlx::Error::Encode(_) => StoreError::Rejected(Box::new(error)),
        other => StoreError::Unavailable(Box::new(other)),
    }
}

/// By SQLite's result code; the low byte is the class, what is above tells more.
fn by_code(code: i32, error: sqlx::Error) -> StoreError {
    const ERROR: i32 = 1;
    const INTERRUPT: i32 = 9;
    const CORRUPT: i32 = 11;
    const FULL: i32 = 13;
    const TOO_BIG: i32 = 18;
    const CONSTRAINT: i32 = 19;
    const MISMATCH: i32 = 20;
    const RANGE: i32 = 25;
    const NOT_A_DATABASE: i32 = 26;
    match code & 0xff {
        // ERROR is what functions raise about a value, e.g. text that is no JSON.
        ERROR | TOO_BIG | CONSTRAINT | MISMATCH | RANGE => StoreError::Rejected(Box::new(error)),
        FULL => StoreError::Full,
        CORRUPT | NOT_A_DATABASE => StoreError::Corrupt { table: "the database file", detail: error.to_string() },
        INTERRUPT => unavailable("the question takes too long to answer: narrow it"),
        _ => StoreError::Unavailable(Box::new(error)),
    }
}

/// Unavailable, in words.
pub(crate) fn unavailable(words: impl Into<String>) -> StoreError {
    StoreError::Unavailable(words.into().into())
}

/// A row that does not make sense.
pub(crate) fn corrupt(table: &'static str, detail: impl Into<String>) -> StoreError {
    StoreError::Corrupt { table, detail: detail.into() }
}

/// JSON of our own types.
pub(crate) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Rejected(Box::new(error)))
}
