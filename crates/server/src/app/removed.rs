//! The URL of a source that is not in the configuration any more: whoever still calls it sees a success, and what they send
//! waits for a person, until `leadgate source forget`.

use bytes::Bytes;
use leadgate_core::ports::{Outcome, Parsed, PathToken, Push, Refusal, Reply, Request};

use crate::http::inbound;

/// Reads nothing, loses nothing.
pub(super) struct Removed;

fn reply(status: u16, text: &'static str) -> Reply {
    let mut reply = Reply::text(status, text);
    // A page's script may have sent it; nothing in the answer is anybody's secret.
    reply.headers.push(("access-control-allow-origin", "*".to_owned()));
    reply
}

impl Push for Removed {
    fn parse(&self, request: &Request<'_>) -> Result<Parsed, Refusal> {
        if request.path_token == PathToken::Absent {
            return Err(Refusal::Unauthenticated("the path holds no token of this source".to_owned()));
        }
        let something = !request.body.is_empty() || request.parts.is_some() || !request.query().is_empty();
        if matches!(request.method, "OPTIONS" | "HEAD") || !something {
            let mut probe = reply(200, "ok");
            probe.headers.push(("access-control-allow-methods", "POST, PUT, GET".to_owned()));
            probe.headers.push(("access-control-allow-headers", "content-type".to_owned()));
            if request.method == "HEAD" {
                probe.body = Bytes::new();
            }
            return Ok(Parsed::Probe(probe));
        }
        let words = format!(
            "the source {id} is not in the configuration any more: put it back and replay, release this with another source \
             (--as), or `leadgate source forget {id}`",
            id = request.source
        );
        Ok(Parsed::Submissions(vec![inbound::held(self, request, "removed", words)]))
    }

    fn reply(&self, _request: &Request<'_>, outcome: Outcome<'_>) -> Reply {
        match outcome {
            Outcome::Refused(Refusal::Unauthenticated(_) | Refusal::Unproven { .. }) => reply(404, "not found\n"),
            Outcome::Recorded(_) | Outcome::Kept(_) | Outcome::Refused(Refusal::Oversize(_) | Refusal::Unreadable(_)) => {
                reply(200, "ok")
            }
            Outcome::Busy => reply(503, "Please try again"),
        }
    }

    /// Which of them the connector needs is not known any more: those that are no secrets by their nature.
    fn reads_headers(&self) -> &'static [&'static str] {
        &["origin", "referer", "user-agent"]
    }
}
