//! Reading of the text that `/metrics` answers.
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

/// A metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Family<'a> {
    pub name: &'a str,
    pub help: &'a str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'a str,
    pub samples: Vec<Sample<'a>>,
}

/// A line with a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample<'a> {
    /// What follows the metric's name: nothing, or the part of a histogram.
    pub suffix: &'a str,
    pub labels: Vec<(&'a str, String)>,
    pub value: f64,
}

/// The metrics of a text. Samples without a `TYPE` before them, which are not written here, are left out.
pub(super) fn families(text: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut help = ("", "");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap_or((rest, ""));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let help = if help.0 == name { help.1 } else { "" };
            families.push(Family { name, help, kind, samples: Vec::new() });
        } else if let Some(family) = families.last_mut() {
            family.samples.extend(sample(family.name, line));
        }
    }
    families
}

fn sample<'a>(name: &str, line: &'a str) -> Option<Sample<'a>> {
    let rest = line.strip_prefix(name)?;
    let end = rest.find(['{', ' '])?;
    let (suffix, rest) = rest.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    Some(Sample { suffix, labels, value: value.trim().parse().ok()? })
}

/// Labels up to the closing brace, and the rest.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, after) = unquoted(quoted)?;
        labels.push((name, value));
        rest = after.strip_prefix(',').unwrap_or(after);
    }
}

/// A value up to its closing quote, and the rest.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_with_its_labels() {
        let text = "# HELP a_total All of them\n# TYPE a_total counter\na_total{x=\"1\",y=\"q\\\"b\\\\n\\n,}\"} 3\n\n\
                    # TYPE b gauge\nb NaN\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} 2\nc_sum 0.5\n";
        let found = families(text);
        let names: Vec<_> = found.iter().map(|family| (family.name, family.kind, family.help)).collect();
        assert_eq!(names, [("a_total", "counter", "All of them"), ("b", "gauge", ""), ("c", "histogram", "")]);
        let labels = vec![("x", "1".to_owned()), ("y", "q\"b\\n\n,}".to_owned())];
        assert_eq!(found[0].samples, [Sample { suffix: "", labels, value: 3.0 }]);
        assert!(found[1].samples[0].value.is_nan());
        let suffixes: Vec<_> = found[2].samples.iter().map(|sample| (sample.suffix, sample.value)).collect();
        assert_eq!(suffixes, [("_bucket", 2.0), ("_sum", 0.5)]);
    }
}
