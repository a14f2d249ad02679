//! One call of one source: read, decoded by its connector, recorded, answered.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONNECTION, HeaderName, HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use hyper::body::Body as HttpBody;
use jiff::Timestamp;
use leadgate_core::ids::SubmissionId;
use leadgate_core::ports::{
    Challenge, Intake as _, IntakeError, Outcome, Parsed, Part, PathToken, Refusal, Reply, Request, Told,
};
use leadgate_core::receipt::Receipt;
use leadgate_core::submission::{Hold, Signal, Submission};

use super::body::{ReadError, Reader};
use super::multipart::{self, Form, FormError, Shelf};
use super::{DRAIN, held, not_found, text, unproven};
use crate::app::{Gateway, Live, LiveSource, Pace};
use crate::http::pages;
use crate::http::peer::{self, Caller};
use crate::metrics::Refused;
use crate::onward::{alarms, canary};

/// What is read of a body that is too large, so that a browser shows our page instead of a broken connection.
const DRAIN_OVERSIZE: u64 = 32 << 20;

/// Why a call is held whose signature is right and whose time is not.
pub(super) const CLOCK: &str = "clock";

/// A call, its body not yet read.
pub struct Call<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) live: &'a Live,
    pub(super) source: &'a LiveSource,
    method: &'a Method,
    head: &'a HeaderMap,
    headers: Vec<(String, String)>,
    url: String,
    caller: Caller,
    path_token: PathToken,
    rest: &'a str,
    pub(super) received_at: Timestamp,
    id: SubmissionId,
}

/// What a body turned out to be.
enum Content {
    Whole(Bytes),
    Parts(Vec<Part>),
}

impl<'a> Call<'a> {
    /// Takes a request's head apart.
    #[expect(clippy::too_many_arguments, reason = "the parts of one request, gathered in one place")]
    pub fn new(
        gateway: &'a Gateway,
        live: &'a Live,
        source: &'a LiveSource,
        head: &'a Parts,
        caller: Caller,
        path_token: PathToken,
        rest: &'a str,
        (received_at, id): (Timestamp, SubmissionId),
    ) -> Self {
        let mut url = peer::origin(&caller, &head.headers, live.public_url.as_deref(), &live.base_url);
        url.push_str(head.uri.path_and_query().map_or("", |path| path.as_str()));
        let mut headers = Vec::with_capacity(head.headers.len());
        for (name, value) in &head.headers {
            if let Ok(value) = std::str::from_utf8(value.as_bytes()) {
                headers.push((name.as_str().to_owned(), value.to_owned()));
            }
        }
        Self {
            gateway,
            live,
            source,
            method: &head.method,
            head: &head.headers,
            headers,
            url,
            caller,
            path_token,
            rest,
            received_at,
            id,
        }
    }

    fn request<'r>(&'r self, body: &'r Bytes, parts: Option<&'r [Part]>) -> Request<'r> {
        Request {
            id: self.id,
            source: &self.source.id,
            method: self.method.as_str(),
            url: &self.url,
            headers: &self.headers,
            body,
            parts,
            peer: self.caller.client,
            received_at: self.received_at,
            path_token: self.path_token,
            rest: self.rest,
        }
    }

    fn known_sender(&self) -> bool {
        self.path_token == PathToken::Valid
    }

    /// Reads the body, and answers.
    pub async fn answer<B>(&self, mut body: Reader<B>, started: Instant) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let pace = self.pace();
        if let Pace::Flood(seconds) = pace {
            self.source.meters.refused(Refused::TooMany);
            self.gateway.refusals.add(&self.source.id, self.received_at, "far more from one address than people send");
            body.drain(DRAIN).await;
            return pages::flood(pages::language(self.head, self.live), seconds);
        }
        if self.gateway.store().await.is_none() {
            return self.busy(&self.request(&Bytes::new(), None));
        }
        let limits = self.source.push.limits();
        let boundary = multipart::boundary(self.head);
        // Until what names the files is committed.
        let _taking_in = match &boundary {
            Some(_) => Some(self.gateway.attachments.taking_in().await),
            None => None,
        };
        let content = match boundary {
            None => match body.whole(limits.body).await {
                Ok(whole) => Content::Whole(whole),
                Err(error) => return self.not_read(error, Some(&mut body)).await,
            },
            Some(boundary) => {
                let known_sender = self.known_sender();
                let (attachments, clock) = (&self.gateway.attachments, &self.gateway.clock);
                let shelf =
                    Shelf { attachments, clock, push: &*self.source.push, limits, known_sender, space: &self.gateway.space };
                match multipart::read(body, boundary, &shelf).await {
                    Ok(Form::Parts(parts)) => Content::Parts(parts),
                    Ok(Form::NoForm(whole)) => Content::Whole(whole),
                    Err(FormError::Read(error)) => return self.not_read::<B>(error, None).await,
                    Err(FormError::Broken { head, why }) => {
                        return self.refused(&self.request(&head, None), Refusal::Unreadable(why)).await;
                    }
                    Err(FormError::Disk(error)) => {
                        tracing::error!(source = %self.source.id, error = &error as &dyn std::error::Error, "a file could not be kept");
                        return self.busy(&self.request(&Bytes::new(), None));
                    }
                }
            }
        };
        let (whole, parts) = match &content {
            Content::Whole(whole) => (whole.clone(), None),
            Content::Parts(parts) => (Bytes::new(), Some(parts.as_slice())),
        };
        let response = self.decoded(&self.request(&whole, parts), pace).await;
        self.gateway.meters.intake(started.elapsed());
        response
    }

    /// How much this address sends. Only what brings something counts: a preflight is not a delivery.
    fn pace(&self) -> Pace {
        match (&self.source.limit, self.caller.client) {
            (Some(limit), Some(address)) if matches!(*self.method, Method::POST | Method::PUT | Method::PATCH) => {
                limit.check(address)
            }
            _ => Pace::Usual,
        }
    }

    /// What the gateway sent itself: read as everything is, and noted instead of recorded. `None`: it is none of that.
    async fn canary(&self, request: &Request<'_>) -> Option<Response> {
        let mark = request.header(canary::HEADER)?;
        let (Some(signer), Some(store)) = (self.gateway.signer().await, self.gateway.store().await) else {
            return Some(self.busy(request));
        };
        let (source, sent) = signer.read_canary(mark)?;
        let parsed = catch_unwind(AssertUnwindSafe(|| self.source.push.parse(request)));
        // It cannot solve a captcha: being asked for one is as far as it gets.
        let read = matches!(parsed, Ok(Ok(Parsed::Submissions(_) | Parsed::Ask(_) | Parsed::Again(..) | Parsed::Who(_))));
        if source != self.source.id || !read {
            return Some(not_found());
        }
        Some(match canary::returned(self.gateway, &**store, &source, sent).await {
            Ok(()) => text(StatusCode::OK, "The canary is back\n"),
            Err(error) => {
                tracing::warn!(%source, %error, "that a canary came back cannot be written");
                self.busy(request)
            }
        })
    }

    async fn decoded(&self, request: &Request<'_>, pace: Pace) -> Response {
        if let Some(response) = self.canary(request).await {
            return response;
        }
        let mut parsed = catch_unwind(AssertUnwindSafe(|| self.source.push.parse(request)));
        if let Ok(Ok(Parsed::Ask(challenge))) = &parsed {
            let told = self.ask(challenge).await;
            parsed = catch_unwind(AssertUnwindSafe(|| self.source.push.told(request, &told)));
        }
        match parsed {
            Ok(Ok(Parsed::Submissions(mut items))) => {
                if pace == Pace::Suspect {
                    for item in &mut items {
                        item.signals.push(Signal::Rate);
                    }
                }
                self.record(request, items).await
            }
            Ok(Ok(Parsed::Probe(reply))) => {
                self.source.meters.recorded(leadgate_core::receipt::Outcome::Probe, self.received_at.as_second());
                to_response(reply)
            }
            Ok(Ok(Parsed::Again(reply, why))) => {
                self.source.meters.refused(Refused::Again);
                self.gateway.refusals.add(&self.source.id, self.received_at, &why);
                to_response(reply)
            }
            Ok(Ok(Parsed::Who(who))) => self.who(request, who).await,
            Ok(Ok(Parsed::Ask(_again))) => {
                let why = "the connector asked one question after the other".to_owned();
                self.refused(request, Refusal::Unreadable(why)).await
            }
            Ok(Err(refusal)) => self.refused(request, refusal).await,
            Err(_panic) => {
                tracing::error!(source = %self.source.id, submission = %self.id, "a connector panicked: the delivery goes to quarantine");
                let words = "the connector failed on this body; the bytes are kept and can be replayed".to_owned();
                self.keep(request, held::with_bytes(&*self.source.push, request, "poisoned", words, self.known_sender())).await
            }
        }
    }

    async fn ask(&self, challenge: &Challenge) -> Told {
        let told = self.gateway.outward.ask(challenge).await;
        if let Told::Nothing(why) = &told {
            tracing::warn!(source = %self.source.id, submission = %self.id, why, "a captcha could not be checked: the lead is flagged");
        }
        told
    }

    /// What anybody may read below the source's address.
    pub fn asset(&self) -> Option<Response> {
        if self.path_token == PathToken::Valid || !matches!(*self.method, Method::GET | Method::HEAD) {
            return None;
        }
        let nothing = Bytes::new();
        let request = self.request(&nothing, None);
        let reply = catch_unwind(AssertUnwindSafe(|| self.source.push.asset(&request))).ok().flatten()?;
        Some(to_response(reply))
    }

    /// What a source that is switched off brings waits for a person; its sender sees a success.
    pub(super) fn pause(&self, items: &mut [Submission]) {
        for item in items.iter_mut().filter(|item| item.hold.is_none()) {
            let words = format!(
                "the source {id} is switched off: set enabled = true and `leadgate replay --source {id}`, or release it",
                id = self.source.id
            );
            item.hold = Some(Hold { code: "paused".to_owned(), words, authenticated: true });
        }
    }

    /// Records, with what of the head it takes to read it again.
    pub(super) async fn submit(&self, items: Vec<Submission>) -> Result<Vec<Receipt>, IntakeError> {
        self.gateway.intake.submit(self.with_head(items)).await
    }

    fn with_head(&self, mut items: Vec<Submission>) -> Vec<Submission> {
        if let [first, others @ ..] = items.as_mut_slice() {
            first.raw.head = held::head(self.source.push.reads_headers(), self.method, self.path_token, self.rest, &self.headers);
            for other in others {
                other.raw.head.clone_from(&first.raw.head);
            }
        }
        items
    }

    async fn record(&self, request: &Request<'_>, mut items: Vec<Submission>) -> Response {
        if !self.source.enabled {
            self.pause(&mut items);
        }
        let wrong_clock = items.iter().find_map(|item| item.hold.clone().filter(|hold| hold.code == CLOCK));
        match self.submit(items).await {
            Ok(receipts) => {
                for receipt in &receipts {
                    self.source.meters.recorded(receipt.outcome, self.received_at.as_second());
                }
                if let Some(hold) = wrong_clock {
                    alarms::wrong_clock(self.gateway, &self.source.id, &hold.words).await;
                }
                self.reply(request, Outcome::Recorded(&receipts))
            }
            Err(error) => {
                tracing::warn!(source = %self.source.id, submission = %self.id, %error, "a sender was asked to try again");
                self.busy(request)
            }
        }
    }

    /// Keeps what no connector understood; its sender sees a success.
    async fn keep(&self, request: &Request<'_>, item: Submission) -> Response {
        match self.submit(vec![item]).await {
            Ok(_) => {
                self.source.meters.recorded(leadgate_core::receipt::Outcome::Quarantined, self.received_at.as_second());
                self.reply(request, Outcome::Kept(self.id))
            }
            Err(_busy) => self.busy(request),
        }
    }

    async fn refused(&self, request: &Request<'_>, refusal: Refusal) -> Response {
        match refusal {
            Refusal::Unauthenticated(why) => {
                let something = !request.body.is_empty() || request.parts.is_some() || !request.query().is_empty();
                self.unknown_sender(
                    something.then(|| held::with_bytes(&*self.source.push, request, "unauthenticated", why.clone(), false)),
                    &why,
                )
                .await
            }
            Refusal::Unproven { why, signed } => self.unproven(request, &why, &signed).await,
            Refusal::Unreadable(why) => {
                let known = self.known_sender();
                self.keep(request, held::with_bytes(&*self.source.push, request, "unreadable", why, known)).await
            }
            Refusal::Oversize(why) => self.oversize(request, why, request.body.len() as u64).await,
        }
    }

    async fn oversize(&self, request: &Request<'_>, why: String, read: u64) -> Response {
        if !self.known_sender() {
            return self.unknown_sender(Some(held::head_only(&*self.source.push, request, why.clone(), false, read)), &why).await;
        }
        let item = held::head_only(&*self.source.push, request, why.clone(), true, read);
        match self.submit(vec![item]).await {
            Ok(_) => {
                self.source.meters.recorded(leadgate_core::receipt::Outcome::Quarantined, self.received_at.as_second());
                self.reply(request, Outcome::Refused(&Refusal::Oversize(why)))
            }
            Err(_busy) => self.busy(request),
        }
    }

    /// Who knows no token of the source is answered as if it were unknown. Who knows one, and whose key or signature is wrong, is
    /// told so: a service that reads 404 takes the webhook for gone. A few such calls a minute are kept, for the day a secret was
    /// mistyped.
    async fn unknown_sender(&self, item: Option<Submission>, why: &str) -> Response {
        self.source.meters.refused(Refused::Unauthenticated);
        let kept = match item.filter(|_| self.source.ring_has_room(self.received_at)) {
            Some(item) => self.submit(vec![item]).await.is_ok(),
            None => false,
        };
        if !kept {
            self.gateway.refusals.add(&self.source.id, self.received_at, why);
        }
        if self.path_token == PathToken::Valid { unproven() } else { not_found() }
    }

    /// A signature that is wrong. Why stands in the log, a few times a minute; what was signed in what is shown of the source.
    async fn unproven(&self, request: &Request<'_>, why: &str, signed: &str) -> Response {
        self.source.meters.refused(Refused::Unauthenticated);
        let told = if signed.is_empty() { why.to_owned() } else { format!("{why}; signed was: {signed}") };
        let mut kept = false;
        if self.source.ring_has_room(self.received_at) {
            tracing::warn!(source = %self.source.id, submission = %self.id, why, "a call proves nothing: it is refused");
            let item = held::with_bytes(&*self.source.push, request, "unauthenticated", why.to_owned(), false);
            kept = self.submit(vec![item]).await.is_ok();
            if !kept {
                tracing::warn!(source = %self.source.id, submission = %self.id, "a refused call could not be kept");
            }
        }
        if kept {
            self.gateway.refusals.explain(&self.source.id, self.received_at, &told);
        } else {
            self.gateway.refusals.add(&self.source.id, self.received_at, &told);
        }
        match catch_unwind(AssertUnwindSafe(|| self.source.push.refuses(request))) {
            Ok(Some(reply)) => to_response(reply),
            Ok(None) | Err(_) => unproven(),
        }
    }

    /// The body did not come whole.
    async fn not_read<B>(&self, error: ReadError, body: Option<&mut Reader<B>>) -> Response
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: std::error::Error,
    {
        let (why, nothing) = (error.to_string(), Bytes::new());
        let (counted, status) = match error {
            ReadError::Oversize(_) => {
                let read = body.as_ref().map_or(0, |body| body.bytes());
                let response = self.oversize(&self.request(&nothing, None), why, read).await;
                if let Some(body) = body {
                    body.drain(DRAIN_OVERSIZE).await;
                }
                return response;
            }
            ReadError::Slow => (Refused::Slow, StatusCode::REQUEST_TIMEOUT),
            ReadError::BrokenOff(_) => (Refused::BrokenOff, StatusCode::BAD_REQUEST),
        };
        self.source.meters.refused(counted);
        self.gateway.refusals.add(&self.source.id, self.received_at, &why);
        let mut response = text(status, "The body did not come whole.\n");
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }

    pub(super) fn busy(&self, request: &Request<'_>) -> Response {
        self.source.meters.refused(Refused::Busy);
        self.reply(request, Outcome::Busy)
    }

    /// The connector's answer; should it fail on that too, one that any sender understands.
    fn reply(&self, request: &Request<'_>, outcome: Outcome<'_>) -> Response {
        let busy = matches!(outcome, Outcome::Busy);
        let reply = catch_unwind(AssertUnwindSafe(|| self.source.push.reply(request, outcome))).unwrap_or_else(|_panic| {
            tracing::error!(source = %self.source.id, submission = %self.id, "a connector panicked over its answer");
            match outcome {
                Outcome::Recorded(_) | Outcome::Kept(_) => Reply::text(200, "ok"),
                Outcome::Refused(_) => Reply::text(413, "Too large"),
                Outcome::Busy => Reply::text(503, "Please try again"),
            }
        });
        let mut response = to_response(reply);
        if busy {
            response.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from_static("5"));
        }
        response
    }
}

/// A connector's answer as HTTP. What is no header value is left out: a connector builds some from what senders wrote.
pub(super) fn to_response(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        } else {
            tracing::warn!(name, "a connector's header holds what no header may");
        }
    }
    response
}
