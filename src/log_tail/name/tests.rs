use super::*;

/// The names of this log among `names`, oldest first.
fn ordered(path: &str, names: &[&str]) -> Vec<String> {
    let log = Names::of(Path::new(path)).unwrap();
    let mut found: Vec<_> = names.iter().filter_map(|name| Some((log.age(name)?, *name))).collect();
    found.sort();
    found.into_iter().map(|(_, name)| name.to_owned()).collect()
}

#[test]
fn a_dated_log_is_read_by_date_and_the_longest_rotated_first() {
    let names = [
        "openclaw-2026-11-21.log",
        "openclaw-2026-11-20.log",
        "openclaw-2026-11-20.1.log",
        "openclaw-2026-11-20.10.log",
        "openclaw-2026-11-20.2.log",
    ];
    assert_eq!(
        ordered("/tmp/openclaw/openclaw-YYYY-MM-DD.log", &names),
        [
            "openclaw-2026-11-20.10.log",
            "openclaw-2026-11-20.2.log",
            "openclaw-2026-11-20.1.log",
            "openclaw-2026-11-20.log",
            "openclaw-2026-11-21.log",
        ]
    );
}

#[test]
fn another_profiles_log_and_copies_are_not_of_it() {
    let names = [
        "openclaw-acme-2026-11-20.log",
        "openclaw-2026-11-20.log.gz",
        "openclaw-2026-11-20.0.log",
        "openclaw-2026-11-20.x.log",
        "openclaw-2026-11-20-copy.log",
        "openclaw-2026-11-2.log",
        "openclaw-2026-ää-20.log",
        "openclaw-.log",
    ];
    assert_eq!(
        ordered("/tmp/openclaw/openclaw-YYYY-MM-DD.log", &names),
        Vec::<String>::new()
    );
    assert_eq!(
        ordered("/tmp/openclaw/openclaw-acme-YYYY-MM-DD.log", &names),
        ["openclaw-acme-2026-11-20.log"]
    );
}

#[test]
fn a_log_without_a_date_has_its_rotated_files_too() {
    let names = ["gateway.log", "gateway.1.log", "gateway.old.log", "gateway-2.log"];
    assert_eq!(
        ordered("/var/log/gateway.log", &names),
        ["gateway.1.log", "gateway.log"]
    );
    assert_eq!(
        ordered("/var/log/gateway", &["gateway", "gateway.3"]),
        ["gateway.3", "gateway"]
    );
}

#[test]
fn a_path_without_a_file_is_no_log() {
    assert_eq!(Names::of(Path::new("/")), None);
    assert_eq!(Names::of(Path::new("/tmp/..")), None);
}
