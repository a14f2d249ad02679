//! From columns to the domain's types. A value that makes no sense is `Corrupt`, never a default.

use jiff::Timestamp;
use leadgate_core::attribution::Touch;
use leadgate_core::ids::{SourceId, SubmissionId};
use leadgate_core::ports::StoreError;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::error::{corrupt, store};

/// Reads columns of a row by name, and knows the table for errors.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'r> {
    row: &'r PgRow,
    table: &'static str,
}

impl<'r> Columns<'r> {
    pub(crate) fn of(row: &'r PgRow, table: &'static str) -> Self {
        Self { row, table }
    }

    /// A column as it is.
    pub(crate) fn get<T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>>(
        &self,
        name: &str,
    ) -> Result<T, StoreError> {
        self.row.try_get(name).map_err(store)
    }

    pub(crate) fn text(&self, name: &str) -> Result<String, StoreError> {
        self.get(name)
    }

    pub(crate) fn int(&self, name: &str) -> Result<i64, StoreError> {
        self.get(name)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.get::<i16>(name)? != 0)
    }

    /// A count, which is never negative.
    pub(crate) fn count<T: TryFrom<i64>>(&self, name: &str) -> Result<T, StoreError> {
        let value = self.int(name)?;
        T::try_from(value).map_err(|_| corrupt(self.table, format!("{name} is {value}")))
    }

    pub(crate) fn time(&self, name: &str) -> Result<Timestamp, StoreError> {
        self.instant(name, self.int(name)?)
    }

    pub(crate) fn maybe_time(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        self.get::<Option<i64>>(name)?.map(|micros| self.instant(name, micros)).transpose()
    }

    fn instant(&self, name: &str, micros: i64) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(micros).map_err(|_| corrupt(self.table, format!("{name} is no time: {micros}")))
    }

    pub(crate) fn uuid(&self, name: &str) -> Result<Uuid, StoreError> {
        let bytes: &[u8] = self.get(name)?;
        Uuid::from_slice(bytes).map_err(|_| corrupt(self.table, format!("{name} is no UUID")))
    }

    pub(crate) fn maybe_submission(&self, name: &str) -> Result<Option<SubmissionId>, StoreError> {
        let Some(bytes) = self.get::<Option<&[u8]>>(name)? else { return Ok(None) };
        let id = Uuid::from_slice(bytes).map_err(|_| corrupt(self.table, format!("{name} is no UUID")))?;
        Ok(Some(SubmissionId(id)))
    }

    /// A name of a closed set.
    pub(crate) fn parse<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let text: &str = self.get(name)?;
        parse(text).ok_or_else(|| corrupt(self.table, format!("{name} is {text:?}")))
    }

    pub(crate) fn source(&self, name: &str) -> Result<SourceId, StoreError> {
        self.parse(name, |text| SourceId::parse(text).ok())
    }

    pub(crate) fn maybe_source(&self, name: &str) -> Result<Option<SourceId>, StoreError> {
        let Some(text) = self.get::<Option<&str>>(name)? else { return Ok(None) };
        SourceId::parse(text).map(Some).map_err(|_| corrupt(self.table, format!("{name} is {text:?}")))
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        let text: &str = self.get(name)?;
        serde_json::from_str(text).map_err(|error| corrupt(self.table, format!("{name}: {error}")))
    }

    /// A touch; an absent one says nothing.
    pub(crate) fn touch(&self, name: &str) -> Result<Touch, StoreError> {
        let Some(text) = self.get::<Option<&str>>(name)? else { return Ok(Touch::default()) };
        serde_json::from_str(text).map_err(|error| corrupt(self.table, format!("{name}: {error}")))
    }
}
