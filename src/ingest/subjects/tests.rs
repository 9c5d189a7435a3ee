use super::*;
use crate::ingest::scan::scan;

fn subjects() -> Subjects {
    Subjects::new(Arc::new(FoldSettings {
        node: "mac-3".into(),
        allowed: None,
        via: Via::Socket,
    }))
}

fn find(subjects: &mut Subjects, tenant: &str, endpoint: &str, gateway: &str) -> Result<String, Reject> {
    let line =
        serde_json::json!({"tenant": tenant, "endpoint": endpoint, "gateway": gateway, "status": 503}).to_string();
    let index = subjects.find(&Event::read(&scan(&line).unwrap(), false)?)?;
    let subject = subjects.get(index).unwrap();
    Ok(format!("{} {} {}", subject.tenant, subject.endpoint, subject.gateway))
}

#[test]
fn names_that_run_together_alike_are_told_apart() {
    let mut subjects = subjects();
    for (tenant, endpoint, gateway) in [
        ("ab", "c", "d"),
        ("a", "bc", "d"),
        ("ab", "cd", "x"),
        ("ab", "c", "dx"),
        ("abc", "d", "x"),
    ] {
        for _ in 0..2 {
            let found = find(&mut subjects, tenant, endpoint, gateway).unwrap();
            assert_eq!(found, format!("{tenant} {endpoint} {gateway}"));
        }
    }
    assert_eq!(subjects.subjects.len(), 5);
}

#[test]
fn names_of_one_hash_replace_each_other_and_are_both_right() {
    let mut subjects = subjects();
    for endpoint in ["crm", "erp", "crm"] {
        // As if it collided: learnt under the hash of another.
        let index = subjects.learn(7, "acme", endpoint, "").unwrap();
        assert_eq!(subjects.get(index).unwrap().endpoint.as_ref(), endpoint);
    }
    assert_eq!((subjects.aliases.len(), subjects.subjects.len()), (1, 2));
    assert_eq!(subjects.aliases_bytes, "acmecrm".len());
    let squatted = hash("acme", "crm", "mac-3");
    for (tenant, endpoint, gateway) in [
        ("beta", "crm", "mac-3"),
        ("acme", "erp", "mac-3"),
        ("acme", "crm", "gw-01"),
    ] {
        subjects.learn(squatted, tenant, endpoint, gateway).unwrap();
        assert_eq!(find(&mut subjects, "acme", "crm", "mac-3").unwrap(), "acme crm mac-3");
    }
}

#[test]
fn a_gateways_name_keeps_no_token() {
    let found = find(&mut subjects(), "acme", "crm", "gw ghp_abcdefghijklmnop").unwrap();
    assert!(found.starts_with("acme crm gw [redacted-"), "{found}");
    assert_eq!(find(&mut subjects(), "acme", "crm", "gw-1"), Ok("acme crm gw-1".into()));
}

#[test]
fn a_refused_name_is_not_remembered() {
    let mut subjects = subjects();
    assert_eq!(find(&mut subjects, "Acme", "crm", ""), Err(Reject::BadField));
    assert_eq!(find(&mut subjects, "acme", "?crm", ""), Err(Reject::BadField));
    assert!(subjects.aliases.is_empty() && subjects.subjects.is_empty());
}

#[test]
fn names_are_forgotten_by_their_bytes_as_well_as_by_their_number() {
    let mut subjects = subjects();
    let long = "x".repeat(500);
    for number in 0..ALIASES_BYTES_MAX / 500 + 10 {
        subjects
            .learn(number as u64, "acme", &format!("{number}{long}"), "")
            .unwrap();
    }
    assert!(
        subjects.aliases.len() < 1_000,
        "{} names remembered",
        subjects.aliases.len()
    );
    assert!(subjects.trim());
    assert!(subjects.subjects.is_empty() && !subjects.trim());
}
