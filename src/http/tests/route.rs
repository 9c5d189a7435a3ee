use actix_web::http::Method;

use crate::http::route::{Found, Missed, OTHER, Route, Surface, find, listing, patterns};

fn check(method: &str, path: &str, surface: Surface) -> String {
    match find(&method.parse::<Method>().unwrap(), path, surface) {
        Ok(Found { route, pattern }) => format!("{route:?} as {pattern}"),
        Err(Missed::NotAllowed { allow, .. }) => format!("405 {allow}"),
        Err(Missed::NotFound) => "404".into(),
    }
}

#[test]
fn paths_are_found_with_their_names() {
    let get = |path| check("GET", path, Surface::Public);
    assert_eq!(get("/ready"), "Ready { tenant: None } as /ready");
    assert_eq!(get("/ready/"), "Ready { tenant: None } as /ready");
    assert_eq!(
        get("/readyz/acme"),
        "Ready { tenant: Some(\"acme\") } as /readyz/{tenant}"
    );
    assert_eq!(
        get("/v1/checks/doctor/acme"),
        "Check { probe: \"doctor\", tenant: Some(\"acme\") } as /v1/checks/{check}/{tenant}"
    );
    assert_eq!(get("/"), "Page { tenant: None } as /");
    assert_eq!(
        get("/tenants/acme/"),
        "Page { tenant: Some(\"acme\") } as /tenants/{tenant}"
    );
    for path in [
        "",
        "//",
        "/ready//",
        "/ready/acme/x",
        "/READY",
        "/v1",
        "/v1/checks//acme",
        "/v1/drain",
        "ready",
    ] {
        assert_eq!(get(path), "404", "{path}");
    }
}

#[test]
fn head_goes_wherever_get_does() {
    assert_eq!(check("HEAD", "/metrics", Surface::Public), "Metrics as /metrics");
    assert_eq!(check("HEAD", "/v1/events", Surface::Control), "405 POST");
}

#[test]
fn other_methods_are_told_what_is_allowed() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        assert_eq!(check(method, "/ready", Surface::Public), "405 GET, HEAD", "{method}");
    }
    assert_eq!(check("PUT", "/v1/maintenance", Surface::Control), "405 GET, HEAD, POST");
    assert_eq!(check("GET", "/v1/maintenance/acme", Surface::Control), "405 DELETE");
}

#[test]
fn nothing_on_a_tcp_listener_changes_state() {
    assert!(listing(Surface::Public).iter().all(|route| route.starts_with("GET ")));
    for method in ["POST", "DELETE"] {
        for path in [
            "/v1/maintenance",
            "/v1/maintenance/acme",
            "/v1/drain",
            "/v1/reload",
            "/v1/ask",
            "/v1/events",
        ] {
            assert_eq!(check(method, path, Surface::Public), "404", "{method} {path}");
        }
    }
    assert!(matches!(
        find(&Method::POST, "/v1/reload", Surface::Control),
        Ok(Found {
            route: Route::Reload,
            ..
        })
    ));
}

#[test]
fn labels_are_a_closed_set_without_repeats() {
    let patterns = patterns();
    assert!(patterns.contains(&OTHER) && patterns.contains(&"/ready/{tenant}"));
    assert!(patterns.windows(2).all(|pair| pair[0] < pair[1]));
}
