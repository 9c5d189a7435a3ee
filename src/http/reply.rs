//! What is answered, before actix sends it: data that specs can look at.

use std::sync::Arc;

use actix_web::web::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Head;
use super::body;
use super::transfer::Kept;

/// One answer. `Cache-Control: no-store` goes with every one that does not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// Where `body` is from, when it is answered more than once.
    pub kept: Option<Arc<Kept>>,
}

pub const JSON: &str = "application/json";

/// How every error looks: what happened, and the next step.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Problem<'a> {
    error: &'a str,
    hint: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    routes: &'a [String],
}

impl Reply {
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
        Reply {
            status,
            content_type,
            headers: Vec::new(),
            body: body.into(),
            kept: None,
        }
    }

    pub fn json(body: Bytes) -> Reply {
        Reply::new(200, JSON, body)
    }

    pub fn kept(content_type: &'static str, kept: Arc<Kept>) -> Reply {
        Reply {
            kept: Some(Arc::clone(&kept)),
            ..Reply::new(200, content_type, kept.bytes.clone())
        }
    }

    /// A form of `/ready`, with what load balancers look at.
    pub fn ready(head: Head, content_type: &'static str, body: Bytes) -> Reply {
        Reply {
            headers: head.headers().collect(),
            ..Reply::new(head.status, content_type, body)
        }
    }

    pub fn problem(status: u16, error: &str, hint: &str) -> Reply {
        Reply::problem_with_routes(status, error, hint, &[])
    }

    pub fn problem_with_routes(status: u16, error: &str, hint: &str, routes: &[String]) -> Reply {
        let reply = Reply::new(status, JSON, body::json(&Problem { error, hint, routes }));
        if status == 503 {
            reply.with("retry-after", "1")
        } else {
            reply
        }
    }

    /// Adds a header (name in lower case).
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }
}
