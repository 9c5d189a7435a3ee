//! The table: what was measured beside what, and whether it is what it should be.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::rounds::Series;

#[derive(Clone, Debug)]
pub struct Row {
    pub what: String,
    pub beside: String,
    pub unit: &'static str,
    pub measured: f64,
    /// `None`: nothing comparable can be had, and the target is of the figure itself.
    pub peer: Option<f64>,
    pub ratio: Option<f64>,
    pub target: Target,
}

/// Targets are set where the table is asked for and are not moved by what is measured.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    RatioMin(f64),
    RatioMax(f64),
    /// Either of the two: the ratio, or the figure itself.
    RatioOrValueMax(f64, f64),
    ValueMax(f64),
}

impl Row {
    pub fn beside(what: &str, unit: &'static str, ours: &Series, beside: &str, peer: &Series, target: Target) -> Row {
        Row {
            what: what.into(),
            beside: beside.into(),
            unit,
            measured: ours.median(),
            peer: Some(peer.median()),
            ratio: Some(ours.beside(peer)),
            target,
        }
    }

    pub fn alone(what: &str, unit: &'static str, ours: &Series, value_max: f64) -> Row {
        Row {
            what: what.into(),
            beside: "–".into(),
            unit,
            measured: ours.median(),
            peer: None,
            ratio: None,
            target: Target::ValueMax(value_max),
        }
    }

    pub fn is_met(&self) -> bool {
        let ratio = self.ratio.unwrap_or(f64::NAN);
        match self.target {
            Target::RatioMin(least) => ratio >= least,
            Target::RatioMax(most) => ratio <= most,
            Target::RatioOrValueMax(most, value) => ratio <= most || self.measured <= value,
            Target::ValueMax(most) => self.measured <= most,
        }
    }

    fn target(&self) -> String {
        match self.target {
            Target::RatioMin(least) => format!("≥ {least}"),
            Target::RatioMax(most) => format!("≤ {most}"),
            Target::RatioOrValueMax(most, value) => format!("≤ {most}, or {value} {}", self.unit),
            Target::ValueMax(most) => format!("≤ {most} {}", self.unit),
        }
    }

    fn cells(&self) -> [String; 7] {
        let of_unit = |value: f64| format!("{} {}", short(value), self.unit);
        [
            self.what.clone(),
            self.beside.clone(),
            of_unit(self.measured),
            self.peer.map_or("–".into(), of_unit),
            self.ratio.map_or("–".into(), short),
            self.target(),
            if self.is_met() { "yes" } else { "**no**" }.into(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what, "beside": self.beside, "unit": self.unit, "measured": self.measured,
            "peer": self.peer, "ratio": self.ratio, "target": self.target(), "met": self.is_met(),
        })
    }
}

/// All of them with the machine they were measured on, and how the figures grow with tenants.
pub fn json(machine: &str, rows: &[Row], growth: &[crate::growth::Line]) -> Value {
    json!({
        "machine": machine,
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
        "growth": growth.iter().map(|line| json!({"what": line.what, "unit": line.unit, "by_tenants": line.by_tenants})).collect::<Vec<_>>(),
    })
}

pub fn markdown(machine: &str, rows: &[Row], growth: &[crate::growth::Line]) -> String {
    let mut text = format!("{machine}\n");
    if !rows.is_empty() {
        text.push_str("\n| what | beside | measured | peer | ratio | target | met |\n|---|---|---|---|---|---|---|\n");
    }
    for row in rows {
        let _ = writeln!(text, "| {} |", row.cells().join(" | "));
    }
    if !growth.is_empty() {
        let tenants = crate::growth::TENANTS.map(|count| count.to_string()).join(" | ");
        let _ = writeln!(text, "\n| by tenants | {tenants} |");
        let _ = writeln!(text, "|---{}|", "|---".repeat(crate::growth::TENANTS.len()));
    }
    for line in growth {
        let values: Vec<String> = line.by_tenants.iter().map(|value| short(*value)).collect();
        let _ = writeln!(text, "| {}, {} | {} |", line.what, line.unit, values.join(" | "));
    }
    text
}

/// Three digits that mean something.
fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        small if small >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
