//! Senders that keep a connection and send each form again until somebody says that it is kept.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use leadgate_tests::client::{World, send};
use leadgate_tests::gateway::TOKEN;
use leadgate_tests::load::Connection;
use leadgate_tests::people;
use reqwest::Method;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What senders are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A gateway is there.
    Send(SocketAddr),
    /// None is there now.
    Wait,
    /// Finish what was begun: no new forms.
    Finish(SocketAddr),
    /// The last gateway is going away: what it does not take is not sent again.
    LastCall(SocketAddr),
}

/// Senders at work.
pub struct Senders {
    orders: watch::Sender<Order>,
    acknowledged: watch::Receiver<u64>,
    tasks: JoinSet<anyhow::Result<Sent>>,
}

/// What senders have done.
#[derive(Debug, Default)]
pub struct Sent {
    /// The numbers of forms that were acknowledged.
    pub acknowledged: BTreeSet<u64>,
    /// The numbers of forms that were sent, and never acknowledged.
    pub unanswered: BTreeSet<u64>,
    /// Forms that were sent more than once.
    pub retried: u64,
}

impl Senders {
    /// Starts `count` senders, which wait.
    pub fn new(count: usize) -> Self {
        let (orders, _) = watch::channel(Order::Wait);
        let (count_up, acknowledged) = watch::channel(0);
        let (count_up, next) = (Arc::new(count_up), Arc::new(AtomicU64::new(1)));
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            tasks.spawn(work(orders.subscribe(), Arc::clone(&next), Arc::clone(&count_up)));
        }
        Self { orders, acknowledged, tasks }
    }

    /// Tells them what to do now.
    pub fn tell(&self, order: Order) {
        self.orders.send_replace(order);
    }

    /// Waits until so many more forms were acknowledged.
    pub async fn acknowledge(&mut self, more: u64) -> anyhow::Result<()> {
        let goal = *self.acknowledged.borrow() + more;
        self.acknowledged.wait_for(|count| *count >= goal).await.context("the senders ended")?;
        Ok(())
    }

    /// What they did, when they are done.
    pub async fn done(mut self) -> anyhow::Result<Sent> {
        let mut sent = Sent::default();
        while let Some(one) = self.tasks.join_next().await {
            let one = one??;
            sent.acknowledged.extend(one.acknowledged);
            sent.unanswered.extend(one.unanswered);
            sent.retried += one.retried;
        }
        Ok(sent)
    }
}

/// What the file of form `n` holds, if it has one.
fn file(n: u64) -> Option<String> {
    n.is_multiple_of(8).then(|| format!("The file of form {n}."))
}

/// A person of its own for every form; its type and its body.
fn form(n: u64) -> (&'static str, String) {
    let (name, phone) = (people::name(n), 1_000_000 + n);
    let Some(file) = file(n) else {
        let name = people::urlencode(&name);
        let body = format!("name={name}&phone=%2B7916{phone:07}&email=n{n}%40mail.ru&utm_source=n{n}&_id=n{n}");
        return ("application/x-www-form-urlencoded", body);
    };
    let number = format!("+7916{phone:07}");
    let fields = [("name", name), ("phone", number), ("utm_source", format!("n{n}")), ("_id", format!("n{n}"))];
    let mut body = String::new();
    for (name, value) in fields {
        let _infallible = write!(body, "--edge\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"plan.txt\"\r\ncontent-type: text/plain\r\n\r\n";
    let _infallible = write!(body, "{file}\r\n--edge--\r\n");
    ("multipart/form-data; boundary=edge", body)
}

async fn work(mut orders: watch::Receiver<Order>, next: Arc<AtomicU64>, count: Arc<watch::Sender<u64>>) -> anyhow::Result<Sent> {
    let path = format!("/in/site/{TOKEN}");
    let mut sent = Sent::default();
    let mut open: Option<(SocketAddr, Connection)> = None;
    let mut unanswered: Option<u64> = None;
    loop {
        let order = *orders.wait_for(|order| *order != Order::Wait).await?;
        let address = match (order, unanswered) {
            (Order::Finish(_) | Order::LastCall(_), None) => return Ok(sent),
            (Order::Send(address) | Order::Finish(address) | Order::LastCall(address), _) => address,
            (Order::Wait, _) => continue,
        };
        let n = match unanswered {
            Some(n) => {
                sent.retried += 1;
                n
            }
            None => next.fetch_add(1, Ordering::Relaxed),
        };
        unanswered = Some(n);
        if open.as_ref().is_none_or(|(known, _)| *known != address) {
            open = Connection::open(address).await.ok().map(|connection| (address, connection));
        }
        let answer = match &mut open {
            Some((_, connection)) => {
                let (content_type, body) = form(n);
                connection.post_as(&path, content_type, body.as_bytes()).await.ok()
            }
            None => None,
        };
        match answer {
            Some(200 | 303) => {
                sent.acknowledged.insert(n);
                unanswered = None;
                count.send_modify(|count| *count += 1);
            }
            Some(503) | None => {
                open = None;
                if matches!(*orders.borrow(), Order::LastCall(_)) {
                    sent.unanswered.insert(n);
                    return Ok(sent);
                }
                // Where nobody listens an attempt fails at once: others must get to run.
                tokio::task::yield_now().await;
            }
            Some(status) => anyhow::bail!("form {n} was answered {status}"),
        }
    }
}

/// Every acknowledged form is one lead of its own, and nothing is there that nobody sent.
pub async fn check(world: &World, sent: &Sent) -> anyhow::Result<()> {
    let mut found = BTreeSet::new();
    for lead in world.leads().await? {
        let n = lead["utm_source"].as_str().and_then(|text| text.strip_prefix('n')).and_then(|text| text.parse::<u64>().ok());
        let n = n.with_context(|| format!("a lead of nobody: {lead}"))?;
        assert!(found.insert(n), "form {n} is two leads");
        assert_eq!(lead["activities"], 1, "form {n}: {lead}");
    }
    for n in sent.acknowledged.iter().filter(|n| found.contains(n)) {
        if let Some(expected) = file(*n) {
            let page = world.get(&format!("/leads?q=%2B7916{:07}", 1_000_000 + n)).await?;
            let lead = world.get(&format!("/leads/{}", page["items"][0]["id"])).await?;
            let sha256 = lead["timeline"][0]["content"]["files"][0]["sha256"]
                .as_str()
                .with_context(|| format!("form {n} has a file: {lead}"))?;
            let kept = send(world.api(Method::GET, &format!("/attachments/{sha256}"))).await?.expect(200)?;
            assert_eq!(kept.text(), expected, "the file of form {n}");
        }
    }
    let lost: Vec<_> = sent.acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let foreign: Vec<_> = found.iter().filter(|n| !sent.acknowledged.contains(n) && !sent.unanswered.contains(n)).collect();
    assert!(foreign.is_empty(), "never sent: {foreign:?}");
    let status = world.get("/status").await?;
    assert_eq!(status["submissions"], found.len(), "each is kept once: {status}");
    assert_eq!(status["contacts"], found.len(), "{status}");
    Ok(())
}
