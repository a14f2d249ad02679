//! Notices.
use leadgate_core::ports::{DeliverError, Delivered, Parcel};

use super::{Desk, done};

impl Desk {
    pub(super) async fn notice(&self, _parcel: &Parcel) -> Result<Delivered, DeliverError> {
        Ok(done(""))
    }
}
