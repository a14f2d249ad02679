//! Buttons below notices.
use leadgate_core::ports::{DeliverError, Delivered};

use super::received::Told;
use super::{Desk, done};

impl Desk {
    pub(super) async fn pressed(&self, _told: &Told<'_>) -> Result<Delivered, DeliverError> {
        Ok(done(""))
    }
}
