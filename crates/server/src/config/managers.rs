//! `[[managers]]`.

use leadgate_core::ids::ManagerId;
use toml::Value;

use super::check::{language, own_email, time_zone};
use super::section::{Report, Section};
use super::{Company, Manager, ToldBy, onward};

/// `[[managers]]`: who works leads.
pub(super) fn managers(value: Option<Value>, report: &Report, company: &Company) -> Vec<Manager> {
    let items = match value {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            report.problem("managers", "write each manager as a section of their own, headed [[managers]] (two brackets)");
            return Vec::new();
        }
    };
    let mut managers: Vec<Manager> = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let path = format!("managers[{index}]");
        let Value::Table(table) = item else {
            report.problem(&path, "write each manager as a section of their own, headed [[managers]] (two brackets)");
            continue;
        };
        let mut section = Section::new(table, path, report);
        let missing = !section.has("id");
        let id = section.parsed("id", manager_id);
        let name = section.text("name");
        let email = section.parsed("email", own_email);
        let time_zone = section.parsed("time_zone", time_zone);
        let zone = time_zone.as_ref().unwrap_or(&company.time_zone);
        let quiet = onward::quiet(section.parsed("quiet_hours", onward::hours), zone);
        let by = told_by(&mut section);
        let extension = section.text("extension");
        let (digest_at, language) = (section.parsed("digest_at", onward::time), section.parsed("language", language));
        if digest_at.is_some() && email.is_none() {
            section.problem("digest_at", "a digest is a mail: add their email");
        }
        if missing {
            section.problem("id", "every manager needs a short name for commands, such as id = \"anna\"");
        }
        if let Some(id) = id {
            if managers.iter().any(|known| known.id == id) {
                section.problem("id", format!("there are two managers called {id}"));
            }
            let name = name.unwrap_or_else(|| id.0.clone());
            managers.push(Manager { id, name, email, time_zone, quiet, digest_at, language, by, extension });
        }
        section.finish();
    }
    managers
}

/// `notify_by`; without it, by everything there is.
fn told_by(section: &mut Section<'_>) -> ToldBy {
    if !section.has("notify_by") {
        return ToldBy::ALL;
    }
    let ways = section.list("notify_by", onward::way);
    ToldBy { mail: ways.contains(&false), telegram: ways.contains(&true) }
}

fn manager_id(text: &str) -> Result<ManagerId, String> {
    let fits = text.len() <= 40 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if fits {
        Ok(ManagerId(text.to_owned()))
    } else {
        Err(format!("{text:?} is no id: use up to 40 Latin letters, digits, dots, '-' and '_', such as \"anna\""))
    }
}
