//! Where a value comes from: `config explain acme endpoints.crm.budget` names file and line.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Config;
use super::declarations::Declarations;
use super::problem::Place;
use super::shape::nearest;
use super::show;
use super::yaml::{self, Node};
use crate::ingest::endpoint;
use crate::words::{CheckId, ProbeName, TenantName};

/// The trees behind a configuration.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The config file.
    pub file: Option<Node>,
    /// Each tenant's merged fragments.
    pub fragments: BTreeMap<TenantName, Node>,
    pub declarations: Declarations,
}

/// One value and what set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `endpoints.crm.budget`.
    pub key: String,
    /// As YAML on one line.
    pub value: String,
    /// `…/webhook.d/20-team.yaml:3`, `readyd.yaml:12`, `shipped:doctor.yaml:9` or `default`.
    pub set_by: String,
}

impl Sources {
    /// Every value of a tenant at or below `key` (empty: all of them), as it is in force. `Err`: what
    /// to ask for instead.
    pub fn explain(&self, config: &Config, tenant: &TenantName, key: &str) -> Result<Vec<Origin>, String> {
        let Some(known) = config.tenants.get(tenant) else {
            let names = config.tenants.keys().map(TenantName::as_str);
            let near = nearest(tenant.as_str(), names).map(|near| format!("; did you mean `{near}`?"));
            return Err(format!("no tenant is called `{tenant}`{}", near.unwrap_or_default()));
        };
        let mut leaves = Vec::new();
        let mut shown = show::tenant(known);
        shown["tenant_budget"] = known.tenant_budget.unwrap_or(config.digest.tenant_budget).into();
        shown["slo"] = show::slo(known.slo.over(config.slo));
        flatten(&shown, &mut Vec::new(), &mut leaves);
        for name in config.probes.keys() {
            if let Some(probe) = config.probe(&CheckId::of(name.clone(), tenant.clone())) {
                let mut path = vec!["probes".to_owned(), name.to_string()];
                flatten(&show::probe(probe), &mut path, &mut leaves);
            }
        }
        let mut origins = BTreeMap::new();
        for (path, value) in leaves {
            let set_by = self.place(tenant, &path);
            let set_by = set_by.map_or_else(|| "default".to_owned(), |place| place.to_string());
            let key = path.join(".");
            origins.insert(key.clone(), Origin { key, value, set_by });
        }
        // What fragments say and nothing acts on (listeners, upstreams, invariants) is explained as well.
        let mut kept = Vec::new();
        if let Some(tree) = self.fragments.get(tenant) {
            kept_by_fragments(tree, "", &mut kept);
        }
        for origin in kept {
            let acted_on = origin.key == "probes" || origin.key.starts_with("probes.");
            if !acted_on {
                origins.entry(origin.key.clone()).or_insert(origin);
            }
        }
        if let Some(endpoint) = key
            .strip_prefix("endpoints.")
            .and_then(|rest| rest.strip_suffix(".budget"))
        {
            origins
                .entry(key.to_owned())
                .or_insert_with(|| self.node_budget(config, endpoint));
        }
        let below = format!("{key}.");
        let asked = |origin: &Origin| key.is_empty() || origin.key == key || origin.key.starts_with(&below);
        let found: Vec<Origin> = origins.values().filter(|origin| asked(origin)).cloned().collect();
        match found.is_empty() {
            false => Ok(found),
            true => {
                let near = nearest(key, origins.keys().map(String::as_str));
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                Err(format!("nothing is set at `{key}` of tenant {tenant}{near}"))
            }
        }
    }

    /// The budget of an endpoint that nobody named.
    fn node_budget(&self, config: &Config, endpoint: &str) -> Origin {
        let path = ["digest".to_owned(), "budget".to_owned()];
        let place = self.file.as_ref().and_then(|file| find(file, &path));
        Origin {
            key: format!("endpoints.{endpoint}.budget"),
            value: config.digest.budget.to_string(),
            set_by: place.map_or_else(|| "default".to_owned(), |place| place.to_string()),
        }
    }

    /// What set the value at `path`: the config file, else fragments, else a declaration, else what it is
    /// inherited from; `None`: a default.
    fn place(&self, tenant: &TenantName, path: &[String]) -> Option<Place> {
        let file = self.file.as_ref();
        let fragments = self.fragments.get(tenant);
        if let [probes, name, field, ..] = path
            && probes == "probes"
        {
            let name = ProbeName::parse(name)?;
            let fragment = fragments.and_then(|tree| tree.get("probes")?.get(name.as_str()));
            let tree = self.declarations.tree(&name, fragment)?;
            let said = find(&tree, &path[2..]).or_else(|| find(&tree, &path[2..3]));
            let inherited = || find(file?, &["readiness".to_owned(), field.clone()]);
            return said.or_else(|| matches!(field.as_str(), "fall" | "rise").then(inherited).flatten());
        }
        let of_file = file.and_then(|file| find(file.get("tenants")?.get(tenant.as_str())?, path));
        let inherited = || match path {
            [key] if key == "tenant_budget" => find(file?, &["digest".to_owned(), key.clone()]),
            [key, _] if key == "slo" => find(file?, path),
            _ => None,
        };
        of_file
            .or_else(|| fragments.and_then(|tree| find(tree, path)))
            .or_else(inherited)
    }
}

/// The place of the value at `path`, when it is set.
fn find(node: &Node, path: &[String]) -> Option<Place> {
    let Some((key, rest)) = path.split_first() else {
        return (!node.is_null()).then(|| node.at.clone());
    };
    let same = |entry: &&yaml::Entry| entry.key == *key || endpoint::stored(&entry.key).as_deref() == Some(key);
    node.entries()
        .iter()
        .find(same)
        .and_then(|entry| find(&entry.node, rest))
}

/// Single values and lists with their paths.
fn flatten(value: &Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                path.push(key.clone());
                flatten(value, path, leaves);
                path.pop();
            }
        }
        value => leaves.push((path.clone(), show::to_yaml(value).trim_end().to_owned())),
    }
}

fn kept_by_fragments(node: &Node, path: &str, origins: &mut Vec<Origin>) {
    match &node.value {
        yaml::Value::Map(entries) => {
            for entry in entries {
                kept_by_fragments(&entry.node, &super::shape::join(path, &entry.key), origins);
            }
        }
        _ => origins.push(Origin {
            key: path.to_owned(),
            value: show::to_yaml(&as_json(node)).trim_end().to_owned(),
            set_by: node.at.to_string(),
        }),
    }
}

fn as_json(node: &Node) -> Value {
    match &node.value {
        yaml::Value::Null => Value::Null,
        yaml::Value::Scalar(scalar) => {
            let number = scalar.plain.then(|| scalar.text.parse::<u64>().ok()).flatten();
            number.map_or_else(|| Value::from(scalar.text.as_str()), Value::from)
        }
        yaml::Value::List(items) => items.iter().map(as_json).collect(),
        yaml::Value::Map(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.clone(), as_json(&entry.node)));
            Value::Object(entries.collect())
        }
    }
}

#[cfg(test)]
mod tests;
