//! Prometheus' text format: families in the order they are written, label values escaped.

use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
}

/// The text so far.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// One family: its samples stand together, as the format wants.
#[derive(Debug)]
pub struct FamilyWriter<'e> {
    text: &'e mut String,
    name: &'static str,
}

impl Exposition {
    /// `help` is ours and has neither backslash nor line feed.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) -> FamilyWriter<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        FamilyWriter {
            text: &mut self.text,
            name,
        }
    }

    pub fn finish(self) -> String {
        self.text
    }
}

impl FamilyWriter<'_> {
    pub fn sample(&mut self, labels: &[(&'static str, &str)], value: f64) {
        self.text.push_str(self.name);
        for (position, (name, value)) in labels.iter().enumerate() {
            self.text.push(if position == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(self.text, value);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.text.push(' ');
        number(self.text, value);
        self.text.push('\n');
    }
}

/// Counters lose precision beyond 2^53 events: centuries at a million a second.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub fn count(value: u64) -> f64 {
    value as f64
}

fn escape(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

/// Rust writes `inf` and Prometheus reads `+Inf`.
fn number(text: &mut String, value: f64) {
    let _ = if value == f64::INFINITY {
        text.write_str("+Inf")
    } else if value == f64::NEG_INFINITY {
        text.write_str("-Inf")
    } else {
        write!(text, "{value}")
    };
}
