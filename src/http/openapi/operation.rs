//! What each route is for, takes and answers. A new route has an arm here, or nothing compiles.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Schemas, parameters};
use crate::digest::answer;
use crate::history;
use crate::http::accept::{Form, HTML, TEXT};
use crate::http::reply::JSON;
use crate::http::route::Route;
use crate::http::{body, control, forms, metrics, site};

/// One method of one path.
pub(super) struct Operation {
    pub id: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub description: &'static str,
    pub query: Vec<Value>,
    /// The body of the request, as the document has it.
    pub body: Option<Value>,
    pub answers: BTreeMap<u16, Answer>,
}

/// What comes with one status.
pub(super) struct Answer {
    pub description: &'static str,
    /// Content type and schema, one for each form.
    pub content: Vec<(&'static str, Value)>,
    /// An error, in the form that all have.
    pub is_problem: bool,
    /// Beside those that follow from the route and the status.
    pub headers: &'static [&'static str],
}

impl Answer {
    pub(super) fn empty(description: &'static str) -> Answer {
        Answer {
            description,
            content: Vec::new(),
            is_problem: false,
            headers: &[],
        }
    }

    fn of(description: &'static str, content_type: &'static str, schema: Value) -> Answer {
        Answer {
            content: vec![(content_type, schema)],
            ..Answer::empty(description)
        }
    }

    /// In the same forms, with another description and headers.
    fn like(&self, description: &'static str, headers: &'static [&'static str]) -> Answer {
        Answer {
            content: self.content.clone(),
            headers,
            ..Answer::empty(description)
        }
    }
}

impl Operation {
    fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Operation {
        Operation {
            id,
            tag,
            summary,
            description: "",
            query: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
        }
    }

    fn says(self, description: &'static str) -> Operation {
        Operation { description, ..self }
    }

    fn query(mut self, parameter: Value) -> Operation {
        self.query.push(parameter);
        self
    }

    pub(super) fn answer(mut self, status: u16, answer: Answer) -> Operation {
        self.answers.insert(status, answer);
        self
    }

    fn json(self, description: &'static str, schema: Value) -> Operation {
        self.answer(200, Answer::of(description, JSON, schema))
    }

    /// Unless the status is described already.
    pub(super) fn problem(mut self, status: u16, description: &'static str) -> Operation {
        self.answers.entry(status).or_insert(Answer {
            is_problem: true,
            ..Answer::empty(description)
        });
        self
    }

    /// What the disk may do to an answer that it is asked for.
    fn reads_the_disk(self) -> Operation {
        self.problem(503, "The store cannot be read now.")
            .problem(504, "The store did not answer within 5 s.")
    }

    /// What changes state, by a peer that the system names, with a body of this schema.
    fn change(mut self, required: bool, schema: Option<Value>) -> Operation {
        if let Some(schema) = schema {
            self.body = Some(json!({"required": required, "content": {JSON: {"schema": schema}}}));
        }
        self.problem(403, "The system does not say who you are.")
            .problem(408, "The body did not arrive within 10 s.")
            .problem(413, "The body is too long.")
            .problem(422, "It was understood and is not possible; nothing was changed.")
            .problem(503, "readyd is stopping, or the store does not commit.")
            .problem(504, "There was no answer in time; it may still take effect.")
    }
}

/// The description of `route`, found at `pattern`.
pub(super) fn of(route: &Route<'_>, pattern: &'static str, schemas: &mut Schemas) -> Operation {
    match route {
        Route::Ready { .. } => ready(pattern, schemas),
        Route::Page { .. } => page(pattern),
        Route::Livez => Operation::new("livez", "verdict", "Whether the main loop turns")
            .answer(200, Answer::of("It does.", TEXT, line()))
            .answer(503, Answer::of("It has not for 10 s: restart readyd.", TEXT, line())),
        Route::Startupz => Operation::new("startupz", "verdict", "Whether the first round of checks is over")
            .answer(200, Answer::of("It is.", TEXT, line()))
            .answer(503, Answer::of("It is not yet.", TEXT, line())),
        Route::Metrics => Operation::new("metrics", "detail", "The same for Prometheus")
            .answer(200, Answer::of("Its text format, always.", metrics::CONTENT_TYPE, line())),
        Route::Status => Operation::new("status", "detail", "All that the node knows of itself")
            .json("What `/ready` says and more, without bounds.", schemas.sent::<body::StatusBody<'_>>()),
        Route::Checks => Operation::new("checks", "detail", "Every check, worst first")
            .json("As in `/ready`.", schemas.sent::<body::ChecksBody<'_>>()),
        Route::Check { .. } => check(pattern, schemas),
        Route::Digest => Operation::new("webhookDigest", "detail", "Failed webhook deliveries of five minutes")
            .query(parameters::window())
            .query(parameters::tenant("Rows and totals of this tenant alone."))
            .query(parameters::digest_limit())
            .query(parameters::scope())
            .json("Most failures first.", schemas.sent::<answer::Answer<'_>>())
            .problem(404, "That window is not kept: 7 days are.")
            .reads_the_disk(),
        Route::History => Operation::new("history", "detail", "What node, tenants and checks were over time")
            .query(parameters::span())
            .query(parameters::since())
            .query(parameters::tenant("Of this tenant alone."))
            .query(parameters::check())
            .query(parameters::history_limit())
            .json("Changes, segments, uptime, outages and budgets.", schemas.sent::<history::Report>())
            .reads_the_disk(),
        Route::Stream => Operation::new("stream", "detail", "The answer of `/ready` at each change")
            .says("Server-sent events without an end: `event: snapshot`, and in `data` what `/ready` answers on one line. The present state comes first, a comment every 15 s.")
            .answer(200, Answer::of("Events.", "text/event-stream", line()))
            .problem(503, "There are 64 listeners already."),
        Route::Openapi => Operation::new("openapi", "detail", "This description")
            .json("OpenAPI 3.1.", json!({"type": "object", "required": ["openapi", "info", "paths"]})),
        Route::Operations
        | Route::MaintenanceStart
        | Route::MaintenanceEnd { .. }
        | Route::Drain
        | Route::Undrain
        | Route::Reload
        | Route::Ask
        | Route::Events => operator(route, pattern, schemas),
    }
}

fn ready(pattern: &'static str, schemas: &mut Schemas) -> Operation {
    let (id, summary) = match pattern {
        "/ready" => ("ready", "Whether this node should get work"),
        "/readyz" => ("readyz", "The same as `/ready`"),
        "/ready/{tenant}" => ("readyTenant", "Whether this tenant should get work here"),
        _ => ("readyzTenant", "The same as `/ready/{tenant}`"),
    };
    let forms = Form::ALL.map(|form| {
        let schema = match form {
            Form::Json => {
                // Whoever may not see more gets the verdict alone.
                let whole = schemas.sent::<body::ReadyBody<'_>>();
                json!({"anyOf": [whole, schemas.sent::<site::BareBody>()]})
            }
            Form::Text | Form::Html => line(),
            Form::HealthJson => schemas.sent::<forms::Health<'_>>(),
        };
        (form.content_type(), schema)
    });
    let well = Answer {
        content: forms.to_vec(),
        headers: &["EnvoyDegraded"],
        ..Answer::empty("The verdict is ok or degraded.")
    };
    let unwell = well.like("The verdict is down, or the node starts or drains.", &["EnvoyFail"]);
    let operation = Operation::new(id, "verdict", summary)
        .says("The form is chosen by `Accept`; `verbose` gives text. Whoever may not see more gets the verdict alone, as text, or as JSON where `Accept` names it.")
        .query(parameters::verbose())
        .query(parameters::exclude())
        .answer(200, well)
        .answer(503, unwell);
    if pattern.ends_with("{tenant}") {
        operation.problem(404, "There is no such tenant.")
    } else {
        operation
    }
}

fn page(pattern: &'static str) -> Operation {
    let described = match pattern {
        "/" => Operation::new("page", "people", "The status page of this node"),
        _ => Operation::new("pageOfTenant", "people", "The status page of a tenant").answer(
            404,
            Answer::of("There is no such tenant; a page that says so.", HTML, line()),
        ),
    };
    described
        .says("Self-contained, and kept fresh over `/v1/stream`. 200 whatever the verdict is.")
        .query(parameters::range())
        .query(parameters::exclude())
        .answer(200, Answer::of("A page for people.", HTML, line()))
}

fn check(pattern: &'static str, schemas: &mut Schemas) -> Operation {
    let one = schemas.sent::<body::DetailBody<'_>>();
    let operation = if pattern.ends_with("{tenant}") {
        Operation::new("checkOfTenant", "detail", "One check of a tenant in depth")
            .json("Evidence, causes, history, and what to do.", one)
    } else {
        let of_tenants = schemas.sent::<body::Details<'_>>();
        Operation::new("check", "detail", "One check in depth")
            .says("The node's own check when there is one of that name, else those of all tenants.")
            .json(
                "Evidence, causes, history, and what to do.",
                json!({"oneOf": [one, of_tenants]}),
            )
    };
    operation.problem(404, "There is no such check.")
}

/// `control.sock`.
fn operator(route: &Route<'_>, pattern: &'static str, schemas: &mut Schemas) -> Operation {
    let new = |id, summary| Operation::new(id, "operation", summary);
    let done = schemas.sent::<control::DoneBody>();
    match route {
        Route::MaintenanceStart => {
            let wanted = schemas.taken::<control::MaintenanceWanted>();
            new("maintenanceStart", "Takes a tenant out of the verdict for a while")
                .change(true, Some(wanted))
                .json("It is in force.", done)
                .problem(404, "There is no such tenant.")
        }
        Route::MaintenanceEnd { .. } => new("maintenanceEnd", "Takes a tenant in again")
            .change(false, None)
            .json("It is over.", done)
            .problem(404, "There is no such tenant."),
        Route::Drain => {
            let wanted = schemas.taken::<control::DrainWanted>();
            new("drain", "Lets the node, or a tenant, run empty")
                .change(false, Some(wanted))
                .json("It is in force.", done)
                .problem(404, "There is no such tenant.")
        }
        Route::Undrain => new("undrain", "Ends a drain")
            .query(parameters::tenant("Of this tenant; else of the node."))
            .change(false, None)
            .json("It is over.", done)
            .problem(404, "There is no such tenant."),
        Route::Reload => {
            let reloaded = schemas.sent::<control::ReloadedBody>();
            new("reload", "Reads the configuration again")
                .change(false, None)
                .json("What is different now.", reloaded)
        }
        Route::Ask => {
            let wanted = schemas.taken::<control::AskWanted>();
            new("ask", "Asks checks now")
                .change(false, Some(wanted))
                .json("They are asked.", done)
                .problem(404, "There is no such check.")
        }
        Route::Events => {
            let taken = schemas.sent::<control::EventsBody>();
            let mut events = new("events", "Counts webhook deliveries")
                .change(true, None)
                .json("Committed.", taken);
            events.body = Some(json!({
                "required": false,
                "description": "Events, one a line, or an array of them; docs/events.md has their fields. What is none is told by its line.",
                "content": {"application/x-ndjson": {"schema": line()}, JSON: {"schema": {}}},
            }));
            events
        }
        // All others are described above; what is in force is shown at two places.
        _ => {
            let id = if pattern == "/v1/drain" {
                "drainInForce"
            } else {
                "maintenanceInForce"
            };
            new(id, "What is in force: maintenance and drains")
                .json("By tenant.", schemas.sent::<body::Operations<'_>>())
        }
    }
}

fn line() -> Value {
    json!({"type": "string"})
}
