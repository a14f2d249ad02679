//! Customers.
use leadgate_core::ports::{DeliverError, Delivered};
use leadgate_telegram::update::Person;

use super::received::Told;
use super::{Desk, done};

impl Desk {
    pub(super) async fn customer(&self, _told: &Told<'_>, _person: &Person) -> Result<Delivered, DeliverError> {
        Ok(done(""))
    }
}
