//! HTTP: the loop that accepts, the calls of senders, the API, the pages, and what operators watch.

mod acts;
pub mod api;
pub mod inbound;
mod opened;
mod operation;
mod pages;
mod peer;
mod problem;
mod respond;
mod serve;
#[cfg(test)]
mod tests;

pub(crate) use opened::link;
pub use respond::Responder;
pub use serve::{Door, Limits, serve};

/// What answers requests.
pub fn responder(gateway: std::sync::Arc<crate::app::Gateway>) -> Responder {
    Responder::new(gateway)
}
