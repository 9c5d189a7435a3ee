//! Shell: `readyd config hash`, `promote` and `rollback`: which fragments are in force, and others in their place.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::super::Outcome;
use super::super::arguments::Place;
use super::super::table::columns;
use super::loaded;
use crate::config::compose::judge;
use crate::config::lint::Lint;
use crate::config::load::Loaded;
use crate::config::swap::{self, Swap, Swapped, Version};
use crate::words::TenantName;

pub fn hash(place: &Place, tenant: Option<&str>, as_json: bool) -> Outcome {
    let loaded = loaded(place)?;
    let wanted = tenant.map(named).transpose()?;
    let fragments = loaded.config.fragments.iter();
    let shown: Vec<(&TenantName, &Lint)> = fragments
        .filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == *name))
        .map(|(name, lint)| (name, &**lint))
        .collect();
    if let (Some(wanted), true) = (wanted, shown.is_empty()) {
        let dir = tenants_dir(&loaded)?;
        bail!("tenant {wanted} has no directory in {}", dir.display());
    }
    if as_json {
        let all = shown
            .iter()
            .map(|(name, lint)| (name.to_string(), json!({"hash": lint.hash, "files": lint.files})));
        println!("{:#}", Value::Object(all.collect()));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = shown
        .iter()
        .map(|(name, lint)| vec![name.to_string(), hash_of(lint.hash.as_deref()), files(lint.files)])
        .collect();
    print!("{}", columns(&rows));
    Ok(ExitCode::SUCCESS)
}

pub fn promote(place: &Place, directory: &Path, tenant: Option<&str>, as_json: bool) -> Outcome {
    let loaded = loaded(place)?;
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
    let tenant = match tenant {
        Some(tenant) => named(tenant)?,
        None => swap::tenant_of(&directory).with_context(|| {
            format!(
                "{} is not called as a tenant is: say whose fragments they are with --tenant TENANT",
                directory.display()
            )
        })?,
    };
    let done = swap(&loaded, &tenant, |swap| swap.promote(&directory))?;
    tell("promoted", &tenant, &done, as_json);
    Ok(ExitCode::SUCCESS)
}

pub fn rollback(place: &Place, tenant: &str, as_json: bool) -> Outcome {
    let loaded = loaded(place)?;
    let tenant = named(tenant)?;
    let done = swap(&loaded, &tenant, |swap| swap.rollback())?;
    tell("rolled back", &tenant, &done, as_json);
    Ok(ExitCode::SUCCESS)
}

fn swap(
    loaded: &Loaded,
    tenant: &TenantName,
    act: impl FnOnce(Swap<'_>) -> anyhow::Result<Swapped>,
) -> anyhow::Result<Swapped> {
    let declarations = &loaded.sources.declarations;
    act(Swap {
        tenants_dir: tenants_dir(loaded)?,
        tenant,
        judge: &|tree| judge(declarations, tree),
    })
}

fn tenants_dir(loaded: &Loaded) -> anyhow::Result<&Path> {
    let dir = loaded.config.tenants_dir.as_deref();
    dir.context("no tenants_dir is configured: set it in the config file, such as /etc/openclaw/tenants")
}

/// A tenant of the tenants directory: `acme.prev` is a name that any other tenant may bear, and there it is acme's.
fn named(tenant: &str) -> anyhow::Result<TenantName> {
    let name = TenantName::parse(tenant).with_context(|| format!("{tenant:?} is not a tenant name"))?;
    match swap::kept_for(tenant) {
        Some(of) => bail!("{tenant} is a directory that is kept for {of}, and no tenant: name {of}"),
        None => Ok(name),
    }
}

fn tell(what: &str, tenant: &TenantName, done: &Swapped, as_json: bool) {
    let warnings = warnings(done);
    if as_json {
        let version = |version: &Version| json!({"hash": version.hash, "files": version.files});
        let body = json!({
            "done": what,
            "tenant": tenant,
            "now": version(&done.now),
            "before": done.before.as_ref().map(version),
            "previous": done.before.as_ref().map(|_| done.previous.display().to_string()),
            "without_a_gap": done.without_a_gap,
            "warnings": warnings,
        });
        println!("{body:#}");
        return;
    }
    let now = &done.now;
    print!(
        "{what} {tenant}: {}, hash {}",
        files(now.files),
        hash_of(now.hash.as_deref())
    );
    match &done.before {
        Some(before) => println!(
            " (was {}, {}); `readyd config rollback {tenant}` goes back to it",
            hash_of(before.hash.as_deref()),
            files(before.files)
        ),
        None => println!("; there was none before"),
    }
    for warning in warnings {
        eprintln!("readyd: {warning}");
    }
}

/// What was done all the same, and should be known.
fn warnings(done: &Swapped) -> Vec<String> {
    let mut warnings = Vec::new();
    if done.recovered {
        warnings.push("an earlier swap had been interrupted; it was finished or undone first".to_owned());
    }
    if !done.without_a_gap {
        let gap = "this file system cannot exchange two directories: for a moment there was none";
        warnings.push(gap.to_owned());
    }
    warnings.extend(done.now.problems.iter().map(ToString::to_string));
    warnings.extend(done.now.advice.iter().cloned());
    warnings
}

fn hash_of(hash: Option<&str>) -> String {
    hash.unwrap_or("-").to_owned()
}

fn files(count: usize) -> String {
    match count {
        1 => "1 fragment".to_owned(),
        count => format!("{count} fragments"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_for_a_tenant_is_none_itself() {
        assert!(named("acme").is_ok() && named("acme.eu").is_ok());
        let told = |name: &str| format!("{:#}", named(name).unwrap_err());
        assert!(told("acme.prev").contains("name acme"));
        assert!(told("acme.next").contains("no tenant"));
        assert!(told("Acme").contains("is not a tenant name"));
    }
}
