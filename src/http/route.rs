//! One table of all routes: it finds, it names (the `route` label of the metric), it fills `Allow`,
//! the 404 lists it, and `/openapi.json` describes it. Therefore actix's own router is not used: with it the four would be written
//! down four times.

use std::borrow::Cow;

use actix_web::http::Method;

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// A TCP listener: read-only.
    Public,
    /// `control.sock`: everything, and it changes state.
    Control,
}

/// What is asked for. The text is as sent: handlers parse names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'p> {
    Ready {
        tenant: Option<&'p str>,
    },
    /// The status page.
    Page {
        tenant: Option<&'p str>,
    },
    Livez,
    Startupz,
    Metrics,
    Status,
    Checks,
    Check {
        probe: &'p str,
        tenant: Option<&'p str>,
    },
    Digest,
    History,
    Stream,
    Openapi,
    Operations,
    MaintenanceStart,
    MaintenanceEnd {
        tenant: &'p str,
    },
    Drain,
    Undrain,
    Reload,
    Ask,
    Events,
}

/// A route with its pattern, which is also the label it is measured under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'p> {
    pub route: Route<'p>,
    pub pattern: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// No such path here.
    NotFound,
    /// The path is there, the method is not.
    NotAllowed {
        pattern: &'static str,
        /// For the `Allow` header.
        allow: String,
    },
}

/// The label of whatever is not in the table.
pub const OTHER: &str = "other";

struct Entry {
    pattern: &'static str,
    method: Method,
    surface: Surface,
    make: for<'p> fn(&[&'p str]) -> Route<'p>,
}

/// `path` with those characters decoded that never need encoding (RFC 3986 §6.2.2.2): `/ready/%61cme` is
/// `/ready/acme`, while `%2F` stays and separates nothing.
pub fn normal(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut pieces = path.split('%');
    let mut normal = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        match byte.filter(unreserved) {
            Some(byte) => {
                normal.push(char::from(byte));
                normal.push_str(&piece[2..]);
            }
            None => {
                normal.push('%');
                normal.push_str(piece);
            }
        }
    }
    Cow::Owned(normal)
}

/// Finds the route of `method` and `path` (no query; one final slash is forgiven). HEAD goes wherever GET does.
pub fn find<'p>(method: &Method, path: &'p str, surface: Surface) -> Result<Found<'p>, Missed> {
    let mut allow: Vec<&str> = Vec::new();
    let mut seen = None;
    for entry in entries(surface) {
        let Some(parameters) = parameters(entry.pattern, path) else {
            continue;
        };
        if serves(entry, method) {
            return Ok(Found {
                route: (entry.make)(&parameters),
                pattern: entry.pattern,
            });
        }
        seen = Some(entry.pattern);
        allow.push(entry.method.as_str());
        if entry.method == Method::GET {
            allow.push("HEAD");
        }
    }
    Err(match seen {
        Some(pattern) => Missed::NotAllowed {
            pattern,
            allow: allow.join(", "),
        },
        None => Missed::NotFound,
    })
}

/// `GET /ready/{tenant}` and so on: what the 404 lists.
pub fn listing(surface: Surface) -> Vec<String> {
    entries(surface)
        .map(|entry| format!("{} {}", entry.method, entry.pattern))
        .collect()
}

/// Method, pattern and route of each entry, for the description; names in the route are empty.
pub fn all(surface: Surface) -> impl Iterator<Item = (&'static Method, &'static str, Route<'static>)> {
    entries(surface).map(|entry| (&entry.method, entry.pattern, (entry.make)(&[])))
}

/// Every pattern that can label a metric on some surface, each once.
pub fn patterns() -> Vec<&'static str> {
    let mut patterns: Vec<_> = TABLE.iter().map(|entry| entry.pattern).collect();
    patterns.push(OTHER);
    patterns.sort_unstable();
    patterns.dedup();
    patterns
}

impl Route<'_> {
    /// Whether it answers anybody, at least with the bare verdict.
    pub const fn answers_anybody(&self) -> bool {
        matches!(self, Route::Ready { .. } | Route::Livez | Route::Startupz)
    }

    /// Whether its answer may be kept and asked for again by its `ETag`.
    pub const fn revalidates(&self) -> bool {
        matches!(
            self,
            Route::Status
                | Route::Checks
                | Route::Check { .. }
                | Route::Digest
                | Route::History
                | Route::Openapi
                | Route::Operations
        )
    }

    /// Whether its answer is compressed where that is worth it: never what load balancers ask each second.
    pub const fn compresses(&self) -> bool {
        self.revalidates() || matches!(self, Route::Metrics | Route::Page { .. })
    }
}

const fn get(pattern: &'static str, make: for<'p> fn(&[&'p str]) -> Route<'p>) -> Entry {
    entry(Method::GET, Surface::Public, pattern, make)
}

const fn entry(
    method: Method,
    surface: Surface,
    pattern: &'static str,
    make: for<'p> fn(&[&'p str]) -> Route<'p>,
) -> Entry {
    Entry {
        pattern,
        method,
        surface,
        make,
    }
}

static TABLE: [Entry; 26] = [
    get("/", |_| Route::Page { tenant: None }),
    get("/tenants/{tenant}", |path| Route::Page {
        tenant: path.first().copied(),
    }),
    get("/ready", |_| Route::Ready { tenant: None }),
    get("/ready/{tenant}", |path| Route::Ready {
        tenant: path.first().copied(),
    }),
    get("/readyz", |_| Route::Ready { tenant: None }),
    get("/readyz/{tenant}", |path| Route::Ready {
        tenant: path.first().copied(),
    }),
    get("/livez", |_| Route::Livez),
    get("/startupz", |_| Route::Startupz),
    get("/metrics", |_| Route::Metrics),
    get("/v1/status", |_| Route::Status),
    get("/v1/checks", |_| Route::Checks),
    get("/v1/checks/{check}", |path| Route::Check {
        probe: at(path, 0),
        tenant: None,
    }),
    get("/v1/checks/{check}/{tenant}", |path| Route::Check {
        probe: at(path, 0),
        tenant: path.get(1).copied(),
    }),
    get("/v1/webhook-digest", |_| Route::Digest),
    get("/v1/history", |_| Route::History),
    get("/v1/stream", |_| Route::Stream),
    get("/openapi.json", |_| Route::Openapi),
    entry(Method::GET, Surface::Control, "/v1/maintenance", |_| Route::Operations),
    entry(Method::POST, Surface::Control, "/v1/maintenance", |_| {
        Route::MaintenanceStart
    }),
    entry(Method::DELETE, Surface::Control, "/v1/maintenance/{tenant}", |path| {
        Route::MaintenanceEnd { tenant: at(path, 0) }
    }),
    entry(Method::GET, Surface::Control, "/v1/drain", |_| Route::Operations),
    entry(Method::POST, Surface::Control, "/v1/drain", |_| Route::Drain),
    entry(Method::DELETE, Surface::Control, "/v1/drain", |_| Route::Undrain),
    entry(Method::POST, Surface::Control, "/v1/reload", |_| Route::Reload),
    entry(Method::POST, Surface::Control, "/v1/ask", |_| Route::Ask),
    entry(Method::POST, Surface::Control, "/v1/events", |_| Route::Events),
];

fn entries(surface: Surface) -> impl Iterator<Item = &'static Entry> {
    let within = move |entry: &&Entry| surface == Surface::Control || entry.surface == Surface::Public;
    TABLE.iter().filter(within)
}

fn serves(entry: &Entry, method: &Method) -> bool {
    entry.method == *method || (entry.method == Method::GET && *method == Method::HEAD)
}

/// The parts of `path` that stand where `pattern` has braces; `None` when they differ elsewhere.
fn parameters<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let is_forgiven = |rest: &&str| !rest.is_empty() && !rest.ends_with('/');
    let path = path.strip_suffix('/').filter(is_forgiven).unwrap_or(path);
    if !pattern.contains('{') {
        return (pattern == path).then(Vec::new);
    }
    let mut wanted = pattern.split('/');
    let mut given = path.split('/');
    let mut parameters = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parameters),
            (Some(name), Some(value)) if name.starts_with('{') && !value.is_empty() => parameters.push(value),
            (Some(name), Some(value)) if name == value => {}
            _ => return None,
        }
    }
}

fn at<'p>(path: &[&'p str], index: usize) -> &'p str {
    path.get(index).copied().unwrap_or_default()
}
