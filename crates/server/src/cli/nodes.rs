//! `nodes`: who serves the database.

use leadgate_core::views::NodeView;

use super::gate::Gate;
use super::story;
use crate::nodes::SILENT_AFTER;
use crate::print;

/// Runs `nodes`.
pub(super) async fn command(gate: &Gate) -> anyhow::Result<()> {
    let nodes = gate.reader().await?.nodes().await?;
    if gate.json() {
        return Ok(print::json(&nodes)?);
    }
    if nodes.is_empty() {
        return Ok(print::line("No gateway serves this database now. Start one with `leadgate`.")?);
    }
    let rows: Vec<_> = nodes.iter().map(|node| row(node, gate)).collect();
    Ok(print::out(&print::table(
        &["node", "machine", "address", "version", "since", "state", "holds"],
        &rows,
        &["version", "since"],
    ))?)
}

fn row(node: &NodeView, gate: &Gate) -> Vec<String> {
    let silent = node.quiet_s > SILENT_AFTER.as_secs();
    let state = if silent { format!("silent for {} s", node.quiet_s) } else { "alive".to_owned() };
    let held =
        node.leases.iter().map(|lease| if lease.expired { format!("{} (run out)", lease.name) } else { lease.name.clone() });
    let held = held.collect::<Vec<_>>().join(", ");
    // The end of the UUID is the part that differs between gateways started in the same moment.
    let id = node.id.to_string();
    vec![
        id.rsplit('-').next().unwrap_or_default().to_owned(),
        node.name.clone(),
        node.address.clone(),
        node.version.clone(),
        story::time_or_dash(Some(node.started_at), gate.zone()),
        state,
        if held.is_empty() { "nothing".to_owned() } else { held },
    ]
}
