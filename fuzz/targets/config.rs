//! A configuration: any text is a configuration or a list of problems with lines, and what is taken is valid.

use readyd::config::environment::Environment;
use readyd::config::{Config, raw, yaml};
use readyd::words::TenantName;

pub fn run(data: &[u8]) {
    let environment = Environment {
        home: Some("/home/fuzz".into()),
        hostname: "mac-3".into(),
        cores: 2,
        ..Environment::default()
    };
    let tree = match yaml::parse("readyd.yaml", data) {
        Ok(tree) => tree,
        Err(problems) => {
            assert!(!problems.to_string().is_empty());
            return;
        }
    };
    let (draft, problems) = raw::decode(Some(&tree), None, &environment);
    let again = raw::decode(Some(&tree), None, &environment);
    assert_eq!(problems.to_string(), again.1.to_string());
    if problems.or(()).is_err() {
        return;
    }
    let config: Config = draft.config;
    assert!(config.tenants.len() <= Config::TENANTS_MAX);
    for (name, tenant) in &config.tenants {
        assert_eq!(TenantName::parse(name.as_str()).as_ref(), Some(name));
        assert_eq!(tenant.name, *name);
        assert_ne!(tenant.port, Some(0));
    }
    assert!(config.exec.light > 0 && config.exec.heavy > 0);
    assert!(!config.node.is_empty());
}
