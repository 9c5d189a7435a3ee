//! `/openapi.json`: what each route takes and answers (OpenAPI 3.1), made of the table of routes and of the types that
//! answers are written from. Nothing here is said twice: a route without a description does not compile, and a field
//! of an answer is described by being there.
//!
//! The document says nothing of this node, and is made once for each surface.

mod operation;
mod parameters;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::body;
use super::reply::{JSON, Problem};
use super::route::{self, Route, Surface};
use super::transfer::Kept;
use operation::{Answer, Operation};

/// The description of one surface, as JSON.
pub fn document(surface: Surface) -> Arc<Kept> {
    static PUBLIC: LazyLock<Arc<Kept>> = LazyLock::new(|| Kept::new(body::json(&describe(Surface::Public))));
    static CONTROL: LazyLock<Arc<Kept>> = LazyLock::new(|| Kept::new(body::json(&describe(Surface::Control))));
    Arc::clone(match surface {
        Surface::Public => &PUBLIC,
        Surface::Control => &CONTROL,
    })
}

/// Schemas of what is sent and of what is taken, by the types that do it.
struct Schemas {
    answers: SchemaGenerator,
    questions: SchemaGenerator,
}

impl Schemas {
    fn new() -> Schemas {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Schemas {
            answers: settings().for_serialize().into_generator(),
            questions: settings().for_deserialize().into_generator(),
        }
    }

    /// Of a body that is sent.
    fn sent<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().into()
    }

    /// Of a body that is taken.
    fn taken<T: JsonSchema>(&mut self) -> Value {
        self.questions.subschema_for::<T>().into()
    }

    fn all(mut self) -> Map<String, Value> {
        let mut all = self.answers.take_definitions(true);
        all.extend(self.questions.take_definitions(true));
        all
    }
}

fn describe(surface: Surface) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for (method, pattern, route) in route::all(surface) {
        let operation = with_what_every_route_does(operation::of(&route, pattern, &mut schemas), &route, surface);
        let written = write(operation, pattern, &route, &mut schemas);
        paths
            .entry(pattern)
            .or_default()
            .insert(method.as_str().to_ascii_lowercase(), written);
    }
    let problem = content(JSON, schemas.sent::<Problem<'_>>());
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "readyd",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "description": CONVENTIONS,
            "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
        },
        "servers": [{"url": "/", "description": match surface {
            Surface::Public => "`listen`: read-only",
            Surface::Control => "`control.sock`: changes state, for its operator alone (curl --unix-socket)",
        }}],
        "tags": [
            {"name": "verdict", "description": "For load balancers, orchestrators and supervisors."},
            {"name": "detail", "description": "For programs, and people, that want to know why."},
            {"name": "people", "description": "For people."},
            {"name": "operation", "description": "On `control.sock` alone."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.all(),
            "headers": parameters::headers(),
            "responses": {
                "NotFound": {"description": "No such path: the answer lists those that there are.", "content": problem},
                "MethodNotAllowed": {
                    "description": "The path is there, the method is not.",
                    "headers": {"Allow": reference("headers", "Allow")},
                    "content": problem,
                },
            },
        },
    });
    if surface == Surface::Public {
        document["components"]["securitySchemes"] = json!({"bearer": {
            "type": "http", "scheme": "bearer",
            "description": "What `token_file` holds. Wanted where `listen` is not loopback; not looked at where it is.",
        }});
        document["security"] = json!([{}, {"bearer": []}]);
    }
    document
}

/// Adds the answers that do not depend on what a route is about.
fn with_what_every_route_does(operation: Operation, route: &Route<'_>, surface: Surface) -> Operation {
    let mut operation = operation
        .problem(
            400,
            "The query cannot be read, or a parameter is none: the answer names it.",
        )
        .problem(414, "Path and query are longer than 8 KiB.");
    if surface == Surface::Public {
        operation = operation.problem(413, "The request has a body, which nothing here takes.");
        if !route.answers_anybody() {
            operation = operation
                .problem(401, "The bearer is wanted and was not sent.")
                .problem(
                    421,
                    "`Host` is neither an address, `localhost`, the node's name nor one of `hosts`.",
                );
        }
    }
    if route.revalidates() {
        operation = operation.answer(304, Answer::empty("What `If-None-Match` names is still so."));
    }
    operation
}

fn write(operation: Operation, pattern: &str, route: &Route<'_>, schemas: &mut Schemas) -> Value {
    let mut parameters: Vec<Value> = parameters::of_path(pattern).collect();
    parameters.extend(operation.query);
    let mut responses = Map::new();
    for (status, answer) in operation.answers {
        let mut headers = Map::new();
        for name in headers_of(route, status)
            .into_iter()
            .chain(answer.headers.iter().copied())
        {
            headers.insert(parameters::header_name(name).to_owned(), reference("headers", name));
        }
        let mut contents = Map::new();
        for (content_type, schema) in answer.content {
            contents.insert(content_type.to_owned(), json!({"schema": schema}));
        }
        if answer.is_problem {
            contents.insert(JSON.to_owned(), json!({"schema": schemas.sent::<Problem<'_>>()}));
        }
        let mut response = json!({"description": answer.description, "headers": headers});
        if !contents.is_empty() {
            response["content"] = Value::Object(contents);
        }
        responses.insert(status.to_string(), response);
    }
    let mut written = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": responses,
    });
    if !operation.description.is_empty() {
        written["description"] = operation.description.into();
    }
    if !parameters.is_empty() {
        written["parameters"] = parameters.into();
    }
    if let Some(body) = operation.body {
        written["requestBody"] = body;
    }
    written
}

/// Headers (by their name in the document) that follow from the kind of route and the status alone.
fn headers_of(route: &Route<'_>, status: u16) -> Vec<&'static str> {
    let mut headers = Vec::new();
    let said = matches!(status, 200 | 304);
    headers.push(if said && route.revalidates() {
        "Revalidated"
    } else {
        "NotKept"
    });
    if said && route.revalidates() {
        headers.push("ETag");
    }
    if said && route.compresses() {
        headers.push("Vary");
        headers.extend((status == 200).then_some("ContentEncoding"));
    }
    match status {
        401 => headers.push("WwwAuthenticate"),
        503 => headers.push("RetryAfter"),
        _ => {}
    }
    headers
}

fn content(content_type: &str, schema: Value) -> Value {
    json!({content_type: {"schema": schema}})
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

/// What holds for every route.
const CONVENTIONS: &str = "\
Answers come from memory: no request runs a check, or waits for one.\n\n\
HEAD goes wherever GET does. Another method is 405 with `Allow`, OPTIONS too; no header allows other origins (CORS). One \
final slash is forgiven. Parameters of a query that are not described are ignored: checks of load balancers have some. A \
repeated one counts once, the last (but `exclude`).\n\n\
Every error is JSON with `error` (what is wrong) and `hint` (what to do instead). Nothing is ever 406: an `Accept` that \
nothing meets gets JSON.\n\n\
On `/v1` and here, `ETag` is weak and stands for the text as it is sent, ages and all; `If-None-Match` is answered with \
304. There and at `/metrics`, more than 1 KiB is compressed for whoever takes gzip. All else is `no-store`.\n\n\
A reader should ignore fields that it does not know: there will be more.";
