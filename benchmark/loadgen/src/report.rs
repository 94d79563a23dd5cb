//! Results as one JSON line or as text.

use std::fmt::Write;

use crate::histogram::Histogram;

enum Value {
    Integer(u64),
    Number(f64),
    Text(String),
    Group(Report),
}

/// Named values in the order in which they were added.
#[derive(Default)]
pub struct Report {
    fields: Vec<(String, Value)>,
}

impl Report {
    pub fn integer(&mut self, name: &str, value: u64) {
        self.fields.push((name.to_owned(), Value::Integer(value)));
    }

    /// Kept to three decimals.
    pub fn number(&mut self, name: &str, value: f64) {
        let value = if value.is_finite() { value } else { 0.0 };
        self.fields.push((name.to_owned(), Value::Number(value)));
    }

    pub fn text(&mut self, name: &str, value: &str) {
        self.fields
            .push((name.to_owned(), Value::Text(value.to_owned())));
    }

    pub fn group(&mut self, name: &str, value: Report) {
        self.fields.push((name.to_owned(), Value::Group(value)));
    }

    /// Quantiles of a histogram of nanoseconds.
    pub fn latency(&mut self, histogram: &Histogram) {
        let micros = |ns: u64| ns as f64 / 1e3;
        self.number("p50_us", micros(histogram.quantile(0.5)));
        self.number("p99_us", micros(histogram.quantile(0.99)));
        self.number("p999_us", micros(histogram.quantile(0.999)));
        self.number("max_us", micros(histogram.max()));
    }

    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (index, (name, value)) in self.fields.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(out, "{comma}{}:", quoted(name));
            let _ = match value {
                Value::Integer(value) => write!(out, "{value}"),
                Value::Number(value) => write!(out, "{value:.3}"),
                Value::Text(value) => write!(out, "{}", quoted(value)),
                Value::Group(value) => write!(out, "{}", value.to_json()),
            };
        }
        out.push('}');
        out
    }

    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write_text(&mut out, 0);
        out
    }

    fn write_text(&self, out: &mut String, indent: usize) {
        for (name, value) in &self.fields {
            let label = format!("{:indent$}{name}", "");
            let _ = match value {
                Value::Integer(value) => writeln!(out, "{label:<28}{value:>16}"),
                Value::Number(value) => writeln!(out, "{label:<28}{value:>16.3}"),
                Value::Text(value) => writeln!(out, "{label:<28}{value:>16}"),
                Value::Group(value) => {
                    let _ = writeln!(out, "{label}");
                    value.write_text(out, indent + 2);
                    Ok(())
                }
            };
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_escaped_and_nested() {
        let mut threads = Report::default();
        threads.number("a\"b\\\n", 1.25);
        let mut report = Report::default();
        report.integer("msgs", 3);
        report.text("mode", "echo");
        report.group("threads", threads);
        let expected = r#"{"msgs":3,"mode":"echo","threads":{"a\"b\\\u000a":1.250}}"#;
        assert_eq!(report.to_json(), expected);
    }
}
