//! Which form of the answer a client gets, by its `Accept` (RFC 9110 §12.5.1), and whether compressed, by its
//! `Accept-Encoding` (§12.5.3).

/// The forms of `/ready`. The order is ours: the first wins where a client does not mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Text,
    HealthJson,
    /// The status page.
    Html,
}

impl Form {
    pub const ALL: [Form; 4] = [Form::Json, Form::Text, Form::HealthJson, Form::Html];

    pub const fn content_type(self) -> &'static str {
        match self {
            Form::Json => "application/json",
            Form::Text => TEXT,
            Form::HealthJson => "application/health+json",
            Form::Html => HTML,
        }
    }
}

pub const TEXT: &str = "text/plain; charset=utf-8";
pub const HTML: &str = "text/html; charset=utf-8";

/// How precisely a range of `Accept` names a type. Greater is more precise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Anything,
    Group,
    Named,
}

/// The form to answer in; JSON when nothing acceptable is left, since a load balancer with an odd
/// `Accept` wants the status line and not a 406.
///
/// The greater q wins, then the more precise range, then our order. Ranges beyond the 32nd are not read.
pub fn negotiate(accept: Option<&str>) -> Form {
    let Some(accept) = accept else { return Form::Json };
    let ranges: Vec<(&str, u16)> = accept.split(',').take(32).filter_map(range).collect();
    let mut best: Option<(u16, Precision, Form)> = None;
    for form in Form::ALL {
        if let Some((precision, q)) = weight(&ranges, form)
            && q > 0
            && best.is_none_or(|(best_q, best_precision, _)| (q, precision) > (best_q, best_precision))
        {
            best = Some((q, precision, form));
        }
    }
    best.map_or(Form::Json, |(_, _, form)| form)
}

/// Whether the client names JSON itself, rather than taking anything.
pub fn names_json(accept: Option<&str>) -> bool {
    let ranges = accept.unwrap_or_default().split(',').take(32).filter_map(range);
    ranges
        .into_iter()
        .any(|(media, q)| q > 0 && media.eq_ignore_ascii_case("application/json"))
}

/// Whether the client takes gzip, and does not like the plain text better. Whoever sends no `Accept-Encoding` gets the
/// plain text; so does one who refuses everything, since an answer that cannot be read beats none.
pub fn prefers_gzip(accept_encoding: Option<&str>) -> bool {
    let codings = accept_encoding.unwrap_or_default().split(',').take(32);
    let codings: Vec<(&str, u16)> = codings.filter_map(weighted).collect();
    let q = |names: &[&str]| {
        let named = |(coding, _): &&(&str, u16)| names.iter().any(|name| coding.eq_ignore_ascii_case(name));
        codings.iter().find(named).map(|(_, q)| *q)
    };
    let anything = q(&["*"]);
    let gzip = q(&["gzip", "x-gzip"]).or(anything).unwrap_or(0);
    let identity = q(&["identity"]).or(anything).unwrap_or(0);
    gzip > 0 && gzip >= identity
}

/// A form's q (thousandths) is that of the most precise range that covers it.
fn weight(ranges: &[(&str, u16)], form: Form) -> Option<(Precision, u16)> {
    let full = form.content_type().split(';').next().unwrap_or_default();
    let group = full.split('/').next().unwrap_or_default();
    let covering = ranges.iter().filter_map(|(media, q)| {
        let precision = match media.split_once('/') {
            Some(("*", "*")) => Precision::Anything,
            Some((of, "*")) if of.eq_ignore_ascii_case(group) => Precision::Group,
            _ if media.eq_ignore_ascii_case(full) => Precision::Named,
            _ => return None,
        };
        Some((precision, *q))
    });
    covering.max()
}

/// `text/plain;q=0.5` as (`text/plain`, 500); `None` for what is no range.
fn range(text: &str) -> Option<(&str, u16)> {
    weighted(text).filter(|(media, _)| media.contains('/'))
}

/// A name and its q in thousandths; `None` when that cannot be read.
fn weighted(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next()?;
    let q = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let q = match q {
        None => 1.0,
        Some(q) => q.parse::<f64>().ok().filter(|q| (0.0..=1.0).contains(q))?,
    };
    // In 0.0..=1000.0 by the filter above.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    let thousandths = (q * 1000.0).round() as u16;
    Some((name, thousandths))
}
