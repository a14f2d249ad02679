//! What the service manager is told, where there is one (`Type=notify`). Without systemd nothing is told to nobody.

/// Leads are taken: what was waiting for that may go on.
pub fn ready() {
    #[cfg(unix)]
    tell(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status("taking leads")]);
}

/// A stop was asked for; what is under way is finished.
pub fn stopping() {
    #[cfg(unix)]
    tell(&[sd_notify::NotifyState::Stopping, sd_notify::NotifyState::Status("finishing what is under way")]);
}

#[cfg(unix)]
fn tell(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager could not be told how things stand");
    }
}
