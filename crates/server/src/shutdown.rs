//! How the gateway is told to stop: softly first (finish what is under way), then hard; and to read its sources again.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The switches. Clones are the same switches.
#[derive(Clone, Debug)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
    reload: Arc<Notify>,
}

impl Default for Shutdown {
    fn default() -> Self {
        let hard = CancellationToken::new();
        // A hard stop is a soft one too.
        Self { soft: hard.child_token(), hard, reload: Arc::new(Notify::new()) }
    }
}

impl Shutdown {
    /// Switches nobody has touched.
    pub fn new() -> Self {
        Self::default()
    }

    /// No new work; what is under way is finished.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// At once.
    pub fn stop_hard(&self) {
        self.hard.cancel();
    }

    /// Read the sources again.
    pub fn ask_reload(&self) {
        self.reload.notify_one();
    }

    /// Cancelled when the gateway should finish.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when the gateway must not wait any longer.
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Waits until somebody asks for a reload.
    pub async fn reload_asked(&self) {
        self.reload.notified().await;
    }
}

/// Listens to the process's signals: SIGTERM or Ctrl-C stops softly, the second one hard, SIGHUP reloads. Must be called
/// within the runtime.
#[cfg(unix)]
pub fn signals() -> std::io::Result<Shutdown> {
    use tokio::signal::unix::{SignalKind, signal};

    let shutdown = Shutdown::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let switches = shutdown.clone();
    tokio::spawn(async move {
        while !switches.hard.is_cancelled() {
            tokio::select! {
                _ = terminate.recv() => switches.next("SIGTERM"),
                _ = interrupt.recv() => switches.next("SIGINT"),
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: reading the sources again");
                    switches.ask_reload();
                }
            }
        }
    });
    Ok(shutdown)
}

/// Listens to Ctrl-C: once stops softly, the second time hard. Must be called within the runtime.
#[cfg(not(unix))]
pub fn signals() -> std::io::Result<Shutdown> {
    let shutdown = Shutdown::new();
    let switches = shutdown.clone();
    tokio::spawn(async move {
        while !switches.hard.is_cancelled() && tokio::signal::ctrl_c().await.is_ok() {
            switches.next("Ctrl-C");
        }
    });
    Ok(shutdown)
}

impl Shutdown {
    fn next(&self, signal: &str) {
        if self.soft.is_cancelled() {
            tracing::warn!("{signal} again: stopping at once");
            self.hard.cancel();
        } else {
            tracing::info!("{signal}: finishing what is under way; once more stops at once");
            self.soft.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_then_hard() {
        let shutdown = Shutdown::new();
        shutdown.next("SIGTERM");
        assert!(shutdown.soft().is_cancelled() && !shutdown.hard().is_cancelled());
        shutdown.next("SIGTERM");
        assert!(shutdown.hard().is_cancelled());
        let other = Shutdown::new();
        other.stop_hard();
        assert!(other.soft().is_cancelled());
    }
}
