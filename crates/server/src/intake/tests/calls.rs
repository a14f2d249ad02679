//! The calls of the fake store: the intake asks nothing of them.

use async_trait::async_trait;
use leadgate_core::ids::SourceId;
use leadgate_core::ports::{CallState, Caller, Calls, StoreError};

use super::{Fake, never};

#[async_trait]
impl Calls for Fake {
    async fn call(&self, _: &SourceId, _: &str) -> Result<Option<CallState>, StoreError> {
        never()
    }
    async fn caller(&self, _: &str) -> Result<Option<Caller>, StoreError> {
        never()
    }
}
