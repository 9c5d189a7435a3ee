use super::*;
use crate::config::keys::CONFIG;
use crate::config::yaml;

#[test]
fn a_typing_mistake_finds_its_key_and_nonsense_finds_none() {
    let keys = || CONFIG.iter().map(|key| key.name);
    for (typed, meant) in [
        ("lisen", Some("listen")),
        ("Listen", Some("listen")),
        ("tenant", Some("tenants")),
        ("tenant_dir", Some("tenants_dir")),
        ("statedir", Some("state_dir")),
        ("probe", Some("probes")),
        ("xylophone", None),
        ("", None),
    ] {
        assert_eq!(nearest(typed, keys()), meant, "{typed}");
    }
    let endless = "l".repeat(1 << 20);
    assert_eq!(nearest(&endless, ["listen"]), None);
}

#[test]
fn every_example_of_the_table_is_valid() {
    fn all(keys: &[Key]) {
        for key in keys {
            let mut problems = Problems::default();
            let node = yaml::parse("example", key.example.as_bytes()).unwrap();
            check(key.shape, &node, key.name, Wording::CONFIG, &mut problems);
            assert!(problems.is_empty(), "{problems}");
            let below = match key.shape {
                Shape::Object(keys) => keys,
                Shape::Map {
                    of: Shape::Object(keys),
                    ..
                } => keys,
                _ => continue,
            };
            all(below);
        }
    }
    all(CONFIG);
    for section in crate::config::fragments::Section::ALL {
        all(section.keys());
    }
}
