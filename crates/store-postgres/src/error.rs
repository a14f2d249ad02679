//! What an error of the database means for a caller.

use leadgate_core::ports::StoreError;

/// Why the store could not be opened. The messages are for people: they name the server, never the password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL itself.
    #[error("the database's URL cannot be used: {0}")]
    Url(String),
    /// No server answers.
    #[error(
        "no PostgreSQL answers at {servers}: is it running, and does it listen there? (host and port in database.url, listen_addresses and the firewall)"
    )]
    Unreachable {
        /// Who was tried.
        servers: String,
        /// The last one's failure.
        #[source]
        source: sqlx::Error,
    },
    /// Servers answer, but all are replicas.
    #[error("{servers} cannot be written to: a replica. Name the primary in database.url, or all of them, separated by commas")]
    OnlyReplicas {
        /// Who was tried.
        servers: String,
    },
    /// No TLS, or a certificate that is not good.
    #[error(
        "no safe connection to {servers}: a server on another machine needs TLS with a certificate of its name \
         (give its authority as sslrootcert=<file>; where the network itself is safe, write sslmode=require or sslmode=disable)"
    )]
    Tls {
        /// Who was tried.
        servers: String,
        /// What is wrong.
        #[source]
        source: sqlx::Error,
    },
    /// The password or the rules of the server.
    #[error("{server} does not let user {user} in: look at user and password in database.url, and at the server's pg_hba.conf")]
    Denied {
        /// Which server.
        server: String,
        /// Who.
        user: String,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// There is no such database.
    #[error("{server} has no database {database}: make it with `createdb -O {user} {database}`")]
    Missing {
        /// Which server.
        server: String,
        /// Which database.
        database: String,
        /// Who asked.
        user: String,
    },
    /// The schema is older than this program.
    #[error(
        "the schema of the database {0} is older than this program: start this version's gateway, which brings it up to date (if it is just starting, try again)"
    )]
    Behind(String),
    /// There is a database without the gateway's tables.
    #[error("the database {0} holds no leads: start the gateway once to make its tables")]
    Empty(String),
    /// Rows were being carried into it, and that did not end.
    #[error("the database {0} holds an unfinished copy: run the same `leadgate copy` again, it goes on where it stopped")]
    Unfinished(String),
    /// The user may not do what is needed.
    #[error(
        "user {user} may not make or use the tables of {database}: as its owner, run `GRANT CREATE, USAGE ON SCHEMA public TO {user}`, \
         or make the user the database's owner"
    )]
    Rights {
        /// Which database.
        database: String,
        /// Who.
        user: String,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server is too old.
    #[error("{server} is PostgreSQL {version}: 13 or newer is needed")]
    TooOld {
        /// Which server.
        server: String,
        /// Its version.
        version: String,
    },
    /// The database keeps texts in another encoding.
    #[error("the database {database} keeps texts as {encoding}: make one with `createdb -E UTF8 -T template0`")]
    Encoding {
        /// Which database.
        database: String,
        /// How.
        encoding: String,
    },
    /// The schema needs a newer program.
    #[error("the database {database} needs leadgate {needs} or newer, this is {this}")]
    TooNew {
        /// Which database.
        database: String,
        /// The oldest program that may serve it.
        needs: String,
        /// This program.
        this: &'static str,
    },
    /// A migration that was applied is not the one this program knows.
    #[error(
        "the tables of {database} were made by another migration {version} than this program has: it was changed after it was applied. \
         Serve the database with the program that made it"
    )]
    Changed {
        /// Which database.
        database: String,
        /// Which migration.
        version: i64,
    },
    /// A migration failed; nothing of it stays.
    #[error("the database {database} cannot be migrated")]
    Migration {
        /// Which database.
        database: String,
        /// Why.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// Something else.
    #[error("cannot open the database {database}")]
    Database {
        /// Which database.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
}

/// The SQLSTATE of an error, if the database itself raised it.
pub(crate) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).map(Into::into)
}

/// What an error of a statement means.
pub(crate) fn store(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(_) => by_code(&code(&error).unwrap_or_default(), error),
        sqlx::Error::ColumnDecode { index, .. } => {
            StoreError::Corrupt { table: "a result", detail: format!("column {index}: {error}") }
        }
        sqlx::Error::Decode(_) | sqlx::Error::RowNotFound | sqlx::Error::ColumnNotFound(_) => {
            StoreError::Corrupt { table: "a result", detail: error.to_string() }
        }
        sqlx::Error::Encode(_) => StoreError::Rejected(Box::new(error)),
        _ => StoreError::Unavailable(Box::new(error)),
    }
}

/// By SQLSTATE: its first two characters are the class.
fn by_code(code: &str, error: sqlx::Error) -> StoreError {
    match code {
        // Serialisation, deadlock, a row that somebody else wrote or took away meanwhile: the same call again sees it.
        "40001" | "40P01" | "23505" | "23503" => {
            tracing::debug!(code, %error, "another writer was faster");
            StoreError::Conflict
        }
        "53100" => StoreError::Full,
        "57014" => unavailable("the question takes too long to answer: narrow it"),
        "53200" => unavailable(format!("{error}: raise max_locks_per_transaction on the server if it speaks of locks")),
        "26000" | "42P05" => unavailable(format!(
            "{error}: a pooler between the gateway and the database does not keep prepared statements; add statement-cache-capacity=0 to database.url"
        )),
        "XX001" | "XX002" => StoreError::Corrupt { table: "the database's files", detail: error.to_string() },
        // 22 is a value, 23 a constraint, 54 a limit of the database (a text too long for an index), 21 a result of the wrong shape.
        _ if ["22", "23", "54", "21"].contains(&code.get(..2).unwrap_or_default()) => StoreError::Rejected(Box::new(error)),
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
