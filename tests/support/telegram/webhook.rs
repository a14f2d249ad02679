//! The service calls a webhook: one update after the other, each until it is taken.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;

/// The pause after a call that was not taken; the real service waits longer each time.
const AGAIN: Duration = Duration::from_millis(50);

pub(super) async fn call(shared: Arc<Shared>) {
    loop {
        let told = shared.told.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        let next = {
            let books = shared.books();
            books.hook.clone().zip(books.waiting.front().cloned())
        };
        let Some((hook, (id, update))) = next else {
            told.await;
            continue;
        };
        let request = shared.http.post(&hook.url).header("content-type", "application/json").body(update.to_string());
        let answer = request.header("X-Telegram-Bot-Api-Secret-Token", &hook.secret).send().await;
        let trouble = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("Wrong response from the webhook: {}", answer.status())),
            Err(_) => Some("Connection refused".to_owned()),
        };
        if settle(&shared, id, trouble) {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Keeps how a call ended; whether it is made again.
fn settle(shared: &Shared, id: i64, trouble: Option<String>) -> bool {
    let mut books = shared.books();
    let Some(words) = trouble else {
        books.waiting.retain(|(known, _)| *known != id);
        return false;
    };
    books.refused_calls += 1;
    books.last_error = Some((now(), words));
    true
}

#[expect(clippy::disallowed_methods, reason = "the service has a clock of its own")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
