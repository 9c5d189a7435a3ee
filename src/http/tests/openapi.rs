//! The description against the table of routes. Whether answers are as it says, schemathesis asks a running daemon.

use std::collections::BTreeSet;

use serde_json::Value;

use super::listen::{controlled, get, raw_unix, served};
use crate::http::openapi::document;
use crate::http::route::{Surface, listing};

fn of(surface: Surface) -> Value {
    serde_json::from_slice(&document(surface).bytes).unwrap()
}

/// `GET /ready/{tenant}` and so on, with what is said of it.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &'_ Value)| {
        let methods = methods.as_object().unwrap().keys().cloned();
        methods
            .map(|method| (method.to_uppercase(), method, path.clone()))
            .collect::<Vec<_>>()
    };
    let all = paths.iter().flat_map(of_path);
    all.map(|(name, method, path)| (format!("{name} {path}"), &document["paths"][&path][&method]))
        .collect()
}

#[test]
fn every_route_of_a_surface_is_described_and_no_other() {
    for surface in [Surface::Public, Surface::Control] {
        let document = of(surface);
        let described: BTreeSet<String> = operations(&document).into_iter().map(|(name, _)| name).collect();
        assert_eq!(described, listing(surface).into_iter().collect(), "{surface:?}");
    }
}

#[test]
fn operations_have_names_of_their_own_answers_and_known_parameters() {
    for surface in [Surface::Public, Surface::Control] {
        let document = of(surface);
        let mut ids = BTreeSet::new();
        for (name, operation) in operations(&document) {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{name}"
            );
            assert!(
                operation["responses"]["200"]["headers"]["Cache-Control"].is_object(),
                "{name}"
            );
            assert!(
                operation["responses"]["400"]["content"]["application/json"].is_object(),
                "{name}"
            );
            for parameter in operation["parameters"].as_array().unwrap_or(&Vec::new()) {
                assert_ne!(parameter["description"], "", "{name}: {}", parameter["name"]);
            }
        }
    }
}

#[test]
fn what_is_referred_to_is_there_and_nothing_is_written_for_rustdoc() {
    for surface in [Surface::Public, Surface::Control] {
        let document = of(surface);
        let mut found = 0;
        every_string(&document, &mut |key, text| {
            assert!(!text.contains("[`"), "{text}");
            if key == "$ref" {
                let place = text.strip_prefix('#').unwrap();
                assert!(document.pointer(place).is_some(), "{text}");
                found += 1;
            }
        });
        assert!(found > 50, "the walk finds them: {found}");
    }
}

#[test]
fn each_surface_serves_its_own() {
    let (_stage, _running, address) = served();
    let public = get(address, "/openapi.json");
    assert_eq!((public.status, public.json()), (200, of(Surface::Public)));
    assert_eq!(public.json()["openapi"], "3.1.0");
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let (_stage, _running) = controlled(&socket);
    let answer = raw_unix(
        &socket,
        "GET /openapi.json HTTP/1.1\nHost: localhost\nConnection: close\n\n",
    );
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), of(Surface::Control));
}

fn every_string(value: &Value, visit: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) => visit(key, text),
                    value => every_string(value, visit),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| every_string(item, visit)),
        _ => {}
    }
}
